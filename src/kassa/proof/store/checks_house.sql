-- part: canceled
e.event = {event.cancel} or e.evidence ->> 'kind' = {fact.order_canceled}
        or e.evidence ->> 'note' = 'canceled after its end'

-- name: nothing_stands_between_the_tables_and_who_reads_them
-- no policy, rule or view shows one reader other rows than another, or writes others
select '' as company_id, c.relname::text as object_id, x.what as found, null::timestamptz as since
from (
  select p.polrelid as oid, format('has a policy %I: it may show the server other rows than'
    ' it shows here', p.polname) as what from pg_policy p
  union all
  select k.oid, 'has row security: it may show the server other rows than it shows here'
  from pg_class k where k.relrowsecurity or k.relforcerowsecurity
  union all
  select r.ev_class, format('has a rule %I, which may do something else than is asked', r.rulename)
  from pg_rewrite r where r.rulename <> '_RETURN'
  union all
  select k.oid, 'is a view, and no table of this program'
  from pg_class k where k.relkind in ('v', 'm')) x
join pg_class c on c.oid = x.oid
join pg_namespace n on n.oid = c.relnamespace
-- What an extension brought (pg_stat_statements is two views) is nobody's lie.
where n.nspname = 'public' and not exists (select from pg_depend d
  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')

-- name: what_decided_is_still_there
-- each answer of a provider and each notification that an event names is kept, and was given when
-- the event says
select x.company_id, x.object_id, x.found, x.since
from (
  (select e.company_id, e.payment_id as object_id,
    format('event %s was decided by the answer %s, which %s', e.seq, e.evidence ->> 'answer',
      case when a.id is null then 'is gone'
        when a.payment_id <> e.payment_id then format('is one about %s', a.payment_id)
        else format('was given %s', a.at) end) as found,
    e.at as since
  from payment_event e
  left join public.provider_answer a
  on a.company_id = e.company_id and a.id = e.evidence ->> 'answer'
  where e.evidence ->> 'answer' <> ''
    and (a.id is null or a.payment_id <> e.payment_id or a.at <> e.at))
  union all
  (select e.company_id, e.payment_id,
    format('event %s was told by the notification %s, which is gone', e.seq,
      e.evidence ->> 'news'),
    e.at
  from payment_event e
  where e.evidence ->> 'news' <> '' and not exists (select from public.provider_news n
    where n.company_id in (e.company_id, '') and n.dedupe_key = e.evidence ->> 'news'))) x

-- name: orders_end_when_history_says_so
-- an order is canceled by an event of its payments, and expired by one or by its time
select o.company_id, o.id as object_id,
  format('is %s, and no event says that it was ended', o.status) as found, o.updated_at as since
from orders o
-- Joined as a whole, once: a question for each order would read all events again for each.
left join (
  select p.company_id, p.order_id, bool_or({canceled}) as canceled,
    bool_or(e.event = {event.expire}) as expired
  from public.payment p
  join public.payment_event e on e.company_id = p.company_id and e.payment_id = p.id
  where {canceled} or e.event = {event.expire}
  group by p.company_id, p.order_id) said
on said.company_id = o.company_id and said.order_id = o.id
where (o.status = {order.canceled} and said.canceled is not true)
  or (o.status = {order.expired} and o.updated_at < o.expires_at and said.expired is not true)
