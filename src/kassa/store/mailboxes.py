"""The outbox of announcements and the inbox of provider news; row state, never a cursor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from kassa.domain.case import Announcement
from kassa.store.companies import of_served_side
from kassa.store.connection import Connection
from kassa.store.cover import seal_of
from kassa.store.seals import seals_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """An announcement this worker may deliver until `lease_until`; `epoch` fences late writers."""

    announcement: Announcement
    tries: int
    epoch: int
    company_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Whose letters may set out. `free`: how many in all, of which `kept` only for companies that
    have none under way. `per_company`, `per_address`: most under way at once. `companies`,
    `addresses`: how many of each are under way already. `live`: also those of live sides.
    """

    free: int
    kept: int = 0
    per_company: int = 1_000
    per_address: int = 1_000
    live: bool = True
    companies: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[str, int] = field(default_factory=dict)


# Each company by a step through the index, not by reading all that is due; then its oldest.
_LEASE = f"""
with recursive waiting(company_id) as (
  (select company_id from announcement where state = 'waiting' order by company_id limit 1)
  union all
  select (select a.company_id from announcement a
           where a.state = 'waiting' and a.company_id > w.company_id
           order by a.company_id limit 1)
    from waiting w where w.company_id is not null),
due as (
  select d.company_id, d.id, d.url, d.next_at, coalesce(u.many, 0) as under_way
    from waiting w
    left join unnest($3::text[], $4::int[]) as u(company_id, many) using (company_id)
    cross join lateral (
      select a.company_id, a.id, a.url, a.next_at from announcement a
       where a.company_id = w.company_id and a.state = 'waiting' and a.next_at <= now()
         and a.url <> all($5)
         and not exists (select from announcement b where b.company_id = a.company_id
           and b.payment_id = a.payment_id and b.version < a.version
           and b.state = 'waiting' and b.tries = 0)
       order by a.next_at limit $6) d
   where coalesce(u.many, 0) < $7 and {of_served_side("w.company_id", "$12::boolean")}),
spread as (
  select d.*, row_number() over (partition by d.url order by d.next_at)
      + coalesce(u.many, 0) as at_address
    from due d left join unnest($8::text[], $9::int[]) as u(url, many) using (url)),
turns as (
  select company_id, id, next_at, under_way
      + row_number() over (partition by company_id order by next_at) as turn
    from spread where at_address <= $10),
chosen as (
  select company_id, id, turn, row_number() over (order by turn, next_at) as place
    from turns where turn <= $7),
taken as (
  select a.company_id, a.id from announcement a
    join chosen c on c.company_id = a.company_id and c.id = a.id
   where c.place <= $1 and (c.turn = 1 or c.place <= $1 - $11)
     and a.state = 'waiting' and a.next_at <= now()
     for update of a skip locked)
update announcement t set next_at = now() + $2, epoch = t.epoch + 1, tries = t.tries + 1
  from taken, company c
 where t.company_id = taken.company_id and t.id = taken.id and c.id = t.company_id
returning t.company_id, t.id, t.payment_id, t.version, t.kind, t.url, t.event_type,
  t.created_at, t.tries, t.epoch, c.number
"""


async def lease(connection: Connection, lease_for: timedelta, places: Places) -> list[Leased]:
    """Take due announcements; one that nobody reports back on is due again after the lease.

    The companies take turns, those with the fewest under way first, so that ten thousand letters
    of one delay no letter of another's; and no address takes more than its places. Of one payment
    only the oldest undelivered version's first try goes before a newer one's.
    """
    full = [url for url, many in places.addresses.items() if many >= places.per_address]
    rows = await connection.fetch(
        _LEASE,
        places.free,
        lease_for,
        list(places.companies),
        list(places.companies.values()),
        full,
        2 * min(places.per_company, places.free),
        places.per_company,
        list(places.addresses),
        list(places.addresses.values()),
        places.per_address,
        places.kept,
        places.live,
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
    connection: Connection,
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
        " delivered_at = case when $4 = 'delivered' then now() end, seal = $8"
        " where company_id = $1 and id = $2 and epoch = $3 and state = 'waiting' returning true",
        leased.announcement.company_id,
        leased.announcement.id,
        leased.epoch,
        state,
        next_in,
        status,
        error,
        None if state == "waiting" else _end(connection, leased, state),
    )
    return bool(done)


