-- part: open
t.personal = '' and (t.customer_name <> '' or t.customer_email <> '' or t.customer_phone <> ''
  or t.note <> '')

-- name: openly
-- Orders from before that say of a person for all to read, so many at most; held by nobody else.
select t.company_id, t.id, t.customer_name, t.customer_email, t.customer_phone, t.note
from orders t
where {open} and t.birth is not null and ($2 = '' or (t.company_id = $2 and t.customer_id = $3))
order by t.company_id, t.id
limit $1
for no key update of t skip locked

-- name: conceal
-- The same, sealed.
update orders t set customer_name = '', customer_email = '', customer_phone = '', note = '',
  personal = w.personal, personal_key = w.key
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as w(company_id, id, personal, key)
where t.company_id = w.company_id and t.id = w.id

-- name: customer_of
-- Who an order is for.
select customer_id from orders where company_id = $1 and id = $2

-- name: erase
-- Nobody opens any more what these orders say of a customer.
update orders set personal_key = ''
where company_id = $1 and customer_id = $2 and personal_key <> ''

-- name: erase_ended
-- The same, of orders that ended so long ago, so many at most.
update orders set personal_key = ''
where (company_id, id) in (
  select company_id, id from orders
  where personal_key <> '' and status <> {active} and updated_at < now() - $1::interval
  limit $2 for no key update skip locked)

-- name: keys
-- Orders whose keys other versions of the installation's key have wrapped, so many at most, behind
-- that one.
select company_id, id, personal_key from orders
where personal_key <> '' and split_part(personal_key, '.', 1) <> $1
order by company_id, id
limit $2
for no key update skip locked

-- name: rewrap
-- The same keys, wrapped by another version.
update orders t set personal_key = w.key
from unnest($1::text[], $2::text[], $3::text[]) as w(company_id, id, key)
where t.company_id = w.company_id and t.id = w.id and t.personal_key <> ''

-- name: of_customer
-- What is known of a customer: their orders, the oldest first, so many at most.
select {order_columns} from orders where company_id = $1 and customer_id = $2
order by created_at, id limit $3

-- name: payments_of
-- The payments of these orders.
select p.id, p.order_id, p.status, p.amount_minor, p.currency, coalesce(p.method, '') as method,
  p.payer, p.subject, p.description, p.instrument, p.created_at
from payment p
where p.company_id = $1 and p.order_id = any($2)
order by p.created_at, p.id
