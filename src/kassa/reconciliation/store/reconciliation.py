"""Report files, their lines, and what the references in them lead to; all of it in sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import NamedTuple

from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.ledger.domain.ledger import PostingKind
from kassa.proof.store.resealing import resealed
from kassa.reconciliation.domain.matching import (
    MOVEMENTS,
    PartialLine,
    ReportableMovement,
    ledger_account,
)
from kassa.reconciliation.domain.references import KnownReference, ReferenceIndex
from kassa.reconciliation.domain.reports import LineKind, ReportLine


@dataclass(slots=True, kw_only=True)
class ReportFile:
    """A file under import. `position`: lines done; `counts` and `totals`: of those."""

    company_id: str
    id: str
    connector: str
    name: str
    state: str = "importing"
    position: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    covers_from: datetime | None = None
    covers_until: datetime | None = None


@dataclass(slots=True)
class LineRow:
    """A line as it is kept, with what became of it."""

    place: int
    number: int
    kind: str
    amount_minor: int | None
    fee_minor: int | None
    currency: str | None
    our_reference: str
    provider_reference: str
    payout_reference: str
    occurred_at: datetime | None
    raw: dict[str, str]
    state: str
    match_key: str = ""
    payment_id: str = ""
    cause: str = ""
    texts: tuple[str, ...] = ()
    presented_minor: int | None = None
    presented_currency: str | None = None
    identity: str = ""
    repeats_file: str = ""
    repeats_place: int = 0

    def as_line(self) -> ReportLine:
        """As it was read; of one that was understood."""
        assert self.currency is not None
        return ReportLine(
            number=self.number,
            kind=LineKind(self.kind),
            amount=Money(self.amount_minor or 0, self.currency),
            fee=Money(self.fee_minor or 0, self.currency),
            our_reference=self.our_reference,
            provider_reference=self.provider_reference,
            payout_reference=self.payout_reference,
            texts=tuple(self.texts),
            presented=Money(self.presented_minor or 0, self.presented_currency)
            if self.presented_currency
            else None,
            # As it comes from the table, whatever the zone of the file: its day is part of what
            # the line is known by.
            occurred_at=self.occurred_at and self.occurred_at.astimezone(UTC),
            raw=self.raw,
        )


class _OfOrder(NamedTuple):
    order_id: str
    known: KnownReference


class _Begun(NamedTuple):
    beginning: str
    known: KnownReference


class _Moved(NamedTuple):
    id: str
    cause: str
    payment_id: str
    kind: str
    amount_minor: int
    currency: str
    at: datetime
    is_reported: bool


class _Waiting(NamedTuple):
    match_key: str
    part: PartialLine


class Sql(
    Queries,
    readers=[
        reader(_OfOrder, prefixes={"known": ""}),
        reader(_Begun, prefixes={"known": ""}),
        reader(_Waiting, prefixes={"part": ""}, called={"minor": "amount_minor"}),
    ],
):
    find_file: Rows[ReportFile]
    find_by_id: Rows[ReportFile]
    add_file: Command
    lock_file: Rows[ReportFile]
    save_file: Command
    known_by_id: Rows[KnownReference]
    known_by_order: Rows[_OfOrder]
    known_by_provider: Rows[KnownReference]
    known_of_payments: Rows[KnownReference]
    known_by_beginning: Rows[_Begun]
    movements: Rows[_Moved]
    waiting_parts: Rows[_Waiting]
    mark_lines: Command
    waiting_lines: Rows[LineRow]
    lines_at: Rows[LineRow]
    insert_breaks: Value[str]


async def find_file(
    connection: Connection, company_id: str, connector: str, sha256: str
) -> ReportFile | None:
    return await Sql.find_file.first(connection, company_id, connector, sha256)


async def find_by_id(connection: Connection, company_id: str, file_id: str) -> ReportFile | None:
    return await Sql.find_by_id.first(connection, company_id, file_id)


async def add_file(connection: Connection, file: ReportFile, sha256: str, actor: str) -> None:
    """Unless its content is there already."""
    async with resealed(
        connection, "report_file", "t.company_id = $1 and t.id = $2", file.company_id, file.id
    ):
        await Sql.add_file.run(
            connection, file.company_id, file.id, file.connector, sha256, file.name, actor
        )


async def lock_file(connection: Connection, company_id: str, file_id: str) -> ReportFile:
    """The file as it is now; whoever imports it as well waits until this transaction ends."""
    return await Sql.lock_file.one(connection, company_id, file_id)


async def save_file(connection: Connection, file: ReportFile) -> None:
    async with resealed(
        connection, "report_file", "t.company_id = $1 and t.id = $2", file.company_id, file.id
    ):
        await Sql.save_file.run(
            connection,
            file.company_id,
            file.id,
            file.state,
            file.position,
            file.counts,
            file.totals,
            file.covers_from,
            file.covers_until,
        )


async def look_up(
    connection: Connection, company_id: str, references: Sequence[tuple[str, str]]
) -> ReferenceIndex:
    """What these (our, the provider's) references name, of this company alone.

    An order, or a payment, stands for its attempts that reached a provider.
    """
    directory = ReferenceIndex()
    ours = {our for our, _ in references if our}
    for known in await Sql.known_by_id.all(connection, company_id, list(ours)):
        directory.add(known)
    orders = list(ours - directory.by_id.keys())
    if orders:
        for order_id, known in await Sql.known_by_order.all(connection, company_id, orders):
            directory.add(known, order_id if order_id in ours else "")
            if known.payment_id in ours:
                directory.by_order.setdefault(known.payment_id, []).append(known)
    theirs = {
        their
        for our, their in references
        if their and our not in directory.by_id and our not in directory.by_order
    }
    if theirs:
        for known in await Sql.known_by_provider.all(connection, company_id, list(theirs)):
            if known.id not in directory.by_id:
                directory.add(known)
    return directory


async def look_begun(
    connection: Connection, company_id: str, beginnings: Sequence[str]
) -> dict[str, list[KnownReference]]:
    """By these beginnings of ids: what they lead to, where that is one payment alone."""
    found: dict[str, list[KnownReference]] = {}
    for row in await Sql.known_by_beginning.all(connection, company_id, list(beginnings)):
        found.setdefault(row.beginning, []).append(row.known)
    return {
        beginning: named
        for beginning, named in found.items()
        if len({known.payment_id for known in named}) == 1
    }


async def look_beside(
    connection: Connection, company_id: str, directory: ReferenceIndex, payment_ids: Sequence[str]
) -> None:
    """Add what else was done to these payments: their modifications and disputes."""
    for known in await Sql.known_of_payments.all(connection, company_id, list(payment_ids)):
        if known.id not in directory.by_id:
            directory.add(known)


_FEES = (PostingKind.FEE.value, PostingKind.FEE_ADJUSTMENT.value)
_SURPLUS = (PostingKind.SURPLUS.value, PostingKind.SURPLUS_RETURN.value)


async def movements(
    connection: Connection, company_id: str, connector: str, causes: Iterable[str]
) -> dict[str, list[ReportableMovement]]:
    """What is booked at that account for these causes, oldest first, with its fees."""
    rows = await Sql.movements.all(
        connection,
        company_id,
        list(causes),
        ledger_account(connector),
        [*MOVEMENTS, *_FEES],
        list(_FEES),
    )
    found: dict[str, list[ReportableMovement]] = {}
    fees = []
    for row in rows:
        posting_id, cause, payment_id, kind, minor, currency, at, is_reported = row
        if kind in _FEES:
            fees.append(row)
            continue
        movement = ReportableMovement(
            posting_id, cause, payment_id, MOVEMENTS[kind], minor, currency, at,
            is_surplus=kind in _SURPLUS,
            reported=is_reported,
        )  # fmt: skip
        if cause in found:
            found[cause].append(movement)
        else:
            found[cause] = [movement]
    for booked in found.values():
        if len(booked) > 1:
            booked.sort(key=lambda movement: (movement.at, movement.posting_id))
    for fee in fees:
        if fee.cause in found:
            # A fee is of the cause as a whole; its first movement carries it.
            first = found[fee.cause][0]
            first.fee_minor -= fee.amount_minor
            first.fee_postings += (fee.id,)
    return found


async def waiting_parts(
    connection: Connection, company_id: str, file_id: str, causes: Sequence[str]
) -> dict[str, list[PartialLine]]:
    """Lines of the file that wait for others, by their key, for these movements' causes."""
    rows = await Sql.waiting_parts.all(
        connection,
        company_id,
        file_id,
        [f"{kind}/{cause}" for kind in set(MOVEMENTS.values()) for cause in causes],
    )
    found: dict[str, list[PartialLine]] = {}
    for key, part in rows:
        found.setdefault(key, []).append(part)
    return found


@dataclass(slots=True)
class BreakRow:
    """A break to be opened. `place` 0 and no file: nothing that a line says."""

    id: str
    problem: str
    connector: str
    details: str
    file_id: str = ""
    place: int = 0
    payment_id: str = ""
    cause: str = ""
    currency: str = ""
    expected_minor: int | None = None
    found_minor: int | None = None


_LINE_COLUMNS = {one.name: one.default for one in fields(LineRow)}
_SELDOM = (
    "texts",
    "presented_minor",
    "presented_currency",
    "identity",
    "repeats_file",
    "repeats_place",
)
"""Columns that are by default in the table what they are by default in a row."""


async def insert_lines(
    connection: Connection, company_id: str, file_id: str, rows: Sequence[LineRow]
) -> None:
    """A column in which none of them has anything is left to the table."""
    idle = {
        name for name in _SELDOM if all(getattr(row, name) == _LINE_COLUMNS[name] for row in rows)
    }
    columns = [name for name in _LINE_COLUMNS if name not in idle]
    values = attrgetter(*columns)
    await connection.copy_records_to_table(
        "report_line",
        columns=["company_id", "file_id", *columns],
        records=[(company_id, file_id, *values(row)) for row in rows],
    )


async def mark_lines(
    connection: Connection, company_id: str, file_id: str, places: Sequence[int], state: str
) -> None:
    """Lines that waited, or were breaks, and now are something else."""
    await Sql.mark_lines.run(connection, company_id, file_id, list(places), state)


async def waiting_lines(
    connection: Connection, company_id: str, file_id: str, limit: int
) -> list[LineRow]:
    """Lines of the file that wait for others, in its order."""
    return await Sql.waiting_lines.all(connection, company_id, file_id, limit)


async def lines_at(
    connection: Connection, company_id: str, file_id: str, places: Sequence[int]
) -> list[LineRow]:
    """These lines of the file, in its order."""
    return await Sql.lines_at.all(connection, company_id, file_id, list(places))


async def insert_matches(
    connection: Connection, company_id: str, file_id: str, matches: Sequence[tuple[str, int]]
) -> None:
    """(posting, place of the line that reports it)s."""
    await connection.copy_records_to_table(
        "report_match",
        columns=["company_id", "file_id", "posting_id", "place"],
        records=[(company_id, file_id, *match) for match in matches],
    )


_OF_THESE = "t.company_id = $1 and t.id = any($2)"


async def insert_breaks(
    connection: Connection, company_id: str, rows: Sequence[BreakRow]
) -> list[str]:
    """Open them; gives the ids of those that were not known."""
    async with resealed(
        connection, "report_break", _OF_THESE, company_id, [row.id for row in rows]
    ):
        return await Sql.insert_breaks.all(
            connection,
            company_id,
            [row.id for row in rows],
            [row.problem for row in rows],
            [row.connector for row in rows],
            [row.file_id for row in rows],
            [row.place for row in rows],
            [row.payment_id for row in rows],
            [row.cause for row in rows],
            [row.currency for row in rows],
            [row.expected_minor for row in rows],
            [row.found_minor for row in rows],
            [row.details for row in rows],
        )
