-- part: settlement
s.company_id, s.id, s.number, s.connector, s.currency, s.status, s.payments_minor,
  s.refunds_minor, s.disputes_minor, s.fees_minor, s.other_minor, s.carried_over_minor,
  s.payout_reference, s.opened_at, s.closed_at, s.paid_at

-- part: line
l.posting_id, l.leg, l.settlement_id, l.payment_id, l.kind, l.at, l.amount_minor, l.currency

-- name: lock
-- Nobody else changes these companies' settlements until this transaction ends: it is the row that
-- numbers them.
insert into counter as t (company_id, name, value)
select c.id, $2, 0 from company c where c.id = any($1) order by c.id
on conflict (company_id, name) do update set value = t.value

-- name: companies_waiting
-- Companies with movements that are in no settlement yet.
select distinct company_id from settlement_line where settlement_id is null order by 1

-- name: accounts_waiting
-- Their accounts with movements, from before $2, that are in no settlement yet.
select distinct l.company_id, l.connector, l.currency
from settlement_line l
where l.settlement_id is null and l.company_id = any($1)
  and ($2::timestamptz is null or l.at < $2)
order by 1, 2, 3

-- name: open_ones
-- Each account's open settlement.
select {settlement}
from settlement s
where s.company_id = any($1) and s.status = {settlement.open}

-- name: add
-- New settlements, with their numbers.
insert into settlement as t (company_id, id, number, connector, currency, status, payments_minor,
  refunds_minor, disputes_minor, fees_minor, other_minor, carried_over_minor, payout_reference,
  opened_at, closed_at, paid_at, net_minor)
select company_id, id, number, connector, currency, status, payments_minor, refunds_minor,
  disputes_minor, fees_minor, other_minor, carried_over_minor, payout_reference, opened_at,
  closed_at, paid_at, net_minor
from json_populate_recordset(null::settlement, $1::json)

-- name: save
-- All that may change of a settlement.
update settlement as t
set status = w.status, payments_minor = w.payments_minor, refunds_minor = w.refunds_minor,
  disputes_minor = w.disputes_minor, fees_minor = w.fees_minor, other_minor = w.other_minor,
  carried_over_minor = w.carried_over_minor, payout_reference = w.payout_reference,
  closed_at = w.closed_at, paid_at = w.paid_at, net_minor = w.net_minor
from json_populate_recordset(null::settlement, $1::json) as w
where t.company_id = any($2) and t.id = any($3) and t.company_id = w.company_id and t.id = w.id

-- name: gather
-- Put every waiting movement of these accounts, from before $5, into its settlement; what was put
-- comes to so much. Asked again of a row that somebody else has just changed: it is taken once.
with l as (
  update settlement_line t set settlement_id = w.id
  from unnest($1::text[], $2::text[], $3::text[], $4::text[])
    as w(id, company_id, connector, currency)
  where t.settlement_id is null and t.company_id = w.company_id and t.connector = w.connector
    and t.currency = w.currency and ($5::timestamptz is null or t.at < $5)
  returning t.settlement_id, t.kind, t.amount_minor)
select l.settlement_id, {sums} from l group by l.settlement_id

-- name: waiting
-- What is in no settlement yet, by account.
select l.company_id, l.connector, l.currency, {sums}
from settlement_line l
where l.settlement_id is null and ($1::text is null or l.company_id = $1)
group by 1, 2, 3

-- name: listed
-- The open ones, then the newest first.
select {settlement}
from settlement s
where ($1::text is null or s.company_id = $1) and ($2::text is null or s.status = $2)
order by s.status <> {settlement.open}, s.opened_at desc, s.company_id, s.number desc
limit $3

-- name: find
-- One settlement, by its id or its number.
select {settlement}
from settlement s
where s.company_id = $1 and (s.id = $2 or s.number::text = $2)

-- name: lines_waiting
-- The next lines of an account that are in no settlement yet, behind that posting and leg.
select {line}
from settlement_line l
where l.company_id = $1 and l.connector = $2 and l.currency = $3 and l.settlement_id is null
  and (l.posting_id, l.leg) > ($4, $5)
order by l.posting_id, l.leg limit $6

