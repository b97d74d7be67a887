-- Each try of a settlement's payout, by its own reference: one that the bank sent back stays, and
-- the next one is another. What was paid before this has no row here until it fails.
create table payout (
  company_id        text not null,
  id                text not null,
  settlement_id     text not null,
  number            integer not null check (number > 0),
  reference         text not null,
  currency          text not null,
  amount_minor      bigint not null,
  status            text not null
    constraint payout_status_check check (status in ('paid', 'returned', 'failed')),
  begun_at          timestamptz not null,
  ended_at          timestamptz,
  posting_id        text not null default '',
  return_posting_id text not null default '',
  why               text not null default '',
  seal              bytea,
  primary key (company_id, id),
  unique (company_id, settlement_id, number),
  foreign key (company_id, settlement_id) references settlement (company_id, id),
  constraint payout_ended check ((status = 'paid') = (ended_at is null)),
  constraint payout_returned check ((status = 'returned') = (return_posting_id <> ''))
);
create index payout_by_reference on payout (reference, company_id);

-- A line that an earlier file has had: which file, and where in it. `identity` says which lines are
-- the same one; it is empty where a movement of ours says that.
alter table report_line
  add column identity text not null default '',
  add column repeats_file text not null default '',
  add column repeats_place bigint not null default 0;
create index report_line_identity on report_line (identity, company_id) where identity <> '';
create index report_line_again on report_line (repeats_file, repeats_place, company_id)
  where repeats_file <> '';

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on payout to kassa_app;
    grant update (status, ended_at, return_posting_id, why, seal) on payout to kassa_app;
    grant update (identity, repeats_file, repeats_place) on report_line to kassa_app;
  end if;
end $$;
