-- part: rule
id, company_id, kind, connector, method, currency, rate_ppm, fixed_minor, valid_from, valid_until

-- name: add_rule
-- A rule that is in force from its first day.
insert into fee_rule as t ({rule}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: rules
-- All rules of a company, in the order in which a person looks for one.
select {rule}
from fee_rule
where company_id = $1
order by kind, currency, connector, method, valid_from, id

-- name: lock_rule
-- One rule; it stays as it is until this transaction ends.
select {rule} from fee_rule where company_id = $1 and id = $2 for update

-- name: end_rule
-- It is in force until then.
update fee_rule set valid_until = $3 where company_id = $1 and id = $2

-- name: booked
-- The fees in the ledger by what caused them, adjustments included, as they count against whoever
-- bears them: that is the one leg of each posting that is not the payee's.
select g.company_id, g.payment_id, g.cause, sum(e.amount_minor) as minor
from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
where g.company_id = any($1) and g.payment_id = any($2) and g.payment_id <> ''
  and g.cause = any($3) and g.kind in ('fee', 'fee_adjustment')
  and (e.account like 'merchant:%' or e.account = 'fee_expense')
group by 1, 2, 3

-- name: variances
-- What was expected and what was booked, by method and provider account.
select p.company_id, p.connector, coalesce(p.method, '') as method, p.currency,
  sum(p.expected_fee_minor) as expected_minor, sum(p.fee_minor) as actual_minor,
  count(*) as payments, count(*) filter (where p.fee_known) as known
from payment p
where ($1::text is null or p.company_id = $1)
  and (p.fee_minor <> 0 or p.expected_fee_minor <> 0)
group by 1, 2, 3, 4
order by 1, 2, 3, 4

-- name: deviations
-- The payments that are furthest off in each currency, worst first.
select x.company_id, x.payment_id, x.connector, x.method, x.currency, x.expected_minor,
  x.actual_minor
from (select p.company_id, p.id as payment_id, p.connector, coalesce(p.method, '') as method,
    p.currency, p.expected_fee_minor as expected_minor, p.fee_minor as actual_minor,
    row_number() over (partition by p.currency
      order by abs(p.fee_minor - p.expected_fee_minor) desc, p.id) as place
  from payment p
  where ($1::text is null or p.company_id = $1) and p.fee_minor <> p.expected_fee_minor) x
where x.place <= $2
order by x.currency, x.place
