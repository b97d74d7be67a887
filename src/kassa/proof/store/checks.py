"""The questions that prove the books; each answers with counter-examples, so none is good news."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from kassa.base.store.connection import Connection, Row
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.proof.store.chain import Block

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
    "report_line",
    "payout",
    "unchained",
    "chain_link",
    "chain_block",
    "row_record",
)
MOST = 100  # counter-examples of one check


class Finding(NamedTuple):
    """A row of a check: `object_id` and `found` are one sentence."""

    company_id: str
    object_id: str
    found: str
    since: datetime | None


_FINDINGS = reader(Finding)
_READ = re.compile(r"\b(?:from|join)\s{1,40}+([a-z_]{1,60}+)(?![\w.(])")
_OF_ONE = "not materialized (select * from {} where company_id = $1)"


def _looking(views: str, text: str) -> str:
    # Materialized, so that the planner does not hope to be done after the first hundred rows:
    # there are none, as a rule, and then all of the tables is read.
    return (
        f"with {views}findings as materialized (\n{text}\n)"
        f" select company_id, object_id, found, since from findings limit {MOST}"
    )


class Check(Rows[Finding]):
    """A promise, called as its statement is and described by it, that gives a row per violation.

    `of_one`: the same, of one company. The statement names its tables as they are called, and
    those that it calls `public.…` are asked whole. `reads`: the former, which is what it costs.
    """

    __slots__ = ("of_one", "promise", "reads", "title")

    def __init__(self, name: str, text: str, about: str) -> None:
        self.title = name.rpartition(".")[2].replace("_", " ")
        self.promise = about
        self.reads = tuple(table for table in TABLES if table in _READ.findall(text))
        views = "".join(f"{table} as {_OF_ONE.format(table)}, " for table in self.reads)
        super().__init__(name, _looking("", text), about, _FINDINGS)
        self.of_one = Rows(f"{name}_of_one", _looking(views, text), about, _FINDINGS)


def checks_of(queries: type[Queries]) -> tuple[Check, ...]:
    """All that this class declares, in the order in which they stand there."""
    return tuple(one for one in queries.declared.values() if isinstance(one, Check))


def listed(words: Iterable[str]) -> str:
    """`('a', 'b')`: words of the domain, made at the start and never from outside."""
    return "(" + ", ".join(f"'{word}'" for word in words) + ")"


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


_COUNTS = ",\n  ".join(
    f"(select count(*) from {table} where $1::text is null or company_id = $1) as {table}"
    for table in TABLES
)


class Sql(
    Queries, readers=[reader(_Read, prefixes={"block": ""})], words={"tables.counted": _COUNTS}
):
    hold_still: Command
    prepare: Command
    snapshot_of: Value[str]
    blocks: Rows[_Read]
    last_links: Rows[_Last]
    counts: Rows[Row]
    begin_check: Command
    undo_check: Command


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


async def violations(
    connection: Connection, check: Check, company_id: str | None = None
) -> list[Violation]:
    """Up to 100 counter-examples of one check. What reads no company's tables is asked whole."""
    if company_id is None or not check.reads:
        found = await check.all(connection)
    else:
        found = await check.of_one.all(connection, company_id)
    return [Violation(check.title, *one) for one in found]


async def asked(
    lane: Connection, name: str, ask: Callable[[Connection], Awaitable[list[Violation]]]
) -> list[Violation]:
    """What it found; that it could not be made is a finding, and holds up no other."""
    await Sql.begin_check.run(lane)
    try:
        return await ask(lane)
    except asyncpg.SyntaxOrAccessError as error:
        await Sql.undo_check.run(lane)
        words = f"could not be made, the tables are not as this program made them: {error}"
        return [Violation(name, "", "the check", words)]
    except asyncpg.DataError as error:
        await Sql.undo_check.run(lane)
        words = f"could not be made, a value is beyond all bounds: {error}"
        return [Violation(name, "", "the check", words)]


async def counts(connection: Connection, company_id: str | None = None) -> dict[str, int]:
    """How many rows each table holds."""
    [row] = await Sql.counts.all(connection, company_id)
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
