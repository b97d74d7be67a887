-- name: times_equal_their_events
-- a payment was made and last changed when its first and last event say, an order not before it
-- was made, and nothing in days to come
select x.company_id, x.object_id, x.found, x.since
from (
  (select p.company_id, p.id as object_id, concat_ws('; ',
      case when p.created_at <> e.first then format('made %s, but %s', p.created_at, e.first) end,
      case when p.updated_at <> e.last then format('changed %s, but %s', p.updated_at, e.last) end,
      case when e.last > now() + interval '1 day' then format('changed %s', e.last) end) as found,
    e.last as since
  from payment p
  join (
    select x.company_id, x.payment_id, min(x.at) as first, max(x.at) as last
    from payment_event x group by x.company_id, x.payment_id) e
  on e.company_id = p.company_id and e.payment_id = p.id
  where p.created_at <> e.first or p.updated_at <> e.last or e.last > now() + interval '1 day')
  union all
  (select o.company_id, o.id, format('made %s, changed %s; its payments %s to %s', o.created_at,
      o.updated_at, x.first, x.last), o.updated_at
  from orders o
  join (
    select p.company_id, p.order_id, min(p.created_at) as first, max(p.updated_at) as last
    from payment p group by p.company_id, p.order_id) x
  on x.company_id = o.company_id and x.order_id = o.id
  where o.updated_at < o.created_at or o.created_at > x.first
    or o.updated_at > now() + interval '1 day')) x

-- name: no_row_is_older_than_its_history
-- no attempt, change or dispute is as it was before an event that changed it
select t.company_id, t.id as object_id,
  format('was last changed %s, but the event of %s names it', t.updated_at, t.at) as found,
  t.at as since
from (
  (select t.company_id, t.id, t.updated_at, e.at
  from attempt t
  join (
    select x.company_id, x.evidence ->> 'attempt' as id, max(x.at) as at
    from payment_event x
    where x.evidence ->> 'attempt' <> ''
      and x.event in ({event.submit}, {event.authorize}, {event.capture}, {event.decline})
    group by 1, 2) e
  on e.company_id = t.company_id and e.id = t.id)
  union all
  -- Some events name a change or a dispute and need not have changed it.
  (select t.company_id, t.id, t.updated_at, e.at
  from modification t
  join (
    select x.company_id, x.evidence ->> 'modification' as id, max(x.at) as at
    from payment_event x
    where x.evidence ->> 'modification' <> ''
      and coalesce(x.evidence ->> 'kind', '') not in {changes_not.kinds}
      and coalesce(x.evidence ->> 'note', '') not in {changes_not.notes}
    group by 1, 2) e
  on e.company_id = t.company_id and e.id = t.id)
  union all
  (select t.company_id, t.id, t.updated_at, e.at
  from dispute t
  join (
    select x.company_id, x.evidence ->> 'dispute' as id, max(x.at) as at
    from payment_event x
    where x.evidence ->> 'dispute' <> ''
      and coalesce(x.evidence ->> 'kind', '') not in {moves_no_dispute.kinds}
      and coalesce(x.evidence ->> 'note', '') not in {moves_no_dispute.notes}
    group by 1, 2) e
  on e.company_id = t.company_id and e.id = t.id)) t
where t.updated_at < t.at
