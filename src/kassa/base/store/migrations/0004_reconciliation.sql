-- Reconciliation: files that providers and banks report in, what each line of them matched, and
-- the breaks, which are work for a person.

-- One file of one provider account; the digest of its content is its identity. `position` is how
-- many of its lines are done: it moves with their effects, so an import goes on where it stopped.
create table report_file (
  company_id   text not null references company (id),
  id           text not null,
  connector    text not null,
  sha256       text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  name         text not null,
  state        text not null check (state in ('importing', 'done')),
  position     bigint not null default 0 check (position >= 0),
  counts       jsonb not null default '{}',
  totals       jsonb not null default '{}',
  covers_from  timestamptz,
  covers_until timestamptz,
  actor        text not null,
  started_at   timestamptz not null default now(),
  finished_at  timestamptz,
  primary key (company_id, id),
  constraint report_file_finished check ((state = 'done') = (finished_at is not null))
);
-- The same content twice is one import.
create unique index report_file_content on report_file (company_id, connector, sha256);

-- `place` counts the file's lines as they were read; `number` is the one that a person looks up.
-- `waiting`: the first parts of something that other lines may add up to.
create table report_line (
  company_id         text not null,
  file_id            text not null,
  place              bigint not null check (place > 0),
  number             bigint not null,
  kind               text not null,
  amount_minor       bigint,
  fee_minor          bigint,
  currency           text,
  our_reference      text not null,
  provider_reference text not null,
  payout_reference   text not null,
  occurred_at        timestamptz,
  raw                jsonb not null,
  state              text not null
                       check (state in ('matched', 'waiting', 'break', 'quarantine', 'ignored')),
  match_key          text not null,
  payment_id         text not null,
  cause              text not null,
  primary key (company_id, file_id, place),
  constraint report_line_amount
    check ((kind = 'unreadable') = (amount_minor is null or currency is null))
);
create index report_line_waiting on report_line (file_id, match_key, company_id)
  where state = 'waiting';

-- Lines and matches come by the million, and do without foreign keys: to the file, which is locked
-- by the transaction that adds them, and to the posting, which the same transaction has read and
-- which nobody can delete. Each key would be a look-up for every row.

-- A movement of ours, and the line that reported it. The key is what keeps a movement from being
-- reported twice, whatever runs at once.
create table report_match (
  company_id text not null,
  posting_id text not null,
  file_id    text not null,
  place      bigint not null,
  primary key (company_id, posting_id)
);

-- What does not agree: open until a person, or a later line, says why.
create table report_break (
  company_id     text not null references company (id),
  id             text not null,
  class          text not null,
  connector      text not null,
  file_id        text not null,
  place          bigint not null,
  payment_id     text not null,
  cause          text not null,
  currency       text not null,
  expected_minor bigint,
  found_minor    bigint,
  details        text not null,
  owner          text not null default '',
  status         text not null default 'open' check (status in ('open', 'resolved')),
  opened_at      timestamptz not null default now(),
  resolution     text not null default '',
  resolved_by    text not null default '',
  resolved_at    timestamptz,
  posting_id     text not null default '',
  primary key (company_id, id),
  constraint report_break_resolved check ((status = 'resolved') = (resolved_at is not null)),
  constraint report_break_words
    check (status = 'open' or (btrim(resolution) <> '' and resolved_by <> ''))
);
create index report_break_of_line on report_break (file_id, place, company_id)
  where file_id <> '';
-- What no file is at fault for is said once of each payment, also after somebody has closed it.
create unique index report_break_of_payment on report_break (payment_id, class, company_id)
  where file_id = '';
create index report_break_open on report_break (opened_at, company_id) where status = 'open';
create index report_break_of_cause on report_break (cause, company_id)
  where status = 'open' and cause <> '';

-- What a break was, and how it ended, stays.
create function resolved_break_stays() returns trigger language plpgsql as $$
begin
  raise exception 'a resolved break is history' using errcode = 'insufficient_privilege';
end $$;
create trigger report_break_history before update on report_break
  for each row when (old.status = 'resolved') execute function resolved_break_stays();
create trigger report_break_kept before delete on report_break
  for each statement execute function history_is_append_only();
create trigger report_line_kept before delete on report_line
  for each statement execute function history_is_append_only();
create trigger report_match_append_only before update or delete on report_match
  for each statement execute function history_is_append_only();
create trigger report_break_no_truncate before truncate on report_break
  for each statement execute function history_is_append_only();
create trigger report_line_no_truncate before truncate on report_line
  for each statement execute function history_is_append_only();
create trigger report_match_no_truncate before truncate on report_match
  for each statement execute function history_is_append_only();

-- A provider's own reference finds what it was given for.
create index attempt_at_provider on attempt (provider_reference, company_id)
  where provider_reference <> '';
create index modification_at_provider on modification (provider_reference, company_id)
  where provider_reference <> '';
create index dispute_by_reference on dispute (provider_reference, company_id);

-- Completely reported, and waiting only for what is still reserved to be let go.
create index payment_to_settle on payment (id)
  where status = 'captured' and settled_minor = captured_minor;

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on report_file, report_line, report_match, report_break to kassa_app;
    grant update on report_file to kassa_app;
    -- What a line says stays as it was read; only what became of it changes.
    grant update (state, match_key, payment_id, cause) on report_line to kassa_app;
    grant update (owner, status, resolution, resolved_by, resolved_at, posting_id)
      on report_break to kassa_app;
  end if;
end $$;