def _end(connection: Connection, leased: Leased, state: str) -> bytes:
    """The seal of a letter that waits no longer."""
    about = leased.announcement
    row = {
        "company_id": about.company_id,
        "id": about.id,
        "state": state,
        "epoch": leased.epoch,
    }
    return seal_of(seals_of(connection), "announcement", "seal", row)


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
    connection: Connection,
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
    seals = seals_of(connection)
    said = {
        "company_id": key.company_id,
        "account": key.account,
        "dedupe_key": key.dedupe_key,
        "headers": dict(headers),
        "body": body,
        "news": dict(news),
    }
    row = await connection.fetchrow(
        "insert into provider_news as n (company_id, account, dedupe_key, headers, body, news,"
        " next_at, birth, seal) values ($1, $2, $3, $4, $5, $6, now() + $7, $9, $10)"
        " on conflict (company_id, account, dedupe_key) do update set next_at = excluded.next_at,"
        "  news = excluded.news, seal = excluded.seal where n.applied_at is null"
        " returning n.news, n.tries, n.received_at <= now() - $8::interval, n.xmax = 0",
        key.company_id,
        key.account,
        key.dedupe_key,
        dict(headers),
        body,
        dict(news),
        lease_for,
        _LATE,
        seal_of(seals, "provider_news", "birth", said),
        seal_of(seals, "provider_news", "seal", said),
    )
    if row is None:
        return KeptNews(key=key, news=dict(news), tries=0, is_applied=True)
    return KeptNews(key=key, news=row[0], tries=row[1], is_late=row[2], is_new=row[3])


async def lease_news(
    connection: Connection, accounts: Sequence[str], limit: int, lease_for: timedelta
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


async def park_news(connection: Connection, key: NewsKey, next_in: timedelta) -> None:
    """Its charge or refund is not known yet: try again then."""
    await connection.execute(
        "update provider_news set next_at = now() + $4 where company_id = $1 and account = $2"
        " and dedupe_key = $3 and applied_at is null",
        *_of(key),
        next_in,
    )


async def give_up_news(connection: Connection, key: NewsKey, result: str) -> None:
    """Nobody looks for its charge any more, until it comes again."""
    await connection.execute(
        "update provider_news set next_at = null, result = $4 where company_id = $1"
        " and account = $2 and dedupe_key = $3 and applied_at is null",
        *_of(key),
        result,
    )


async def applied(
    connection: Connection, keys: Sequence[NewsKey]
) -> tuple[set[NewsKey | None], set[NewsKey | None]]:
    """Those of them that have been applied; and those that somebody else has just now. The others
    are locked. Asked under the lock of what they tell about, so that none is applied twice."""
    if not keys:
        return set(), set()
    of = (
        " from provider_news n join unnest($1::text[], $2::text[], $3::text[]) as k(c, a, d)"
        "   on k.c = n.company_id and k.a = n.account and k.d = n.dedupe_key"
    )
    names = "n.company_id, n.account, n.dedupe_key"
    rows = await connection.fetch(
        f"with held as materialized (select {names}, n.applied_at{of}"
        f"   order by {names} for no key update of n skip locked)"
        f" select {names}, h.company_id is null, h.applied_at is not null{of}"
        "  left join held h on h.company_id = n.company_id and h.account = n.account"
        "   and h.dedupe_key = n.dedupe_key",
        *_arrays(keys),
    )
    return {NewsKey(*row[:3]) for row in rows if row[4]}, {
        NewsKey(*row[:3]) for row in rows if row[3]
    }


async def mark_applied(connection: Connection, done: Sequence[tuple[NewsKey, str, str]]) -> None:
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
