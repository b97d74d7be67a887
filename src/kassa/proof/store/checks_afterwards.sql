-- part: changes
(
select m.company_id, m.payment_id, count(*) as changes, max(m.number) as last,
    coalesce(sum(m.amount_minor) filter (where m.kind = {modification_kind.refund}
      and not m.surplus and m.status = {modification.succeeded}), 0) as refunded,
    coalesce(sum(m.amount_minor) filter (where m.kind = {modification_kind.refund}
      and not m.surplus and m.status in {modification.pending}), 0) as refunding,
    coalesce(sum(m.amount_minor) filter (where m.kind = {modification_kind.refund}
      and m.surplus and m.status = {modification.succeeded}), 0) as returned,
    coalesce(sum(m.amount_minor) filter (where m.kind = {modification_kind.refund}
      and m.surplus and m.status in {modification.pending}), 0) as returning,
    count(*) filter (where m.kind in {modification_kind.capture_or_void}
      and not m.surplus and m.status in {modification.pending}) as claims,
    min(m.currency) as lowest, max(m.currency) as highest
  from modification m group by m.company_id, m.payment_id)

-- part: moved
-- What a change moved, by what caused it, less what came back of it.
(
select g.company_id, g.cause, min(g.payment_id) as payment_id,
    count(distinct g.id) filter (where g.kind not like '%_reversal')
      - count(distinct g.id) filter (where g.kind like '%_reversal') as postings,
    sum(case g.kind when 'surplus' then -e.amount_minor else e.amount_minor end) as minor,
    min(g.at) as at, min(case g.kind when 'surplus' then 'capture' else g.kind end) as kind
  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where g.cause <> ''
   and ((g.kind in ('refund', 'refund_reversal') and e.account like 'merchant:%')
    or (g.kind in ('surplus_return', 'surplus_return_reversal') and e.account = 'surplus')
    or (g.kind = 'capture' and e.account like 'held:%')
    -- a capture that was done when the reservation had been let go
    or (g.kind = 'surplus' and e.account = 'surplus' and g.cause like 'ca%'))
 group by g.company_id, g.cause)

-- part: disputed
(
select g.company_id, g.cause, sum(e.amount_minor) as minor
  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where g.kind in ('dispute', 'dispute_reversal', 'charge_return')
   and (e.account like 'merchant:%' or e.account = 'surplus')
 group by g.company_id, g.cause)

-- part: disputes_of
-- What banks took back of a payment's money: `owed`, and of what nobody owed `unowed`.
(
select d.company_id, d.payment_id, count(*) as disputes,
    coalesce(sum(d.taken_minor) filter (where not a.surplus), 0) as owed,
    coalesce(sum(d.taken_minor) filter (where a.surplus), 0) as unowed
  from dispute d join attempt a on a.company_id = d.company_id and a.id = d.attempt_id
 group by d.company_id, d.payment_id)

-- part: paid_out
(
select g.company_id, g.cause, sum(e.amount_minor) as minor
  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where g.kind in ('payout', 'payout_return') and e.account = 'bank'
 group by g.company_id, g.cause)

-- part: lines
(
select l.company_id, l.settlement_id,
    coalesce(sum(l.amount_minor) filter (where l.kind in {lines.payments}), 0) as payments_minor,
    coalesce(sum(l.amount_minor) filter (where l.kind in {lines.refunds}), 0) as refunds_minor,
    coalesce(sum(l.amount_minor) filter (where l.kind in {lines.disputes}), 0) as disputes_minor,
    coalesce(sum(l.amount_minor) filter (where l.kind in {lines.fees}), 0) as fees_minor,
    coalesce(sum(l.amount_minor) filter (where l.kind not in {lines.not_other}), 0) as other_minor
  from settlement_line l where l.settlement_id is not null
 group by l.company_id, l.settlement_id)

