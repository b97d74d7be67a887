-- part: event
a.company_id, a.id, coalesce(a.payment_id, '') as payment_id,
  coalesce(a.agreement_id, '') as agreement_id, coalesce(p.order_id, '') as order_id, a.version,
  a.kind, a.url, a.event_type, a.state, a.tries, a.next_at, a.last_status, a.last_error,
  a.created_at, a.delivered_at, coalesce(a.content, '') as content

-- part: asked_for
a.company_id = $1
  and ($2::text = '' or a.state = $2)
  and ($3::text = '' or a.event_type = $3)
  and ($4::text = '' or $4 in (a.payment_id, a.agreement_id, a.id, p.order_id))
  and ($5::timestamptz is null or a.created_at >= $5)
  and ($6::timestamptz is null or a.created_at < $6)

-- name: newest
-- Those that are asked for, the newest first.
select {event} from announcement a
left join payment p on p.company_id = a.company_id and p.id = a.payment_id
where {asked_for}
order by a.created_at desc, a.id desc limit $7

-- name: one
-- By its id.
select {event} from announcement a
left join payment p on p.company_id = a.company_id and p.id = a.payment_id
where a.company_id = $1 and a.id = $2

-- name: deliveries_of
-- Its tries, the first first.
select epoch, at, milliseconds, status, error, answer from delivery
where company_id = $1 and announcement_id = $2 order by epoch

-- name: page
-- Ids of those that are asked for after ($7, $8), oldest first: a page of $9.
select a.created_at, a.id from announcement a
left join payment p on p.company_id = a.company_id and p.id = a.payment_id
where {asked_for} and ($7::timestamptz is null or (a.created_at, a.id) > ($7, $8))
order by a.created_at, a.id limit $9

-- name: send_again
-- These are due now, with all of their schedule before them; a try that is under way reports to
-- nobody. Some may be gone to be tried this moment: they are left alone.
with wanted as (
  select company_id, id from announcement
   where company_id = $1 and id = any($2) for update skip locked)
update announcement t
set state = 'waiting', next_at = now(), tries = 0, epoch = t.epoch + 1, delivered_at = null
from wanted w where t.company_id = w.company_id and t.id = w.id
returning t.id

-- name: forget
-- Drop tries from before $1, so many ($2).
delete from delivery where (company_id, announcement_id, epoch) in (
  select company_id, announcement_id, epoch from delivery where at < $1 order by at limit $2)
returning epoch
