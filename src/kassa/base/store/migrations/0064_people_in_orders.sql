-- What an order says of a person is sealed in `personal`, under a key of the row's own, which is
-- wrapped in `personal_key`: to destroy that is to erase the person, and no row of the books. Rows
-- from before are sealed a batch at a time; this index has those that are still to be.
alter table orders
  add column personal text not null default '',
  add column personal_key text not null default '';
create index orders_open_to_read on orders (company_id, id)
  where personal = ''
    and (customer_name <> '' or customer_email <> '' or customer_phone <> '' or note <> '');
