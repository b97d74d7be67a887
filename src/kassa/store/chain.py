"""The chain over ledger and timeline: links in the order of committing, sealed in blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_LOCK = 0x6B61736B  # one sequencer at a time, over all processes of a database


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A run of links. `root`: the SHA-256 of their digests; `hash` seals it and all before."""

    company_id: str
    seq: int
    first_link: int
    last_link: int
    at: datetime
    root: bytes
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """New links of one company, with what the block that seals them builds upon.

    `taken`: the rows of the queue that they were made for.
    """

    company_id: str
    first_link: int
    last_link: int
    at: datetime
    root: bytes
    taken: list[int]
    last_seq: int
    last_hash: bytes


# All of it in one statement, and so at one moment: a row that the queue names is there to be read.
# A row that is gone before it was chained gets a link all the same: its absence will be found.
# Subselects for each key, not joins: a planner that has no statistics would read whole tables.
_CHAIN = """
with taken as materialized (select * from unchained order by id limit $1),
     digested as materialized (
       select t.id, k.nth, t.company_id, t.kind, k.key, k.number, coalesce(
         case t.kind when 'event' then (
           select event_digest(e.company_id, e.payment_id, e.seq, e.event, e.from_status,
               e.to_status, e.actor, e.evidence, e.at)
             from payment_event e
            where e.company_id = t.company_id and e.payment_id = k.key and e.seq = k.number)
         else (
           select posting_digest(p.company_id, p.id, p.kind, p.currency, p.payment_id, p.cause,
               p.at, (select string_agg(entry_text(e.leg, e.account, e.currency, e.amount_minor),
                          '' order by e.leg)
                        from entry e
                       where e.company_id = p.company_id and e.posting_id = p.id))
             from posting p where p.company_id = t.company_id and p.id = k.key)
         end, '') as digest
         from taken t, unnest(t.keys, t.numbers) with ordinality as k(key, number, nth)),
     head as materialized (
       select c.company_id, b.seq, b.last_link, b.hash
         from (select distinct company_id from taken) c
         left join lateral (select * from chain_block x where x.company_id = c.company_id
           order by x.seq desc limit 1) b on true),
     numbered as materialized (
       select d.*, coalesce(h.last_link, 0)
           + row_number() over (partition by d.company_id order by d.id, d.nth) as seq
         from digested d join head h on h.company_id = d.company_id),
     linked as (
       insert into chain_link as l (company_id, seq, kind, key, number, digest)
       select company_id, seq, kind, key, number, digest from numbered)
select n.company_id, min(n.seq) as first_link, max(n.seq) as last_link,
    statement_timestamp() as at, sha256(string_agg(n.digest, ''::bytea order by n.seq)) as root,
    array_agg(distinct n.id) as taken, coalesce(max(h.seq), 0) as last_seq,
    coalesce((array_agg(h.hash))[1], ''::bytea) as last_hash
  from numbered n join head h on h.company_id = n.company_id
 group by n.company_id order by n.company_id
"""


async def take_the_pen(connection: Any) -> bool:
    """Whether this transaction may add to the chain; it ends the right, too."""
    ours: bool = await connection.fetchval("select pg_try_advisory_xact_lock($1)", _LOCK)
    return ours


async def link_up(connection: Any, most: int) -> list[Piece]:
    """Give links to what up to `most` statements added. Each piece waits for its block."""
    pieces = [Piece(**dict(row)) for row in await connection.fetch(_CHAIN, most)]
    if pieces:
        await connection.execute("select chained($1)", [key for one in pieces for key in one.taken])
    return pieces


async def seal(connection: Any, blocks: Sequence[Block]) -> None:
    await connection.executemany(
        "insert into chain_block (company_id, seq, first_link, last_link, at, root, hash)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        [
            (one.company_id, one.seq, one.first_link, one.last_link, one.at, one.root, one.hash)
            for one in blocks
        ],
    )
