-- Finding out what became of a payment: the inbox of providers' news, the schedule of questions,
-- and the answers by which something was decided.

-- Since when nobody knows: where the schedule of questions began. Null: since it was made.
alter table attempt add column undecided_since timestamptz;
alter table modification add column undecided_since timestamptz;

-- By account, so that a provider that does not answer takes no other's turn.
drop index attempt_to_query;
create index attempt_due on attempt (connector, next_query_at) where next_query_at is not null;
drop index modification_to_query;
create index modification_due on modification (connector, next_query_at)
  where next_query_at is not null;

-- Money in doubt, by account: few rows, looked at whenever metrics are read.
create index attempt_in_doubt on attempt (connector, currency) where status = 'in_doubt';
create index modification_in_doubt on modification (connector, currency)
  where status = 'processing';
-- What has been open for long, oldest first.
create index attempt_long_open on attempt (created_at) where status in ('dispatched', 'in_doubt');
create index modification_long_open on modification (created_at)
  where status in ('requested', 'processing');

-- In: verified, kept raw, applied once. `news` is what was understood, so that it can be applied
-- later, when the stamp on it is old or the key has changed. `attempt_id` stays empty until the
-- charge, capture, void or refund is known. With `next_at` it waits; without, and not applied,
-- nobody looks for its charge any more.
alter table provider_news alter column attempt_id set default '';
alter table provider_news add column headers jsonb not null default '{}';
alter table provider_news add column news jsonb not null default '{}';
alter table provider_news add column tries integer not null default 0 check (tries >= 0);
alter table provider_news add column next_at timestamptz;
alter table provider_news add constraint provider_news_waits
  check (applied_at is null or next_at is null);
create index provider_news_due on provider_news (next_at) where next_at is not null;
create index provider_news_left on provider_news (received_at) where applied_at is null;

-- What a provider answered when it was asked, where that decided something: the evidence that an
-- event names.
create table provider_answer (
  company_id text not null,
  id         text not null,
  payment_id text not null,
  about      text not null,
  account    text not null,
  outcome    jsonb not null,
  at         timestamptz not null,
  primary key (company_id, id),
  foreign key (company_id, payment_id) references payment (company_id, id)
);
create index provider_answer_of_payment on provider_answer (company_id, payment_id);
create trigger answer_append_only before update or delete on provider_answer
  for each statement execute function history_is_append_only();
create trigger answer_no_truncate before truncate on provider_answer
  for each statement execute function history_is_append_only();

-- One payment can have several things that nobody knows, and some news has no payment.
drop index report_break_of_payment;
create unique index report_break_of_payment on report_break (payment_id, class, cause, company_id)
  where file_id = '';

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on provider_answer to kassa_app;
  end if;
end $$;
