-- part: agreement
g.company_id, g.id, g.business_id, g.client_id, g.place_hash, g.belongs_to, g.auth_client_id,
  g.scopes, g.redirect_url, g.notify_url, g.auth_state, g.created_at, g.expires_at, g.status,
  g.user_id, g.answered_at, g.code_expires_at, g.generation, g.access_expires_at,
  g.refresh_expires_at, g.ended_at, g.ended_by, g.version, g.key_version

-- name: add
-- A new one, that nobody has answered.
insert into wallet_agreement (company_id, id, business_id, client_id, place_hash, belongs_to,
  auth_client_id, scopes, redirect_url, notify_url, auth_state, created_at, expires_at, status)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)

-- name: find
-- The agreement of that id.
select {agreement} from wallet_agreement g where g.company_id = $1 and g.id = $2

-- name: at_place
-- The agreement that is answered on the page of that address.
select {agreement} from wallet_agreement g
where g.company_id = $1 and g.place_hash = any($2::bytea[])

-- name: lock
-- The agreement of that id, and nobody else changes it meanwhile; with the time it is by then.
select {agreement}, clock_timestamp() as now
from wallet_agreement g where g.company_id = $1 and g.id = $2
for no key update of g

-- name: save
-- What has changed of it.
update wallet_agreement
set status = $3, user_id = $4, answered_at = $5, code_expires_at = $6, generation = $7,
  access_expires_at = $8, refresh_expires_at = $9, ended_at = $10, ended_by = $11, version = $12,
  key_version = $13
where company_id = $1 and id = $2

-- name: listed
-- Those that somebody agreed to, newest first, so many at most; $2: of this user alone.
select {agreement} from wallet_agreement g
where g.company_id = $1 and ($2 = '' or g.user_id = $2) and g.user_id is not null
order by g.created_at desc, g.id limit $3