-- name: lines_of
-- The next lines of a settlement.
select {line}
from settlement_line l
where l.company_id = $1 and l.connector = $2 and l.currency = $3 and l.settlement_id = $7
  and (l.posting_id, l.leg) > ($4, $5)
order by l.posting_id, l.leg limit $6

-- name: lines_of_payments
-- Every movement of these payments at a provider, oldest first, with the settlement it is in. Lines
-- are found by the postings that they are of, which have an index over payments already.
select {line}, s.company_id as settlement_company_id, s.number as settlement_number,
  s.connector as settlement_connector, s.currency as settlement_currency,
  s.status as settlement_status, s.payments_minor as settlement_payments,
  s.refunds_minor as settlement_refunds, s.disputes_minor as settlement_disputes,
  s.fees_minor as settlement_fees, s.other_minor as settlement_other,
  s.carried_over_minor as settlement_carried_over_minor,
  s.payout_reference as settlement_payout_reference, s.opened_at as settlement_opened_at,
  s.closed_at as settlement_closed_at, s.paid_at as settlement_paid_at
from posting p
join settlement_line l on l.company_id = p.company_id and l.posting_id = p.id
left join settlement s on s.company_id = l.company_id and s.id = l.settlement_id
where p.company_id = $1 and p.payment_id = any($2) and p.payment_id <> ''
order by l.posting_id, l.leg

-- name: find_by_payout
-- The settlements that a payout of one of these references may pay, or has paid before it was sent
-- back; two say that it is not clear which.
select {settlement}
from settlement s
where s.company_id = $1 and ($3::text is null or s.connector = $3)
  and ($4::text is null or s.currency = $4)
  and s.id in (
    select o.id from settlement o
    where o.company_id = $1 and o.payout_reference = any($2) and o.payout_reference <> ''
    union all
    select t.settlement_id from payout t where t.company_id = $1 and t.reference = any($2))
order by s.number limit 10

-- name: to_be_paid_again
-- Settlements whose payout came back, and that come to exactly that; two say enough.
select {settlement}
from settlement s
where s.company_id = $1 and s.connector = $2 and s.currency = $3 and s.net_minor = $4
  and s.status = {settlement.failed}
order by s.number limit 2

-- name: postings_elsewhere
-- Those of these postings that are not in that settlement.
select distinct l.posting_id
from settlement_line l
where l.company_id = $1 and l.posting_id = any($2) and l.connector = $3 and l.currency = $4
  and l.settlement_id is distinct from $5
order by 1

-- name: to_adopt
-- The oldest closed one without a reference that holds any of these postings.
select {settlement}
from settlement s
where s.company_id = $1 and s.connector = $2 and s.currency = $3
  and s.status = {settlement.closed} and s.payout_reference = ''
  and s.id in (select l.settlement_id from settlement_line l
    where l.company_id = $1 and l.posting_id = any($4) and l.connector = $2 and l.currency = $3)
order by s.number limit 1

-- name: put
-- Put what waits of these postings, and add it to the sums; says how many lines were put, and of
-- how many postings. They are not summed anew: a long report comes in many parts.
with l as (
  update settlement_line t set settlement_id = $5
  where t.company_id = $1 and t.posting_id = any($4) and t.connector = $2 and t.currency = $3
    and t.settlement_id is null
  returning t.posting_id, t.kind, t.amount_minor),
x as (
  select {sums}, sum(l.amount_minor) as total, count(*) as lines,
    count(distinct l.posting_id) as postings
  from l)
update settlement s
set payments_minor = s.payments_minor + x.payments, refunds_minor = s.refunds_minor + x.refunds,
  disputes_minor = s.disputes_minor + x.disputes, fees_minor = s.fees_minor + x.fees,
  other_minor = s.other_minor + x.other, net_minor = s.net_minor + x.total
from x
where s.company_id = $1 and s.id = $5 and x.lines > 0
returning x.lines, x.postings

-- name: postings_of_cause
-- What was booked for it, oldest first.
select id, kind, at from posting
where company_id = $1 and cause = $2 and cause <> ''
order by id

-- name: the_time
-- The database's time, which is the one that counts.
select statement_timestamp()
