"""The chain over ledger, timeline and records: links in their order, sealed in blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kassa.store.connection import Connection

_LOCK = 0x6B61736B  # one sequencer at a time, over all processes of a database
_SEALS_CAME = 15  # the migration


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


@dataclass(frozen=True, slots=True)
class Addition:
    """What waits for its link: an event, a posting with its entries, or the record of a row, as
    the queue names it.

    `digest`: of the row as it is now, None when it is gone. `queued`: the queue's row.
    """

    queued: int
    company_id: str
    kind: str
    key: str
    number: int
    digest: bytes | None
    seal: bytes | None
    at: datetime | None


async def take_the_pen(connection: Connection) -> bool:
    """Whether this transaction may add to the chain; it ends the right, too."""
    ours: bool = await connection.fetchval("select pg_try_advisory_xact_lock($1)", _LOCK)
    return ours


async def companies_waiting(connection: Connection) -> list[str]:
    """Companies with something in the queue."""
    rows = await connection.fetch("select distinct company_id from unchained order by 1")
    return [row[0] for row in rows]


# All of it in one statement, and so at one moment: a row that the queue names is there to be read.
# Subselects for each key, not joins: a planner that has no statistics would read whole tables.
_WAITING = """
select t.id, t.company_id, t.kind, k.key, k.number, r.digest, r.seal, r.at
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
"""


async def waiting(connection: Connection, companies: Sequence[str], most: int) -> list[Addition]:
    """What up to `most` statements added to these companies' history, in its order."""
    rows = await connection.fetch(_WAITING, most, list(companies))
    return [Addition(*row) for row in rows]


async def link(
    connection: Connection, links: Sequence[tuple[str, int, str, str, int, bytes]]
) -> None:
    """(company, place in its chain, kind, key, number, digest)s."""
    await connection.copy_records_to_table(
        "chain_link",
        columns=["company_id", "seq", "kind", "key", "number", "digest"],
        records=links,
    )


async def take_out(connection: Connection, queued: Sequence[int]) -> None:
    """These rows of the queue are done with."""
    await connection.execute("select chained($1)", list(queued))


async def refuse(connection: Connection, refused: Sequence[Addition]) -> None:
    """Keep on a list what gets no link because this program did not write it."""
    await connection.copy_records_to_table(
        "chain_refusal",
        columns=["company_id", "kind", "key", "number"],
        records=[(one.company_id, one.kind, one.key, one.number) for one in refused],
    )


async def last_blocks(connection: Connection, companies: Sequence[str] | None) -> dict[str, Block]:
    """Each company's newest block; of all companies that have one for None."""
    rows = await connection.fetch(
        "select b.* from (select distinct id from unnest($1::text[]) w(id) where $1 is not null"
        "   union select id from company where $1 is null) c"
        " cross join lateral (select * from chain_block x where x.company_id = c.id"
        "   order by x.seq desc limit 1) b",
        None if companies is None else list(companies),
    )
    return {row["company_id"]: Block(**dict(row)) for row in rows}


async def blocks_from(connection: Connection, company_id: str, seq: int, most: int) -> list[Block]:
    """Blocks in order, beginning with number `seq`."""
    rows = await connection.fetch(
        "select * from chain_block where company_id = $1 and seq >= $2 order by seq limit $3",
        company_id,
        seq,
        most,
    )
    return [Block(**dict(row)) for row in rows]


async def not_begun_since_the_upgrade(connection: Connection) -> datetime | None:
    """When seals came into this database; None when a block was made since."""
    at: datetime | None = await connection.fetchval(
        "select m.applied_at from schema_migration m where m.number = $1 and not exists"
        " (select from chain_block b where b.at >= m.applied_at)",
        _SEALS_CAME,
    )
    return at


async def seal(connection: Connection, blocks: Sequence[Block]) -> None:
    await connection.executemany(
        "insert into chain_block (company_id, seq, first_link, last_link, at, root, hash)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        [
            (one.company_id, one.seq, one.first_link, one.last_link, one.at, one.root, one.hash)
            for one in blocks
        ],
    )
