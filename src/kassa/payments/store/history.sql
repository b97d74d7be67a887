-- name: by_own_id
-- The payment of that id.
select id from payment where company_id = $1 and id = $2

-- name: by_attempt
-- The payment of an attempt.
select payment_id from attempt where company_id = $1 and id = $2

-- name: by_modification
-- The payment of a capture, void or refund.
select payment_id from modification where company_id = $1 and id = $2

-- name: by_dispute
-- The payment of a dispute.
select payment_id from dispute where company_id = $1 and id = $2

-- name: by_posting
-- The payment of a posting.
select payment_id from posting where company_id = $1 and id = $2 and payment_id <> ''

-- name: by_order
-- Of an order's payments the one that has its money, or else the latest.
select id from payment
where company_id = $1 and order_id = $2
order by status in {payment.funds_secured} and not surplus desc, id desc
limit 1

-- name: by_reference_of_attempt
-- The payment of the attempt that a provider calls so.
select payment_id from attempt
where company_id = $1 and provider_reference = $2 and provider_reference <> '' limit 1

-- name: by_reference_of_modification
-- The payment of the capture, void or refund that a provider calls so.
select payment_id from modification
where company_id = $1 and provider_reference = $2 and provider_reference <> '' limit 1

-- name: by_reference_of_dispute
-- The payment of the dispute that a provider calls so.
select payment_id from dispute where company_id = $1 and provider_reference = $2 limit 1

-- name: events_of
-- All that happened to a payment, in order.
select company_id, payment_id, seq, event, from_status, to_status, actor, evidence, at
from payment_event
where company_id = $1 and payment_id = $2
order by seq

-- name: postings_of
-- What was booked for a payment.
select id, kind, currency, payment_id, cause, at
from posting
where company_id = $1 and payment_id = $2 and payment_id <> ''
order by at, id

-- name: notifications_of
-- The letters about a payment.
select id, event_type, version, kind, url, state, tries, last_status, last_error, created_at,
  delivered_at
from announcement
where company_id = $1 and payment_id = $2
order by created_at, id

-- name: settlement_lines_of
-- A payment's movements in the settlements that paid them out.
select s.id as settlement_id, s.number, s.connector, s.status, s.payout_reference, l.posting_id,
  l.kind, l.amount_minor, s.currency, s.opened_at, s.closed_at, s.paid_at
from posting p
join settlement_line l on l.company_id = p.company_id and l.posting_id = p.id
join settlement s on s.company_id = l.company_id and s.id = l.settlement_id
where p.company_id = $1 and p.payment_id = $2 and p.payment_id <> ''
order by s.number, l.posting_id

-- name: reported_lines_of
-- The lines of reports that are about a payment, with those of its postings that each reported.
select f.id as file_id, f.name as file_name, f.connector, l.number, l.kind, l.state,
  l.amount_minor, l.fee_minor, l.currency, l.our_reference, l.provider_reference,
  l.payout_reference, l.occurred_at, f.started_at as imported_at, f.finished_at,
  array(select m.posting_id from report_match m
    where m.company_id = $1 and m.posting_id = any($3) and m.file_id = l.file_id
      and m.place = l.place
    order by m.posting_id) as posting_ids
from report_line l join report_file f on f.company_id = $1 and f.id = l.file_id
where l.company_id = $1 and l.payment_id = $2 and l.payment_id <> ''
order by f.started_at, l.file_id, l.place

-- name: discrepancies_of
-- The breaks about a payment, oldest first.
select id, class as kind, connector, currency, expected_minor, found_minor, details, owner, status,
  opened_at, resolution, resolved_by, resolved_at
from report_break
where company_id = $1 and payment_id = $2 and payment_id <> ''
order by opened_at, id

-- name: read_only
-- This transaction sees one moment only, and changes nothing.
set transaction isolation level repeatable read, read only

-- name: wait_for_a_reader
-- It may stand idle for longer than others.
set local idle_in_transaction_session_timeout = '10min'

-- name: legs_of
-- The entries of these postings. The ids are in the statement by themselves, so that a planner
-- without statistics looks them up.
select posting_id, account, amount_minor
from entry
where company_id = $1 and posting_id = any($2)
order by posting_id, leg
