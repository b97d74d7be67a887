"""The questions that prove the books; each answers with counter-examples, so none is good news."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from kassa.store.chain import Block
from kassa.store.connection import Connection, sole_row
from kassa.store.mapping import reader
from kassa.store.queries import Command, Queries, Rows, Value

TABLES = (
    "orders",
    "payment",
    "attempt",
    "payment_event",
    "posting",
    "entry",
    "modification",
    "dispute",
    "settlement",
    "settlement_line",
    "wallet_balance",
    "wallet_day",
    "provider_news",
    "announcement",
    "orders_termination",
    "report_match",
    "unchained",
    "chain_link",
    "chain_block",
    "row_record",
)
MOST = 100  # counter-examples of one check


@dataclass(frozen=True, slots=True)
class Check:
    """One promise. `sql` gives a row per violation: company, object, what was found, since when.

    `reads`: the tables it walks through, which is what it costs. It may not begin with WITH.
    """

    name: str
    promise: str
    sql: str
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """One counter-example: `object_id` and `found` are one sentence. `company_id`: "" for what is
    the whole installation's. `since`: the time of the row or event in which it shows. `todo`: what
    whoever reads it does next."""

    check: str
    company_id: str
    object_id: str
    found: str
    since: datetime | None = None
    todo: str = ""


class _Read(NamedTuple):
    """A block, with how many links it really has, and what their root really is."""

    block: Block
    links: int
    real_root: bytes


class _Last(NamedTuple):
    company_id: str
    seq: int


class Sql(Queries, readers=[reader(_Read, prefixes={"block": ""})]):
    hold_still: Command
    prepare: Command
    snapshot_of: Value[str]
    blocks: Rows[_Read]
    last_links: Rows[_Last]


async def hold_still(connection: Connection, snapshot: str | None = None) -> None:
    """Let this transaction, just begun, see one moment only, and change nothing.

    `snapshot`: the moment that another connection sees (`snapshot_of`).
    """
    await Sql.hold_still.run(connection)
    if snapshot is not None:
        # Made by the database itself: digits, capitals and dashes.
        await connection.execute(f"set transaction snapshot '{snapshot}'")


async def prepare(connection: Connection) -> None:
    """Room and plans for whole tables, until the end of this transaction."""
    await Sql.prepare.run(connection)


async def snapshot_of(connection: Connection) -> str:
    return await Sql.snapshot_of.one(connection)


def _scope(company_id: str | None, tables: Sequence[str]) -> tuple[str, list[str]]:
    """The tables under their own names, with one company's rows only."""
    if company_id is None:
        return "", []
    if not tables:
        return "", []
    views = (f"{t} as not materialized (select * from {t} where company_id = $1)" for t in tables)
    return ", ".join(views) + ", ", [company_id]


async def violations(
    connection: Connection, check: Check, company_id: str | None = None
) -> list[Violation]:
    """Up to 100 counter-examples of one check."""
    scope, values = _scope(company_id, check.reads)
    # Materialized, so that the planner does not hope to be done after the first hundred rows:
    # there are none, as a rule, and then all of the tables is read.
    rows = await connection.fetch(
        f"with {scope}found as materialized ({check.sql}) select * from found limit {MOST}",
        *values,
    )
    return [Violation(check.name, row[0], row[1], row[2], row[3]) for row in rows]


async def asked(
    lane: Connection, name: str, ask: Callable[[Connection], Awaitable[list[Violation]]]
) -> list[Violation]:
    """What it found; that it could not be made is a finding, and holds up no other."""
    await lane.execute("savepoint a_check")
    try:
        return await ask(lane)
    except asyncpg.SyntaxOrAccessError as error:
        await lane.execute("rollback to savepoint a_check")
        words = f"could not be made, the tables are not as this program made them: {error}"
        return [Violation(name, "", "the check", words)]
    except asyncpg.DataError as error:
        await lane.execute("rollback to savepoint a_check")
        words = f"could not be made, a value is beyond all bounds: {error}"
        return [Violation(name, "", "the check", words)]


async def counts(connection: Connection, company_id: str | None = None) -> dict[str, int]:
    """How many rows each table holds."""
    scope, values = _scope(company_id, TABLES)
    columns = ", ".join(f"(select count(*) from {table}) as {table}" for table in TABLES)
    lead = f"with {scope.removesuffix(', ')} " if scope else ""
    row = await sole_row(connection, f"{lead}select {columns}", *values)
    return dict(row)


async def blocks(
    connection: Connection, company_id: str | None = None, page: int = 2_000
) -> AsyncIterator[tuple[Block, int, bytes]]:
    """Every block in order, with how many links it really has and what their root really is."""
    company, seq = "", 0
    while rows := await Sql.blocks.all(connection, company, seq, company_id, page):
        for row in rows:
            yield row
        company, seq = rows[-1].block.company_id, rows[-1].block.seq


async def last_links(connection: Connection, company_id: str | None = None) -> dict[str, int]:
    """Each company's highest link."""
    return dict(await Sql.last_links.all(connection, company_id))
