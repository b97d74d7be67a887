-- name: lock_and_read
-- Lock the orders of these payments, in one order everywhere, as far as they are free, and read
-- what the locks guard: the payments with their orders and attempts, whether another payment of the
-- order holds its money, and whether the company is closed. Those whose order was not to be had
-- come too. A row for each attempt, oldest first.
select l.moment, l.is_held, {view}, l.elsewhere,
  (select c.status = {company.closed} from company c where c.id = p.company_id) as closed,
  {attempt_of}
from lock_and_read($1, $2, array[{secured}]) l,
  lateral (select (l.of_payment).*) p, lateral (select (l.of_order).*) o,
  lateral (select (l.of_attempt).*) a

-- name: clock
-- The time of this statement.
select statement_timestamp()

-- name: alone
-- These payments, with what they know of their orders.
select {payment_p}, {of_order}
from {payments}
where p.company_id = $1 and p.id = any($2)

-- name: attempts_of
-- All attempts of these payments, oldest first.
select {attempt_a} from attempt a
join unnest($1::text[], $2::text[]) as k(c, id) on k.c = a.company_id and k.id = a.payment_id
where a.company_id = any($1) and a.payment_id = any($2)
order by a.company_id, a.payment_id, a.number

-- name: modifications_of
-- All captures, voids and refunds of these payments, oldest first.
select {modification_m} from modification m
join unnest($1::text[], $2::text[]) as k(c, id) on k.c = m.company_id and k.id = m.payment_id
where m.company_id = any($1) and m.payment_id = any($2)
order by m.company_id, m.payment_id, m.number

-- name: disputes_of
-- All disputes of these payments, oldest first.
select {dispute_d} from dispute d
join unnest($1::text[], $2::text[]) as k(c, id) on k.c = d.company_id and k.id = d.payment_id
where d.company_id = any($1) and d.payment_id = any($2)
order by d.company_id, d.payment_id, d.number

-- name: find_attempt
-- One attempt.
select {attempt_a} from attempt a where a.company_id = $1 and a.id = $2

-- part: matched
-- The ids stand beside the companies, so that the planner looks them up instead of reading all of a
-- company.
t.company_id = any($2) and t.id = any($3) and t.company_id = w.company_id and t.id = w.id

-- name: update_attempts
-- All that may change of them.
update attempt as t set {attempt_changes}
from json_populate_recordset(null::attempt, $1::json) as w
where {matched}

-- name: update_modifications
-- All that may change of them.
update modification as t set {modification_changes}
from json_populate_recordset(null::modification, $1::json) as w
where {matched}

-- name: update_disputes
-- All that may change of them.
update dispute as t set {dispute_changes}
from json_populate_recordset(null::dispute, $1::json) as w
where {matched}

-- name: insert_modifications
-- New ones.
insert into modification as t ({modification_columns}, seal)
select {modification_columns}, seal from json_populate_recordset(null::modification, $1::json)

-- name: insert_disputes
-- New ones.
insert into dispute as t ({dispute_columns}, seal)
select {dispute_columns}, seal from json_populate_recordset(null::dispute, $1::json)

-- part: answer
company_id, id, payment_id, about, account, outcome, at, birth

-- name: insert_answers
-- What providers said that decided something.
insert into provider_answer as t ({answer})
select {answer} from json_populate_recordset(null::provider_answer, $1::json)

-- part: event
company_id, payment_id, seq, event, from_status, to_status, actor, evidence, at, seal

-- part: posting
company_id, id, kind, currency, payment_id, cause, at, seal

-- part: entry
company_id, posting_id, leg, account, currency, amount_minor

-- name: insert_postings
-- Into the ledger ($1), with their legs ($2); they are never touched again.
with posted as (
  insert into posting as t ({posting})
  select {posting} from json_populate_recordset(null::posting, $1::json))
insert into entry as t ({entry})
select {entry} from json_populate_recordset(null::entry, $2::json)

