-- part: company
c.id, c.public_id, c.number, c.name, c.currency, c.business_id, c.mode, c.sandbox

-- name: find_company
-- The side of that key.
select {company} from company c where c.id = $1

-- name: find_company_by_number
-- The side of that number.
select {company} from company c where c.number = $1

-- name: status_of
-- Whether it is open to business.
select status from company where id = $1

-- name: sides_of
-- The sides of the company that callers know by that name; the older first.
select {company} from company c where c.public_id = $1 order by c.number

-- name: listed
-- Every side of every company with its status; the sides of one company together.
select {company}, c.status
from company c
order by min(c.number) over (partition by c.public_id), c.number

-- name: add_company
-- A new side; nothing where its key is known.
insert into company (id, public_id, number, name, currency, business_id, mode, sandbox)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (id) do nothing
returning true

-- name: set_sandbox
-- Give a test side the sandbox, or take it.
update company set sandbox = $2 where id = $1 and mode = 'test' returning true

-- name: hold_numbers
-- Nobody else gives out a number until this transaction ends.
select pg_advisory_xact_lock($1)

-- name: next_number
-- The first number that no side has had.
select coalesce(max(number), 0) + 1 from company

-- name: set_company_status
-- Close a side, or open it again.
update company set status = $2 where id = $1 returning true