-- part: changed
-- What matched lines say that the provider changed into another currency, side by side: what the
-- payer paid less the fee's part of it, and what the line comes to. A line that is silent about
-- the fee leaves that as it was known.
(
select x.company_id, x.payment_id, x.currency, sum(x.minor - x.known) as least, sum(x.minor) as most
  from (
    select m.company_id, m.payment_id, w.currency, w.minor,
      case when w.is_paid and l.fee_minor = 0 and l.amount_minor > 0 then m.fee_minor else 0 end
        as known
    from report_line l
    join (
      select r.company_id, r.file_id, r.place, min(g.payment_id) as payment_id,
        min(p.currency) as currency, min(p.fee_minor) as fee_minor
      from report_match r
      join posting g on g.company_id = r.company_id and g.id = r.posting_id
      join payment p on p.company_id = g.company_id and p.id = g.payment_id
      group by r.company_id, r.file_id, r.place) m
    on m.company_id = l.company_id and m.file_id = l.file_id and m.place = l.place
    cross join lateral (values
      (true, l.presented_currency, l.presented_minor - sign(l.fee_minor::numeric)
        * div(2 * abs(l.fee_minor::numeric * l.presented_minor) + abs(l.amount_minor),
          2 * abs(l.amount_minor))),
      (false, l.currency, l.fee_minor::numeric - l.amount_minor)) w(is_paid, currency, minor)
    where l.state = 'matched' and l.presented_currency is not null and l.amount_minor <> 0
      and l.currency <> m.currency) x
 group by x.company_id, x.payment_id, x.currency)

-- part: tried
-- Each posting of a payout, there or back, as it moved at the bank.
(
select g.company_id, g.id, g.kind, g.cause, g.currency, g.at, sum(e.amount_minor) as minor
  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where g.kind in ('payout', 'payout_return') and e.account = 'bank'
 group by g.company_id, g.id, g.kind, g.cause, g.currency, g.at)

-- part: reported
(
select g.company_id, g.payment_id, -sum(e.amount_minor) as minor
  from report_match m
  join posting g on g.company_id = m.company_id and g.id = m.posting_id
  join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where (g.kind = 'capture' and e.account like 'merchant:%')
    or (g.kind = 'surplus' and e.account = 'surplus')
    or (g.kind = 'receipt' and e.account = 'unapplied')
 group by g.company_id, g.payment_id)

-- part: last_entry
(select max(g.at) from public.entry e
  join public.posting g on g.company_id = e.company_id and g.id = e.posting_id
  where e.company_id = x.company_id and e.account = x.account and e.currency = x.currency)

-- name: payments_equal_their_changes
-- what a payment says was refunded or returned, or may be, is the sum of its changes, and at most
-- one claim on a reservation is open, also on each that nobody owes
select * from (
  select x.company_id, x.id as object_id, concat_ws('; ',
      case when x.refunded_minor is distinct from x.refunded
        then format('refunded %s, but %s', x.refunded_minor, x.refunded) end,
      case when x.refund_reserved_minor is distinct from x.refunding
        then format('being refunded %s, but %s', x.refund_reserved_minor, x.refunding) end,
      case when x.surplus_returned_minor is distinct from x.returned
        then format('surplus returned %s, but %s', x.surplus_returned_minor, x.returned) end,
      case when x.surplus_reserved_minor is distinct from x.returning then
        format('surplus being returned %s, but %s', x.surplus_reserved_minor, x.returning) end,
      case when x.modifications is distinct from x.changes
        then format('changes %s, but %s', x.modifications, x.changes) end,
      case when x.modifications is distinct from x.last
        then format('number of the last change %s, but %s', x.modifications, x.last) end,
      case when x.claims > 1 then format('claims open at once %s, but 1', x.claims) end,
      case when x.currency is distinct from x.lowest
        then format('currency %s, but %s', x.currency, x.lowest) end,
      case when x.currency is distinct from x.highest
        then format('currency %s, but %s', x.currency, x.highest) end) as found,
    x.updated_at as since
  from (
    select p.company_id, p.id, p.updated_at, p.modifications, p.currency,
      p.refunded_minor, coalesce(m.refunded, 0) as refunded,
      p.refund_reserved_minor, coalesce(m.refunding, 0) as refunding,
      p.surplus_returned_minor, coalesce(m.returned, 0) + coalesce(d.unowed, 0) as returned,
      p.surplus_reserved_minor, coalesce(m.returning, 0) as returning,
      coalesce(m.changes, 0) as changes, coalesce(m.last, 0) as last, m.claims,
      coalesce(m.lowest, p.currency) as lowest, coalesce(m.highest, p.currency) as highest
    from payment p
    left join {changes} m on m.company_id = p.company_id and m.payment_id = p.id
    left join {disputes_of} d on d.company_id = p.company_id and d.payment_id = p.id) x) y
