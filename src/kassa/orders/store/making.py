"""Payments in the making, and how a list comes to wait for them.

An id tells when it was made, and its row is seen later: those of two processes are seen in any
order. Whoever remembers the newest that a list had would pass over what then came below it. So the
statement that stores payments says so by a lock that nobody ever waits for, and stores nothing
whose id is older than a moment; a list looks for such locks when that moment is over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Queries, Rows

LOCK = 7041  # the first key of these locks
WINDOW = 50  # milliseconds from an id to its statement, by the database's clock


def keys(company_ids: Iterable[str]) -> list[int]:
    """The second keys: 32 bits with a sign. Companies that share one wait for each other's."""
    return [
        number - 2**32 if number >= 2**31 else number
        for number in (crc32(company_id.encode()) for company_id in sorted(set(company_ids)))
    ]


def announced(company_ids: Iterable[str]) -> str:
    """The statement that takes these locks until the end of the transaction, before there is any
    id. It goes out with `begin`, as a trip of its own would cost more."""
    values = ", ".join(f"({key})" for key in keys(company_ids))
    return f"select pg_advisory_xact_lock_shared({LOCK}, key) from (values {values}) as k(key)"


@dataclass(frozen=True, slots=True)
class Making:
    """`now`: milliseconds by the database's clock. `newest`: the highest payment id there was, ""
    for none. `under_way`: transactions that make payments; of each, since when."""

    now: int
    newest: str
    under_way: Mapping[str, int]


class _Maker(NamedTuple):
    """`transaction`: None where there is none."""

    now: int
    newest: str | None
    transaction: str | None
    since: int


class Sql(Queries):
    in_the_making: Rows[_Maker]


async def in_the_making(connection: Connection, company_id: str) -> Making:
    """How it stands with the company. The clock is that of the statement's beginning: what has
    begun by then is under way, or there to be seen."""
    rows = await Sql.in_the_making.all(connection, company_id, LOCK, keys([company_id])[0] % 2**32)
    under_way = {row.transaction: row.since for row in rows if row.transaction is not None}
    return Making(rows[0].now, rows[0].newest or "", under_way)
