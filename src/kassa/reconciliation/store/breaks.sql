-- part: break
b.company_id, b.id, b.class as problem, b.connector, b.file_id, coalesce(f.name, '') as file_name,
  l.number as line, b.payment_id, b.cause, b.currency, b.expected_minor, b.found_minor, b.details,
  b.owner, b.status, b.opened_at,
  coalesce(b.resolved_at, statement_timestamp()) - b.opened_at as age, b.resolution, b.resolved_by,
  b.resolved_at, b.posting_id,
  array(select g.name || ':' || r.number from report_line r
    join report_file g on g.company_id = r.company_id and g.id = r.file_id
    where r.company_id = b.company_id and r.repeats_file = b.file_id and r.repeats_file <> ''
      and r.repeats_place = b.place
    order by g.started_at, r.number limit 20) as again_in

-- part: breaks
report_break b
left join report_file f on f.company_id = b.company_id and f.id = b.file_id
left join report_line l
  on l.company_id = b.company_id and l.file_id = b.file_id and l.place = b.place

-- name: listed
-- The oldest first.
select {break}
from {breaks}
where b.company_id = $1 and ($2 or b.status = {break.open})
  and ($3::text is null or b.class = $3) and ($4::text is null or b.owner = $4)
order by b.opened_at, b.file_id, b.place, b.id
limit $5

-- name: by_id
-- One break.
select {break} from {breaks} where b.company_id = $1 and b.id = $2

-- name: booked_by_hand
-- What people have made of the breaks of these disputes (of payments $2, company by company $1) in
-- another currency: how much of the merchant's money they booked, in the payment's.
select b.cause as dispute_id, bool_or(b.status = {break.open}) as is_open,
  coalesce(sum(e.amount_minor), 0)::bigint as minor
from unnest($1::text[], $2::text[], $3::text[]) as w(company_id, payment_id, cause)
join report_break b on b.company_id = w.company_id and b.payment_id = w.payment_id
  and b.class = 'currency' and b.cause = w.cause
join payment p on p.company_id = b.company_id and p.id = b.payment_id
left join entry e on e.company_id = b.company_id and e.posting_id = b.posting_id
  and b.posting_id <> '' and e.account like 'merchant:%' and e.currency = p.currency
group by b.cause

-- name: lock
-- Nobody else decides about it until this transaction ends.
select 1 from report_break where company_id = $1 and id = $2 for update

-- name: assign
-- Somebody looks after it.
update report_break set owner = $3 where company_id = $1 and id = $2

-- name: resolve
-- A person has put it right.
update report_break
set status = {break.resolved}, resolution = $3, resolved_by = $4,
  resolved_at = statement_timestamp(), posting_id = $5
where company_id = $1 and id = $2 and status = {break.open}

-- name: lock_cured
-- What a line has cured: it was reported after all ($5), or as it should be (of $4), by a line of
-- another file than $6, or by the very line (of $8, one of $7) at another look.
select id from report_break
where company_id = $1 and status = {break.open}
  and ((class = $5 and payment_id = any($2) and file_id = '')
    or (class = any($4) and cause = any($3) and cause <> '' and file_id <> $6)
    or (class = any($8) and file_id = $6 and file_id <> '' and place = any($7)))
for update

-- name: resolve_cured
-- Close these.
update report_break
set status = {break.resolved}, resolution = $3, resolved_by = $4,
  resolved_at = statement_timestamp()
where company_id = $1 and id = any($2)

-- name: place_of
-- The place in its file of the line that a break is about.
select place from report_break where company_id = $1 and id = $2

-- name: of_line
-- The open breaks of a line that say that it does not agree.
select id from report_break
where company_id = $1 and file_id = $2 and file_id <> '' and place = $3 and status = {break.open}
  and class not in ('underpaid', 'overpaid')
for update

-- name: work_done
-- What was work about a payment, of these classes; lines of files that do not agree are no such.
select id from report_break
where company_id = $1 and payment_id = $2 and class = any($3)
  and (file_id = '' or class in ('underpaid', 'overpaid')) and status = {break.open}
for update

-- name: has_open
-- Whether the company has any that is open.
select exists (select from report_break where company_id = $1 and status = {break.open})

-- name: open_of_file
-- How many of each class are still open.
select class as problem, count(*) as many
from report_break
where company_id = $1 and file_id = $2 and file_id <> '' and status = {break.open}
group by class
order by class

-- name: places_of
-- Lines of the file that are open breaks of that class, and what each is about.
select place, cause
from report_break
where company_id = $1 and file_id = $2 and file_id <> '' and status = {break.open} and class = $3
order by place limit $4

-- name: unreported
-- Captured payments of which no report has told all, within what the account's finished reports
-- cover, the oldest first; none known yet. What was recorded by mistake, at the bank $8, was taken
-- back by a refund, and never comes.
select p.id as payment_id, p.currency, p.captured_minor, p.settled_minor, p.captured_at
from payment p
where p.company_id = $1 and p.connector = $2 and p.status = {payment.captured}
  and p.settled_minor < p.captured_minor
  and ($2 <> $8 or p.refunded_minor < p.captured_minor)
  and p.captured_at < statement_timestamp() - $3::interval
  and exists (select from report_file f
    where f.company_id = $1 and f.connector = $2 and f.state = 'done'
      and p.captured_at between f.covers_from - $4::interval and f.covers_until)
  and exists (select from posting g
    join entry e on e.company_id = g.company_id and e.posting_id = g.id
    where g.company_id = $1 and g.payment_id = p.id and g.payment_id <> '' and e.account = $7)
  and not exists (select from report_break b
    where b.company_id = $1 and b.payment_id = p.id and b.class = $6 and b.file_id = '')
order by p.captured_at, p.id
limit $5

-- name: to_settle
-- Payments completely reported whose reservation was let go after that.
select id from payment
where company_id = $1 and status = {payment.captured} and settled_minor = captured_minor
  and authorized_minor = captured_minor + released_minor
order by id limit $2

-- name: companies_to_settle
-- Companies with such payments; the index payment_to_settle holds no others.
select distinct company_id from payment
where status = {payment.captured} and settled_minor = captured_minor
  and authorized_minor = captured_minor + released_minor
order by 1

-- name: accounts_reported
-- Accounts of which a report was imported.
select distinct company_id, connector from report_file where state = 'done' order by 1, 2

-- name: payouts_of_net
-- Settlements that are to be paid out, and come to exactly that; two say enough.
select id from settlement
where company_id = $1 and currency = $2 and net_minor = $3 and status in {settlement.awaits_payout}
order by id limit 2

-- name: payout_postings
-- The postings of a settlement's payouts, or of their returns ($3), oldest first, and whether a
-- line told of each.
select p.id, exists (select from report_match r
  where r.company_id = p.company_id and r.posting_id = p.id) as is_reported
from posting p
where p.company_id = $1 and p.cause = $2 and p.cause <> '' and p.kind = $3
order by p.id

-- name: returns_of_net
-- Settlements of that net whose payout was booked as sent back, which no line has told of; two say
-- enough.
select distinct s.id
from settlement s
join posting p on p.company_id = s.company_id and p.cause = s.id and p.cause <> ''
where s.company_id = $1 and s.currency = $2 and s.net_minor = $3 and p.kind = 'payout_return'
  and not exists (select from report_match r
    where r.company_id = p.company_id and r.posting_id = p.id)
order by s.id limit 2
