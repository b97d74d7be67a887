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
