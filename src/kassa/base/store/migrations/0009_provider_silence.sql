-- Providers that do not answer, one row an account: while `since` is set its questions go
-- unanswered, and at `probe_at` one of them is asked out of its turn. Until `recovers_until` it
-- is just coming back after a long silence.
create table provider_silence (
  company_id     text not null,
  account        text not null,
  since          timestamptz,
  probe_at       timestamptz not null,
  recovers_until timestamptz not null default '-infinity',
  primary key (company_id, account)
);

-- Payments that are at a provider: few, and looked at whenever metrics are read.
create index payment_processing on payment (company_id, id) where status = 'processing';

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert, update on provider_silence to kassa_app;
  end if;
end $$;
