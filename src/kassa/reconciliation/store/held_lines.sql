-- name: lock_free
-- Lock the orders of these payments where nobody else has them, in one order everywhere. Gives the
-- payments whose orders somebody else has, and the time; a row of it though there are none.
with wanted as materialized (
  select p.id, p.order_id from payment p where p.company_id = $1 and p.id = any($2)),
held as materialized (
  select o.id from (select distinct order_id from wanted) w
  join orders o on o.company_id = $1 and o.id = w.order_id
  order by o.id for update of o skip locked)
select clock_timestamp() as now, w.id as payment_id
from (select) one
left join wanted w on not exists (select from held h where h.id = w.order_id)

-- part: held
state = 'waiting' and match_key = ''

-- name: after
-- The lines of a file that wait for nothing but a lock, in its order, from behind a place on.
select place from report_line
where company_id = $1 and file_id = $2 and {held} and place > $3
order by place limit $4

-- name: still
-- Those of these places whose lines still do.
select place from report_line
where company_id = $1 and file_id = $2 and {held} and place = any($3)

-- name: count
-- How many of a file's lines do.
select count(*) from report_line where company_id = $1 and file_id = $2 and {held}

-- name: decide
-- What became of them after all.
update report_line l
set state = w.state, match_key = w.key, payment_id = w.payment, cause = w.cause,
  repeats_file = w.file, repeats_place = w.of_place
from unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[])
  as w(place, state, key, payment, cause, file, of_place)
where l.company_id = $1 and l.file_id = $2 and l.place = w.place
