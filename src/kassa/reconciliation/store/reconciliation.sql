-- part: file
company_id, id, connector, name, state, position, counts, totals, covers_from, covers_until

-- name: find_file
-- The file of that content, if the account has had it.
select {file} from report_file where company_id = $1 and connector = $2 and sha256 = $3

-- name: find_by_id
-- One file.
select {file} from report_file where company_id = $1 and id = $2

-- name: add_file
-- A file that is to be imported; nothing where its content is there already.
insert into report_file (company_id, id, connector, sha256, name, state, actor)
values ($1, $2, $3, $4, $5, 'importing', $6)
on conflict (company_id, connector, sha256) do nothing

-- name: lock_file
-- The file as it is now; whoever imports it as well waits until this transaction ends.
select {file} from report_file where company_id = $1 and id = $2 for update

-- name: save_file
-- How far its import has come.
update report_file
set state = $3, position = $4, counts = $5, totals = $6, covers_from = $7, covers_until = $8,
  finished_at = case when $3 = 'done' then coalesce(finished_at, statement_timestamp()) end
where company_id = $1 and id = $2

-- part: attempt
select a.id, 'attempt' as kind, a.id as attempt_id, a.payment_id, a.connector,
  a.provider_reference, a.status, a.status in {attempt.undecided} as is_open
from attempt a where a.company_id = $1 and

-- part: modification
select m.id, m.kind, m.attempt_id, m.payment_id, m.connector, m.provider_reference, m.status,
  m.status in {modification.pending} as is_open
from modification m where m.company_id = $1 and

-- part: dispute
select d.id, 'dispute' as kind, d.attempt_id, d.payment_id, d.connector, d.provider_reference,
  d.status, false as is_open
from dispute d where d.company_id = $1 and

-- name: known_by_id
-- What has one of these ids of ours.
{attempt} a.id = any($2)
union all
{modification} m.id = any($2)

-- name: known_by_order
-- The attempts of orders, or payments, of these ids.
select p.order_id, a.id, 'attempt' as kind, a.id as attempt_id, a.payment_id, a.connector,
  a.provider_reference, a.status, a.status in {attempt.undecided} as is_open
from payment p join attempt a on a.company_id = p.company_id and a.payment_id = p.id
where p.company_id = $1 and (p.order_id = any($2) or p.id = any($2))
order by a.id

-- name: known_by_provider
-- What a provider calls so.
{attempt} a.provider_reference = any($2) and a.provider_reference <> ''
union all
{modification} m.provider_reference = any($2) and m.provider_reference <> ''
union all
{dispute} d.provider_reference = any($2)

-- name: known_of_payments
-- What was done to these payments after they were paid.
{modification} m.payment_id = any($2)
union all
{dispute} d.payment_id = any($2)

-- name: known_by_beginning
-- What has an id that begins so: an attempt or a change itself, an order or a payment by its
-- attempts. Three of each say that it is not clear which.
select w.beginning, x.*
from unnest($2::text[]) as w(beginning)
cross join lateral (
  ({attempt} a.id >= w.beginning and a.id < w.beginning || chr(1114111)
    and starts_with(a.id, w.beginning) order by a.id limit 3)
  union
  ({modification} m.id >= w.beginning and m.id < w.beginning || chr(1114111)
    and starts_with(m.id, w.beginning) order by m.id limit 3)
  union
  (select a.id, 'attempt' as kind, a.id as attempt_id, a.payment_id, a.connector,
    a.provider_reference, a.status, a.status in {attempt.undecided} as is_open
   from (select p.id from payment p
      where p.company_id = $1 and p.id >= w.beginning and p.id < w.beginning || chr(1114111)
        and starts_with(p.id, w.beginning)
      union
      select p.id from orders o join payment p on p.company_id = o.company_id and p.order_id = o.id
      where o.company_id = $1 and o.id >= w.beginning and o.id < w.beginning || chr(1114111)
        and starts_with(o.id, w.beginning)
      limit 3) q
   join attempt a on a.company_id = $1 and a.payment_id = q.id)) x

-- name: movements
-- What is booked at an account ($3) for these causes, of these kinds ($4), and whether a report
-- told of it already; of fees ($5) that is not asked.
select p.id, p.cause, p.payment_id, p.kind, e.amount_minor, p.currency, p.at,
  p.kind <> all($5) and exists (select from report_match r
    where r.company_id = p.company_id and r.posting_id = p.id) as is_reported
from posting p join entry e on e.company_id = p.company_id and e.posting_id = p.id
where p.company_id = $1 and p.cause = any($2) and p.cause <> '' and e.account = $3
  and p.kind = any($4)

-- name: waiting_parts
-- Lines of the file that wait for others, by their keys, in its order.
select match_key, place, amount_minor, fee_minor
from report_line
where company_id = $1 and file_id = $2 and state = 'waiting' and match_key = any($3)
order by place

-- name: mark_lines
-- Lines that waited, or were breaks, and now are something else.
update report_line set state = $4 where company_id = $1 and file_id = $2 and place = any($3)

-- part: line
place, number, kind, amount_minor, fee_minor, currency, our_reference, provider_reference,
  payout_reference, occurred_at, raw, state, match_key, payment_id, cause, texts, identity,
  repeats_file, repeats_place, presented_minor, presented_currency

-- name: waiting_lines
-- Lines of the file that wait for others, in its order.
select {line} from report_line
where company_id = $1 and file_id = $2 and state = 'waiting'
order by place limit $3

-- name: lines_at
-- These lines of the file, in its order.
select {line} from report_line
where company_id = $1 and file_id = $2 and place = any($3)
order by place

-- name: insert_breaks
-- Open breaks; those that are known already stay as they are.
insert into report_break (company_id, id, class, connector, file_id, place, payment_id, cause,
  currency, expected_minor, found_minor, details)
select $1, w.*
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
  $9::text[], $10::bigint[], $11::bigint[], $12::text[]) as w
on conflict do nothing
returning id
