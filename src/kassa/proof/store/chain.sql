-- name: take_the_pen
-- Whether this transaction may add to the chain; it ends the right, too.
select pg_try_advisory_xact_lock($1)

-- name: companies_waiting
-- Companies with something in the queue.
select distinct company_id from unchained order by 1

-- name: waiting
-- What up to $1 statements added to these companies' history, in its order. All in one statement,
-- and so at one moment: a row that the queue names is there to be read. Subselects for each key,
-- not joins: a planner that has no statistics would read whole tables.
select t.id as queued, t.company_id, t.kind, k.key, k.number, r.digest, r.seal, r.at
  from (select * from unchained where company_id = any($2) order by id limit $1) t
 cross join lateral unnest(t.keys, t.numbers) with ordinality as k(key, number, nth)
  left join lateral (
       select event_digest(e.company_id, e.payment_id, e.seq, e.event, e.from_status, e.to_status,
           e.actor, e.evidence, e.at) as digest, e.seal, e.at
         from payment_event e where t.kind = 'event'
          and e.company_id = t.company_id and e.payment_id = k.key and e.seq = k.number
       union all
       select posting_digest(p.company_id, p.id, p.kind, p.currency, p.payment_id, p.cause, p.at,
           (select string_agg(entry_text(e.leg, e.account, e.currency, e.amount_minor), ''
                     order by e.leg)
              from entry e where e.company_id = p.company_id and e.posting_id = p.id)), p.seal, p.at
         from posting p where t.kind = 'posting'
          and p.company_id = t.company_id and p.id = k.key
       union all
       select record_digest(w.company_id, w.home, w.key, w.version, w.digest, w.at), w.seal, w.at
         from row_record w where t.kind = 'record'
          and w.company_id = t.company_id and w.home = split_part(k.key, ' ', 1)
          and w.key = substr(k.key, strpos(k.key, ' ') + 1) and w.version = k.number
       offset 0) r on true
 order by t.id, k.nth

-- name: take_out
-- These rows of the queue are done with.
select chained($1)

-- part: block
b.company_id, b.seq, b.first_link, b.last_link, b.at, b.root, b.hash

-- name: last_blocks
-- Each company's newest block; of all companies that have one for null.
select {block}
from (select distinct id from unnest($1::text[]) w(id) where $1 is not null
  union select id from company where $1 is null
  -- What is of no company has a chain of its own.
  union select ':installation' where $1 is null) c
cross join lateral (select * from chain_block x where x.company_id = c.id
  order by x.seq desc limit 1) b

-- name: blocks_from
-- The next blocks in order, beginning with that number.
select {block} from chain_block b where b.company_id = $1 and b.seq >= $2 order by b.seq limit $3

-- name: upgraded_at
-- When seals came into this database, where no block was made since.
select m.applied_at from schema_migration m
where m.number = $1 and not exists (select from chain_block b where b.at >= m.applied_at)

-- name: seal
-- One more block.
insert into chain_block (company_id, seq, first_link, last_link, at, root, hash)
values ($1, $2, $3, $4, $5, $6, $7)
