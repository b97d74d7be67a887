-- part: far
now() + interval '{days.furthest} days'

-- name: what_is_undecided_has_a_next_date
-- each charge, change, notification, letter and end that is not decided yet is due on a day that
-- comes, and so is the end of each reservation
select t.company_id, t.id as object_id,
  format('waits, and is due %s', coalesce('at ' || t.due, 'never')) as found, t.since
from (
  select company_id, id, next_query_at as due, {far} as latest, updated_at as since
  from attempt where status in {attempt.undecided}
  union all
  select company_id, id, next_query_at, {far}, updated_at
  from modification where status in {modification.pending}
  union all
  select company_id, account || '/' || dedupe_key, next_at, {far}, received_at
  from provider_news where applied_at is null and result = ''
  union all
  select company_id, id, next_at, {far}, created_at
  from announcement where state = 'waiting'
  union all
  select company_id, order_id, next_at, {far}, asked_at from orders_termination
  union all
  -- No provider reserves funds for longer.
  select company_id, id, authorization_expires_at, now() + interval '400 days', updated_at
  from payment where authorized_minor > captured_minor + released_minor) t
where t.due is null or t.due > t.latest
