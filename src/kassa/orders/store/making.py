"""Payments in the making, and how a list comes to wait for them.

An id tells when it was made, and its row is seen later: those of two processes are seen in any
order. Whoever remembers the newest that a list had would pass over what then came below it. So the
statement that stores payments says so by a lock that nobody ever waits for, and stores nothing
whose id is older than a moment; a list looks for such locks when that moment is over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Queries, Rows

LOCK = 7041  # the first key of these locks
WINDOW = 50  # milliseconds from an id to its statement, by the database's clock


def keys(company_ids: Iterable[str]) -> list[int]:
    """The second keys: 32 bits with a sign. Companies that share one wait for each other's."""
    return [_key(company_id) for company_id in sorted(set(company_ids))]


def _key(company_id: str) -> int:
    number = crc32(company_id.encode())
    return number - 2**32 if number >= 2**31 else number


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
    under_way: dict[str, int]


class _Maker(NamedTuple):
    """`place`: of its company, from 1 on. `transaction`: None where there is none."""

    place: int
    now: int
    newest: str | None
    transaction: str | None
    since: int


class Sql(Queries):
    in_the_making: Rows[_Maker]


async def in_the_making(connection: Connection, company_ids: Sequence[str]) -> list[Making]:
    """How it stands with each of these companies. The clock is that of the statement's beginning:
    what has begun by then is under way, or there to be seen."""
    whose = [_key(company_id) % 2**32 for company_id in company_ids]
    rows = await Sql.in_the_making.all(connection, list(company_ids), LOCK, whose)
    found = {row.place: Making(row.now, row.newest or "", {}) for row in rows}
    for row in rows:
        if row.transaction is not None:
            found[row.place].under_way[row.transaction] = row.since
    return [found[place] for place in range(1, len(company_ids) + 1)]
