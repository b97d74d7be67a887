-- What lets somebody charge a wallet user, or speak for one, is of three kinds: a pay code pays
-- once and soon runs out; an agreement lasts until it is revoked; a secret is the user's own and
-- makes pay codes. What there was before could be used again and again: it stays, as agreements.
alter table wallet_code
  add column id             text not null
    default 'wc_' || replace(gen_random_uuid()::text, '-', ''),
  add column kind           text not null default 'agreement'
    constraint wallet_code_kind check (kind in ('pay_code', 'agreement', 'secret')),
  add column client_id      text not null default '',
  add column limit_minor    bigint constraint wallet_code_limit check (limit_minor > 0),
  add column limit_currency text not null default '',
  add column expires_at     timestamptz,
  add column used_at        timestamptz,
  add column used_for       text not null default '',
  add constraint wallet_code_limited check ((limit_minor is null) = (limit_currency = '')),
  add constraint wallet_code_runs_out check (kind <> 'pay_code' or expires_at is not null),
  add constraint wallet_code_used check
    ((used_at is null) = (used_for = '') and (used_at is null or kind = 'pay_code'));
create unique index wallet_code_id on wallet_code (company_id, id);
create index wallet_code_of_user on wallet_code (company_id, user_id, created_at);

-- A code is spent or revoked, once; whose it is and what it may do never changes.
create function wallet_code_is_kept() returns trigger language plpgsql as $$
begin
  if row(old.company_id, old.code_hash, old.user_id, old.id, old.kind, old.client_id,
         old.limit_minor, old.limit_currency, old.expires_at, old.created_at)
     is distinct from
     row(new.company_id, new.code_hash, new.user_id, new.id, new.kind, new.client_id,
         new.limit_minor, new.limit_currency, new.expires_at, new.created_at)
     or (old.used_at is not null and row(old.used_at, old.used_for)
         is distinct from row(new.used_at, new.used_for))
     or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) then
    raise exception 'a wallet code is spent or revoked, and nothing else'
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger wallet_code_kept before update on wallet_code
  for each row execute function wallet_code_is_kept();

-- Wrong codes, by who tried: a user's name, a client, a network address ('' as its company). Here,
-- so that every process counts the same and a restart forgets nothing.
create table wallet_guess (
  company_id    text not null,
  subject       text not null,
  misses        double precision not null,
  counted_at    timestamptz not null,
  blocked_until timestamptz not null,
  primary key (company_id, subject)
);
create index wallet_guess_quiet on wallet_guess (counted_at);

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert, update, delete on wallet_guess to kassa_app;
    revoke update on wallet_code from kassa_app;
    grant update (revoked_at, used_at, used_for) on wallet_code to kassa_app;
  end if;
end $$;
