-- name: put
-- A business, or a new name for the one of that id.
insert into business (company_id, id, name) values ($1, $2, $3)
on conflict (company_id, id) do update set name = excluded.name

-- name: find
-- One of the company's businesses.
select id, name from business where company_id = $1 and id = $2

-- name: known
-- Which of these are ids of the company's businesses.
select id from business where company_id = $1 and id = any($2::text[])

-- name: listed
-- The company's businesses, oldest first.
select id, name from business where company_id = $1 order by created_at, id
