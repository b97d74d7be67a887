-- How each try of a delivery went: for people to read, and dropped after a time. `epoch`: the lease
-- under which it was made. `answer`: the start of what the receiver said.
create table delivery (
  company_id      text not null,
  announcement_id text not null,
  epoch           bigint not null,
  at              timestamptz not null default now(),
  milliseconds    integer not null,
  status          integer,
  error           text not null,
  answer          text not null,
  primary key (company_id, announcement_id, epoch),
  foreign key (company_id, announcement_id) references announcement (company_id, id)
);
create index delivery_by_time on delivery (at);
-- What died, and what happened lately, is looked for by company.
create index announcement_by_time on announcement (company_id, created_at, id);

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert, delete on delivery to kassa_app;
  end if;
end $$;
