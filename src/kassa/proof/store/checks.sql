-- name: hold_still
-- This transaction, just begun, sees one moment only, and changes nothing.
set transaction isolation level repeatable read, read only

-- name: prepare
-- Room and plans for whole tables, until the end of this transaction. The kernel reads them ahead;
-- the server's own readers would only take the processor from those who compute.
select set_config('work_mem', '192MB', true), set_config('jit', 'off', true) as jit,
  set_config('enable_nestloop', 'off', true) as nestloop,
  set_config('effective_io_concurrency', '0', true) as readers,
  set_config('idle_in_transaction_session_timeout', '0', true) as idle,
  set_config('statement_timeout', '0', true) as statement

-- name: snapshot_of
-- The moment that this transaction sees, for others.
select pg_export_snapshot()

-- name: blocks
-- The next blocks in order, behind that one, with how many links each really has and what their
-- root really is.
select b.company_id, b.seq, b.first_link, b.last_link, b.at, b.root, b.hash, r.links,
  r.root as real_root
from chain_block b
cross join lateral (
  select count(*) as links, sha256(string_agg(l.digest, ''::bytea order by l.seq)) as root
  from chain_link l
  where l.company_id = b.company_id and l.seq between b.first_link and b.last_link
  offset 0) r
where (b.company_id, b.seq) > ($1, $2) and ($3::text is null or b.company_id = $3)
order by b.company_id, b.seq limit $4

-- name: last_links
-- Each company's highest link.
select company_id, max(seq) as seq from chain_link
where $1::text is null or company_id = $1
group by company_id

-- name: counts
-- How many rows each table holds.
select {tables.counted}

-- name: begin_check
-- What comes next may fail, and holds up no other check.
savepoint a_check

-- name: undo_check
-- It failed.
rollback to savepoint a_check
