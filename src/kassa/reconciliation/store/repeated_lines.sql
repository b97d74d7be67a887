-- name: earlier
-- The lines of these identities in all files of an account, the oldest file first.
select l.identity, l.file_id, f.name as file_name, l.place, l.number, l.state, l.cause,
  exists (select from report_break b where b.company_id = l.company_id and b.file_id = l.file_id
    and b.file_id <> '' and b.place = l.place and b.status = {break.open}) as is_open
from report_line l
join report_file f on f.company_id = l.company_id and f.id = l.file_id
where l.company_id = $1 and f.connector = $2 and l.identity = any($3) and l.identity <> ''
order by f.started_at, l.file_id, l.place

-- name: told_by
-- Lines of other files that have told of the movements of these causes.
select p.cause as movement_cause, l.file_id, f.name as file_name, l.place, l.number, l.kind,
  l.amount_minor, l.fee_minor, l.currency, l.our_reference, l.provider_reference,
  l.payout_reference, l.occurred_at, l.raw, l.state, l.match_key, l.payment_id, l.cause, l.texts,
  l.identity, l.repeats_file, l.repeats_place, l.presented_minor, l.presented_currency
from posting p
join report_match r on r.company_id = p.company_id and r.posting_id = p.id
join report_line l on l.company_id = r.company_id and l.file_id = r.file_id and l.place = r.place
join report_file f on f.company_id = l.company_id and f.id = l.file_id
where p.company_id = $1 and p.cause = any($3) and p.cause <> '' and r.file_id <> $2
order by p.id, f.started_at, l.place

-- name: identities
-- What these lines of a file are told from others by.
select place, identity from report_line
where company_id = $1 and file_id = $2 and place = any($3) and identity <> ''

-- name: alike
-- Lines of other files, of the same day and amount, that have told of a movement of that cause.
select '' as identity, l.file_id, f.name as file_name, l.place, l.number, l.state, l.cause,
  false as is_open
from posting p
join report_match r on r.company_id = p.company_id and r.posting_id = p.id
join report_line l on l.company_id = r.company_id and l.file_id = r.file_id and l.place = r.place
join report_file f on f.company_id = l.company_id and f.id = l.file_id
where p.company_id = $1 and p.cause = $3 and p.cause <> '' and r.file_id <> $2
  and l.amount_minor = $4 and l.currency = $5
  and (l.occurred_at at time zone 'UTC')::date = ($6::timestamptz at time zone 'UTC')::date
order by f.started_at, l.place limit 1

-- name: breaks_of_lines
-- The open breaks of these lines.
select b.id from report_break b join unnest($2::text[], $3::bigint[]) as w(file_id, place)
  on b.file_id = w.file_id and b.place = w.place
where b.company_id = $1 and b.file_id <> '' and b.status = {break.open}
for update of b

-- name: resolve_repeated
-- Close these.
update report_break
set status = {break.resolved}, resolution = $3, resolved_by = $4,
  resolved_at = statement_timestamp()
where company_id = $1 and id = any($2)
