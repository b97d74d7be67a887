-- What happens to money after it was asked for: reservations claimed or let go, refunds, surplus
-- given back, disputes, fees, settlements and payouts.

alter table payment
  add column capture_method text not null default 'automatic'
    constraint payment_capture_method check (capture_method in ('automatic', 'manual')),
  add column authorization_expires_at timestamptz,
  add column released_minor bigint not null default 0,
  add column surplus_returned_minor bigint not null default 0,
  add column surplus_reserved_minor bigint not null default 0,
  add column disputed_minor bigint not null default 0,
  add column double_paid_minor bigint not null default 0,
  add column settled_minor bigint not null default 0,
  add column expected_fee_minor bigint not null default 0,
  add column fee_known boolean not null default false,
  add column modifications integer not null default 0,
  add column disputes integer not null default 0,
  drop constraint payment_bounds,
  -- M2: never claim more than was reserved, never give back more than was claimed. What a bank
  -- took back although it had been refunded is a fact that no bound can undo: it is counted apart.
  add constraint payment_bounds check (
    authorized_minor between 0 and amount_minor
    and captured_minor >= 0 and released_minor >= 0
    and captured_minor + released_minor
      <= authorized_minor + case when surplus then surplus_minor else 0 end
    and refunded_minor >= 0 and refund_reserved_minor >= 0
    and disputed_minor >= 0 and double_paid_minor >= 0
    and refunded_minor + refund_reserved_minor + disputed_minor
      <= captured_minor + double_paid_minor
    and double_paid_minor <= disputed_minor
    and surplus_returned_minor >= 0 and surplus_reserved_minor >= 0
    and surplus_returned_minor + surplus_reserved_minor <= surplus_minor
    and settled_minor between 0 and captured_minor);
create index payment_to_release on payment (authorization_expires_at)
  where authorized_minor > captured_minor + released_minor;
create index payment_with_surplus on payment (id)
  where surplus_minor > surplus_returned_minor + surplus_reserved_minor;
create index payment_double_paid on payment (id) where double_paid_minor > 0;

alter table attempt add column surplus boolean not null default false;

alter table posting add column cause text not null default '';
create index posting_of_cause on posting (cause, company_id) where cause <> '';

-- A capture, void or refund. Unknown is `processing`: it keeps what it has reserved.
create table modification (
  company_id         text not null,
  id                 text not null,
  payment_id         text not null,
  attempt_id         text not null,
  number             integer not null check (number > 0),
  kind               text not null check (kind in ('capture', 'void', 'refund')),
  status             text not null
                     check (status in ('requested', 'processing', 'succeeded', 'failed')),
  amount_minor       bigint not null check (amount_minor > 0),
  currency           text not null,
  connector          text not null,
  surplus            boolean not null,
  is_last            boolean not null,
  reason             text not null,
  actor              text not null,
  face               text not null,
  request_scope      text not null,
  request_id         text,
  fingerprint        text not null,
  provider_reference text not null,
  fee_minor          bigint not null,
  failure_code       text not null,
  failure_message    text not null,
  query_count        integer not null,
  next_query_at      timestamptz,
  last_query_at      timestamptz,
  created_at         timestamptz not null,
  updated_at         timestamptz not null,
  completed_at       timestamptz,
  extra              jsonb not null,
  primary key (company_id, id),
  foreign key (company_id, payment_id) references payment (company_id, id),
  foreign key (company_id, attempt_id) references attempt (company_id, id),
  constraint modification_completed_at
    check ((status in ('succeeded', 'failed')) = (completed_at is not null)),
  constraint modification_failure check (status <> 'failed' or failure_code <> '')
);
create unique index modification_order on modification (company_id, payment_id, number);
create unique index modification_request on modification (company_id, request_scope, request_id)
  where request_id is not null;
-- M5: a reservation is claimed or let go by one at a time; the other waits, and then sees.
create unique index modification_one_claim on modification (company_id, payment_id)
  where kind in ('capture', 'void') and status in ('requested', 'processing') and not surplus;
create index modification_of_payment on modification (payment_id, company_id);
create index modification_to_query on modification (next_query_at)
  where next_query_at is not null;

create table dispute (
  company_id         text not null,
  id                 text not null,
  payment_id         text not null,
  attempt_id         text not null,
  number             integer not null check (number > 0),
  connector          text not null,
  provider_reference text not null,
  stage              text not null
    check (stage in ('inquiry', 'chargeback', 'pre_arbitration', 'arbitration')),
  status             text not null
    check (status in ('needs_response', 'under_review', 'won', 'lost', 'closed')),
  reason             text not null,
  amount_minor       bigint not null check (amount_minor > 0),
  fee_minor          bigint not null check (fee_minor >= 0),
  currency           text not null,
  withdrawn          boolean not null,
  double_paid_minor  bigint not null check (double_paid_minor between 0 and amount_minor),
  respond_by         timestamptz,
  opened_at          timestamptz not null,
  updated_at         timestamptz not null,
  closed_at          timestamptz,
  primary key (company_id, id),
  foreign key (company_id, payment_id) references payment (company_id, id),
  constraint dispute_closed_at
    check ((status in ('won', 'lost', 'closed')) = (closed_at is not null))
);
create unique index dispute_at_provider on dispute (company_id, connector, provider_reference);
create unique index dispute_order on dispute (company_id, payment_id, number);
create index dispute_of_payment on dispute (payment_id, company_id);
create index dispute_undecided on dispute (respond_by) where closed_at is null;

