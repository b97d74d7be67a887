-- The orders interface in the words of its API: what was answered under an idempotency key, and
-- orders whose end was asked for while nobody knows whether they are paid.

-- An answer without a status is being worked on until `lease_until`. `id` is the request id under
-- which the core knows the effect, so whoever takes the work over finds what was done already.
create table orders_answer (
  company_id  text not null,
  scope       text not null,
  key         text not null,
  id          text not null,
  body_hash   bytea not null,
  status      integer,
  body        bytea,
  lease_until timestamptz not null,
  created_at  timestamptz not null,
  primary key (company_id, scope, key),
  constraint orders_answer_whole check ((status is null) = (body is null))
);
create index orders_answer_by_age on orders_answer (company_id, created_at);

create table orders_termination (
  company_id text not null,
  order_id   text not null,
  payment_id text not null,
  actor      text not null,
  tries      integer not null,
  next_at    timestamptz not null,
  asked_at   timestamptz not null,
  primary key (company_id, order_id),
  foreign key (company_id, order_id) references orders (company_id, id),
  foreign key (company_id, payment_id) references payment (company_id, id)
);
create index orders_termination_due on orders_termination (next_at);

do $$ begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert, update, delete on orders_answer, orders_termination to kassa_app;
  end if;
end $$;
