-- People who act for companies. `login`: what they are called in the audit, no address of theirs.
-- `sealed`: the secret of their one-time codes; `totp_step`: the last one that served.
create table staff (
  id            text primary key,
  login         text not null unique,
  status        text not null check (status in ('invited', 'active', 'disabled')),
  password_hash text not null default '',
  sealed        bytea,
  totp_step     bigint not null default 0,
  created_at    timestamptz not null default now(),
  created_by    text not null,
  signed_in_at  timestamptz,
  seal          bytea,
  constraint staff_can_sign_in
    check (status <> 'active' or (password_hash <> '' and sealed is not null))
);

-- What somebody may do for one side of a company; `business_id` '': for all its businesses.
create table staff_role (
  staff_id    text not null references staff (id),
  company_id  text not null references company (id),
  business_id text not null default '',
  role        text not null
    check (role in ('viewer', 'support', 'finance', 'developer', 'admin', 'none')),
  granted_at  timestamptz not null default now(),
  granted_by  text not null,
  seal        bytea,
  primary key (staff_id, company_id, business_id)
);
create index staff_role_of_company on staff_role (company_id);

-- What serves once: an invitation, or a recovery code in place of a one-time code. Kept as keyed
-- hashes.
create table staff_code (
  staff_id   text not null references staff (id),
  code_hash  bytea not null,
  kind       text not null check (kind in ('invitation', 'recovery')),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  used_at    timestamptz,
  seal       bytea,
  primary key (staff_id, code_hash),
  constraint staff_code_runs_out check (kind <> 'invitation' or expires_at is not null)
);
create unique index staff_code_hash on staff_code (code_hash);

create table staff_session (
  id           text primary key,
  staff_id     text not null references staff (id),
  secret_hash  bytea not null unique,
  address      text not null,
  created_at   timestamptz not null,
  expires_at   timestamptz not null check (expires_at > created_at),
  ended_at     timestamptz,
  last_seen_at timestamptz not null,
  seal         bytea
);
create index staff_session_of on staff_session (staff_id, created_at);

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on staff, staff_role, staff_code, staff_session to kassa_app;
    grant update (status, password_hash, sealed, totp_step, signed_in_at, seal) on staff
      to kassa_app;
    grant update (role, granted_at, granted_by, seal) on staff_role to kassa_app;
    grant update (used_at, seal) on staff_code to kassa_app;
    grant update (ended_at, last_seen_at, seal) on staff_session to kassa_app;
  end if;
end $$;
