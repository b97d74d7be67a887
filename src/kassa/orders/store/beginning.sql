-- name: before
-- What is to be known before payments of new orders are begun: the time; which of these companies
-- ($1) are closed; and which of the orders exist already, by their ids ($2 and $3) or by the
-- requests that made them ($2, $4 and $5), as their places in the lists.
select clock_timestamp() as now,
  array(select c.id from company c where c.id = any($1) and c.status = {company.closed}) as closed,
  array(
    select w.place
    from unnest($2::text[], $3::text[]) with ordinality as w(c, id, place)
    join orders o on o.company_id = w.c and o.id = w.id
    where o.company_id = any($2) and o.id = any($3)
    union all
    select w.place
    from unnest($2::text[], $4::text[], $5::text[]) with ordinality as w(c, s, request, place)
    join orders o on o.company_id = w.c and o.request_scope = w.s and o.request_id = w.request
    where o.company_id = any($2) and o.request_id = any($5)) as taken

-- name: insert
-- New orders without their payments, which follow in the same transaction. For an id that an open
-- transaction inserts it waits a moment and no longer: a batch is behind it.
with briefly as materialized (select set_config('lock_timeout', '100ms', true))
insert into orders as o ({order_columns}, birth)
select {order_columns}, birth from json_populate_recordset(null::orders, $1::json), briefly
on conflict do nothing
returning o.company_id, o.id
