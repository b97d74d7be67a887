"""Payments in the making, and how a list comes to wait for them.

An id tells when it was made, and its row is seen later: those of two processes are seen in any
order. Whoever remembers the newest that a list had would pass over what then came below it. So the
statement that stores payments says so by a lock that nobody ever waits for, and stores nothing
whose id is older than a moment; a list looks for such locks when that moment is over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zlib import crc32

from kassa.store.connection import Connection

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


async def in_the_making(connection: Connection, company_id: str) -> Making:
    """How it stands with the company. The clock is that of the statement's beginning: what has
    begun by then is under way, or there to be seen."""
    rows = await connection.fetch(
        "select (extract(epoch from statement_timestamp()) * 1000)::bigint,"
        " (select max(id) from payment where company_id = $1), l.virtualtransaction,"
        " (extract(epoch from coalesce(a.xact_start, now())) * 1000)::bigint"
        " from (select) one left join (pg_locks l left join pg_stat_activity a on a.pid = l.pid)"
        " on l.locktype = 'advisory' and l.objsubid = 2 and l.classid = $2::bigint::oid"
        " and l.objid = $3::bigint::oid"
        " and l.database = (select oid from pg_database where datname = current_database())",
        company_id,
        LOCK,
        keys([company_id])[0] % 2**32,
    )
    under_way = {row[2]: row[3] for row in rows if row[2] is not None}
    return Making(rows[0][0], rows[0][1] or "", under_way)
