"""What the books remember, of one payment, read for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from kassa.base.domain.lifecycle import SettlementStatus
from kassa.base.domain.money import EXPONENT, Money
from kassa.base.store.connection import Connection, Row
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.ledger.domain.ledger import Entry, Posting, PostingKind
from kassa.payments.domain.timeline import StoredEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One notification. Of a moment in the past, what came of it later is None."""

    id: str
    event_type: str
    version: int
    kind: str
    url: str
    state: str
    tries: int | None
    last_status: int | None
    last_error: str
    created_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledLine:
    """One movement of a payment in the settlement that paid it out."""

    settlement_id: str
    number: int
    connector: str
    status: SettlementStatus
    payout_reference: str
    posting_id: str
    kind: str
    amount: Money
    opened_at: datetime
    closed_at: datetime | None
    paid_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedLine:
    """A line of a provider's or a bank's report that is about the payment.

    `posting_ids`: the movements of ours that it reported.
    """

    file_id: str
    file_name: str
    connector: str
    number: int
    kind: str
    state: str
    amount: Money | None
    fee: Money | None
    our_reference: str
    provider_reference: str
    payout_reference: str
    occurred_at: datetime | None
    posting_ids: Sequence[str]
    imported_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """Something between a report and our books that does not agree, and what became of it."""

    id: str
    kind: str
    connector: str
    currency: str
    expected_minor: int | None
    found_minor: int | None
    details: str
    owner: str
    status: str
    opened_at: datetime
    resolution: str
    resolved_by: str
    resolved_at: datetime | None


class _Posting(NamedTuple):
    id: str
    kind: PostingKind
    currency: str
    payment_id: str
    cause: str
    at: datetime


class _Leg(NamedTuple):
    posting_id: str
    account: str
    amount_minor: int


class Sql(Queries):
    by_own_id: Value[str]
    by_attempt: Value[str]
    by_modification: Value[str]
    by_dispute: Value[str]
    by_posting: Value[str]
    by_order: Value[str]
    by_reference_of_attempt: Value[str]
    by_reference_of_modification: Value[str]
    by_reference_of_dispute: Value[str]
    events_of: Rows[StoredEvent]
    postings_of: Rows[_Posting]
    notifications_of: Rows[Sent]
    settlement_lines_of: Rows[SettledLine]
    reported_lines_of: Rows[Row]
    discrepancies_of: Rows[Discrepancy]
    read_only: Command
    wait_for_a_reader: Command
    legs_of: Rows[_Leg]


# What a name may be, the likeliest first.
_NAMES = (
    Sql.by_own_id,
    Sql.by_attempt,
    Sql.by_modification,
    Sql.by_dispute,
    Sql.by_posting,
    Sql.by_order,
    Sql.by_reference_of_attempt,
    Sql.by_reference_of_modification,
    Sql.by_reference_of_dispute,
)


async def payment_named(connection: Connection, company_id: str, name: str) -> str | None:
    """The payment that `name` belongs to: its own id, its order's, or that of an attempt, capture,
    void, refund, dispute or posting of it, or a provider's reference."""
    for query in _NAMES:
        if found := await query.first(connection, company_id, name):
            return found
    return None


async def events_of(connection: Connection, company_id: str, payment_id: str) -> list[StoredEvent]:
    return await Sql.events_of.all(connection, company_id, payment_id)


async def postings_of(connection: Connection, company_id: str, payment_id: str) -> list[Posting]:
    rows = await Sql.postings_of.all(connection, company_id, payment_id)
    legs = await legs_of(connection, company_id, [row.id for row in rows])
    return [
        Posting(
            company_id=company_id,
            id=row.id,
            kind=row.kind,
            currency=row.currency,
            entries=tuple(Entry(account, minor, row.currency) for account, minor in legs[row.id]),
            payment_id=row.payment_id,
            cause=row.cause,
            at=row.at,
        )
        for row in rows
    ]


async def notifications_of(connection: Connection, company_id: str, payment_id: str) -> list[Sent]:
    return await Sql.notifications_of.all(connection, company_id, payment_id)


async def settlement_lines_of(
    connection: Connection, company_id: str, payment_id: str
) -> list[SettledLine]:
    return await Sql.settlement_lines_of.all(connection, company_id, payment_id)


async def reported_lines_of(
    connection: Connection, company_id: str, payment_id: str, posting_ids: Sequence[str]
) -> list[ReportedLine]:
    rows = await Sql.reported_lines_of.all(connection, company_id, payment_id, posting_ids)
    found = []
    for row in rows:
        named = dict(row)
        currency = named.pop("currency")
        for member in ("amount", "fee"):
            minor = named.pop(f"{member}_minor")
            known = minor is not None and currency in EXPONENT
            named[member] = Money(minor, currency) if known else None
        found.append(ReportedLine(**named))
    return found


async def discrepancies_of(
    connection: Connection, company_id: str, payment_id: str
) -> list[Discrepancy]:
    return await Sql.discrepancies_of.all(connection, company_id, payment_id)


async def stand_still(connection: Connection) -> None:
    """Let this transaction see one moment only, change nothing, and wait for a slow reader."""
    await Sql.read_only.run(connection)
    await Sql.wait_for_a_reader.run(connection)


async def legs_of(
    connection: Connection, company_id: str, posting_ids: Sequence[str]
) -> dict[str, list[tuple[str, int]]]:
    """(account, minor) of each posting's entries. The ids are in the statement by themselves, so
    that a planner without statistics looks them up."""
    found: dict[str, list[tuple[str, int]]] = {posting_id: [] for posting_id in posting_ids}
    for leg in await Sql.legs_of.all(connection, company_id, posting_ids):
        found[leg.posting_id].append((leg.account, leg.amount_minor))
    return found
