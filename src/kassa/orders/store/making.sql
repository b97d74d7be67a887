-- name: in_the_making
-- For each of the companies $1, by its place there: the time of this statement's beginning, its
-- newest payment, and every transaction that makes payments of it, with the time at which it began.
-- $2: what the locks stand for, $3: whose.
select k.place, (extract(epoch from statement_timestamp()) * 1000)::bigint as now,
  (select max(p.id) from payment p where p.company_id = k.company_id) as newest,
  l.virtualtransaction as transaction,
  (extract(epoch from coalesce(a.xact_start, now())) * 1000)::bigint as since
from unnest($1::text[], $3::bigint[]) with ordinality as k(company_id, key, place)
left join (pg_locks l left join pg_stat_activity a on a.pid = l.pid)
  on l.locktype = 'advisory' and l.objsubid = 2 and l.classid = $2::bigint::oid
    and l.objid = k.key::oid
    and l.database = (select oid from pg_database where datname = current_database())
