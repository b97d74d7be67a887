-- name: of_ids
-- These attempts.
select {attempt_a} from attempt a
join unnest($1::text[], $2::text[]) as k(c, id) on k.c = a.company_id and k.id = a.id
where a.company_id = any($1) and a.id = any($2)

-- name: of_references
-- Of each company ($1), account ($2) and reference ($3) the newest attempt that the account's
-- provider knows by it, with its place in the lists; of every company where that is empty.
select k.place, {attempt_of}
from unnest($1::text[], $2::text[], $3::text[]) with ordinality as k(c, account, reference, place),
  lateral (
    select a.* from attempt a
    where a.provider_reference = k.reference and a.connector = k.account
      and a.provider_reference <> '' and (k.c = '' or a.company_id = k.c)
    order by a.created_at desc, a.id desc limit 1) a
