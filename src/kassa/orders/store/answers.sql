-- name: begin
-- Take a key for a request; nothing where a younger one than $7 has it. Who began it holds it.
insert into orders_answer as t
  (company_id, scope, key, id, body_hash, lease_until, created_at, holder)
values ($1, $2, $3, $4, $5, now() + $6::interval, now(), $4)
on conflict (company_id, scope, key) do update
set id = excluded.id, body_hash = excluded.body_hash, status = null, body = null,
  lease_until = excluded.lease_until, created_at = excluded.created_at, holder = excluded.holder
where t.created_at <= now() - $7::interval
returning id, body_hash, status, body, created_at, false as leased, holder

-- name: find
-- What is kept under a key, and whether somebody is at it.
select id, body_hash, status, body, created_at, lease_until > now() as leased, holder
from orders_answer
where company_id = $1 and scope = $2 and key = $3

-- name: take_over
-- Go on with what somebody left unanswered, or died over: from now on $6 holds it.
update orders_answer set lease_until = now() + $5::interval, holder = $6
where company_id = $1 and scope = $2 and key = $3 and id = $4
  and status is null and lease_until <= now()
returning true

-- name: renew
-- Whoever holds it is still at it.
update orders_answer set lease_until = now() + $5::interval
where company_id = $1 and scope = $2 and key = $3 and holder = $4 and status is null
returning true

-- name: finish
-- Keep the answer, of whoever holds it.
update orders_answer set status = $5, body = $6
where company_id = $1 and scope = $2 and key = $3 and holder = $4 and status is null
returning true

-- name: leave
-- Stop working on it without an answer.
update orders_answer set lease_until = now()
where company_id = $1 and scope = $2 and key = $3 and holder = $4 and status is null

-- name: forget
-- Nothing was done: the key is as if it had never been used.
delete from orders_answer
where company_id = $1 and scope = $2 and key = $3 and holder = $4 and status is null

-- name: purge
-- Drop some of the company's oldest answers that nobody may repeat any more.
delete from orders_answer t
using (select scope, key from orders_answer
  where company_id = $1 and created_at <= now() - $2::interval
  order by created_at limit $3 for update skip locked) as old
where t.company_id = $1 and t.scope = old.scope and t.key = old.key
