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

-- name: page
-- The company's newest payments.
select {view} from {payments}
where p.company_id = $1 and o.company_id = $1
order by p.id desc limit $2

-- name: page_before
-- The next older than that one. A statement of its own, as is each of those that follow, so that
-- each has a plan of its own.
select {view} from {payments}
where p.company_id = $1 and o.company_id = $1 and p.id < $3
order by p.id desc limit $2

-- name: page_of
-- Of these orders, the newest payments.
select {view} from {payments}
where p.company_id = $1 and o.company_id = $1 and p.order_id = any($3)
order by p.id desc limit $2

-- name: page_of_before
-- Of these orders, the next older than that one.
select {view} from {payments}
where p.company_id = $1 and o.company_id = $1 and p.order_id = any($3) and p.id < $4
order by p.id desc limit $2

-- name: page_narrowed
-- The next older than that one, of those that were made from $4 on (by their ids, and by the moment
-- $5) and before $6, of these orders ($7), in one of these statuses ($8), of these businesses ($9);
-- null narrows nothing.
select {view} from {payments}
where p.company_id = $1 and o.company_id = $1 and p.id < $3 and p.id >= $4
  and ($5::timestamptz is null or p.created_at >= $5)
  and ($6::timestamptz is null or p.created_at < $6)
  and ($7::text[] is null or p.order_id = any($7))
  and ($8::text[] is null or p.status = any($8))
  and ($9::text[] is null or p.business_id = any($9))
order by p.id desc limit $2

-- name: changes
-- The next $3 links of the company's chain behind link $2. Of each that tells of a payment's last
-- change, the payment, narrowed as above; null for all others. First of all a row without a link:
-- the chain's last one, and until when everything that was stored has its link.
(select q.seq, null as payment_id, coalesce(w.at, statement_timestamp()) as complete_until
from (select coalesce(max(seq), 0) as seq from chain_link where company_id = $1) q
left join (
  select min(e.at) as at
  from (select keys[1] as key, numbers[1] as number from unchained
    where company_id = $1 and kind = 'event' order by id limit 100) u
  join payment_event e on e.company_id = $1 and e.payment_id = u.key and e.seq = u.number) w
  on true)
union all
(select l.seq, p.id, null
from (select seq, kind, key, number from chain_link
  where company_id = $1 and seq > $2 order by seq limit $3) l
left join payment p on l.kind = 'event' and p.company_id = $1 and p.id = l.key
  and p.version = l.number
  and ($4::timestamptz is null or p.created_at >= $4)
  and ($5::timestamptz is null or p.created_at < $5)
  and ($6::text[] is null or p.order_id = any($6))
  and ($7::text[] is null or p.status = any($7))
  and ($8::text[] is null or p.business_id = any($8))
order by l.seq)

-- name: links_before
-- How many links the company's chain had when it had not been added to since that moment.
select coalesce(
  (select first_link - 1 from chain_block where company_id = $1 and at >= $2
    order by at, seq limit 1),
  (select max(seq) from chain_link where company_id = $1), 0)

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
            and (a.status = {attempt.in_doubt}
              or (a.status = {attempt.dispatched}
                and a.last_query_at >= o.expires_at and a.next_query_at > now())))))
  and o.id <> all($2)
  and ($3::boolean or not exists (select from company served
    where served.id = o.company_id and served.mode = 'live'))
order by o.expires_at limit $1
