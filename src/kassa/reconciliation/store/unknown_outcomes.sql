-- name: doubts
-- What nobody knows, by provider account and currency: in doubt, or sent longer than $1 ago and not
-- decided. Not what waits for its payer. It reads only such rows, by their partial indexes.
select x.connector as account, x.currency, sum(x.amount_minor) as minor,
  greatest(0, extract(epoch from now() - min(x.since)))::bigint as oldest_seconds
from (
  select connector, currency, amount_minor, coalesce(undecided_since, created_at) as since
  from attempt
  where status = {attempt.in_doubt}
  union all
  select a.connector, a.currency, a.amount_minor, coalesce(a.undecided_since, a.created_at)
  from payment p join attempt a on a.company_id = p.company_id and a.payment_id = p.id
  where p.status = {payment.processing} and a.status = {attempt.dispatched}
    and a.created_at <= now() - $1::interval
  union all
  select connector, currency, amount_minor, coalesce(undecided_since, created_at)
  from modification
  where status = {modification.processing}) x
group by x.connector, x.currency
order by x.connector, x.currency

-- name: long_undecided
-- What nobody has known for so long; not what waits for its payer, and not what has its break
-- already.
select x.company_id, x.payment_id, 'undecided' as problem, x.connector, x.currency, x.minor,
  x.cause, false as is_return
from (
  select a.company_id, a.payment_id, a.connector, a.currency, a.amount_minor as minor,
    a.id as cause
  from attempt a join payment p on p.company_id = a.company_id and p.id = a.payment_id
  where a.status in {attempt.undecided} and a.created_at <= now() - $1::interval
    and coalesce(a.undecided_since, a.created_at) <= now() - $1::interval
    and (a.status = {attempt.in_doubt} or p.status = {payment.processing}
      or (p.status = {payment.requires_action} and p.expires_at <= now() - $1::interval))
  union all
  select m.company_id, m.payment_id, m.connector, m.currency, m.amount_minor, m.id
  from modification m
  where m.status in {modification.pending} and m.created_at <= now() - $1::interval
    and coalesce(m.undecided_since, m.created_at) <= now() - $1::interval) x
where not exists (select from report_break b
  where b.payment_id = x.payment_id and b.class = 'undecided' and b.cause = x.cause
    and b.company_id = x.company_id and b.file_id = '')
limit $2

-- name: marked
-- What a provider says was another amount, and is nobody's work yet: marked by an older release.
select x.company_id, x.payment_id, 'amount' as problem, x.connector, x.currency, x.minor, x.cause,
  false as is_return
from (
  select a.company_id, a.payment_id, a.connector, a.currency, a.amount_minor as minor,
    a.id as cause
  from attempt a
  where a.failure_code = 'amount_mismatch' and a.status <> {attempt.succeeded}
  union all
  select m.company_id, m.payment_id, m.connector, m.currency, m.amount_minor, m.id
  from modification m
  where m.failure_code = 'amount_mismatch' and m.status in {modification.pending}) x
where not exists (select from report_break b
  where b.payment_id = x.payment_id and b.class = 'amount' and b.cause = x.cause
    and b.company_id = x.company_id and b.file_id = '')
limit $1
