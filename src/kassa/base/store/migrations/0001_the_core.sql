-- The core: tenants and their credentials, orders, payments, attempts, the timeline, the ledger
-- and the two mailboxes. Every key begins with company_id, so that no statement can reach another
-- tenant's row by a forgotten filter and so that the schema can be sharded by company.
-- Amounts are whole minor units in bigint. Ids are made by the application and grow with time.

-- Small and read through a cache: tenants, and what proves who is asking -----------------------

create table company (
  id          text primary key,
  number      integer not null unique check (number > 0),
  name        text not null,
  currency    text not null check (currency ~ '^[A-Z]{3}$'),
  business_id text not null,
  status      text not null default 'active' check (status in ('active', 'closed')),
  created_at  timestamptz not null default now()
);

-- `lookup` is the public half of a credential ('key:…', 'client:…', 'wallet:…', 'jwt:…').
-- Secrets are kept as HMAC-SHA256 under a pepper that is not in the database.
create table credential (
  lookup      text primary key,
  company_id  text not null references company (id),
  business_id text not null,
  kind        text not null
    check (kind in ('api_key', 'orders_client', 'wallet_client', 'jwt_key')),
  name        text not null,
  secret_hash bytea,
  public_keys jsonb not null default '{}',
  status      text not null default 'active' check (status in ('active', 'disabled')),
  created_at  timestamptz not null default now()
);

-- Heads: small integers that a face wants, handed out per company without gaps.
create table counter (
  company_id text not null references company (id),
  name       text not null,
  value      bigint not null,
  primary key (company_id, name)
);

-- Orders and payments ----------------------------------------------------------------------------

create table orders (
  company_id      text not null references company (id),
  id              text not null,
  business_id     text not null,
  amount_minor    bigint not null check (amount_minor > 0),
  currency        text not null check (currency ~ '^[A-Z]{3}$'),
  status          text not null check (status in ('active', 'paid', 'expired', 'canceled')),
  module          text not null check (module in ('grooming', 'retail', 'membership')),
  customer_id     text not null,
  customer_number bigint not null check (customer_number between 0 and 4294967295),
  customer_name   text not null,
  customer_email  text not null,
  customer_phone  text not null,
  org_number      bigint not null,
  description     text not null,
  note            text not null,
  tags            jsonb not null,
  return_url      text not null,
  notify_url      text not null,
  notify_kind     text not null,
  payment_methods text not null,
  session_token   text not null,
  face            text not null,
  request_scope   text not null,
  request_id      text,
  fingerprint     text not null,
  extra           jsonb not null,
  created_at      timestamptz not null,
  updated_at      timestamptz not null,
  expires_at      timestamptz not null,
  primary key (company_id, id)
);
-- The caller's idempotency key stays unique for ever, not only while a cache remembers it.
create unique index orders_request on orders (company_id, request_scope, request_id)
  where request_id is not null;
-- Not company first: a planner without statistics would read a whole company by it, where the
-- primary key finds one row. The token names its company, so no two companies can share one.
create unique index orders_session on orders (session_token, company_id);
create index orders_expiring on orders (expires_at) where status = 'active';

