"""The outbox of announcements and the inbox of provider news; row state, never a cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kassa.domain.case import Announcement


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """An announcement this worker may deliver until `lease_until`; `epoch` fences late writers."""

    announcement: Announcement
    tries: int
    epoch: int
    company_number: int


async def lease(
    connection: Any,
    limit: int,
    lease_for: timedelta,
    *,
    per_address: int = 1_000,
    busy: Sequence[str] = (),
) -> list[Leased]:
    """Take due announcements; one that nobody reports back on is due again after the lease.

    At most `per_address` for one address and none for the `busy` ones, so that a receiver that
    hangs takes no place from the others. Of one payment only the oldest undelivered version's
    first try goes before a newer one's.
    """
    rows = await connection.fetch(
        "with ranked as (select a.company_id, a.id, row_number()"
        "     over (partition by a.url order by a.next_at) as place from announcement a"
        "   where a.state = 'waiting' and a.next_at <= now() and a.url <> all($3)"
        "   and not exists (select from announcement b where b.company_id = a.company_id"
        "     and b.payment_id = a.payment_id and b.version < a.version"
        "     and b.state = 'waiting' and b.tries = 0)),"
        " due as (select a.company_id, a.id from announcement a join ranked r"
        "     on r.company_id = a.company_id and r.id = a.id and r.place <= $4"
        "   where a.state = 'waiting' and a.next_at <= now()"
        "   order by a.next_at limit $1 for update of a skip locked)"
        " update announcement t set next_at = now() + $2, epoch = t.epoch + 1, tries = t.tries + 1"
        " from due, company c"
        " where t.company_id = due.company_id and t.id = due.id and c.id = t.company_id"
        " returning t.company_id, t.id, t.payment_id, t.version, t.kind, t.url, t.event_type,"
        " t.created_at, t.tries, t.epoch, c.number",
        limit,
        lease_for,
        list(busy),
        per_address,
    )
    return [
        Leased(
            announcement=Announcement(
                company_id=row[0],
                id=row[1],
                payment_id=row[2],
                version=row[3],
                kind=row[4],
                url=row[5],
                event_type=row[6],
                at=row[7],
            ),
            tries=row[8],
            epoch=row[9],
            company_number=row[10],
        )
        for row in rows
    ]


async def report(
    connection: Any,
    leased: Leased,
    *,
    delivered: bool,
    next_in: timedelta | None,
    status: int | None,
    error: str,
) -> bool:
    """Write down how the delivery went; False when somebody else has taken it over since.

    `next_in` None and not delivered: there is no further try, the letter is dead.
    """
    state = "delivered" if delivered else "waiting" if next_in is not None else "dead"
    done = await connection.fetchval(
        "update announcement set state = $4, next_at = case when $4 = 'waiting'"
        " then now() + $5::interval end, last_status = $6, last_error = $7,"
        " delivered_at = case when $4 = 'delivered' then now() end"
        " where company_id = $1 and id = $2 and epoch = $3 and state = 'waiting' returning true",
        leased.announcement.company_id,
        leased.announcement.id,
        leased.epoch,
        state,
        next_in,
        status,
        error,
    )
    return bool(done)


async def keep_news(
    connection: Any, company_id: str, account: str, dedupe_key: str, *, attempt: str, body: bytes
) -> bool:
    """Keep a verified notification; False when it had been applied already.

    One that was kept but never applied (we were killed in between) is given out again.
    """
    await connection.execute(
        "insert into provider_news (company_id, account, dedupe_key, attempt_id, body)"
        " values ($1, $2, $3, $4, $5) on conflict do nothing",
        company_id,
        account,
        dedupe_key,
        attempt,
        body,
    )
    fresh = await connection.fetchval(
        "select applied_at is null from provider_news"
        " where company_id = $1 and account = $2 and dedupe_key = $3",
        company_id,
        account,
        dedupe_key,
    )
    return bool(fresh)


async def mark_applied(
    connection: Any, company_id: str, account: str, dedupe_key: str, result: str
) -> None:
    await connection.execute(
        "update provider_news set applied_at = now(), result = $4"
        " where company_id = $1 and account = $2 and dedupe_key = $3 and applied_at is null",
        company_id,
        account,
        dedupe_key,
        result,
    )


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much work waits. The age is of the oldest attempt, or capture, void or refund, whose
    outcome is open. `surplus`: payments that hold what must go back and is not on its way."""

    announcements: int
    undecided: int
    oldest_undecided_seconds: int
    modifications: int
    oldest_modification_seconds: int
    surplus: int
    disputes: int


async def backlog(connection: Any) -> Backlog:
    row = await connection.fetchrow(
        "select (select count(*) from announcement where state = 'waiting'),"
        " a.many, coalesce(extract(epoch from now() - a.oldest)::bigint, 0),"
        " m.many, coalesce(extract(epoch from now() - m.oldest)::bigint, 0),"
        " (select count(*) from payment"
        "   where surplus_minor > surplus_returned_minor + surplus_reserved_minor),"
        " (select count(*) from dispute where closed_at is null)"
        " from (select count(*) as many, min(created_at) as oldest from attempt"
        "   where next_query_at is not null) a,"
        " (select count(*) as many, min(created_at) as oldest from modification"
        "   where next_query_at is not null) m"
    )
    return Backlog(*row)
