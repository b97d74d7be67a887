-- A merchant asks for an agreement, the wallet's user answers on our page, and the merchant gets
-- tokens for it. `place_hash`: of the page's address. `generation`: how many pairs of tokens there
-- were; the newest can be made again of it, and of a key that is not here.
create table wallet_agreement (
  company_id         text not null references company (id),
  id                 text not null,
  business_id        text not null,
  client_id          text not null,
  place_hash         bytea not null,
  belongs_to         text not null,
  auth_client_id     text not null,
  scopes             text not null,
  redirect_url       text not null,
  notify_url         text not null,
  auth_state         text not null,
  created_at         timestamptz not null,
  expires_at         timestamptz not null,
  status             text not null
    check (status in ('asked', 'refused', 'agreed', 'active', 'ended')),
  user_id            text,
  answered_at        timestamptz,
  code_expires_at    timestamptz,
  generation         bigint not null default 0,
  access_expires_at  timestamptz,
  refresh_expires_at timestamptz,
  ended_at           timestamptz,
  ended_by           text not null default '',
  version            bigint not null default 1,
  seal               bytea,
  primary key (company_id, id),
  foreign key (company_id, user_id) references wallet_user (company_id, id),
  constraint wallet_agreement_answered check ((answered_at is null) = (status = 'asked')),
  constraint wallet_agreement_of check
    (status not in ('agreed', 'active', 'ended') or user_id is not null),
  constraint wallet_agreement_tokens check
    ((generation = 0) = (access_expires_at is null or refresh_expires_at is null)),
  constraint wallet_agreement_end check ((ended_at is null) = (status <> 'ended'))
);
create unique index wallet_agreement_place on wallet_agreement (company_id, place_hash);
create index wallet_agreement_of_user on wallet_agreement (company_id, user_id, created_at);

-- A consent code lets its user agree, once, and pays nothing; an auth code becomes tokens, once; a
-- refresh token becomes newer ones, once. What is an agreement's names it.
alter table wallet_code
  add column agreement_id text,
  add constraint wallet_code_agreement foreign key (company_id, agreement_id)
    references wallet_agreement (company_id, id),
  drop constraint wallet_code_kind,
  add constraint wallet_code_kind check (kind in
    ('pay_code', 'agreement', 'secret', 'consent_code', 'auth_code', 'refresh_token')),
  drop constraint wallet_code_runs_out,
  add constraint wallet_code_runs_out check (expires_at is not null or kind not in
    ('pay_code', 'consent_code', 'auth_code', 'refresh_token')),
  drop constraint wallet_code_used,
  add constraint wallet_code_used check
    ((used_at is null) = (used_for = '') and (used_at is null or kind in
      ('pay_code', 'consent_code', 'auth_code', 'refresh_token')));
create index wallet_code_of_agreement on wallet_code (company_id, agreement_id)
  where agreement_id is not null;

create or replace function wallet_code_is_kept() returns trigger language plpgsql as $$
begin
  if row(old.company_id, old.code_hash, old.user_id, old.id, old.kind, old.client_id,
         old.limit_minor, old.limit_currency, old.expires_at, old.created_at, old.agreement_id)
     is distinct from
     row(new.company_id, new.code_hash, new.user_id, new.id, new.kind, new.client_id,
         new.limit_minor, new.limit_currency, new.expires_at, new.created_at, new.agreement_id)
     or (old.used_at is not null and row(old.used_at, old.used_for)
         is distinct from row(new.used_at, new.used_for))
     or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) then
    raise exception 'a wallet code is spent or revoked, and nothing else'
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;

-- News is of a payment or of an agreement.
alter table announcement
  alter column payment_id drop not null,
  add column agreement_id text,
  add constraint announcement_agreement foreign key (company_id, agreement_id)
    references wallet_agreement (company_id, id),
  add constraint announcement_of check ((payment_id is null) <> (agreement_id is null));

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on wallet_agreement to kassa_app;
    grant update (status, user_id, answered_at, code_expires_at, generation, access_expires_at,
      refresh_expires_at, ended_at, ended_by, version, seal) on wallet_agreement to kassa_app;
  end if;
end $$;
