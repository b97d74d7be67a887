-- name: add
-- An end that was asked for; asked for twice it is one.
insert into orders_termination
  (company_id, order_id, payment_id, actor, tries, next_at, asked_at)
values ($1, $2, $3, $4, 0, now(), now())
on conflict (company_id, order_id) do nothing

-- name: exists
-- Whether the order's end was asked for and has not come yet.
select exists (select from orders_termination where company_id = $1 and order_id = $2)

-- name: lease
-- Take due ones, so many; one that nobody removes is due again after a pause. $3: also of sides
-- that take real money.
with due as (
  select company_id, order_id from orders_termination
  where next_at <= now()
    and ($3::boolean or not exists (select from company served
      where served.id = company_id and served.mode = 'live'))
  order by next_at limit $1 for update skip locked)
update orders_termination t set next_at = now() + $2::interval, tries = t.tries + 1
from due
where t.company_id = due.company_id and t.order_id = due.order_id
returning t.company_id, t.order_id, t.payment_id, t.actor, t.tries

-- name: remove
-- The end has come.
delete from orders_termination where company_id = $1 and order_id = $2
