"""What the orders interface answered under an idempotency key, kept for a day."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kassa.store.connection import Connection

_MATCHED = "company_id = $1 and scope = $2 and key = $3"
_PURGED_AT_ONCE = 20  # rows; each request that is kept makes one, so age never piles up


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """`scope`: who asked, by which method, at which address."""

    company_id: str
    scope: str
    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """`status` None: it is being worked on, or whoever worked on it died."""

    id: str
    body_hash: bytes
    status: int | None
    body: bytes | None
    created_at: datetime
    leased: bool


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
    row = await connection.fetchrow(
        "insert into orders_answer as t"
        " (company_id, scope, key, id, body_hash, lease_until, created_at)"
        " values ($1, $2, $3, $4, $5, now() + $6::interval, now())"
        " on conflict (company_id, scope, key) do update set id = excluded.id,"
        "   body_hash = excluded.body_hash, status = null, body = null,"
        "   lease_until = excluded.lease_until, created_at = excluded.created_at"
        "   where t.created_at <= now() - $7::interval"
        " returning id, body_hash, status, body, created_at, false",
        key.company_id,
        key.scope,
        key.key,
        id,
        body_hash,
        lease,
        lifetime,
    )
    return Kept(*row) if row else None


async def find(connection: Connection, key: AnswerKey) -> Kept | None:
    row = await connection.fetchrow(
        "select id, body_hash, status, body, created_at, lease_until > now()"
        f" from orders_answer where {_MATCHED}",
        key.company_id,
        key.scope,
        key.key,
    )
    return Kept(*row) if row else None


async def take_over(connection: Connection, key: AnswerKey, kept: Kept, lease: timedelta) -> bool:
    """Go on with what somebody left unanswered; False when another did so first."""
    taken = await connection.fetchval(
        f"update orders_answer set lease_until = now() + $5::interval where {_MATCHED} and id = $4"
        " and status is null and lease_until <= now() returning true",
        key.company_id,
        key.scope,
        key.key,
        kept.id,
        lease,
    )
    return taken is True


async def finish(
    connection: Connection, key: AnswerKey, request_id: str, *, status: int, body: bytes
) -> None:
    await connection.execute(
        f"update orders_answer set status = $5, body = $6 where {_MATCHED} and id = $4",
        key.company_id,
        key.scope,
        key.key,
        request_id,
        status,
        body,
    )


async def leave(connection: Connection, key: AnswerKey, request_id: str) -> None:
    """Stop working on it without an answer: the next who asks goes on, under the same id."""
    await connection.execute(
        f"update orders_answer set lease_until = now() where {_MATCHED} and id = $4"
        " and status is null",
        key.company_id,
        key.scope,
        key.key,
        request_id,
    )


async def forget(connection: Connection, key: AnswerKey, request_id: str) -> None:
    """Nothing was done: the key is as if it had never been used."""
    await connection.execute(
        f"delete from orders_answer where {_MATCHED} and id = $4 and status is null",
        key.company_id,
        key.scope,
        key.key,
        request_id,
    )


async def purge(connection: Connection, company_id: str, lifetime: timedelta) -> None:
    """Drop some of the company's oldest answers that nobody may repeat any more."""
    await connection.execute(
        "delete from orders_answer t using (select scope, key from orders_answer"
        "   where company_id = $1 and created_at <= now() - $2::interval order by created_at"
        "   limit $3 for update skip locked) as old"
        " where t.company_id = $1 and t.scope = old.scope and t.key = old.key",
        company_id,
        lifetime,
        _PURGED_AT_ONCE,
    )