where found <> ''
union all
select m.company_id, m.payment_id, format('claims open at once on %s, which nobody owes: %s, but 1',
    m.attempt_id, count(*)), max(m.updated_at)
from modification m
where m.kind in {modification_kind.capture_or_void} and m.surplus
  and m.status in {modification.pending}
group by m.company_id, m.payment_id, m.attempt_id having count(*) > 1

-- name: changes_equal_the_ledger
-- each capture, refund and return that succeeded was booked once, in its amount, and of one that
-- did not, or that came back, nothing is left in the books
select coalesce(m.company_id, g.company_id) as company_id, coalesce(m.id, g.cause) as object_id,
  format('%s, but %s',
    coalesce(m.kind || ' of ' || m.amount_minor || ' is ' || m.status, 'no such change'),
    case when g.cause is null then 'nothing is booked'
      else format('%s of %s is booked in %s postings for payment %s', g.kind, g.minor, g.postings,
        g.payment_id) end) as found,
  coalesce(m.updated_at, g.at) as since
from modification m full join {moved} g on g.company_id = m.company_id and g.cause = m.id
where m.id is null
  or (g.cause is null and m.status = {modification.succeeded}
    and m.kind <> {modification_kind.void}
    -- The provider did it all the same; people know of it, and nothing could be booked.
    and not exists (select from public.payment_event e
      where e.company_id = m.company_id and e.payment_id = m.payment_id
        and (e.evidence ->> 'kind' = {fact.capture_unbooked}
          or e.evidence ->> 'note' = 'captured after it was let go')
        and e.evidence ->> 'modification' = m.id))
  or (g.cause is not null and (g.postings <> (m.status = {modification.succeeded})::int
    or g.minor <> case m.status when {modification.succeeded} then m.amount_minor else 0 end
    or g.payment_id <> m.payment_id
    or g.kind <> case when m.surplus and m.kind = {modification_kind.refund}
      then 'surplus_return' else m.kind end))

-- name: payments_equal_their_disputes
-- what banks took back of a payment is the sum of its disputes, and what left twice is what was
-- beyond the captured money
select * from (
  select x.company_id, x.id as object_id, concat_ws('; ',
      case when x.disputed_minor is distinct from x.taken
        then format('disputed %s, but %s', x.disputed_minor, x.taken) end,
      case when x.disputes is distinct from x.counted
        then format('disputes %s, but %s', x.disputes, x.counted) end,
      case when x.double_paid_minor is distinct from x.beyond
        then format('paid out twice %s, but %s', x.double_paid_minor, x.beyond) end) as found,
    x.updated_at as since
  from (
    select p.company_id, p.id, p.updated_at,
      p.disputed_minor, coalesce(d.owed, 0) as taken,
      p.disputes, coalesce(d.disputes, 0) as counted,
      p.double_paid_minor, greatest(0, p.refunded_minor + p.refund_reserved_minor
        + p.disputed_minor - p.captured_minor) + greatest(0, p.surplus_returned_minor
        + p.surplus_reserved_minor - p.surplus_minor) as beyond
    from payment p
    left join {disputes_of} d on d.company_id = p.company_id and d.payment_id = p.id) x) y
