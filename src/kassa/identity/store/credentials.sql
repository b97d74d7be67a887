-- part: credential
k.lookup, k.company_id, k.business_id, k.kind, k.name, k.secret_hash, k.public_keys,
  k.settings, k.permissions, k.networks, k.key_terms, k.status, k.created_at, k.created_by,
  k.expires_at, k.earlier_hash, k.earlier_until, k.last_used_at,
  c.status as company_status, c.public_id as company_public_id,
  c.number as company_number, c.name as company_name, c.currency as company_currency,
  c.business_id as company_business_id, c.mode as company_mode, c.sandbox as company_sandbox

-- name: find
-- The credential of that public half, with the side of a company that it is for.
select {credential}
from credential k join company c on c.id = k.company_id
where k.lookup = $1

-- name: listed
-- A page of a company's credentials in the order of their public halves.
select {credential}
from credential k join company c on c.id = k.company_id
where k.company_id = $1 and k.lookup > $2 order by k.lookup limit $3

-- name: put
-- A credential, or new secrets for the one of that public half.
insert into credential as t
  (lookup, company_id, business_id, kind, name, secret_hash, public_keys, permissions, networks,
  key_terms, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (lookup) do update
set secret_hash = excluded.secret_hash, public_keys = excluded.public_keys

-- name: set_settings
-- How a client of kind $2 wants to be spoken to.
update credential set settings = $3 where lookup = $1 and kind = $2 returning true

-- name: set_status
-- Revoke a credential, or let it in again.
update credential set status = $2 where lookup = $1 returning true

-- name: rotate
-- Another secret; the one of before stays good until then, and the one before that no longer.
update credential
set secret_hash = $2, earlier_until = $3::timestamptz,
  earlier_hash = case when $3::timestamptz is not null then secret_hash end
where lookup = $1 returning true

-- name: lock
-- Nobody else changes it until this transaction ends.
select true from credential where lookup = $1 for no key update

-- name: set_keys
-- Its public keys by their versions, and what holds for each.
update credential set public_keys = $2, key_terms = $3 where lookup = $1 returning true

-- name: set_secret_hash
-- The same secret, kept under a newer pepper; not where somebody has done that meanwhile.
update credential set secret_hash = $3 where lookup = $1 and secret_hash = $2 returning true

-- name: note_uses
-- When these were last used, to the minute; who is being changed at the moment is noted later.
with due as (
  select lookup from credential
  where lookup = any($1::text[])
    and (last_used_at is null or last_used_at < now() - interval '1 minute')
  order by lookup for no key update skip locked)
update credential k set last_used_at = now() from due where k.lookup = due.lookup
