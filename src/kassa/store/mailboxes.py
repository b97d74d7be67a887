"""The outbox of announcements and the inbox of provider news; row state, never a cursor."""

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class NewsKey:
    """One notification. `company_id`: "" while an account that serves everybody names a charge by
    its own reference only. `dedupe_key`: the same however often the news comes."""

    company_id: str
    account: str
    dedupe_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNews:
    """A verified notification as it is kept. `news`: what was understood, in plain data.

    `tries`: how often it was to be applied before. `is_late`: it has waited for its charge too
    long. `is_new`: it had not come before; `is_applied`: nothing is left to do.
    """

    key: NewsKey
    news: dict[str, Any]
    tries: int
    is_late: bool = False
    is_new: bool = False
    is_applied: bool = False


_LATE = timedelta(hours=24)  # so long news waits for a charge that we do not know yet


async def keep_news(
    connection: Any,
    key: NewsKey,
    *,
    headers: Mapping[str, str],
    body: bytes,
    news: Mapping[str, Any],
    lease_for: timedelta,
) -> KeptNews:
    """Keep a verified notification, for whoever keeps it to apply; after the lease a worker does.

    One that was kept before and never applied (we were killed in between, its charge is not
    known) is given out again.
    """
    row = await connection.fetchrow(
        "insert into provider_news as n (company_id, account, dedupe_key, headers, body, news,"
        " next_at) values ($1, $2, $3, $4, $5, $6, now() + $7)"
        " on conflict (company_id, account, dedupe_key) do update set next_at = excluded.next_at,"
        "  news = excluded.news where n.applied_at is null"
        " returning n.news, n.tries, n.received_at <= now() - $8::interval, n.xmax = 0",
        key.company_id,
        key.account,
        key.dedupe_key,
        dict(headers),
        body,
        dict(news),
        lease_for,
        _LATE,
    )
    if row is None:
        return KeptNews(key=key, news=dict(news), tries=0, is_applied=True)
    return KeptNews(key=key, news=row[0], tries=row[1], is_late=row[2], is_new=row[3])


async def lease_news(
    connection: Any, accounts: Sequence[str], limit: int, lease_for: timedelta
) -> list[KeptNews]:
    """Take news that is due to be applied; what nobody reports back on is due again after the
    lease. No other process gets the same meanwhile."""
    rows = await connection.fetch(
        "with due as (select company_id, account, dedupe_key from provider_news"
        "   where next_at <= now() and account = any($1)"
        "   order by next_at limit $2 for update skip locked)"
        " update provider_news n set next_at = now() + $3, tries = n.tries + 1 from due"
        " where n.company_id = due.company_id and n.account = due.account"
        " and n.dedupe_key = due.dedupe_key"
        " returning n.company_id, n.account, n.dedupe_key, n.news, n.tries,"
        " n.received_at <= now() - $4::interval",
        list(accounts),
        limit,
        lease_for,
        _LATE,
    )
    return [
        KeptNews(key=NewsKey(*row[:3]), news=row[3], tries=row[4], is_late=row[5]) for row in rows
    ]


async def park_news(connection: Any, key: NewsKey, next_in: timedelta) -> None:
    """Its charge or refund is not known yet: try again then."""
    await connection.execute(
        "update provider_news set next_at = now() + $4 where company_id = $1 and account = $2"
        " and dedupe_key = $3 and applied_at is null",
        *_of(key),
        next_in,
    )


async def give_up_news(connection: Any, key: NewsKey, result: str) -> None:
    """Nobody looks for its charge any more, until it comes again."""
    await connection.execute(
        "update provider_news set next_at = null, result = $4 where company_id = $1"
        " and account = $2 and dedupe_key = $3 and applied_at is null",
        *_of(key),
        result,
    )


async def applied(connection: Any, keys: Sequence[NewsKey]) -> set[NewsKey | None]:
    """Those of them that have been applied. Asked under the lock of what they tell about, so that
    none is applied twice."""
    if not keys:
        return set()
    rows = await connection.fetch(
        "select n.company_id, n.account, n.dedupe_key from provider_news n"
        " join unnest($1::text[], $2::text[], $3::text[]) as k(c, a, d)"
        "   on k.c = n.company_id and k.a = n.account and k.d = n.dedupe_key"
        " where n.applied_at is not null",
        *_arrays(keys),
    )
    return {NewsKey(*row) for row in rows}


async def mark_applied(connection: Any, done: Sequence[tuple[NewsKey, str, str]]) -> None:
    """Each with the attempt or modification it was about, and the payment's status after it."""
    if not done:
        return
    await connection.execute(
        "update provider_news n set applied_at = now(), next_at = null, attempt_id = k.about,"
        " result = k.result"
        " from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])"
        "   as k(c, a, d, about, result)"
        " where n.company_id = k.c and n.account = k.a and n.dedupe_key = k.d",
        *_arrays([key for key, _, _ in done]),
        [about for _, about, _ in done],
        [result for _, _, result in done],
    )


def _of(key: NewsKey) -> tuple[str, str, str]:
    return key.company_id, key.account, key.dedupe_key


def _arrays(keys: Sequence[NewsKey]) -> tuple[list[str], list[str], list[str]]:
    return (
        [key.company_id for key in keys],
        [key.account for key in keys],
        [key.dedupe_key for key in keys],
    )


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much work waits. The age is of the oldest attempt, or capture, void or refund, whose
    outcome is open. `surplus`: payments that hold what must go back and is not on its way.
    `news`: verified and not applied; `lost_news`: of those, what nobody looks after any more."""

    announcements: int
    undecided: int
    oldest_undecided_seconds: int
    modifications: int
    oldest_modification_seconds: int
    surplus: int
    disputes: int
    news: int
    lost_news: int


async def backlog(connection: Any) -> Backlog:
    row = await connection.fetchrow(
        "select (select count(*) from announcement where state = 'waiting'),"
        " a.many, coalesce(extract(epoch from now() - a.oldest)::bigint, 0),"
        " m.many, coalesce(extract(epoch from now() - m.oldest)::bigint, 0),"
        " (select count(*) from payment"
        "   where surplus_minor > surplus_returned_minor + surplus_reserved_minor),"
        " (select count(*) from dispute where closed_at is null), n.many, n.lost"
        " from (select count(*) as many, min(created_at) as oldest from attempt"
        "   where next_query_at is not null) a,"
        " (select count(*) as many, min(created_at) as oldest from modification"
        "   where next_query_at is not null) m,"
        " (select count(*) as many, count(*) filter (where next_at is null) as lost"
        "   from provider_news where applied_at is null) n"
    )
    return Backlog(*row)
