-- part: account
company_id, name, connector, mode, status, country, settings, version, created_at, sealed,
  key_version

-- name: newest_version
-- Grows whenever an account is added or changed.
select coalesce(max(version), 0) from provider_account

-- name: all_accounts
-- Every account of the installation.
select {account} from provider_account order by company_id, created_at, name

-- name: find_account
-- The account of that name, which no two companies share.
select {account} from provider_account where name = $1

-- name: put_account
-- A new account, or new settings for it; nothing where the name is another company's, or stands
-- for another connector or mode.
insert into provider_account as t
  (company_id, name, connector, mode, status, country, settings, sealed, key_version)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (name) do update
set settings = excluded.settings, sealed = excluded.sealed, key_version = excluded.key_version,
  status = excluded.status, country = excluded.country, updated_at = now(),
  version = nextval('provider_account_version')
where t.company_id = excluded.company_id and t.connector = excluded.connector
  and t.mode = excluded.mode
returning true

-- name: set_status
-- Enable or disable an account.
update provider_account
set status = $3, updated_at = now(), version = nextval('provider_account_version')
where company_id = $1 and name = $2
returning true

-- name: keys_of
-- The data keys of these companies, oldest first.
select company_id, version, wrapped_by, wrapped
from company_key
where company_id = any($1)
order by company_id, version

-- name: all_keys
-- Every data key of the installation.
select company_id, version, wrapped_by, wrapped from company_key order by company_id, version

-- name: add_key
-- A new version of a company's data key; nothing where there is one.
insert into company_key (company_id, version, wrapped_by, wrapped)
values ($1, $2, $3, $4)
on conflict do nothing
returning true

-- name: rewrap_key
-- The same key, wrapped by another.
update company_key set wrapped_by = $3, wrapped = $4 where company_id = $1 and version = $2
