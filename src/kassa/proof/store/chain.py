"""The chain over ledger, timeline and records: links in their order, sealed in blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value

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


class Sql(Queries):
    take_the_pen: Value[bool]
    companies_waiting: Value[str]
    waiting: Rows[Addition]
    take_out: Command
    last_blocks: Rows[Block]
    blocks_from: Rows[Block]
    upgraded_at: Value[datetime]
    seal: Command


async def take_the_pen(connection: Connection) -> bool:
    """Whether this transaction may add to the chain; it ends the right, too."""
    return await Sql.take_the_pen.one(connection, _LOCK)


async def companies_waiting(connection: Connection) -> list[str]:
    """Companies with something in the queue."""
    return await Sql.companies_waiting.all(connection)


async def waiting(connection: Connection, companies: Sequence[str], most: int) -> list[Addition]:
    """What up to `most` statements added to these companies' history, in its order."""
    return await Sql.waiting.all(connection, most, list(companies))


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
    await Sql.take_out.run(connection, list(queued))


async def refuse(connection: Connection, refused: Sequence[Addition]) -> None:
    """Keep on a list what gets no link because this program did not write it."""
    await connection.copy_records_to_table(
        "chain_refusal",
        columns=["company_id", "kind", "key", "number"],
        records=[(one.company_id, one.kind, one.key, one.number) for one in refused],
    )


async def last_blocks(connection: Connection, companies: Sequence[str] | None) -> dict[str, Block]:
    """Each company's newest block; of all companies that have one for None."""
    blocks = await Sql.last_blocks.all(connection, None if companies is None else list(companies))
    return {block.company_id: block for block in blocks}


async def blocks_from(connection: Connection, company_id: str, seq: int, most: int) -> list[Block]:
    """Blocks in order, beginning with number `seq`."""
    return await Sql.blocks_from.all(connection, company_id, seq, most)


async def not_begun_since_the_upgrade(connection: Connection) -> datetime | None:
    """When seals came into this database; None when a block was made since."""
    return await Sql.upgraded_at.first(connection, _SEALS_CAME)


async def seal(connection: Connection, blocks: Sequence[Block]) -> None:
    await Sql.seal.run_each(
        connection,
        [
            (one.company_id, one.seq, one.first_link, one.last_link, one.at, one.root, one.hash)
            for one in blocks
        ],
    )
