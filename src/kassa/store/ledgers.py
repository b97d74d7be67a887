"""Whole ledgers read in pages: balances, the journal, settlement statements."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from kassa.domain.lifecycle import SettlementStatus
from kassa.store.connection import Connection
from kassa.store.history import legs_of
from kassa.store.rows import whole


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


_BALANCES = """
select e.account, e.currency,
  coalesce(sum(e.amount_minor) filter (where g.at < $2), 0),
  coalesce(sum(e.amount_minor) filter
    (where e.amount_minor > 0 and ($2 is null or g.at >= $2)), 0),
  coalesce(-sum(e.amount_minor) filter
    (where e.amount_minor < 0 and ($2 is null or g.at >= $2)), 0)
from entry e join posting g on g.company_id = e.company_id and g.id = e.posting_id
where e.company_id = $1 and g.company_id = $1
  and ($3::timestamptz is null or g.at < $3)
group by e.account, e.currency order by e.currency, e.account
"""


async def balances(
    connection: Connection, company_id: str, span: Span, size: int
) -> AsyncIterator[list[Balance]]:
    """Every account that has entries before the span's end, `size` at a time."""
    statement = _BALANCES.replace("$2", "$2::timestamptz")
    cursor = await connection.cursor(statement, company_id, span.start, span.end)
    while rows := await cursor.fetch(size):
        yield [
            Balance(
                account=row[0],
                currency=row[1],
                opening=whole(row[2]),
                debits=whole(row[3]),
                credits=whole(row[4]),
            )
            for row in rows
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A posting of the journal with the order that its payment is for."""

    id: str
    at: datetime
    kind: str
    payment_id: str
    order_id: str
    cause: str
    currency: str
    legs: Sequence[tuple[str, int]]


_IN_SPAN = (
    "company_id = $1 and ($2::timestamptz is null or at >= $2)"
    " and ($3::timestamptz is null or at < $3)"
)


async def count_postings(connection: Connection, company_id: str, span: Span) -> int:
    statement = f"select count(*) from posting where {_IN_SPAN}"
    count: int = await connection.fetchval(statement, company_id, span.start, span.end)
    return count


async def journal(
    connection: Connection, company_id: str, span: Span, size: int
) -> AsyncIterator[list[Booked]]:
    """The postings of the span in the order of their ids, which grow with time."""
    after = ""
    while rows := await connection.fetch(
        f"select id, at, kind, payment_id, cause, currency from posting where {_IN_SPAN}"
        " and id > $4 order by id limit $5",
        company_id,
        span.start,
        span.end,
        after,
        size,
    ):
        after = rows[-1][0]
        legs = await legs_of(connection, company_id, [row[0] for row in rows])
        orders = await _orders(connection, company_id, sorted({row[3] for row in rows} - {""}))
        yield [
            Booked(
                id=row[0],
                at=row[1],
                kind=row[2],
                payment_id=row[3],
                order_id=orders.get(row[3], ""),
                cause=row[4],
                currency=row[5],
                legs=legs[row[0]],
            )
            for row in rows
        ]


async def _orders(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> dict[str, str]:
    rows = await connection.fetch(
        "select id, order_id from payment where company_id = $1 and id = any($2)",
        company_id,
        payment_ids,
    )
    return {row[0]: row[1] for row in rows}


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


async def settlement_named(
    connection: Connection, company_id: str, name: str
) -> SettlementHead | None:
    """By its id, its number or the provider's reference of its payout."""
    row = await connection.fetchrow(
        "select id, number, connector, currency, status, payments_minor, refunds_minor,"
        " disputes_minor, fees_minor, other_minor, carried_over_minor, net_minor,"
        " payout_reference, opened_at, closed_at, paid_at from settlement where company_id = $1"
        " and (id = $2 or number::text = $2 or payout_reference = $2)"
        " order by id = $2 desc, number::text = $2 desc, number desc limit 1",
        company_id,
        name,
    )
    if row is None:
        return None
    named = dict(row)
    return SettlementHead(**{**named, "status": SettlementStatus(named["status"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    posting_id: str
    at: datetime
    kind: str
    payment_id: str
    order_id: str
    amount_minor: int


async def count_lines(connection: Connection, company_id: str, settlement_id: str) -> int:
    count: int = await connection.fetchval(
        "select count(*) from settlement_line where company_id = $1 and settlement_id = $2",
        company_id,
        settlement_id,
    )
    return count


async def statement_lines(
    connection: Connection, company_id: str, settlement_id: str, size: int
) -> AsyncIterator[list[StatementLine]]:
    """The settlement's lines in the order of their postings' ids."""
    after = ("", 0)
    while rows := await connection.fetch(
        "select posting_id, leg, at, kind, payment_id, amount_minor from settlement_line"
        " where settlement_id = $2 and company_id = $1 and (posting_id, leg) > ($3, $4)"
        " order by posting_id, leg limit $5",
        company_id,
        settlement_id,
        *after,
        size,
    ):
        after = (rows[-1][0], rows[-1][1])
        orders = await _orders(connection, company_id, sorted({row[4] for row in rows} - {""}))
        yield [
            StatementLine(
                posting_id=row[0],
                at=row[2],
                kind=row[3],
                payment_id=row[4],
                order_id=orders.get(row[4], ""),
                amount_minor=row[5],
            )
            for row in rows
        ]
