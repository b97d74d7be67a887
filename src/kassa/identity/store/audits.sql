-- part: row
a.company_id, a.id, a.at, a.actor, a.act, a.object, a.before, a.after, a.reason, a.request_id,
  a.address

-- part: asked_for
($1::text is null or a.company_id = $1)
  and ($2::text = '' or a.actor = $2 or split_part(a.actor, ':', 1) = $2)
  and ($3::text = '' or a.act = $3 or split_part(a.act, '.', 1) = $3)
  and ($4::text = '' or a.object = $4)
  and ($5::timestamptz is null or a.at >= $5)
  and ($6::timestamptz is null or a.at < $6)

-- name: moment
-- Now.
select clock_timestamp()

-- name: add
-- One more row, with its record; none is ever changed.
with w as (
  insert into audit (company_id, id, at, actor, act, object, before, after, reason, request_id,
    address, birth)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12))
insert into row_record (home, company_id, key, version, digest, at, seal)
values ($13, $14, $15, $16, $17, $18, $19)

-- name: newest
-- Those that are asked for, the newest first.
select {row} from audit a where {asked_for} order by a.at desc, a.id desc limit $7

-- name: oldest_first
-- Those that are asked for, in the order in which they were done.
select {row} from audit a where {asked_for} order by a.at, a.id
