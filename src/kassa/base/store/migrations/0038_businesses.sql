-- A company may have several businesses: places or brands of its own, each with a name that payers
-- read and a ledger account of what is owed to it. The company's own business, which its row names,
-- has none here.
create table business (
  company_id text not null references company (id),
  id         text not null,
  name       text not null,
  created_at timestamptz not null default now(),
  seal       bytea,
  primary key (company_id, id)
);

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert, update (name, seal) on business to kassa_app;
  end if;
end $$;
