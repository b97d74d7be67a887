-- What was done with a privilege, by whom: one row for each act and each sign-in, in the act's own
-- transaction. Never changed; sealed and recorded as every row that has no events (0020), so that
-- one that is gone or was edited is missed. `company_id`: the side of a company, or ':installation'
-- where it is of none. `actor`: kind:name. `before`, `after`: what of it is neither secret nor
-- anybody's personal data.
create table audit (
  company_id text not null,
  id         text not null,
  at         timestamptz not null,
  actor      text not null check (actor ~ '^[a-z_]+:.'),
  act        text not null check (act ~ '^[a-z_]+[.][a-z_]+$'),
  object     text not null,
  before     jsonb not null,
  after      jsonb not null,
  reason     text not null,
  request_id text not null,
  address    text not null,
  birth      bytea,
  primary key (company_id, id)
);
create index audit_by_time on audit (at, id);

create trigger audit_append_only before update or delete on audit
  for each statement execute function history_is_append_only();
create trigger audit_no_truncate before truncate on audit
  for each statement execute function history_is_append_only();

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on audit to kassa_app;
  end if;
end $$;