create table payment (
  company_id            text not null,
  id                    text not null,
  order_id              text not null,
  business_id           text not null,
  amount_minor          bigint not null check (amount_minor > 0),
  currency              text not null check (currency ~ '^[A-Z]{3}$'),
  status                text not null check (status in ('created', 'requires_action', 'processing',
                          'authorized', 'captured', 'settled', 'canceled', 'failed', 'expired')),
  method                text,
  module                text not null check (module in ('grooming', 'retail', 'membership')),
  authorized_minor      bigint not null default 0,
  captured_minor        bigint not null default 0,
  refunded_minor        bigint not null default 0,
  refund_reserved_minor bigint not null default 0,
  fee_minor             bigint not null default 0,
  surplus               boolean not null default false,
  surplus_minor         bigint not null default 0 check (surplus_minor >= 0),
  retry_allowed         boolean not null,
  payer                 text not null default '',
  subject               text not null default '',
  description           text not null default '',
  number                bigint,
  connector             text not null default '',
  provider_reference    text not null default '',
  instrument            text not null default '',
  redirect_url          text not null default '',
  redirect_expires_at   timestamptz,
  failure_code          text not null default '',
  failure_message       text not null default '',
  extra                 jsonb not null default '{}',
  created_at            timestamptz not null,
  updated_at            timestamptz not null,
  captured_at           timestamptz,
  expires_at            timestamptz not null,
  version               bigint not null default 1 check (version > 0),
  primary key (company_id, id),
  foreign key (company_id, order_id) references orders (company_id, id),
  -- M2: never give back more than was taken, never take more than was reserved.
  constraint payment_bounds check (
    authorized_minor between 0 and amount_minor
    and captured_minor between 0 and authorized_minor
    and refunded_minor >= 0 and refund_reserved_minor >= 0
    and refunded_minor + refund_reserved_minor <= captured_minor),
  constraint payment_captured_at
    check ((status in ('captured', 'settled')) = (captured_at is not null)),
  constraint payment_funds check ((status in ('captured', 'settled')) = (captured_minor > 0)),
  constraint payment_failure check (status <> 'failed' or failure_code <> '')
);
create index payment_of_order on payment (order_id, company_id, id);
create unique index payment_number on payment (company_id, number) where number is not null;
-- M4: one successful payment per order; money beyond it is marked surplus.
create unique index payment_one_success on payment (company_id, order_id)
  where status in ('authorized', 'captured', 'settled') and not surplus;

create table attempt (
  company_id         text not null,
  id                 text not null,
  payment_id         text not null,
  number             integer not null,
  connector          text not null,
  method             text not null,
  status             text not null check (status in ('prepared', 'dispatched', 'in_doubt',
                       'succeeded', 'declined', 'abandoned')),
  amount_minor       bigint not null check (amount_minor > 0),
  currency           text not null,
  instrument         text not null,
  provider_reference text not null,
  failure_code       text not null,
  failure_message    text not null,
  query_count        integer not null,
  next_query_at      timestamptz,
  last_query_at      timestamptz,
  created_at         timestamptz not null,
  updated_at         timestamptz not null,
  primary key (company_id, id),
  foreign key (company_id, payment_id) references payment (company_id, id)
);
create unique index attempt_order on attempt (company_id, payment_id, number);
-- At most one attempt whose outcome is open: a second write waits until the first is known.
create unique index attempt_one_open on attempt (company_id, payment_id)
  where status in ('dispatched', 'in_doubt');
create index attempt_to_query on attempt (next_query_at) where next_query_at is not null;

-- The timeline: event n of a payment made its version n. Rows are only ever added.
create table payment_event (
  company_id  text not null,
  payment_id  text not null,
  seq         bigint not null,
  event       text not null,
  from_status text,
  to_status   text not null,
  actor       text not null,
  evidence    jsonb not null,
  at          timestamptz not null,
  primary key (company_id, payment_id, seq),
  foreign key (company_id, payment_id) references payment (company_id, id)
);

-- The ledger: signed minor units, debits positive; every posting sums to zero ---------------------

create table posting (
  company_id text not null references company (id),
  id         text not null,
  kind       text not null,
  currency   text not null,
  payment_id text not null,
  at         timestamptz not null,
  primary key (company_id, id)
);
create index posting_of_payment on posting (company_id, payment_id) where payment_id <> '';

create table entry (
  company_id   text not null,
  posting_id   text not null,
  leg          integer not null,
  account      text not null,
  currency     text not null,
  amount_minor bigint not null check (amount_minor <> 0),
  primary key (company_id, posting_id, leg),
  foreign key (company_id, posting_id) references posting (company_id, id)
);
create index entry_of_account on entry (company_id, account, currency);

