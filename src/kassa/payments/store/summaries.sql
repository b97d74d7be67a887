-- part: own
p.company_id, p.id, p.business_id, p.order_id, p.method, p.status, p.module, p.currency,
p.amount_minor, p.captured_minor, p.fee_minor, p.refunded_minor, p.disputed_minor, p.surplus,
p.surplus_minor, p.surplus_returned_minor, p.unapplied_minor, p.modifications, p.disputes,
p.created_at, p.updated_at

-- part: of_order
cross join lateral (select o.customer_id, o.customer_name, o.personal, o.personal_key from orders o
  where o.company_id = p.company_id and o.id = p.order_id offset 0) o

-- part: summary
{own}, o.customer_id, o.customer_name, o.personal, o.personal_key

-- part: asked
with q as materialized (select $1::text as company_id, $2::bigint as most, $3::text as before,
  $4::text as since, $5::timestamptz as made_from, $6::timestamptz as made_until)

-- part: made
(q.made_from is null or p.created_at >= q.made_from)
    and (q.made_until is null or p.created_at < q.made_until)

-- name: of_payments
-- These payments. The arrays are selected for the reason that `page` has: how many there are would
-- be another plan each time.
select {summary}
from unnest((select $1::text[]), (select $2::text[])) as k(company_id, id)
cross join lateral (select {own} from payment p
  where p.company_id = k.company_id and p.id = k.id limit 1) p
{of_order}

-- name: page
-- The company's payments from $3 down to $4, the newest first: $2 of them, of those that were made
-- from $5 on and before $6. What is asked for stands in a row of its own, so that the planner does
-- not see it: else it makes a new plan for each page, since one for 21 rows of a small company
-- looks so much cheaper than one for any number of anybody's. Orders are looked up one by one
-- (`offset 0`), whatever it thinks of that number.
{asked}
select {summary}
from q
cross join lateral (
  select {own} from payment p
  where p.company_id = q.company_id and p.id < q.before and p.id >= q.since
    and {made}
  order by p.id desc limit q.most) p
{of_order}
order by p.id desc

-- name: page_of_orders
-- The same, of these orders ($7) alone; in these statuses ($8) and of these businesses ($9), or any
-- where that is null.
{asked}
select {summary}
from q
cross join lateral (
  select x.* from unnest((select $7::text[])) as k(order_id)
  cross join lateral (select {own} from payment p
    where p.company_id = q.company_id and p.order_id = k.order_id
      and p.id < q.before and p.id >= q.since
      and {made}
      and ($8::text[] is null or p.status = any($8))
      and ($9::text[] is null or p.business_id = any($9)) offset 0) x
  order by x.id desc limit q.most) p
{of_order}
order by p.id desc

-- name: page_of_statuses
-- The same, in these statuses ($7): of each as many as the page has, by the index, and the newest
-- of all those. Written as a range of rows, as then no other index has this order, whatever the
-- statistics say.
{asked}
select {summary}
from q
cross join lateral (
  select x.* from unnest((select $7::text[])) as k(status)
  cross join lateral (select {own} from payment p
    where p.company_id = q.company_id
      and (p.status, p.company_id, p.id) < (k.status, q.company_id, q.before)
      and (p.status, p.company_id, p.id) >= (k.status, q.company_id, q.since)
      and {made}
    order by p.status desc, p.company_id desc, p.id desc limit q.most) x
  order by x.id desc limit q.most) p
{of_order}
order by p.id desc

-- name: page_of_businesses
-- The same, in these statuses ($7) and of these businesses ($8).
{asked}
select {summary}
from q
cross join lateral (
  select x.* from unnest((select $8::text[])) as b(business_id)
  cross join unnest((select $7::text[])) as k(status)
  cross join lateral (select {own} from payment p
    where p.company_id = q.company_id
      and (p.business_id, p.company_id, p.status, p.id)
        < (b.business_id, q.company_id, k.status, q.before)
      and (p.business_id, p.company_id, p.status, p.id)
        >= (b.business_id, q.company_id, k.status, q.since)
      and {made}
    order by p.business_id desc, p.company_id desc, p.status desc, p.id desc limit q.most) x
  order by x.id desc limit q.most) p
{of_order}
order by p.id desc

-- name: changes
-- The next $3 links of the company's chain behind link $2. Of each that tells of a payment's last
-- change, the payment, of those that were made from $4 on and before $5, of these orders ($6), in
-- these statuses ($7), of these businesses ($8); null for all others. First of all a row without a
-- link: the chain's last one, and until when everything that was stored has its link.
with q as materialized (
  select $1::text as company_id, $2::bigint as after, $3::bigint as most)
(select c.seq, null as payment_id, coalesce(w.at, statement_timestamp()) as complete_until
from (select coalesce(max(seq), 0) as seq from chain_link where company_id = $1) c
left join (
  select min(e.at) as at
  from (select keys[1] as key, numbers[1] as number from unchained
    where company_id = $1 and kind = 'event' order by id limit 100) u
  join payment_event e on e.company_id = $1 and e.payment_id = u.key and e.seq = u.number) w
  on true)
union all
(select l.seq, p.id, null
from q
cross join lateral (select l.seq, l.kind, l.key, l.number from chain_link l
  where l.company_id = q.company_id and l.seq > q.after order by l.seq limit q.most) l
left join lateral (select p.id from payment p
  where l.kind = 'event' and p.company_id = q.company_id and p.id = l.key
    and p.version = l.number
    and ($4::timestamptz is null or p.created_at >= $4)
    and ($5::timestamptz is null or p.created_at < $5)
    and ($6::text[] is null or p.order_id = any($6))
    and ($7::text[] is null or p.status = any($7))
    and ($8::text[] is null or p.business_id = any($8))
  limit 1) p on true
order by l.seq)

-- name: links_before
-- How many links the company's chain had when it had not been added to since that moment.
select coalesce(
  (select first_link - 1 from chain_block where company_id = $1 and at >= $2
    order by at, seq limit 1),
  (select max(seq) from chain_link where company_id = $1), 0)
