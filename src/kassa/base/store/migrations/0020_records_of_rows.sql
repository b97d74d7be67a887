-- A row that has no events has records instead: one for each time that the program wrote it, in
-- the same transaction, with the digest of the row as it was written. They are never changed, and
-- sealed and chained like events; so a row that is deleted or set back is missed. Rows from before
-- get their first record once, as they are found.
create function record_digest(
  company_id text, home text, key text, version bigint, digest bytea, at timestamptz
) returns bytea language sql stable parallel safe as $$
  select sha256(convert_to(array['record', company_id, home, key, version::text,
    encode(digest, 'hex'), encode(timestamptz_send(at), 'hex')]::text, 'UTF8'))
$$;

-- `home`: the table; `key`: the row's key, as the text of an array; versions have no gaps.
create table row_record (
  home       text not null,
  company_id text not null,
  key        text not null,
  version    bigint not null check (version > 0),
  digest     bytea not null,
  at         timestamptz not null,
  seal       bytea not null,
  primary key (company_id, home, key, version)
);

create function chain_records() returns trigger language plpgsql security definer as $$
begin
  insert into public.unchained (company_id, kind, keys, numbers)
    select a.company_id, 'record', array_agg(a.home || ' ' || a.key), array_agg(a.version)
      from added a group by a.company_id;
  return null;
end $$;
create trigger record_chained after insert on row_record
  referencing new table as added for each statement execute function chain_records();
create trigger record_append_only before update or delete on row_record
  for each statement execute function history_is_append_only();
create trigger record_no_truncate before truncate on row_record
  for each statement execute function history_is_append_only();

-- Not valid: what is there keeps the narrower rule, and a long chain is not read again for it.
alter table unchained drop constraint unchained_kind_check;
alter table unchained add constraint unchained_kind_check
  check (kind in ('event', 'posting', 'record')) not valid;
alter table chain_link drop constraint chain_link_kind_check;
alter table chain_link add constraint chain_link_kind_check
  check (kind in ('event', 'posting', 'record')) not valid;

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on row_record to kassa_app;
  end if;
end $$;
