-- name: users
-- Who these are; $1 and $2 name them, side by side.
select u.company_id, u.id, u.status, u.created_at
from wallet_user u
join unnest($1::text[], $2::text[]) as k(c, id) on k.c = u.company_id and k.id = u.id
where u.company_id = any($1)

-- part: these
select b.company_id, b.account, b.currency, b.balance_minor
from wallet_balance b
where b.company_id = any($1) and b.account = any($2)
  and (b.company_id, b.account, b.currency) in
    (select * from unnest($1::text[], $2::text[], $3::text[]))

-- name: balances
-- As they are now. No row means nothing.
{these}

-- name: lock_balances
-- As they are now, locked in one order everywhere.
{these}
order by b.company_id, b.account, b.currency for update

-- name: try_lock_balances
-- Locked where nobody else has them; those that somebody else has come without their balance.
with held as materialized (
  {these}
  order by b.company_id, b.account, b.currency for update skip locked)
select b.company_id, b.account, b.currency, h.balance_minor
from ({these}) b
left join held h
  on h.company_id = b.company_id and h.account = b.account and h.currency = b.currency

-- name: change_balances
-- To these balances ($1, $2, $3) add what is positive ($4): one that is not there begins with it;
-- and what is negative: the table refuses to go below nothing. And add to what these accounts
-- ($5, $6, $7) have spent today ($8).
with added as (
  insert into wallet_balance as t (company_id, account, currency, balance_minor)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as w(c, a, y, m)
  where w.m > 0
  on conflict (company_id, account, currency)
  do update set balance_minor = t.balance_minor + excluded.balance_minor),
taken as (
  update wallet_balance as t set balance_minor = t.balance_minor + w.m
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as w(c, a, y, m)
  where w.m < 0 and t.company_id = any($1) and t.company_id = w.c
    and t.account = w.a and t.currency = w.y)
insert into wallet_day as t (company_id, account, currency, on_day, spent_minor)
select c, a, y, (statement_timestamp() at time zone 'UTC')::date, m
from unnest($5::text[], $6::text[], $7::text[], $8::bigint[]) as w(c, a, y, m)
on conflict (company_id, account, currency, on_day)
do update set spent_minor = t.spent_minor + excluded.spent_minor

-- name: spent_today
-- What each account has spent since midnight UTC.
select d.company_id, d.account, d.currency, d.spent_minor
from wallet_day d
where d.company_id = any($1) and d.account = any($2)
  and d.on_day = (statement_timestamp() at time zone 'UTC')::date
  and (d.company_id, d.account, d.currency) in
    (select * from unnest($1::text[], $2::text[], $3::text[]))

-- name: holdings
-- A user's money by currency: all of it, what of it is reserved, and what was spent today.
select b.currency, b.balance_minor,
  coalesce((select sum(p.authorized_minor - p.captured_minor - p.released_minor)
    from payment p
    where p.authorized_minor > p.captured_minor + p.released_minor and p.company_id = $1
      and p.method = 'wallet' and p.instrument = $2 and p.currency = b.currency), 0)
    as held_minor,
  coalesce((select d.spent_minor from wallet_day d
    where d.company_id = $1 and d.account = $3 and d.currency = b.currency
      and d.on_day = (statement_timestamp() at time zone 'UTC')::date), 0) as spent_today_minor
from wallet_balance b
where b.company_id = $1 and b.account = $3
order by b.currency

-- name: add_user
-- A new user; nothing where the company has one of that id.
insert into wallet_user (company_id, id, status)
values ($1, $2, {wallet_user.active})
on conflict do nothing

-- name: set_user_status
-- Freeze or close a user, or let them pay again.
update wallet_user set status = $3 where company_id = $1 and id = $2 returning true
