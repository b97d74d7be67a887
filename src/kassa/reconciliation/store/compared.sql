-- name: owners
-- Whose charges have these ids of ours ($3), or are called so by the provider ($4), at account $2.
select a.id as attempt_id, a.payment_id, a.provider_reference as reference
from attempt a
where a.company_id = $1 and a.connector = $2
  and (a.id = any($3) or a.provider_reference = any($4) and a.provider_reference <> '')

-- name: made
-- Attempts that took money at account $2, of payments with ids from $3 until before $4, after $5.
select a.id as attempt_id, a.payment_id, a.provider_reference as reference, a.amount_minor,
  a.currency, a.created_at
from payment p
join attempt a on a.company_id = p.company_id and a.payment_id = p.id
where p.company_id = $1 and p.id >= $3 and p.id < $4 and a.id > $5
  and a.connector = $2 and a.status = {attempt.succeeded}
  and (p.captured_minor > 0 or p.surplus_minor > 0)
order by a.id
limit $6

-- name: figures
-- What the ledger says that account $3 ($2, as connectors have it) took and gave back for these
-- attempts ($4), in each currency. `is_busy`: something of the payment is not decided, or was
-- changed after $5, so that the provider may be ahead of us, or we of it.
select a.id as attempt_id, a.payment_id, e.currency,
  coalesce(sum(e.amount_minor)
    filter (where g.kind in ('capture', 'surplus')), 0) as captured_minor,
  coalesce(-sum(e.amount_minor) filter (where g.kind in ('refund', 'refund_reversal',
    'surplus_return', 'surplus_return_reversal')), 0) as refunded_minor,
  coalesce(-sum(e.amount_minor)
    filter (where g.kind in ('dispute', 'dispute_reversal', 'charge_return')), 0) as disputed_minor,
  p.updated_at > $5
    or exists (select from attempt o where o.company_id = p.company_id and o.payment_id = p.id
      and o.connector = $2 and o.status in {attempt.undecided})
    or exists (select from modification m where m.company_id = p.company_id
      and m.payment_id = p.id and m.status in {modification.pending}) as is_busy
from attempt a
join payment p on p.company_id = a.company_id and p.id = a.payment_id
join posting g on g.company_id = a.company_id and g.payment_id = a.payment_id
join entry e on e.company_id = g.company_id and e.posting_id = g.id and e.account = $3
left join modification c on c.company_id = g.company_id and c.id = g.cause
left join dispute d on d.company_id = g.company_id and d.id = g.cause
where a.company_id = $1 and a.id = any($4)
  and a.id in (g.cause, c.attempt_id, d.attempt_id)
group by a.company_id, a.id, a.payment_id, p.company_id, p.id, p.updated_at, e.currency

-- name: known_disputes
-- Which of these disputes ($3) at account $2 have been heard of.
select d.provider_reference
from dispute d
where d.company_id = $1 and d.connector = $2 and d.provider_reference = any($3)
