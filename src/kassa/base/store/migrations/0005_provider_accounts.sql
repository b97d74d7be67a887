-- Accounts at providers, with what opens them sealed: the database alone does not suffice to use
-- one. A company's data key is wrapped by the installation's key, which is in a file elsewhere.

create table company_key (
  company_id  text not null references company (id),
  version     integer not null check (version > 0),
  wrapped_by  integer not null check (wrapped_by > 0),
  wrapped     bytea not null,
  created_at  timestamptz not null default now(),
  primary key (company_id, version)
);

create sequence provider_account_version;
-- The name is unique in the installation: it stands in /providers/{name}.
create table provider_account (
  company_id  text not null references company (id),
  name        text not null,
  connector   text not null,
  mode        text not null check (mode in ('test', 'live')),
  status      text not null default 'active' check (status in ('active', 'disabled')),
  country     text not null default '' check (country ~ '^([A-Z]{2})?$'),
  settings    jsonb not null,
  sealed      bytea not null,
  key_version integer not null,
  version     bigint not null default nextval('provider_account_version'),
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  primary key (company_id, name),
  foreign key (company_id, key_version) references company_key (company_id, version)
);
create unique index provider_account_name on provider_account (name);

-- Some news names a charge by the provider's own reference only.
create index attempt_of_reference on attempt (provider_reference, connector, company_id)
  where provider_reference <> '';

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on company_key, provider_account to kassa_app;
    grant update (wrapped_by, wrapped) on company_key to kassa_app;
    grant update (status, settings, sealed, key_version, country, version, updated_at)
      on provider_account to kassa_app;
    grant usage on sequence provider_account_version to kassa_app;
  end if;
end $$;