where found <> ''

-- name: disputes_equal_the_ledger
-- what a dispute says was taken is what the ledger has, and it is taken exactly while its stage and
-- status say so, or the provider does
select coalesce(d.company_id, g.company_id) as company_id, coalesce(d.id, g.cause) as object_id,
  format('%s, and %s is booked', coalesce(format('%s at %s of %s is %swithdrawn: %s',
      d.status, d.stage, d.amount_minor, case when d.withdrawn then '' else 'not ' end,
      d.taken_minor), 'no such dispute'),
    coalesce(g.minor, 0)) as found,
  d.updated_at as since
from dispute d full join {disputed} g on g.company_id = d.company_id and g.cause = d.id
where d.id is null or coalesce(g.minor, 0) <> d.taken_minor
  or d.withdrawn <> (d.taken_minor > 0)
  -- What is in another currency than the payment cannot be booked; people know of it.
  or (not d.tells_taken and d.currency = d.booked_currency and d.amount_minor > 0 and d.withdrawn
    <> (d.stage <> {dispute_stage.inquiry} and d.status not in {dispute.not_lost}))

-- name: currencies_are_those_of_what_they_are_for
-- what was booked for a dispute is in its payment's currency, as is each line of a settlement that
-- is of a payment; a settlement's payout is in the settlement's
select d.company_id, d.id as object_id,
  format('is booked in %s, its payment is in %s', d.booked_currency, p.currency) as found,
  d.updated_at as since
from dispute d join payment p on p.company_id = d.company_id and p.id = d.payment_id
where d.booked_currency <> p.currency
union all
select l.company_id, l.posting_id, format('is a line of settlement %s in %s, its payment is in %s',
    l.settlement_id, l.currency, p.currency), l.at
from settlement_line l join payment p on p.company_id = l.company_id and p.id = l.payment_id
where l.currency <> p.currency and l.kind <> 'exchange'
union all
select s.company_id, s.id, format('of %s is paid out in %s', s.currency, g.currency), g.at
from settlement s join posting g on g.company_id = s.company_id and g.cause = s.id
where g.kind in ('payout', 'payout_return') and g.currency <> s.currency

-- name: settlements_equal_their_lines
-- a settlement that is closed comes to what its lines come to, part by part, and one that is paid
-- has its payout in the ledger
select * from (
  select x.company_id, x.id as object_id, concat_ws('; ',
      case when x.payments_minor is distinct from x.lines_payments
        then format('payments %s, but %s', x.payments_minor, x.lines_payments) end,
      case when x.refunds_minor is distinct from x.lines_refunds
        then format('refunds %s, but %s', x.refunds_minor, x.lines_refunds) end,
      case when x.disputes_minor is distinct from x.lines_disputes
        then format('disputes %s, but %s', x.disputes_minor, x.lines_disputes) end,
      case when x.fees_minor is distinct from x.lines_fees
        then format('fees %s, but %s', x.fees_minor, x.lines_fees) end,
      case when x.other_minor is distinct from x.lines_other
        then format('other %s, but %s', x.other_minor, x.lines_other) end,
      case when x.net_minor is distinct from x.parts
        then format('net %s, but %s', x.net_minor, x.parts) end,
      case when x.to_pay_out is distinct from x.paid_out
        then format('paid out %s, but %s', x.to_pay_out, x.paid_out) end) as found,
    x.since
  from (
    select s.company_id, s.id, coalesce(s.paid_at, s.closed_at, s.opened_at) as since,
      s.payments_minor, case s.status when {settlement.open} then s.payments_minor
        else coalesce(l.payments_minor, 0) end as lines_payments,
      s.refunds_minor, case s.status when {settlement.open} then s.refunds_minor
        else coalesce(l.refunds_minor, 0) end as lines_refunds,
      s.disputes_minor, case s.status when {settlement.open} then s.disputes_minor
        else coalesce(l.disputes_minor, 0) end as lines_disputes,
      s.fees_minor, case s.status when {settlement.open} then s.fees_minor
        else coalesce(l.fees_minor, 0) end as lines_fees,
      s.other_minor, case s.status when {settlement.open} then s.other_minor
        else coalesce(l.other_minor, 0) end as lines_other,
      s.net_minor, s.carried_over_minor + s.payments_minor + s.refunds_minor + s.disputes_minor
        + s.fees_minor + s.other_minor as parts,
      case s.status when {settlement.paid} then s.net_minor else 0 end as to_pay_out,
      coalesce(g.minor, 0) as paid_out
    from settlement s
    left join {lines} l on l.company_id = s.company_id and l.settlement_id = s.id
    left join {paid_out} g on g.company_id = s.company_id and g.cause = s.id) x) y
