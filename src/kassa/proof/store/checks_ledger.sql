-- part: booked
-- What the ledger booked for each payment.
(
select g.company_id, g.payment_id,
    coalesce(-sum(e.amount_minor) filter (
      where g.kind = 'capture' and e.account like 'merchant:%'), 0) as captured,
    coalesce(sum(e.amount_minor) filter (
      where g.kind in ('refund', 'refund_reversal')
        and e.account like 'merchant:%'), 0) as refunded,
    coalesce(sum(e.amount_minor) filter (
      where g.kind in ('dispute', 'dispute_reversal', 'charge_return')
        and e.account like 'merchant:%'), 0) as disputed,
    coalesce(sum(e.amount_minor) filter (
      where g.kind in ('fee', 'fee_adjustment') and e.account like 'merchant:%'), 0) as fee,
    coalesce(-sum(e.amount_minor) filter (
      where g.kind = 'surplus' and e.account = 'surplus'), 0) as surplus,
    coalesce(-sum(e.amount_minor) filter (
      where g.kind <> 'adjustment' and e.account = 'unapplied'), 0) as unapplied,
    coalesce(sum(e.amount_minor) filter (
      where g.kind in ('surplus_return', 'surplus_return_reversal', 'dispute', 'dispute_reversal',
          'charge_return')
        and e.account = 'surplus'), 0) as surplus_returned,
    -sum(e.amount_minor) filter (
      where g.kind = 'authorize' and e.account like 'held:%') as authorized,
    coalesce(sum(e.amount_minor) filter (
      where g.kind = 'release' and e.account like 'held:%'), 0) as released,
    coalesce(sum(e.amount_minor) filter (
      where g.kind = 'capture' and e.account like 'held:%'), 0) as claimed
  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where g.payment_id <> ''
   and (e.account like 'merchant:%' or e.account in ('surplus', 'unapplied')
     or e.account like 'held:%')
 group by g.company_id, g.payment_id)

-- part: entries
(
select company_id, posting_id, sum(amount_minor) as total, count(*) as legs, max(leg) as last,
    min(currency) as lowest, max(currency) as highest
  from entry group by company_id, posting_id)

-- part: payments_of_order
(
select p.company_id, p.order_id, count(*) as payments,
    count(*) filter (where p.status in {payment.under_way}) as going,
    count(*) filter (where p.status in {payment.closed}) as ended,
    count(*) filter (where not p.surplus and p.status in {payment.funds_moved}) as paid,
    max(p.captured_minor) filter (where not p.surplus
      and p.status in {payment.funds_moved}) as captured,
    -- a part of what was reserved, or a short transfer that was accepted
    bool_or(p.capture_method = 'manual' or p.method = 'bank_transfer') as in_parts,
    min(p.amount_minor) as least, max(p.amount_minor) as most,
    min(p.currency) as lowest, max(p.currency) as highest
  from payment p group by p.company_id, p.order_id)

-- part: known_fee
-- What was taken before fees were booked has its fee on the payment only.
case when p.fee_minor > 0 and coalesce(l.fee, 0) = 0 and p.captured_at
      < (select applied_at from public.schema_migration where number = 2)
    then 0 else p.fee_minor end

-- part: asked
-- An attempt whose amount is what was asked for; a transfer's is what it brought.
not a.surplus and not (a.method = 'bank_transfer' and a.status = {attempt.succeeded})

-- name: postings_balance
-- every posting has two legs or more, in its own currency, that sum to zero
select coalesce(p.company_id, e.company_id) as company_id,
  coalesce(p.id, e.posting_id) as object_id,
  format('%s over %s legs%s', case when p.id is null then 'there is no such posting:'
      else 'sums to ' || coalesce(e.total, 0) end, coalesce(e.legs, 0),
    case when e.lowest <> e.highest or e.lowest <> p.currency
      then ' in ' || e.lowest || ' and ' || coalesce(p.currency, e.highest) end) as found,
  p.at as since
from posting p full join {entries} e on e.company_id = p.company_id and e.posting_id = p.id
where p.id is null or e.legs is null or e.total <> 0 or e.legs < 2 or e.legs <> e.last
  or e.lowest <> p.currency or e.highest <> p.currency

-- name: the_books_sum_to_zero
-- over all accounts of a company and currency, debits and credits are equal
select company_id, currency as object_id, format('sums to %s', sum(amount_minor)) as found,
  null::timestamptz as since
from entry group by company_id, currency having sum(amount_minor) <> 0

