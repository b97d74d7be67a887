-- The chain that makes history tamper-evident. Every posting (with its entries) and every event
-- gets a link with its digest; links are sealed in blocks, and a block's hash is an HMAC over the
-- hash before it, under a key that is not in the database. Whoever edits a row, with whatever
-- rights, cannot make the chain fit it again.

-- Canonical: an array's text quotes what needs it and tells null from a word; times are whole
-- microseconds. Not a word of these two functions may change without a new chain.
create function event_digest(
  company_id text, payment_id text, seq bigint, event text, from_status text, to_status text,
  actor text, evidence jsonb, at timestamptz
) returns bytea language sql stable parallel safe as $$
  select sha256(convert_to(array['event', company_id, payment_id, seq::text, event, from_status,
    to_status, actor, evidence::text, encode(timestamptz_send(at), 'hex')]::text, 'UTF8'))
$$;
create function entry_text(leg integer, account text, currency text, amount_minor bigint)
returns text language sql stable parallel safe as $$
  select array[leg::text, account, currency, amount_minor::text]::text
$$;
-- `entries`: the entry_texts in the order of their legs, one after the other.
create function posting_digest(
  company_id text, id text, kind text, currency text, payment_id text, cause text,
  at timestamptz, entries text
) returns bytea language sql stable parallel safe as $$
  select sha256(convert_to(array['posting', company_id, id, kind, currency, payment_id, cause,
    encode(timestamptz_send(at), 'hex'), entries]::text, 'UTF8'))
$$;

-- What has no link yet, written in the transaction of the rows themselves: so that writers do not
-- queue for the head of the chain, and nothing that is committed can be overlooked. A row of it
-- holds all that one statement added for one company: `keys` are ids of postings, or payments
-- whose event `numbers` say.
create table unchained (
  id         bigint generated always as identity,
  company_id text not null,
  kind       text not null check (kind in ('event', 'posting')),
  keys       text[] not null,
  numbers    bigint[] not null
);
create unique index unchained_order on unchained (id);

create table chain_link (
  company_id text not null,
  seq        bigint not null check (seq > 0),
  kind       text not null check (kind in ('event', 'posting')),
  key        text not null,
  number     bigint not null,
  digest     bytea not null,
  primary key (company_id, seq)
);

-- `root`: the SHA-256 of the digests of its links, in their order.
create table chain_block (
  company_id text not null,
  seq        bigint not null check (seq > 0),
  first_link bigint not null,
  last_link  bigint not null check (last_link >= first_link),
  at         timestamptz not null,
  root       bytea not null,
  hash       bytea not null,
  primary key (company_id, seq)
);

-- As the owner, so that the role that serves requests needs no right to the queue. The queue is
-- named in full: nobody's temporary table can stand in for it.
create function chain_events() returns trigger language plpgsql security definer as $$
begin
  insert into public.unchained (company_id, kind, keys, numbers)
    select a.company_id, 'event', array_agg(a.payment_id), array_agg(a.seq)
      from added a group by a.company_id;
  return null;
end $$;
create function chain_postings() returns trigger language plpgsql security definer as $$
begin
  insert into public.unchained (company_id, kind, keys, numbers)
    select a.company_id, 'posting', array_agg(a.id), array_agg(0)
      from added a group by a.company_id;
  return null;
end $$;
create trigger event_chained after insert on payment_event
  referencing new table as added for each statement execute function chain_events();
create trigger posting_chained after insert on posting
  referencing new table as added for each statement execute function chain_postings();

-- The only way out of the queue: into links. What leaves it otherwise is found without a link.
create function chained(ids bigint[]) returns void language sql security definer as $$
  delete from public.unchained where id = any(ids)
$$;

create trigger link_append_only before update or delete on chain_link
  for each statement execute function history_is_append_only();
create trigger block_append_only before update or delete on chain_block
  for each statement execute function history_is_append_only();
create trigger link_no_truncate before truncate on chain_link
  for each statement execute function history_is_append_only();
create trigger block_no_truncate before truncate on chain_block
  for each statement execute function history_is_append_only();

-- What was there before is chained as it is found now, in the order in which it happened.
insert into unchained (company_id, kind, keys, numbers)
  select company_id, 'event', array_agg(payment_id order by at), array_agg(seq order by at)
    from (select *, row_number() over (order by at) / 500 as part from payment_event) e
    group by part, company_id order by part;
insert into unchained (company_id, kind, keys, numbers)
  select company_id, 'posting', array_agg(id order by at), array_agg(0::bigint)
    from (select *, row_number() over (order by at) / 500 as part from posting) p
    group by part, company_id order by part;

do $$
begin
  if exists (select from pg_roles where rolname = 'kassa_app') then
    grant select on unchained, chain_link, chain_block to kassa_app;
    grant insert on chain_link, chain_block to kassa_app;
  end if;
end $$;
