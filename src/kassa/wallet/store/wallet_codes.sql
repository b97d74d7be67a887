-- part: code
c.company_id, c.code_hash, c.id, c.user_id, c.kind, c.created_at, c.client_id, c.limit_minor,
  c.limit_currency, c.expires_at, c.used_at, c.used_for, c.revoked_at,
  coalesce(c.agreement_id, '') as agreement_id

-- name: find
-- The code of one of these hashes, if there is one; how long who tries it, or the user whose it is,
-- must still wait; and what time it is.
select statement_timestamp() as now,
  greatest(
    (select max(g.blocked_until) from wallet_guess g
      join unnest($3::text[], $4::text[]) as k(c, s) on g.company_id = k.c and g.subject = k.s),
    (select g.blocked_until from wallet_guess g
      where g.company_id = $1 and g.subject = 'user:' || c.user_id),
    statement_timestamp()) - statement_timestamp() as wait,
  {code}
from (values (1)) as one
left join wallet_code c on c.company_id = $1 and c.code_hash = any($2::bytea[])
limit 1

-- name: these
-- The codes of these hashes, as they stand.
select {code}
from wallet_code c
join unnest($1::text[], $2::bytea[]) as k(c, h) on k.c = c.company_id and k.h = c.code_hash
where c.company_id = any($1)

-- name: waiting
-- Who of these has to wait before their next try.
select g.company_id, g.subject
from wallet_guess g
join unnest($1::text[], $2::text[]) as k(c, s) on k.c = g.company_id and k.s = g.subject
where g.blocked_until > statement_timestamp()

-- name: try_lock
-- These codes, locked, but not those that somebody else has.
select {code}
from wallet_code c
join unnest($1::text[], $2::bytea[]) as k(c, h) on k.c = c.company_id and k.h = c.code_hash
where c.company_id = any($1)
order by c.company_id, c.code_hash
for update of c skip locked

-- name: save_used
-- When each was spent, and on what.
update wallet_code c set used_at = w.t, used_for = w.p
from unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::text[]) as w(c, h, t, p)
where c.company_id = any($1) and c.company_id = w.c and c.code_hash = w.h

-- name: add
-- A new code with its record; nothing where the company has one like it.
with c as (
  insert into wallet_code (company_id, code_hash, id, user_id, kind, created_at, client_id,
    limit_minor, limit_currency, expires_at, agreement_id, birth, seal)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
  on conflict (company_id, code_hash) do nothing
  returning true as done),
r as (
  insert into row_record (home, company_id, key, version, digest, at, seal)
  select $14, $15, $16, $17::bigint, $18::bytea, $19::timestamptz, $20::bytea from c
  on conflict do nothing)
select done from c

-- name: of_user
-- The user's codes, newest first; of those that serve once only what can still be used.
select {code}
from wallet_code c
where c.company_id = $1 and c.user_id = $2
  and (c.kind in {lasting} or (c.used_at is null and c.expires_at > now()))
order by c.created_at desc, c.id

-- name: by_hash
-- The code of that hash; locked against whoever would use it as well.
select {code}
from wallet_code c
where c.company_id = $1 and c.code_hash = $2
for no key update of c

-- name: agreement_of
-- The agreement whose code that is; "" for a code of none.
select coalesce(agreement_id, '') from wallet_code where company_id = $1 and id = $2

-- name: revoke_all
-- Whatever is left of an agreement's codes and tokens is good for nothing from now on.
update wallet_code set revoked_at = now()
where company_id = $1 and agreement_id = $2 and revoked_at is null

-- name: revoke
-- It pays nothing from now on; one that was revoked before keeps its date.
update wallet_code set revoked_at = coalesce(revoked_at, now())
where company_id = $1 and id = $2
returning true

-- part: misses
least($3::float8 + 20, 1 + greatest(0,
    g.misses - extract(epoch from statement_timestamp() - g.counted_at)::float8 / $4::float8))

-- name: count_miss
-- One more wrong code of a subject. $3: how many are free; $4: seconds after which one is
-- forgotten; $5: the first pause, doubled by each further one up to $6.
insert into wallet_guess as g (company_id, subject, misses, counted_at, blocked_until)
values ($1, $2, 1, statement_timestamp(), '-infinity')
on conflict (company_id, subject) do update
set misses = {misses},
  counted_at = statement_timestamp(),
  blocked_until = case
    when {misses} <= $3::float8 then g.blocked_until
    else statement_timestamp()
      + least($6::interval, $5::interval * power(2, ceil({misses} - $3::float8) - 1))
    end

-- name: forget_misses
-- Delete counts that nothing was added to for so long, so many at most.
delete from wallet_guess
where (company_id, subject) in
  (select company_id, subject from wallet_guess
    where counted_at < now() - $1::interval limit $2 for update skip locked)