-- name: payments_equal_the_ledger
-- captured, held, released, refunded, disputed, fee, surplus and unapplied are exactly what the
-- ledger booked for the payment
select * from (
  select x.company_id, x.id as object_id, concat_ws('; ',
      case when x.captured is distinct from x.booked_captured
        then format('captured %s, but %s', x.captured, x.booked_captured) end,
      case when x.refunded_minor is distinct from x.booked_refunded
        then format('refunded %s, but %s', x.refunded_minor, x.booked_refunded) end,
      case when x.disputed_minor is distinct from x.booked_disputed
        then format('disputed %s, but %s', x.disputed_minor, x.booked_disputed) end,
      case when x.fee is distinct from x.booked_fee
        then format('fee %s, but %s', x.fee, x.booked_fee) end,
      case when x.surplus_minor is distinct from x.booked_surplus
        then format('surplus %s, but %s', x.surplus_minor, x.booked_surplus) end,
      case when x.unapplied_minor is distinct from x.booked_unapplied
        then format('unapplied %s, but %s', x.unapplied_minor, x.booked_unapplied) end,
      case when x.surplus_returned_minor is distinct from x.booked_returned then
        format('surplus returned %s, but %s', x.surplus_returned_minor, x.booked_returned) end,
      case when x.authorized_minor is distinct from x.booked_authorized
        then format('authorized %s, but %s', x.authorized_minor, x.booked_authorized) end,
      case when x.released_minor is distinct from x.booked_released
        then format('released %s, but %s', x.released_minor, x.booked_released) end,
      case when x.claimed is distinct from x.claimable
        then format('claimed of what was held %s, but %s', x.claimed, x.claimable) end) as found,
    x.updated_at as since
  from (
    select p.company_id, p.id, p.updated_at,
      case when p.surplus then 0 else p.captured_minor end as captured,
      coalesce(l.captured, 0) as booked_captured,
      p.refunded_minor, coalesce(l.refunded, 0) as booked_refunded,
      p.disputed_minor, coalesce(l.disputed, 0) as booked_disputed,
      {known_fee} as fee, coalesce(l.fee, 0) as booked_fee,
      p.surplus_minor, coalesce(l.surplus, 0) as booked_surplus,
      p.unapplied_minor, coalesce(l.unapplied, 0) as booked_unapplied,
      p.surplus_returned_minor, coalesce(l.surplus_returned, 0) as booked_returned,
      p.authorized_minor, coalesce(l.authorized, p.captured_minor) as booked_authorized,
      p.released_minor, coalesce(l.released, 0) as booked_released,
      coalesce(l.claimed, 0) as claimed,
      case when l.authorized is null or p.surplus then 0 else p.captured_minor end as claimable
    from payment p left join {booked} l on l.company_id = p.company_id and l.payment_id = p.id) x) y
where found <> ''

-- name: postings_belong_to_payments
-- every movement of a payment's money names a payment that exists, in its currency; what a provider
-- changed into another is in that one
select g.company_id, g.id as object_id,
  format('a %s in %s names payment %L%s', g.kind, g.currency, g.payment_id,
    ', which is in ' || p.currency) as found,
  g.at as since
from posting g left join payment p on p.company_id = g.company_id and p.id = g.payment_id
where (g.payment_id <> '' or g.kind in {kinds.of_payments})
  and (p.id is null or (p.currency <> g.currency and g.kind <> 'exchange'))

-- name: postings_credit_whom_they_should
-- each kind of movement debits and credits the accounts that are its own, and those of the
-- payment's business
select g.company_id, g.id as object_id,
  format('a %s moves %s on %s', g.kind, e.amount_minor, e.account) as found, g.at as since
from posting g
join entry e on e.company_id = g.company_id and e.posting_id = g.id
left join payment p on p.company_id = g.company_id and p.id = g.payment_id
where (g.kind in {kinds.shaped}
    and g.kind || case when e.amount_minor > 0 then ' debit ' else ' credit ' end
      || split_part(e.account, ':', 1) not in {kinds.legs})
  or ((e.account like 'merchant:%' or e.account like 'held:%') and p.id is not null
    and e.account not in ('merchant:' || p.business_id, 'held:' || p.business_id))

-- name: orders_equal_their_payments
-- an order is paid exactly when one payment of it holds its money, or the part of it that the
-- merchant claimed
select o.company_id, o.id as object_id,
  format('order of %s is %s, paid by %s payments with %s', o.amount_minor, o.status,
    coalesce(x.paid, 0), coalesce(x.captured, 0)) as found,
  o.updated_at as since
from orders o
left join {payments_of_order} x on x.company_id = o.company_id and x.order_id = o.id
where (o.status = {order.paid}) <> (coalesce(x.paid, 0) = 1) or x.paid > 1
  or (x.paid = 1 and x.captured <> o.amount_minor and not x.in_parts)

