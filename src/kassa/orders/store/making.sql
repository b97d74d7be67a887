-- name: in_the_making
-- The time of this statement's beginning, the company's newest payment, and every transaction that
-- makes payments of it, with the time at which it began. $2: what the locks stand for, $3: whose.
select (extract(epoch from statement_timestamp()) * 1000)::bigint as now,
  (select max(id) from payment where company_id = $1) as newest,
  l.virtualtransaction as transaction,
  (extract(epoch from coalesce(a.xact_start, now())) * 1000)::bigint as since
from (select) one
left join (pg_locks l left join pg_stat_activity a on a.pid = l.pid)
  on l.locktype = 'advisory' and l.objsubid = 2 and l.classid = $2::bigint::oid
    and l.objid = $3::bigint::oid
    and l.database = (select oid from pg_database where datname = current_database())
