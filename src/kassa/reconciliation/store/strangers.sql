-- name: awaited
-- Payments whose transfer of exactly that amount has not come.
select p.order_id, p.id as payment_id, a.provider_reference as reference, a.amount_minor,
  a.currency
from attempt a join payment p on p.company_id = a.company_id and p.id = a.payment_id
where a.company_id = $1 and a.amount_minor = $2 and a.currency = $3
  and a.method = 'bank_transfer' and a.status in {attempt.may_come}
order by a.id desc limit $4

-- name: called
-- The payments of the orders of these ids; three say that it is not clear which.
select p.order_id, p.id as payment_id, '' as reference, p.amount_minor, p.currency
from payment p
where p.company_id = $1 and p.order_id = any($2)
order by p.id limit 3
