-- part: row
-- A row of history beside its link.
coalesce(e.company_id, l.company_id) as company_id, coalesce(e.key, l.key) as key,
    coalesce(e.number, l.number) as number, e.at, e.key is null as gone, l.seq as link

-- part: same_link
l.company_id = e.company_id and l.key = e.key and l.number = e.number

-- part: same_unchained
q.company_id = e.company_id and q.key = e.key and q.number = e.number

-- part: unlike
e.digest is distinct from l.digest and (l.seq is not null or q.key is null)

-- part: how
case
    when x.link is null then 'was added and has no link in the chain'
    when x.gone then 'is gone; link ' || x.link || ' has it since ' || coalesce(k.at::text, '?')
    else 'differs from link ' || x.link || ' of ' || coalesce(k.at::text, '?') end
    || coalesce('; written after ' || t.earliest, '') || coalesce(' and before ' || t.latest, '')

-- part: since
coalesce(t.earliest, k.at, x.at)

-- part: chained_at
select b.at from public.chain_block b
  where b.company_id = x.company_id and x.link between b.first_link and b.last_link limit 1

-- part: between
-- When a transaction wrote it, told by the blocks that were sealed before and after: transaction
-- ids grow, and blocks have times.
max(b.at) filter (where age(b.xmin) > a.age) as earliest,
    min(b.at) filter (where age(b.xmin) < a.age) as latest

-- part: its_blocks
public.chain_block b where b.company_id = x.company_id and (k.at is null or b.at >= k.at)

-- name: the_timeline_is_chained
-- every event is as it was when it was chained, none is gone, and none was slipped in
select x.company_id, format('%s event %s', x.key, x.number) as object_id, {how} as found,
  {since} as since
from (
  select {row}
  from (
    select company_id, payment_id as key, seq as number, at,
      event_digest(company_id, payment_id, seq, event, from_status, to_status, actor, evidence, at)
        as digest
    from payment_event) e
  full join (select * from chain_link where kind = 'event') l on {same_link}
  left join (
    select u.company_id, q.key, q.number
    from unchained u, unnest(u.keys, u.numbers) as q(key, number) where u.kind = 'event') q
  on {same_unchained}
  where {unlike}) x
left join lateral ({chained_at}) k on true
left join lateral (
  select {between}
  from (select (select age(e.xmin) from public.payment_event e where e.company_id = x.company_id
    and e.payment_id = x.key and e.seq = x.number) as age) a, {its_blocks}) t on not x.gone

-- name: the_ledger_is_chained
-- every posting with its entries is as it was when it was chained, none is gone, and none was
-- slipped in
select x.company_id, x.key as object_id, {how} as found, {since} as since
from (
  select {row}
  from (
    select p.company_id, p.id as key, 0::bigint as number, p.at, posting_digest(p.company_id, p.id,
        p.kind, p.currency, p.payment_id, p.cause, p.at, e.entries) as digest
    from posting p
    left join (
      select company_id, posting_id,
        string_agg(entry_text(leg, account, currency, amount_minor), '' order by leg) as entries
      from entry group by company_id, posting_id) e
    on e.company_id = p.company_id and e.posting_id = p.id) e
  full join (select * from chain_link where kind = 'posting') l on {same_link}
  left join (
    select u.company_id, q.key, q.number
    from unchained u, unnest(u.keys, u.numbers) as q(key, number) where u.kind = 'posting') q
  on {same_unchained}
  where {unlike}) x
left join lateral ({chained_at}) k on true
left join lateral (
  select {between}
  from (select (select min(a.age) from (
      select age(p.xmin) from public.posting p where p.company_id = x.company_id and p.id = x.key
      union all select age(e.xmin) from public.entry e
       where e.company_id = x.company_id and e.posting_id = x.key) a) as age) a,
    {its_blocks}) t on not x.gone

-- name: the_records_are_chained
-- every record of a row is as it was when it was chained, none is gone, and none was slipped in
select x.company_id, format('%s record %s', x.key, x.number) as object_id, {how} as found,
  {since} as since
from (
  select {row}
  from (
    select company_id, home || ' ' || key as key, version as number, at,
      record_digest(company_id, home, key, version, digest, at) as digest
    from row_record) e
  full join (select * from chain_link where kind = 'record') l on {same_link}
  left join (
    select u.company_id, q.key, q.number
    from unchained u, unnest(u.keys, u.numbers) as q(key, number) where u.kind = 'record') q
  on {same_unchained}
  where {unlike}) x
left join lateral ({chained_at}) k on true
left join lateral (
  select {between}
  from (select (select age(e.xmin) from public.row_record e where e.home = split_part(x.key, ' ', 1)
    and e.company_id = x.company_id and e.key = substr(x.key, strpos(x.key, ' ') + 1)
    and e.version = x.number) as age) a, {its_blocks}) t on not x.gone
