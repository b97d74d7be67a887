-- What the program itself wrote carries a seal: a MAC, under a key that is not in the database,
-- over the digest by which it is chained. Null: written before there were seals; such rows are in
-- the chain already, or are refused by it.
alter table payment_event add column seal bytea;
alter table posting add column seal bytea;

-- What the sequencer found without a valid seal: it gets no link. A list for people; the row
-- itself, while it stands, is what `kassa verify` names.
create table chain_refusal (
  company_id text not null,
  kind       text not null,
  key        text not null,
  number     bigint not null,
  at         timestamptz not null default now()
);
create trigger refusal_append_only before update or delete on chain_refusal
  for each statement execute function history_is_append_only();
create trigger refusal_no_truncate before truncate on chain_refusal
  for each statement execute function history_is_append_only();

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on chain_refusal to kassa_app;
  end if;
end $$;
