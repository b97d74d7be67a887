"""Lines of a report whose payments somebody else is changing: they wait for nothing but a lock.

Such a line is there, in the state of waiting, and has no key of what could complete it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.reconciliation.store.reconciliation import LineRow


class _Locked(NamedTuple):
    now: datetime
    payment_id: str | None


class Sql(Queries):
    lock_free: Rows[_Locked]
    after: Value[int]
    still: Value[int]
    count: Value[int]
    decide: Command


async def lock_free(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> tuple[datetime, set[str]]:
    """Lock these payments' orders, and wait for nobody: gives the time after that, and the
    payments that somebody else has."""
    rows = await Sql.lock_free.all(connection, company_id, list(payment_ids))
    held = {row.payment_id for row in rows if row.payment_id is not None}
    return max(row.now for row in rows), held


async def after(
    connection: Connection, company_id: str, file_id: str, place: int, limit: int
) -> list[int]:
    """Their places, in the file's order, from behind `place` on."""
    return await Sql.after.all(connection, company_id, file_id, place, limit)


async def still(
    connection: Connection, company_id: str, file_id: str, places: Sequence[int]
) -> set[int]:
    """Those of these places that still wait."""
    return set(await Sql.still.all(connection, company_id, file_id, list(places)))


async def count(connection: Connection, company_id: str, file_id: str) -> int:
    return await Sql.count.one(connection, company_id, file_id)


async def decide(
    connection: Connection, company_id: str, file_id: str, rows: Sequence[LineRow]
) -> None:
    """Keep what became of these lines; what they say stays as it was written."""
    await Sql.decide.run(
        connection,
        company_id,
        file_id,
        [row.place for row in rows],
        [str(row.state) for row in rows],
        [row.match_key for row in rows],
        [row.payment_id for row in rows],
        [row.cause for row in rows],
        [row.repeats_file for row in rows],
        [row.repeats_place for row in rows],
    )
