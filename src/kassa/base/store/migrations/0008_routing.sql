-- Routing rules: every change is a new version, so that an old choice can be understood later.
create table route_rules (
  company_id text not null references company (id),
  version    integer not null check (version > 0),
  rules      jsonb not null,
  actor      text not null,
  created_at timestamptz not null default now(),
  primary key (company_id, version)
);
create trigger route_rules_append_only before update or delete on route_rules
  for each statement execute function history_is_append_only();
create trigger route_rules_no_truncate before truncate on route_rules
  for each statement execute function history_is_append_only();

-- Payees that a company has registered: money may be directed to nobody else. Of the account
-- number only a keyed hash is kept, and its last digits.
create table payee (
  company_id      text not null references company (id),
  id              text not null,
  account_type    text not null,
  account_hash    bytea not null,
  account_shown   text not null,
  account_name    text not null,
  bank_name       text not null,
  provider_account text not null,
  status          text not null default 'active' check (status in ('active', 'disabled')),
  created_at      timestamptz not null default now(),
  primary key (company_id, id)
);
create unique index payee_account on payee (company_id, account_hash);

-- How a provider account has done lately.
create index attempt_lately on attempt (company_id, created_at, connector)
  where status in ('succeeded', 'declined', 'in_doubt');

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on route_rules, payee to kassa_app;
    grant update (account_name, bank_name, provider_account, status) on payee to kassa_app;
  end if;
end $$;