-- The last net under M1: the domain has already balanced the posting before it is stored.
create function posting_balances() returns trigger language plpgsql as $$
declare
  wanted text := coalesce(to_jsonb(new) ->> 'posting_id', to_jsonb(new) ->> 'id');
begin
  if (select coalesce(sum(e.amount_minor), 0) <> 0 or count(*) < 2 or count(distinct e.currency) > 1
        from entry e where e.company_id = new.company_id and e.posting_id = wanted) then
    raise exception 'the posting does not sum to zero' using errcode = 'check_violation',
      constraint = 'posting_balanced';
  end if;
  return null;
end $$;
create constraint trigger entry_balanced after insert on entry
  deferrable initially deferred for each row execute function posting_balances();
create constraint trigger posting_balanced after insert on posting
  deferrable initially deferred for each row execute function posting_balances();

-- History is added to, never edited: not even by the owner of the tables without saying so.
create function history_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger posting_append_only before update or delete on posting
  for each statement execute function history_is_append_only();
create trigger entry_append_only before update or delete on entry
  for each statement execute function history_is_append_only();
create trigger event_append_only before update or delete on payment_event
  for each statement execute function history_is_append_only();
create trigger posting_no_truncate before truncate on posting
  for each statement execute function history_is_append_only();
create trigger entry_no_truncate before truncate on entry
  for each statement execute function history_is_append_only();
create trigger event_no_truncate before truncate on payment_event
  for each statement execute function history_is_append_only();

-- The wallet: people, what lets a merchant charge them, and what they have ----------------------

create table wallet_user (
  company_id text not null references company (id),
  id         text not null,
  status     text not null check (status in ('active', 'frozen', 'closed')),
  created_at timestamptz not null default now(),
  primary key (company_id, id)
);
create table wallet_code (
  company_id text not null,
  code_hash  bytea not null,
  user_id    text not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  primary key (company_id, code_hash),
  foreign key (company_id, user_id) references wallet_user (company_id, id)
);
-- The running sum of a wallet account's entries: it makes "enough?" one row lock, never negative.
create table wallet_balance (
  company_id    text not null,
  account       text not null,
  currency      text not null,
  balance_minor bigint not null check (balance_minor >= 0),
  primary key (company_id, account, currency)
);

-- The mailboxes ----------------------------------------------------------------------------------

-- Out: written in the transaction of the change it tells of, delivered by a worker.
create table announcement (
  company_id   text not null,
  id           text not null,
  payment_id   text not null,
  version      bigint not null,
  kind         text not null,
  url          text not null,
  event_type   text not null,
  state        text not null default 'waiting' check (state in ('waiting', 'delivered', 'dead')),
  tries        integer not null default 0,
  next_at      timestamptz,
  epoch        bigint not null default 0,
  last_status  integer,
  last_error   text not null default '',
  created_at   timestamptz not null,
  delivered_at timestamptz,
  primary key (company_id, id),
  foreign key (company_id, payment_id) references payment (company_id, id),
  check ((state = 'waiting') = (next_at is not null))
);
create index announcement_due on announcement (next_at) where state = 'waiting';

-- In: what a provider told us, verified, kept raw, applied once.
create table provider_news (
  company_id  text not null,
  account     text not null,
  dedupe_key  text not null,
  attempt_id  text not null,
  body        bytea not null,
  received_at timestamptz not null default now(),
  applied_at  timestamptz,
  result      text not null default '',
  primary key (company_id, account, dedupe_key)
);

-- What the gateway's own role may do: no DDL, and no edit of history.
do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant usage on schema public to kassa_app;
    grant select on all tables in schema public to kassa_app;
    grant insert on all tables in schema public to kassa_app;
    grant update on company, credential, counter, orders, payment, attempt, wallet_user,
      wallet_code, wallet_balance, announcement, provider_news to kassa_app;
  end if;
end $$;
