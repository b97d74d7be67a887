-- part: record
home, company_id, key, version, digest, at, seal

-- name: newest
-- The newest record of each of those rows of a table, if it has one.
select w.company_id, w.key, r.version, r.digest
from unnest($2::text[], $3::text[]) as w(company_id, key)
cross join lateral (
  select version, digest from row_record r
  where r.home = $1 and r.company_id = w.company_id and r.key = w.key
  order by version desc limit 1) r

-- name: add
-- More records.
insert into row_record ({record})
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[],
  $6::timestamptz[], $7::bytea[])

-- name: add_missing
-- More records; one that another process has written meanwhile is as good.
insert into row_record ({record})
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[],
  $6::timestamptz[], $7::bytea[])
on conflict do nothing

-- name: pages_of
-- How many pages of the disk a table has.
select pg_relation_size($1::regclass) / current_setting('block_size')::bigint