-- Fees ------------------------------------------------------------------------------------------

create table fee_rule (
  company_id  text not null references company (id),
  id          text not null,
  kind        text not null check (kind in ('payment', 'refund', 'dispute')),
  connector   text not null,
  method      text not null,
  currency    text not null check (currency ~ '^[A-Z]{3}$'),
  rate_ppm    bigint not null check (rate_ppm between 0 and 1000000),
  fixed_minor bigint not null check (fixed_minor >= 0),
  valid_from  timestamptz not null,
  valid_until timestamptz check (valid_until > valid_from),
  created_at  timestamptz not null default now(),
  primary key (company_id, id)
);

-- Settlements -----------------------------------------------------------------------------------

-- What moved at one provider account, in one currency, and was paid out (or is to be) in one sum.
create table settlement (
  company_id         text not null references company (id),
  id                 text not null,
  number             bigint not null,
  connector          text not null,
  currency           text not null,
  status             text not null
                     check (status in ('open', 'closed', 'paid', 'failed', 'carried')),
  payments_minor     bigint not null,
  refunds_minor      bigint not null,
  disputes_minor     bigint not null,
  fees_minor         bigint not null,
  other_minor        bigint not null,
  carried_over_minor bigint not null check (carried_over_minor <= 0),
  net_minor          bigint not null,
  payout_reference   text not null,
  opened_at          timestamptz not null,
  closed_at          timestamptz,
  paid_at            timestamptz,
  primary key (company_id, id),
  constraint settlement_net check (net_minor = payments_minor + refunds_minor + disputes_minor
    + fees_minor + other_minor + carried_over_minor),
  constraint settlement_closed check ((status = 'open') = (closed_at is null)),
  constraint settlement_carried check (status <> 'carried' or net_minor <= 0)
);
create unique index settlement_number on settlement (company_id, number);
create unique index settlement_one_open on settlement (company_id, connector, currency)
  where status = 'open';
create unique index settlement_payout
  on settlement (company_id, connector, payout_reference, currency)
  where payout_reference <> '';

-- One movement at a provider account: an entry of the ledger, copied when it is booked. It waits
-- (`settlement_id` null) until it is put into a settlement, once and for good: the map from payout
-- to payment and back. What a payout itself took from the account is not among them.
-- The copy is what makes gathering cheap: the waiting lines have an index of their own, as long as
-- what waits and not as history, so there is no search for what is not there.
create table settlement_line (
  company_id    text not null,
  posting_id    text not null,
  leg           integer not null,
  settlement_id text,
  connector     text not null,
  currency      text not null,
  payment_id    text not null,
  kind          text not null,
  at            timestamptz not null,
  amount_minor  bigint not null,
  primary key (company_id, posting_id, leg),
  foreign key (company_id, settlement_id) references settlement (company_id, id)
);
-- Down to the line: a statement of what waits is read from it in pages, and a report finds in it
-- the lines it names.
create index settlement_line_waiting
  on settlement_line (connector, currency, company_id, posting_id, leg)
  where settlement_id is null;
create index settlement_line_of_settlement
  on settlement_line (settlement_id, posting_id, leg, company_id) where settlement_id is not null;
create index settlement_line_of_payment on settlement_line (payment_id, company_id)
  where payment_id <> '';

-- With the rights of the tables' owner: nobody else adds lines, so none is forged or forgotten.
-- The postings are looked up by key, whatever a planner without statistics would think of them.
create function movement_waits() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
begin
  insert into settlement_line (company_id, posting_id, leg, connector, currency, payment_id, kind,
    at, amount_minor)
  select e.company_id, e.posting_id, e.leg, substr(e.account, 10), e.currency, p.payment_id,
    p.kind, p.at, e.amount_minor
  from added e join posting p on p.company_id = e.company_id and p.id = e.posting_id
  where e.account like 'provider:%' and p.kind not in ('payout', 'payout_return');
  return null;
end $$;
revoke all on function movement_waits() from public;
create trigger entry_waits_for_settlement after insert on entry
  referencing new table as added for each statement execute function movement_waits();
insert into settlement_line (company_id, posting_id, leg, connector, currency, payment_id, kind,
  at, amount_minor)
select e.company_id, e.posting_id, e.leg, substr(e.account, 10), e.currency, p.payment_id,
  p.kind, p.at, e.amount_minor
from entry e join posting p on p.company_id = e.company_id and p.id = e.posting_id
where e.account like 'provider:%' and p.kind not in ('payout', 'payout_return');

-- Wallet limits per day -------------------------------------------------------------------------

create table wallet_day (
  company_id  text not null,
  account     text not null,
  currency    text not null,
  on_day      date not null,
  spent_minor bigint not null check (spent_minor >= 0),
  primary key (company_id, account, currency, on_day)
);

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select, insert on modification, dispute, fee_rule, settlement, wallet_day to kassa_app;
    grant update on modification, dispute, fee_rule, settlement, wallet_day to kassa_app;
    grant select, update (settlement_id) on settlement_line to kassa_app;
  end if;
end $$;