where found <> ''

-- name: settlement_lines_equal_the_ledger
-- every movement at a provider account is a line once, as it is in the ledger, at the settlement's
-- own account
select coalesce(l.company_id, g.company_id) as company_id,
  coalesce(l.posting_id, g.posting_id) as object_id,
  format('leg %s: line of %s on %s in settlement %s, but the ledger has %s on %s',
    coalesce(l.leg, g.leg), l.amount_minor, l.connector, l.settlement_id, g.amount_minor,
    g.connector) as found,
  coalesce(g.at, l.at) as since
from settlement_line l
left join settlement s on s.company_id = l.company_id and s.id = l.settlement_id
full join (
  select e.company_id, e.posting_id, e.leg, substr(e.account, 10) as connector, e.currency,
    e.amount_minor, p.payment_id, p.kind, p.at
  from entry e join posting p on p.company_id = e.company_id and p.id = e.posting_id
  where e.account like 'provider:%' and p.kind not in ('payout', 'payout_return')) g
on g.company_id = l.company_id and g.posting_id = l.posting_id and g.leg = l.leg
where l.posting_id is null or g.posting_id is null or g.amount_minor <> l.amount_minor
  or g.connector <> l.connector or g.currency <> l.currency or g.kind <> l.kind
  or g.payment_id <> l.payment_id or g.at <> l.at
  or (l.settlement_id is not null
    and (s.id is null or s.connector <> l.connector or s.currency <> l.currency))

-- name: exchanges_equal_their_reports
-- what a provider changed into another currency has both its sides: out of the payment's, what the
-- payer paid less the fee at the report's rate, and into the other, what the report's line comes to
select coalesce(s.company_id, g.company_id) as company_id,
  coalesce(s.payment_id, g.payment_id) as object_id,
  format('%s was changed, but reports say %s', concat(coalesce(g.minor, 0), ' ', g.currency),
    case when s.payment_id is null then 'nothing' when s.least = s.most
      then concat(s.most, ' ', s.currency)
      else concat(s.least, ' to ', s.most, ' ', s.currency) end) as found,
  g.at as since
from {changed} s
full join (
  select g.company_id, g.payment_id, g.currency, sum(e.amount_minor) as minor, max(g.at) as at
    from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
   where g.kind = 'exchange' and e.account = 'exchange'
   group by g.company_id, g.payment_id, g.currency) g
on g.company_id = s.company_id and g.payment_id = s.payment_id and g.currency = s.currency
where s.payment_id is null or coalesce(g.minor, 0) not between s.least and s.most

-- name: tries_of_payouts_equal_the_ledger
-- each try of a payout is booked as it says, there and back, and the one that has not ended is its
-- settlement's
select t.company_id, t.id as object_id,
  format('try %s of %s %s is %s; booked %s there and %s back; settlement %s is %s', t.number,
    t.amount_minor, t.currency, t.status, coalesce(there.minor, 0), coalesce(back.minor, 0),
    t.settlement_id, coalesce(s.status, 'not there')) as found,
  t.begun_at as since
