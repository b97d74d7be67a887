-- name: begin
-- A question went unanswered; the first one counts.
insert into provider_silence as s (company_id, account, since, probe_at)
values ($1, $2, now() - $3::interval, now() + $4::interval)
on conflict (company_id, account) do update
set since = excluded.since, probe_at = excluded.probe_at
where s.since is null

-- name: is_silent
-- Whether the account's questions go unanswered.
select exists (select from provider_silence
  where company_id = $1 and account = $2 and since is not null)

-- name: end_silence
-- It answered. Says since when it had not, and whether that was long, or shortly after a long time.
with was as (
  select company_id, account, since, since <= now() - $3::interval as is_long,
    recovers_until > now() as recovers
  from provider_silence
  where company_id = $1 and account = $2 and since is not null
  for update)
update provider_silence s
set since = null,
  recovers_until = case when was.is_long and not was.recovers then now() + $3::interval
    else s.recovers_until end
from was
where s.company_id = was.company_id and s.account = was.account
returning was.since, was.is_long or was.recovers as counts

-- name: due
-- Of these, the silent ones that should be probed now, where no question is due anyway; their next
-- time comes after a hundredth of the silence, within bounds.
with due as (
  select company_id, account from provider_silence
  where since is not null and probe_at <= now() and account = any($1)
    and not exists (select from attempt a
      where a.connector = account and a.next_query_at <= now())
  for update skip locked)
update provider_silence s
set probe_at = now() + greatest($2::interval, least((now() - s.since) / 100, $3::interval))
from due
where s.company_id = due.company_id and s.account = due.account
returning s.company_id, s.account

-- part: attempts
-- What waits for its payer at a provider's page is not the provider's to decide yet.
select a.company_id, a.id, a.next_query_at, a.last_query_at,
  coalesce(a.undecided_since, a.created_at) as since
from attempt a join payment p on p.company_id = a.company_id and p.id = a.payment_id
where a.connector = $1 and a.next_query_at > now()
  and (a.status = {attempt.in_doubt}
    or (a.status = {attempt.dispatched} and p.status = {payment.processing}))

-- part: modifications
select m.company_id, m.id, m.next_query_at, m.last_query_at,
  coalesce(m.undecided_since, m.created_at) as since
from modification m
where m.connector = $1 and m.next_query_at > now()

-- name: pull_charge
-- Of the charges that wait, the one that was asked about longest ago is asked about now; none that
-- was asked about within the last $2.
with one as (
  {attempts} and coalesce(a.last_query_at, '-infinity') <= now() - $2::interval
  order by a.last_query_at nulls first limit 1
  for update of a skip locked)
update attempt t set next_query_at = now()
from one
where t.company_id = one.company_id and t.id = one.id
returning true

-- name: pull_modification
-- The same of refunds, captures and voids.
with one as (
  {modifications} and m.status = {modification.processing}
    and coalesce(m.last_query_at, '-infinity') <= now() - $2::interval
  order by m.last_query_at nulls first limit 1
  for update of m skip locked)
update modification t set next_query_at = now()
from one
where t.company_id = one.company_id and t.id = one.id
returning true

-- name: pull_forward
-- Let everything be asked about soon that was asked about since $2, $3 a second, the newest first,
-- and each not within $4 of the last time. What somebody else is changing is left to them.
with a as materialized (
  {attempts} and a.last_query_at >= $2
  for update of a skip locked),
m as materialized (
  {modifications} and m.last_query_at >= $2
  for update of m skip locked),
plan as (
  select x.*, now() + interval '1 second'
    * ((row_number() over (order by x.since desc, x.id) - 1) / $3::float8) as at
  from (select * from a union all select * from m) x),
plan_of as (
  select company_id, id,
    least(next_query_at, greatest(at, last_query_at + $4::interval)) as at
  from plan),
charges as (
  update attempt t set next_query_at = o.at from plan_of o
  where t.company_id = o.company_id and t.id = o.id
  returning t.id),
rest as (
  update modification t set next_query_at = o.at from plan_of o
  where t.company_id = o.company_id and t.id = o.id
  returning t.id)
select from charges union all select from rest
