-- part: these
from provider_news n join unnest($1::text[], $2::text[], $3::text[]) as k(c, a, d)
  on k.c = n.company_id and k.a = n.account and k.d = n.dedupe_key

-- name: keep_news
-- Keep verified notifications that were not kept before, due after $7. For one that an open
-- transaction keeps it waits a moment and no longer: a batch is behind it.
with briefly as materialized (select set_config('lock_timeout', '100ms', true))
insert into provider_news as n
  (company_id, account, dedupe_key, headers, body, news, next_at, birth, seal)
select k.c, k.a, k.d, k.headers, k.body, k.news, now() + $7, k.birth, k.seal
from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::bytea[], $6::jsonb[],
  $8::bytea[], $9::bytea[]) as k(c, a, d, headers, body, news, birth, seal), briefly
on conflict (company_id, account, dedupe_key) do nothing
returning n.company_id, n.account, n.dedupe_key

-- name: keep_again
-- Of notifications that were kept before, those that were never applied are given out again, as
-- they were understood this time, due after $6; $7: after how long they are late. What somebody
-- else has just now is left to them.
with held as materialized (
  select n.company_id, n.account, n.dedupe_key
  {these}
  order by n.company_id, n.account, n.dedupe_key for no key update of n skip locked),
again as (
  update provider_news n set next_at = now() + $6, news = k.news, seal = k.seal
  from held h join unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::bytea[])
    as k(c, a, d, news, seal)
    on k.c = h.company_id and k.a = h.account and k.d = h.dedupe_key
  where n.company_id = h.company_id and n.account = h.account and n.dedupe_key = h.dedupe_key
    and n.applied_at is null
  returning n.company_id, n.account, n.dedupe_key, n.tries,
    n.received_at <= now() - $7::interval as is_late)
select k.c as company_id, k.a as account, k.d as dedupe_key, h.company_id is null as is_elsewhere,
  a.company_id is null as is_applied, coalesce(a.tries, 0) as tries,
  coalesce(a.is_late, false) as is_late
from unnest($1::text[], $2::text[], $3::text[]) as k(c, a, d)
left join held h on h.company_id = k.c and h.account = k.a and h.dedupe_key = k.d
left join again a on a.company_id = k.c and a.account = k.a and a.dedupe_key = k.d

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

-- name: unknown_news
-- How much of an account's news has not been applied, counted up to $2.
select count(*) from (select from provider_news
  where account = $1 and applied_at is null and attempt_id = '' limit $2) x

-- name: count_foreign
-- One more of each that is not ours, by account and reason; $3: what the last was called.
insert into foreign_news as f (account, why, many, event)
select x.account, x.why, count(*), max(x.event)
from unnest($1::text[], $2::text[], $3::text[]) as x(account, why, event)
group by x.account, x.why order by x.account, x.why
on conflict (account, why) do update
set many = f.many + excluded.many, event = excluded.event, last_at = now()

-- name: foreign_news
-- What was counted so, of these accounts or, without any, of all.
select account, why, many, event, last_at from foreign_news
where cardinality($1::text[]) = 0 or account = any($1)
order by account, why