from payout t
left join settlement s on s.company_id = t.company_id and s.id = t.settlement_id
left join {tried} there on there.company_id = t.company_id and there.id = t.posting_id
left join {tried} back on back.company_id = t.company_id and back.id = t.return_posting_id
where s.id is null
  or (t.posting_id <> '' and (there.kind, there.cause, there.currency, there.minor)
    is distinct from ('payout', t.settlement_id, t.currency, t.amount_minor::numeric))
  or (t.return_posting_id <> '' and (back.kind, back.cause, back.currency, back.minor)
    is distinct from ('payout_return', t.settlement_id, t.currency, -t.amount_minor::numeric))
  or (t.status = {payout.paid} and (t.posting_id = '' or s.status <> {settlement.paid}
    or s.payout_reference <> t.reference))
union all
select g.company_id, g.id, format('a %s of %s for settlement %s is of no try', g.kind, g.minor,
    g.cause), g.at
from {tried} g
left join (
  select company_id, posting_id from payout where posting_id <> ''
  union all
  select company_id, return_posting_id from payout where return_posting_id <> '') t
on t.company_id = g.company_id and t.posting_id = g.id
-- Tries have been kept since then.
where t.posting_id is null
  and g.at >= (select applied_at from public.schema_migration where number = 34)

-- name: payments_equal_their_reports
-- what a payment says a report has confirmed is in matched lines, and it is settled exactly when
-- that is all of it
select p.company_id, p.id as object_id,
  format('%s, captured %s, settled %s, matched lines have %s', p.status, p.captured_minor,
    p.settled_minor, coalesce(r.minor, 0)) as found,
  p.updated_at as since
from payment p left join {reported} r on r.company_id = p.company_id and r.payment_id = p.id
where p.settled_minor > coalesce(r.minor, 0)
  or (p.status = {payment.settled} and p.settled_minor <> p.captured_minor)

-- name: wallet_balances_equal_the_ledger
-- each wallet balance is the sum of its account's entries
select x.company_id, x.account as object_id,
  format('balance %s %s, entries say %s', x.balance, x.currency, x.total) as found,
  {last_entry} as since
from (
  select coalesce(b.company_id, s.company_id) as company_id,
    coalesce(b.account, s.account) as account, coalesce(b.currency, s.currency) as currency,
    coalesce(b.balance_minor, 0) as balance, coalesce(s.total, 0) as total
  from wallet_balance b
  full join (
    select e.company_id, e.account, e.currency, -sum(e.amount_minor) as total
    from entry e where e.account like 'wallet:%' group by 1, 2, 3) s
  on s.company_id = b.company_id and s.account = b.account and s.currency = b.currency) x
where x.balance <> x.total

-- name: wallet_days_equal_the_ledger
-- what each wallet user spent over all days is what the ledger booked
select x.company_id, x.account as object_id,
  format('%s %s spent by days, entries say %s', x.days, x.currency, x.spent) as found,
  {last_entry} as since
from (
  select coalesce(d.company_id, s.company_id) as company_id,
    coalesce(d.account, s.account) as account, coalesce(d.currency, s.currency) as currency,
    coalesce(d.days, 0) as days, coalesce(s.spent, 0) as spent
  from (
    select company_id, account, currency, sum(spent_minor) as days
    from wallet_day group by 1, 2, 3) d
  full join (
    select e.company_id, e.account, e.currency, sum(e.amount_minor) as spent
    from entry e join posting g on g.company_id = e.company_id and g.id = e.posting_id
    where e.account like 'wallet:%' and e.amount_minor > 0 and g.kind in ('capture', 'authorize')
      -- Days have been counted since then.
      and g.at >= (select applied_at from public.schema_migration where number = 2)
    group by 1, 2, 3) s
  on s.company_id = d.company_id and s.account = d.account and s.currency = d.currency) x
where x.days <> x.spent