-- name: write
-- All that became of payments ($1: what differs, and what may be null; of these companies, $2, with
-- these ids, $3), in one go: what happened to them ($4), what became of their attempts ($5, with
-- ids $6), which are new ($7), their orders ($8, with ids $9), what was booked ($10), and its legs
-- ($11). What the first seal of a payment is over is never written again. The only statement that
-- changes a payment.
with moved as (
  update payment as t set {payment_changes}
  from json_populate_recordset(null::payment, $1::json) as w
  where {matched}),
told as (
  insert into payment_event as t ({event})
  select {event} from json_populate_recordset(null::payment_event, $4::json)),
tried as (
  update attempt as t set {attempt_changes}
  from json_populate_recordset(null::attempt, $5::json) as w
  where t.company_id = any($2) and t.id = any($6)
    and t.company_id = w.company_id and t.id = w.id),
begun as (
  insert into attempt as t ({attempt_columns}, seal)
  select {attempt_columns}, seal from json_populate_recordset(null::attempt, $7::json)),
ended as (
  update orders as t set status = w.status, updated_at = w.updated_at
  from json_populate_recordset(null::orders, $8::json) as w
  where t.company_id = any($2) and t.id = any($9)
    and t.company_id = w.company_id and t.id = w.id),
posted as (
  insert into posting as t ({posting})
  select {posting} from json_populate_recordset(null::posting, $10::json))
insert into entry as t ({entry})
select {entry} from json_populate_recordset(null::entry, $11::json)

-- name: write_new
-- Payments that are made now ($1), as they stand after what happened to them at once ($2), with
-- their attempts ($3), what was booked ($4), and its legs ($5).
with made as (
  insert into payment as t ({payment_columns}, birth, seal)
  select {payment_columns}, birth, seal from json_populate_recordset(null::payment, $1::json)),
told as (
  insert into payment_event as t ({event})
  select {event} from json_populate_recordset(null::payment_event, $2::json)),
begun as (
  insert into attempt as t ({attempt_columns}, seal)
  select {attempt_columns}, seal from json_populate_recordset(null::attempt, $3::json)),
posted as (
  insert into posting as t ({posting})
  select {posting} from json_populate_recordset(null::posting, $4::json))
insert into entry as t ({entry})
select {entry} from json_populate_recordset(null::entry, $5::json)

-- name: insert_announcements
-- News that merchants are to hear; due at once.
insert into announcement as t
  (company_id, id, payment_id, agreement_id, version, kind, url, event_type, next_at, created_at,
   content, recipient, birth)
select company_id, id, payment_id, agreement_id, version, kind, url, event_type, created_at,
  created_at, content, recipient, birth
from json_populate_recordset(null::announcement, $1::json)

-- name: to_query
-- Payments with an attempt that should be asked about now: of each account ($1) as many as it has
-- room for ($2). The accounts take turns, and so do the companies of an account that serves
-- several; each with what is longest due. $6: not of undecided attempts, but of those whose money
-- is there and that something was heard of since.
select d.company_id, d.payment_id, d.connector
from unnest($1::text[], $2::int[]) as r(account, room)
cross join lateral (
  select t.*, row_number() over (order by t.turn, t.next_query_at) as place
  from (select o.*, row_number() over (partition by o.company_id order by o.next_query_at) as turn
    from (select a.company_id, a.payment_id, a.connector, a.next_query_at
      from attempt a
      where a.connector = r.account and a.next_query_at <= now() and a.payment_id <> all($3)
        and (a.status = {attempt.succeeded}) = $6
      order by a.next_query_at limit $5) o) t
  order by t.turn, t.next_query_at limit r.room) d
order by d.place, d.next_query_at
limit $4

-- name: last_numbers
-- Hand out so many small integers to each company; gives the last of each one's.
insert into counter as t (company_id, name, value)
select c, $3, n from unnest($1::text[], $2::bigint[]) as w(c, n) order by c
on conflict (company_id, name) do update set value = t.value + excluded.value
returning t.company_id, t.value
