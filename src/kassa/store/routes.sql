-- name: newest_rules
-- The rules in force: those of the newest version.
select version, rules from route_rules where company_id = $1 order by version desc limit 1

-- name: hold_rules
-- Nobody else numbers a version of this company's until this transaction ends.
select from company where id = $1 for no key update

-- name: next_version
-- The number of the version that comes next.
select coalesce(max(version), 0) + 1 from route_rules where company_id = $1

-- name: add_rules
-- One more version; none is ever changed.
insert into route_rules (company_id, version, rules, actor, birth) values ($1, $2, $3, $4, $5)

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
