-- What providers post that is genuine and not ours: letters of a shop's other orders at the same
-- account, of another installation, of the other mode. Not kept, only counted: a row by account and
-- reason.
create table foreign_news (
  account  text not null,
  why      text not null,
  many     bigint not null check (many > 0),
  event    text not null default '',
  first_at timestamptz not null default now(),
  last_at  timestamptz not null default now(),
  primary key (account, why)
);

-- How much of an account's news waits for what nobody knows here.
create index provider_news_unknown on provider_news (account)
  where applied_at is null and attempt_id = '';

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert, update on foreign_news to kassa_app;
  end if;
end $$;