-- name: orders_end_with_their_payments
-- an order asks what its payments ask, and is open exactly while one of them may be paid
select o.company_id, o.id as object_id,
  format('order of %s %s is %s; of %s payments %s go on, %s ended, and they ask for %s to %s %s',
    o.amount_minor, o.currency, o.status, coalesce(x.payments, 0), coalesce(x.going, 0),
    coalesce(x.ended, 0), x.least, x.most, x.highest) as found,
  o.updated_at as since
from orders o
left join {payments_of_order} x on x.company_id = o.company_id and x.order_id = o.id
where x.payments is null or x.least <> o.amount_minor or x.most <> o.amount_minor
  or x.lowest <> o.currency or x.highest <> o.currency
  or (o.status in {order.unpaid_for_good} and x.going > 0)
  or (o.status = {order.active} and x.ended = x.payments)

-- name: states_equal_their_events
-- the timeline has every version without a gap, and ends in the payment's status
select coalesce(p.company_id, t.company_id) as company_id,
  coalesce(p.id, t.payment_id) as object_id,
  format('status %s version %s, timeline of %s events ends %s', coalesce(p.status, 'unknown'),
    coalesce(p.version, 0), coalesce(t.events, 0), coalesce(t.last_status, 'nowhere')) as found,
  coalesce(t.last_at, p.updated_at) as since
from payment p
full join (
  select e.company_id, e.payment_id, count(*) as events, max(e.seq) as last_seq,
    max(e.at) as last_at, max(e.to_status) filter (where e.is_last) as last_status
  from (select *, lead(seq) over (partition by company_id, payment_id order by seq) is null
      as is_last from payment_event) e
  group by e.company_id, e.payment_id) t
on t.company_id = p.company_id and t.payment_id = p.id
where t.events is distinct from p.version or t.last_seq is distinct from p.version
  or t.last_status is distinct from p.status

-- name: timelines_replay
-- each payment's events, replayed through the transition table, are legal and gapless
select e.company_id, e.payment_id as object_id,
  format('event %s is %s from %s to %s%s', e.seq, e.event, coalesce(e.from_status, 'nothing'),
    e.to_status, case when e.from_status is distinct from e.was
      then ', but the payment was ' || coalesce(e.was, 'nothing') end) as found,
  e.at as since
from (select *, lag(to_status) over (partition by company_id, payment_id order by seq) as was
  from payment_event) e
where e.from_status is distinct from e.was
  or (e.was is null and e.event <> {event.create})
  or (e.was is not null and e.was || ' ' || e.event || ' ' || e.to_status not in {moves.legal})

-- name: attempts_equal_their_payment
-- a payment taken by a provider has exactly the attempts that brought its money, each in its
-- amount where it was owed, and one at most whose outcome is open
select p.company_id, p.id as object_id,
  format('%s: authorized %s and surplus %s, but %s in succeeded attempts of %s to %s %s,'
    ' and %s open', p.status, p.authorized_minor, p.surplus_minor, coalesce(x.total, 0), x.least,
    x.most, x.highest, coalesce(x.going, 0)) as found,
  p.updated_at as since
from payment p
left join (
  select a.company_id, a.payment_id,
    coalesce(sum(a.amount_minor) filter (where a.status = {attempt.succeeded}
      and v.attempt_id is null), 0) as total,
    count(*) filter (where a.status in {attempt.undecided}) as going,
    min(a.amount_minor) filter (where {asked}) as least,
    max(a.amount_minor) filter (where {asked}) as most,
    min(a.currency) as lowest, max(a.currency) as highest
  from attempt a
  -- a reservation that came too late, unless it was captured at the provider
  left join (select company_id, attempt_id from modification
    where kind in {modification_kind.capture_or_void} and surplus
    group by company_id, attempt_id
    having bool_or(kind = {modification_kind.void})
      and not bool_or(kind = {modification_kind.capture} and status = {modification.succeeded})
    ) v on v.company_id = a.company_id and v.attempt_id = a.id
  group by a.company_id, a.payment_id) x
on x.company_id = p.company_id and x.payment_id = p.id
-- A surplus payment may have had a reservation before, which was let go.
where coalesce(x.total, 0) not in (
    p.surplus_minor
      + case when p.surplus and p.released_minor = 0 then 0 else p.authorized_minor end,
    case when p.surplus and p.released_minor > 0 then p.authorized_minor
      else p.surplus_minor + case when p.surplus then 0 else p.authorized_minor end end)
  or x.going > 1 or x.least <> p.amount_minor or x.most <> p.amount_minor
  or x.lowest <> p.currency or x.highest <> p.currency
