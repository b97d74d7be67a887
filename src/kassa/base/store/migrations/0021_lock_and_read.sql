-- Locks the orders of these payments, as far as they are to be had, and reads what they guard.
--
-- One round trip, and right: each statement of a volatile function sees what was committed before
-- it, so what is read is what stands when the locks are ours. A single statement would not do: what
-- it reads beside the locked rows is as it was when the statement began.
--
-- `secured`: the states in which another payment of an order has its money. A payment has a row for
-- each of its attempts, oldest first, and one where it has none.
create function lock_and_read(companies text[], ids text[], secured text[])
returns table (
  moment timestamptz, is_held boolean, of_payment payment, of_order orders, elsewhere boolean,
  of_attempt attempt
) language plpgsql volatile as $$
declare
  held_companies text[];
  held_orders text[];
begin
  with wanted as materialized (
    select distinct p.company_id, p.order_id from public.payment p
    join unnest(companies, ids) as k(c, id) on k.c = p.company_id and k.id = p.id
    where p.company_id = any(companies) and p.id = any(ids)),
  held as materialized (
    select o.company_id, o.id from wanted w
    join public.orders o on o.company_id = w.company_id and o.id = w.order_id
    order by o.company_id, o.id for update of o skip locked)
  select array_agg(h.company_id), array_agg(h.id) into held_companies, held_orders from held h;
  moment := clock_timestamp();
  return query
    select moment,
      exists (select from unnest(held_companies, held_orders) as h(c, id)
        where h.c = o.company_id and h.id = o.id),
      p, o,
      exists (select from public.payment x
        where x.company_id = p.company_id and x.order_id = p.order_id and x.id <> p.id
          and not x.surplus and x.status = any(secured)),
      a
    from public.payment p
    join unnest(companies, ids) as k(c, id) on k.c = p.company_id and k.id = p.id
    join public.orders o on o.company_id = p.company_id and o.id = p.order_id
    left join public.attempt a on a.company_id = p.company_id and a.payment_id = p.id
    where p.company_id = any(companies) and p.id = any(ids)
    order by a.number;
end $$;
