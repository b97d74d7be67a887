-- name: balances
-- Every account that has entries before the span's end: what it had before the span, and what came
-- and went in it.
select e.account, e.currency,
  coalesce(sum(e.amount_minor) filter (where g.at < $2::timestamptz), 0) as opening,
  coalesce(sum(e.amount_minor) filter
    (where e.amount_minor > 0 and ($2::timestamptz is null or g.at >= $2::timestamptz)), 0)
    as debits,
  coalesce(-sum(e.amount_minor) filter
    (where e.amount_minor < 0 and ($2::timestamptz is null or g.at >= $2::timestamptz)), 0)
    as credits
from entry e join posting g on g.company_id = e.company_id and g.id = e.posting_id
where e.company_id = $1 and g.company_id = $1 and ($3::timestamptz is null or g.at < $3)
group by e.account, e.currency
order by e.currency, e.account

-- name: count_postings
-- How many there are in the span.
select count(*) from posting
where company_id = $1 and ($2::timestamptz is null or at >= $2)
  and ($3::timestamptz is null or at < $3)

-- name: postings
-- The next postings of the span in the order of their ids.
select id, at, kind, payment_id, cause, currency from posting
where company_id = $1 and ($2::timestamptz is null or at >= $2)
  and ($3::timestamptz is null or at < $3) and id > $4
order by id limit $5

-- name: orders_of
-- The orders that these payments are for.
select id, order_id from payment where company_id = $1 and id = any($2)

-- name: settlement_named
-- The settlement of that id or number, or of the payout of that reference.
select id, number, connector, currency, status, payments_minor, refunds_minor, disputes_minor,
  fees_minor, other_minor, carried_over_minor, net_minor, payout_reference, opened_at, closed_at,
  paid_at
from settlement
where company_id = $1 and (id = $2 or number::text = $2 or payout_reference = $2)
order by id = $2 desc, number::text = $2 desc, number desc
limit 1

-- name: count_lines
-- How many there are in the settlement.
select count(*) from settlement_line where company_id = $1 and settlement_id = $2

-- name: lines
-- The settlement's next lines behind that posting and leg.
select posting_id, leg, at, kind, payment_id, amount_minor
from settlement_line
where settlement_id = $2 and company_id = $1 and (posting_id, leg) > ($3, $4)
order by posting_id, leg limit $5
