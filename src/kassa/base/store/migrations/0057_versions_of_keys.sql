-- What notifications to a company are signed with: random, sealed under a key that is not here, and
-- renewed one by one. `wrapped_by`: which version of that key. `ends_at`: until when news is signed
-- with it beside a newer one.
create table webhook_secret (
  company_id text not null references company (id),
  version    integer not null check (version > 0),
  sealed     bytea not null,
  wrapped_by integer not null check (wrapped_by > 0),
  created_at timestamptz not null default now(),
  ends_at    timestamptz,
  seal       bytea,
  primary key (company_id, version)
);

-- Companies from before keep the secret that was made of the pepper as their first.
alter table company add column webhook_secret_derived boolean not null default true;
alter table company alter column webhook_secret_derived set default false;

-- Which version of the key an agreement's newest code or tokens were made with.
alter table wallet_agreement add column key_version integer not null default 1;

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert, update on webhook_secret to kassa_app;
    grant update (key_version) on wallet_agreement to kassa_app;
  end if;
end $$;
