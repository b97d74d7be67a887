-- Test and live: a company has a test side and a live side, and each side is a tenant of its own.
-- Every key begins with company_id, so what belongs to the two sides cannot meet: orders, money,
-- credentials, accounts, secrets, chains. What both have in common is the name callers use.

alter table company
  add column public_id text,
  add column mode      text check (mode in ('test', 'live')),
  add column sandbox   boolean not null default false;

-- An installation was test or live as a whole, and only its settings knew; `kassa.live` says what
-- they say now. Whoever has a live account is live whatever they say. All others moved no real
-- money, and the sandbox was open to every one of them.
update company c set
  public_id = c.id,
  mode = case
    when coalesce(current_setting('kassa.live', true), '') = 'on' then 'live'
    when exists (select from provider_account a where a.company_id = c.id and a.mode = 'live')
      then 'live'
    else 'test' end;
update company set sandbox = (mode = 'test');

alter table company
  alter column public_id set not null,
  alter column mode set not null,
  add constraint company_side unique (public_id, mode),
  add constraint company_of_mode unique (id, mode),
  add constraint company_sandbox_is_for_tests check (mode = 'test' or not sandbox);

-- What a side is, it is for ever: its history, its numbers and its addresses say so.
create function company_keeps_its_side() returns trigger language plpgsql as $$
begin
  raise exception 'company %: id, number, public_id and mode never change', old.id
    using errcode = 'check_violation';
end $$;
create trigger company_keeps_its_side before update on company for each row
  when ((old.id, old.number, old.public_id, old.mode)
        is distinct from (new.id, new.number, new.public_id, new.mode))
  execute function company_keeps_its_side();

-- An account is of its company's mode. One of the other mode was not used by this installation
-- and stays that way: it may be kept, disabled, and can never be active.
update provider_account a set status = 'disabled', updated_at = now(),
    version = nextval('provider_account_version')
  from company c where c.id = a.company_id and c.mode <> a.mode and a.status = 'active';
alter table provider_account
  add column active_mode text
    generated always as (case when status = 'active' then mode end) stored,
  add constraint provider_account_of_its_side
    foreign key (company_id, active_mode) references company (id, mode);

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    revoke update on company from kassa_app;
    grant update (name, status, sandbox) on company to kassa_app;
  end if;
end $$;
