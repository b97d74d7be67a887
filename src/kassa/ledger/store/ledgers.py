"""Whole ledgers read in pages: balances, the journal, settlement statements."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from kassa.base.domain.lifecycle import SettlementStatus
from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Queries, Rows, Value
from kassa.payments.store.history import legs_of


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` until before `end`; None is open."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One account in one currency, in signed minor units, debits positive."""

    account: str
    currency: str
    opening: int
    debits: int
    credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedEntry:
    """A posting of the journal with the order that its payment is for."""

    id: str
    at: datetime
    kind: str
    payment_id: str
    order_id: str
    cause: str
    currency: str
    legs: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementHead:
    """The figures of a settlement, in minor units of its currency."""

    id: str
    number: int
    connector: str
    currency: str
    status: SettlementStatus
    payments_minor: int
    refunds_minor: int
    disputes_minor: int
    fees_minor: int
    other_minor: int
    carried_over_minor: int
    net_minor: int
    payout_reference: str
    opened_at: datetime
    closed_at: datetime | None
    paid_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    posting_id: str
    at: datetime
    kind: str
    payment_id: str
    order_id: str
    amount_minor: int


class _Posting(NamedTuple):
    id: str
    at: datetime
    kind: str
    payment_id: str
    cause: str
    currency: str


class _OrderOf(NamedTuple):
    id: str
    order_id: str


class _Line(NamedTuple):
    posting_id: str
    leg: int
    at: datetime
    kind: str
    payment_id: str
    amount_minor: int


class Sql(Queries, readers=[reader(Balance, sums=["opening", "debits", "credits"])]):
    balances: Rows[Balance]
    count_postings: Value[int]
    postings: Rows[_Posting]
    orders_of: Rows[_OrderOf]
    settlement_named: Rows[SettlementHead]
    count_lines: Value[int]
    lines: Rows[_Line]


async def balances(
    connection: Connection, company_id: str, span: Span, size: int
) -> AsyncIterator[list[Balance]]:
    """Every account that has entries before the span's end, `size` at a time."""
    async for page in Sql.balances.pages(connection, size, company_id, span.start, span.end):
        yield page


async def count_postings(connection: Connection, company_id: str, span: Span) -> int:
    return await Sql.count_postings.one(connection, company_id, span.start, span.end)


async def journal(
    connection: Connection, company_id: str, span: Span, size: int
) -> AsyncIterator[list[BookedEntry]]:
    """The postings of the span in the order of their ids, which grow with time."""
    after = ""
    while rows := await Sql.postings.all(connection, company_id, span.start, span.end, after, size):
        after = rows[-1].id
        legs = await legs_of(connection, company_id, [row.id for row in rows])
        orders = await _orders(connection, company_id, {row.payment_id for row in rows})
        yield [
            BookedEntry(
                id=row.id,
                at=row.at,
                kind=row.kind,
                payment_id=row.payment_id,
                order_id=orders.get(row.payment_id, ""),
                cause=row.cause,
                currency=row.currency,
                legs=legs[row.id],
            )
            for row in rows
        ]


async def _orders(
    connection: Connection, company_id: str, payment_ids: Collection[str]
) -> dict[str, str]:
    found = await Sql.orders_of.all(connection, company_id, sorted({*payment_ids} - {""}))
    return {one.id: one.order_id for one in found}


async def settlement_named(
    connection: Connection, company_id: str, name: str
) -> SettlementHead | None:
    """By its id, its number or the provider's reference of its payout."""
    return await Sql.settlement_named.first(connection, company_id, name)


async def count_lines(connection: Connection, company_id: str, settlement_id: str) -> int:
    return await Sql.count_lines.one(connection, company_id, settlement_id)


async def statement_lines(
    connection: Connection, company_id: str, settlement_id: str, size: int
) -> AsyncIterator[list[StatementLine]]:
    """The settlement's lines in the order of their postings' ids."""
    after = ("", 0)
    while rows := await Sql.lines.all(connection, company_id, settlement_id, *after, size):
        after = (rows[-1].posting_id, rows[-1].leg)
        orders = await _orders(connection, company_id, {row.payment_id for row in rows})
        yield [
            StatementLine(
                posting_id=row.posting_id,
                at=row.at,
                kind=row.kind,
                payment_id=row.payment_id,
                order_id=orders.get(row.payment_id, ""),
                amount_minor=row.amount_minor,
            )
            for row in rows
        ]
