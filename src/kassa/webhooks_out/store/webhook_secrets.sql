-- part: secret
company_id, version, sealed, wrapped_by

-- name: of_company
-- What news of a company is signed with, the newest first; not what has ended.
select {secret} from webhook_secret
where company_id = $1 and (ends_at is null or ends_at > now()) order by version desc

-- name: is_derived
-- Whether the company's first secret is the one that was made of the pepper.
select webhook_secret_derived from company where id = $1

-- name: newest_version
-- The number of the newest that a company has had; 0 for none.
select coalesce(max(version), 0) from webhook_secret where company_id = $1

-- name: add
-- Another secret; nothing where somebody made that version at the same moment.
insert into webhook_secret (company_id, version, sealed, wrapped_by)
values ($1, $2, $3, $4)
on conflict (company_id, version) do nothing
returning true

-- name: end_older
-- The secrets before that version are signed with no longer than until then.
update webhook_secret set ends_at = now() + $3::interval
where company_id = $1 and version < $2 and (ends_at is null or ends_at > now() + $3::interval)

-- name: wrapped_by_others
-- Secrets that another version of the key has sealed, so many at most.
select {secret} from webhook_secret where wrapped_by <> $1
order by company_id, version limit $2

-- name: rewrap
-- The same secret under another version of the key.
update webhook_secret set sealed = $4, wrapped_by = $5
where company_id = $1 and version = $2 and wrapped_by = $3
