-- name: newest_rules
-- The rules in force: those of the newest version.
select version, rules from route_rules where company_id = $1 order by version desc limit 1

-- name: hold_rules
-- Nobody else numbers a version of this company's until this transaction ends.
select from company where id = $1 for no key update

-- name: next_version
-- The number of the version that comes next, and the hour.
select coalesce(max(version), 0) + 1 as version, clock_timestamp() as at
from route_rules
where company_id = $1

-- name: add_rules
-- One more version, with its record; none is ever changed.
with w as (
  insert into route_rules (company_id, version, rules, actor, birth) values ($1, $2, $3, $4, $5))
insert into row_record (home, company_id, key, version, digest, at, seal)
values ($6, $7, $8, $9, $10, $11, $12)
on conflict do nothing

-- name: all_rules
-- Every version, the newest first.
select version, rules, actor, created_at
from route_rules
where company_id = $1
order by version desc

-- name: lately
-- By provider account, how many of the newest attempts succeeded, of how many.
select connector, count(*) filter (where status = {attempt.succeeded}) as succeeded,
  count(*) as tried
from (select connector, status from attempt
  where company_id = $1 and created_at > now() - $2::interval and status in {attempt.rated}
  order by created_at desc limit $3) newest
group by connector
