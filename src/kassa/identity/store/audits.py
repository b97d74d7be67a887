"""What was done with a privilege: rows that are added and read, and nothing else."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import datetime

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.base.store.seals import seals_of
from kassa.identity.domain.audit import AuditQuery, AuditRow
from kassa.proof.store import records
from kassa.proof.store.cover import seal_of

_HOME = "audit"


class Sql(Queries):
    moment: Value[datetime]
    add: Command
    newest: Rows[AuditRow]
    oldest_first: Rows[AuditRow]


async def moment(connection: Connection) -> datetime:
    """Now, by the database's clock."""
    return await Sql.moment.one(connection)


async def add(connection: Connection, rows: Sequence[AuditRow]) -> None:
    """With a seal and a record each, in the caller's transaction."""
    seals = seals_of(connection)
    values = []
    for one in rows:
        row = asdict(one)
        sealed = seal_of(seals, _HOME, "birth", row)
        record = records.first(connection, _HOME, row, one.company_id, one.at)
        values.append((*row.values(), sealed, *record))
    await Sql.add.run_each(connection, values)


def _filters(query: AuditQuery) -> tuple[str | datetime | None, ...]:
    return (
        query.company_id,
        query.who,
        query.what,
        query.object,
        query.since,
        query.until,
    )


async def newest(connection: Connection, query: AuditQuery, limit: int) -> list[AuditRow]:
    return await Sql.newest.all(connection, *_filters(query), limit)


def pages(connection: Connection, query: AuditQuery, size: int) -> AsyncIterator[list[AuditRow]]:
    """The oldest first, within a transaction."""
    return Sql.oldest_first.pages(connection, size, *_filters(query))
