-- name: lease
-- Take due letters, so many ($1); one that nobody reports back on is due again after $2. Each
-- company by a step through the index, not by reading all that is due; then its oldest, at most $6
-- of those whose address is none of $5, and of one payment only the oldest undelivered version's
-- first try before a newer one's. Companies ($3) and addresses ($8) have so many under way ($4,
-- $9), and may have $7 and $10. The companies take turns, those with the fewest under way first;
-- $11 places are for those that have none. $12: also of sides that take real money.
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
   where coalesce(u.many, 0) < $7
     and ($12::boolean or not exists (select from company served
           where served.id = w.company_id and served.mode = 'live'))),
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
  t.created_at as at, t.tries, t.epoch, c.number as company_number

-- name: report
-- How a delivery went; nothing where somebody else has taken it over since. Without a next try the
-- letter is dead.
update announcement
set state = $4, next_at = case when $4 = 'waiting' then now() + $5::interval end,
  last_status = $6, last_error = $7,
  delivered_at = case when $4 = 'delivered' then now() end, seal = $8
where company_id = $1 and id = $2 and epoch = $3 and state = 'waiting'
returning true

-- name: keep_news
-- Keep a verified notification, due after $7; one that was kept before and never applied is given
-- out again, as it was understood this time. $8: after how long it is late.
insert into provider_news as n
  (company_id, account, dedupe_key, headers, body, news, next_at, birth, seal)
values ($1, $2, $3, $4, $5, $6, now() + $7, $9, $10)
on conflict (company_id, account, dedupe_key) do update
set next_at = excluded.next_at, news = excluded.news, seal = excluded.seal
where n.applied_at is null
returning n.news, n.tries, n.received_at <= now() - $8::interval as is_late, n.xmax = 0 as is_new

-- name: lease_news
-- Take news of these accounts that is due to be applied, so many; what nobody reports back on is
-- due again after $3. No other process gets the same meanwhile. $4: after how long it is late.
with due as (
  select company_id, account, dedupe_key from provider_news
  where next_at <= now() and account = any($1)
  order by next_at limit $2 for update skip locked)
update provider_news n set next_at = now() + $3, tries = n.tries + 1
from due
where n.company_id = due.company_id and n.account = due.account and n.dedupe_key = due.dedupe_key
returning n.company_id, n.account, n.dedupe_key, n.news, n.tries,
  n.received_at <= now() - $4::interval as is_late

-- name: park_news
-- Its charge or refund is not known yet: try again then.
update provider_news set next_at = now() + $4
where company_id = $1 and account = $2 and dedupe_key = $3 and applied_at is null

-- name: give_up_news
-- Nobody looks for its charge any more, until it comes again.
update provider_news set next_at = null, result = $4
where company_id = $1 and account = $2 and dedupe_key = $3 and applied_at is null

-- part: these
from provider_news n join unnest($1::text[], $2::text[], $3::text[]) as k(c, a, d)
  on k.c = n.company_id and k.a = n.account and k.d = n.dedupe_key

-- name: applied
-- Which of these have been applied, and which somebody else has just now; the others are locked.
with held as materialized (
  select n.company_id, n.account, n.dedupe_key, n.applied_at
  {these}
  order by n.company_id, n.account, n.dedupe_key for no key update of n skip locked)
select n.company_id, n.account, n.dedupe_key, h.company_id is null as is_elsewhere,
  h.applied_at is not null as is_applied
{these}
left join held h on h.company_id = n.company_id and h.account = n.account
  and h.dedupe_key = n.dedupe_key

-- name: mark_applied
-- Each with what it was about, and what came of it.
update provider_news n
set applied_at = now(), next_at = null, attempt_id = k.about, result = k.result
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
  as k(c, a, d, about, result)
where n.company_id = k.c and n.account = k.a and n.dedupe_key = k.d
