-- name: insert
-- New orders with their payments and first events. One statement, one commit: an order that loses
-- to an older one (same id, or same request id) takes no payment and no event with it, because both
-- join what was really inserted. For an id that an open transaction inserts it waits a moment and
-- no longer: a batch is behind it. $4: the keys under which lists hear of it; $5: the millisecond
-- before the first id was made. Where that was too long ago nothing is made, and a row of nulls
-- says so.
with wanted_order as materialized (
  select * from json_populate_recordset(null::orders, $1::json)),
wanted_payment as materialized (
  select * from json_populate_recordset(null::payment, $2::json)),
briefly as materialized (select set_config('lock_timeout', '100ms', true)),
told as materialized (
  select count(pg_advisory_xact_lock_shared({making}, key)) from unnest($4::int[]) key),
fresh as materialized (
  select extract(epoch from clock_timestamp()) * 1000 < $5::bigint + {window} as yes from told),
made_order as (
  insert into orders as o ({order_columns}, birth)
  select {order_columns}, birth from wanted_order, briefly, fresh where fresh.yes
  on conflict do nothing
  returning o.company_id, o.id),
made_payment as (
  insert into payment as p ({payment_columns}, birth, seal)
  select {payment_w}, w.birth, w.seal
  from wanted_payment w
  join made_order m on m.company_id = w.company_id and m.id = w.order_id
  returning p.company_id, p.id, p.status, p.created_at),
made_event as (
  insert into payment_event as e
    (company_id, payment_id, seq, event, from_status, to_status, actor, evidence, at, seal)
  select m.company_id, m.id, 1, 'create', null, m.status, a.actor, a.evidence, m.created_at, a.seal
  from made_payment m
  join json_to_recordset($3::json)
    as a(company_id text, id text, actor text, evidence jsonb, seal bytea)
    on a.company_id = m.company_id and a.id = m.id)
select company_id, id from made_order
union all
select null, null from fresh where not yes

-- name: by_payment
-- These payments with their orders.
select {view}
from {payments}
join unnest($1::text[], $2::text[]) as k(c, id) on k.c = p.company_id and k.id = p.id
where p.company_id = any($1) and p.id = any($2)

-- name: by_order
-- The payments of these orders, oldest first.
select {view}
from {payments}
join unnest($1::text[], $2::text[]) as k(c, id) on k.c = o.company_id and k.id = o.id
where o.company_id = any($1) and o.id = any($2)
order by p.company_id, p.id

-- name: by_request
-- What was made under these requests, newest first.
select {view}
from {payments}
join unnest($1::text[], $2::text[], $3::text[]) as k(c, scope, request)
  on k.c = o.company_id and k.scope = o.request_scope and k.request = o.request_id
where o.company_id = any($1) and o.request_id = any($3)
order by p.id desc

-- name: by_number
-- The payment of that number.
select {view} from {payments} where p.company_id = $1 and p.number = $2

-- name: by_session
-- The order that a cashier's address opens.
select {order_columns} from orders where company_id = $1 and session_token = $2

-- name: due
-- Orders whose time has run out by the database's clock. Not those with a payment whose outcome is
-- open, nor those whose provider was asked since and will be asked again: they wait for it, and
-- would block the queue. $3: also of sides that take real money.
select o.company_id, o.id
from orders o
where o.status = {order.active} and o.expires_at <= now()
  and not exists (select from payment p
    where p.company_id = o.company_id and p.order_id = o.id
      and (p.status in {payment.at_provider}
        or exists (select from attempt a
          where a.company_id = p.company_id and a.payment_id = p.id
            and ((a.status = {attempt.in_doubt} and a.method <> 'bank_transfer')
              or (a.status = {attempt.dispatched}
                and a.last_query_at >= o.expires_at and a.next_query_at > now())))))
  and o.id <> all($2)
  and ($3::boolean or not exists (select from company served
    where served.id = o.company_id and served.mode = 'live'))
order by o.expires_at limit $1
