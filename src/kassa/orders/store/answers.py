"""What was answered under an idempotency key, by any interface, kept for a day."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value

_PURGED_AT_ONCE = 20  # rows; each request that is kept makes one, so age never piles up


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """`scope`: who asked, by which method, at which address."""

    company_id: str
    scope: str
    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """`status` None: it is being worked on, or whoever worked on it died. `leased`: they have said
    lately that they are at it. `holder`: who is; of others nothing is kept."""

    id: str
    body_hash: bytes
    status: int | None
    body: bytes | None
    created_at: datetime
    leased: bool
    holder: str


class Sql(Queries):
    begin: Rows[Kept]
    find: Rows[Kept]
    take_over: Value[bool]
    renew: Value[bool]
    finish: Value[bool]
    leave: Command
    forget: Command
    purge: Command


async def begin(
    connection: Connection,
    key: AnswerKey,
    *,
    id: str,  # noqa: A002 - the column's name
    body_hash: bytes,
    lease: timedelta,
    lifetime: timedelta,
) -> Kept | None:
    """Take the key for this request; None when a younger one than `lifetime` has it."""
    return await Sql.begin.first(
        connection, key.company_id, key.scope, key.key, id, body_hash, lease, lifetime
    )


async def find(connection: Connection, key: AnswerKey) -> Kept | None:
    return await Sql.find.first(connection, key.company_id, key.scope, key.key)


async def take_over(
    connection: Connection, key: AnswerKey, kept: Kept, lease: timedelta, holder: str
) -> bool:
    """Go on as `holder` with what somebody left unanswered; False when another did so first."""
    taken = await Sql.take_over.first(
        connection, key.company_id, key.scope, key.key, kept.id, lease, holder
    )
    return taken is True


async def renew(connection: Connection, key: AnswerKey, holder: str, lease: timedelta) -> bool:
    """Say that `holder` is at it still; False where it is theirs no more."""
    held = await Sql.renew.first(connection, key.company_id, key.scope, key.key, holder, lease)
    return held is True


async def finish(
    connection: Connection, key: AnswerKey, holder: str, *, status: int, body: bytes
) -> bool:
    """False where it is `holder`'s no more: then nothing is kept."""
    kept = await Sql.finish.first(
        connection, key.company_id, key.scope, key.key, holder, status, body
    )
    return kept is True


async def leave(connection: Connection, key: AnswerKey, holder: str) -> None:
    """Stop working on it without an answer: the next who asks goes on, under the same id."""
    await Sql.leave.run(connection, key.company_id, key.scope, key.key, holder)


async def forget(connection: Connection, key: AnswerKey, holder: str) -> None:
    """Nothing was done: the key is as if it had never been used."""
    await Sql.forget.run(connection, key.company_id, key.scope, key.key, holder)


async def purge(connection: Connection, company_id: str, lifetime: timedelta) -> None:
    """Drop some of the company's oldest answers that nobody may repeat any more."""
    await Sql.purge.run(connection, company_id, lifetime, _PURGED_AT_ONCE)
