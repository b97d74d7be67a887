-- name: by_id
-- One capture, void or refund.
select {modification_m} from modification m where m.company_id = $1 and m.id = $2

-- name: by_ids
-- These captures, voids and refunds.
select {modification_m} from modification m
join unnest($1::text[], $2::text[]) as k(c, id) on k.c = m.company_id and k.id = m.id
where m.company_id = any($1) and m.id = any($2)

-- name: told_by_event
-- The one that event number $3 of a payment's timeline is about.
select {modification_m} from payment_event e
join modification m on m.company_id = e.company_id and m.id = e.evidence ->> 'modification'
where e.company_id = $1 and e.payment_id = $2 and e.seq = $3

-- name: by_request
-- By the caller's own id of it.
select {modification_m} from modification m
where m.company_id = $1 and m.request_scope = $2 and m.request_id = $3

-- name: of_payments
-- Of these payments, oldest first.
select {modification_m} from modification m
where m.company_id = $1 and m.payment_id = any($2)
order by m.id

-- name: refunds_done
-- What went back to the payers of these payments, oldest first.
select {modification_m} from modification m
where m.company_id = $1 and m.payment_id = any($2) and m.kind = 'refund'
  and m.status = {modification.succeeded}
order by m.id

-- name: surplus_fees
-- What providers kept of these payments' money that nobody owed.
select g.payment_id, sum(e.amount_minor) as minor
from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
where g.company_id = $1 and g.payment_id = any($2) and e.account = {fee_expense}
group by g.payment_id

-- name: due
-- What should be sent, or asked about, now: of each account ($1) as many as it has room for ($2).
-- The accounts take turns, and the companies of each.
select {modification_d}
from unnest($1::text[], $2::int[]) as r(account, room)
cross join lateral (
  select t.*, row_number() over (order by t.turn, t.next_query_at) as place
  from (select o.*, row_number() over (partition by o.company_id order by o.next_query_at) as turn
    from (select m.* from modification m
      where m.connector = r.account and m.next_query_at <= now() and m.id <> all($3)
      order by m.next_query_at limit $5) o) t
  order by t.turn, t.next_query_at limit r.room) d
order by d.place, d.next_query_at
limit $4

-- name: to_release
-- Payments whose reservation ends soon. $4: also of sides that take real money.
select p.company_id, p.id
from payment p
where p.authorized_minor > p.captured_minor + p.released_minor
  and p.authorization_expires_at <= now() + $1::interval
  and p.id <> all($3)
  and ($4::boolean or not exists (select from company served
    where served.id = p.company_id and served.mode = 'live'))
order by p.authorization_expires_at limit $2

-- name: with_surplus
-- Payments that hold money to be given back which nothing is giving back; not what is a person's
-- work already: it must not take the places of the others. $3: also of sides that take real money.
select p.company_id, p.id
from payment p
where p.surplus_minor > p.surplus_returned_minor + p.surplus_reserved_minor
  and not exists (select from report_break b
    where b.payment_id = p.id and b.class = 'surplus_stuck' and b.company_id = p.company_id
      and b.file_id = '')
  and exists (select from attempt a where a.company_id = p.company_id and a.payment_id = p.id
    and a.surplus and a.method <> 'bank_transfer')
  and p.id <> all($2)
  and ($3::boolean or not exists (select from company served
    where served.id = p.company_id and served.mode = 'live'))
order by p.id limit $1

-- name: stuck
-- What left twice, and surplus that was paid at the counter (methods $3) or whose return was
-- refused $1 times; not what has its break already.
select x.company_id, x.payment_id, x.problem, x.connector, x.currency, x.minor, '' as cause,
  x.is_return
from (
  select p.company_id, p.id as payment_id, 'double_paid' as problem, p.connector, p.currency,
    p.double_paid_minor as minor,
    exists (select from dispute d where d.payment_id = p.id and d.company_id = p.company_id
      and d.kind = {dispute_kind.return}) as is_return
  from payment p
  where p.double_paid_minor > 0
  union all
  select p.company_id, p.id, 'surplus_stuck', p.connector, p.currency,
    p.surplus_minor - p.surplus_returned_minor - p.surplus_reserved_minor, false
  from payment p
  where p.surplus_minor > p.surplus_returned_minor + p.surplus_reserved_minor
    and (exists (select from attempt a
        where a.company_id = p.company_id and a.payment_id = p.id and a.surplus
          and a.method = any($3)
          and not exists (select from report_break b
            where b.payment_id = p.id and b.class = 'overpaid' and b.company_id = p.company_id))
      or (select count(*) from modification m
        where m.payment_id = p.id and m.company_id = p.company_id and m.surplus
          and m.kind = {modification_kind.refund}
          and m.status = {modification.failed}) >= $1)) x
where not exists (select from report_break b
  where b.payment_id = x.payment_id and b.class = x.problem and b.company_id = x.company_id
    and b.file_id = '')
limit $2

-- name: disputes
-- The company's disputes, the nearest deadline first.
select {dispute_d} from dispute d
where d.company_id = $1 and (not $2 or d.closed_at is null)
order by d.closed_at is not null, d.respond_by nulls last, d.id limit $3

-- name: fee_rules
-- All rules of these companies.
select id, company_id, kind, connector, method, currency, rate_ppm, fixed_minor, valid_from,
  valid_until
from fee_rule
where company_id = any($1)
order by id
