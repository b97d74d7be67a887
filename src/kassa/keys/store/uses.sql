-- part: marked
case octet_length(h) when 32 then 1 when 34 then get_byte(h, 0) * 256 + get_byte(h, 1) else 0 end

-- name: credentials
-- Secrets by the pepper that they are hashed under; the first has also made the webhook secrets of
-- companies that have stored none yet.
select version, count(*) as many from (
  select {marked} as version from credential t, lateral (select t.secret_hash as h) as kept
    where t.secret_hash is not null
  union all
  select {marked} from credential t, lateral (select t.earlier_hash as h) as kept
    where t.earlier_until > now()
  union all
  select 1 from company c left join webhook_secret s on s.company_id = c.id
    where c.webhook_secret_derived and s.company_id is null
  union all
  select get_byte(sealed, 0) * 256 + get_byte(sealed, 1) from staff where sealed is not null
  union all
  select {marked} from staff_code t, lateral (select t.code_hash as h) as kept
    where t.used_at is null and (t.expires_at is null or t.expires_at > now())
  union all
  select {marked} from staff_session t, lateral (select t.secret_hash as h) as kept
    where t.ended_at is null and t.expires_at > now()) as every
group by version

-- name: wallet_codes
-- Codes and tokens that can still be used, and agreements whose tokens are made again of the key.
select version, count(*) as many from (
  select {marked} as version from wallet_code t, lateral (select t.code_hash as h) as kept
    where t.revoked_at is null and t.used_at is null
      and (t.expires_at is null or t.expires_at > now())
  union all
  select key_version from wallet_agreement where ended_at is null and generation > 0
  union all
  select {marked} from wallet_agreement t, lateral (select t.place_hash as h) as kept
    where t.answered_at is null and t.expires_at > now()) as every
group by version

-- name: webhooks
-- Webhook secrets by the key that seals them.
select wrapped_by as version, count(*) as many from webhook_secret group by 1

-- name: provider_secrets
-- The companies' data keys by the key that wraps them.
select wrapped_by as version, count(*) as many from company_key group by 1

-- name: fingerprints
-- Payees by the key that their account numbers are hashed under.
select {marked} as version, count(*) as many
from payee t, lateral (select t.account_hash as h) as kept group by 1

-- name: personal_data
-- Orders by the key that wraps theirs.
select split_part(personal_key, '.', 1)::int as version, count(*) as many
from orders where personal_key <> '' group by 1
