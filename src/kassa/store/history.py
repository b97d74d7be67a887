"""What the books remember, of one payment, read for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kassa.domain.ledger import Entry, Posting, PostingKind
from kassa.domain.lifecycle import FUNDS_SECURED, PaymentEvent, PaymentStatus, SettlementStatus
from kassa.domain.money import EXPONENT, Money
from kassa.domain.timeline import StoredEvent
from kassa.store.connection import Connection
from kassa.store.statuses import any_of

_BY_ID = (
    "select id from payment where company_id = $1 and id = $2",
    "select payment_id from attempt where company_id = $1 and id = $2",
    "select payment_id from modification where company_id = $1 and id = $2",
    "select payment_id from dispute where company_id = $1 and id = $2",
    "select payment_id from posting where company_id = $1 and id = $2 and payment_id <> ''",
    # Of an order's payments the one that has its money, or else the latest.
    "select id from payment where company_id = $1 and order_id = $2"
    f" order by status in {any_of(FUNDS_SECURED)} and not surplus desc, id desc",
)
_BY_REFERENCE = (
    "select payment_id from attempt where company_id = $1 and provider_reference = $2"
    " and provider_reference <> ''",
    "select payment_id from modification where company_id = $1 and provider_reference = $2"
    " and provider_reference <> ''",
    "select payment_id from dispute where company_id = $1 and provider_reference = $2",
)


async def payment_named(connection: Connection, company_id: str, name: str) -> str | None:
    """The payment that `name` belongs to: its own id, its order's, or that of an attempt, capture,
    void, refund, dispute or posting of it, or a provider's reference."""
    for statement in (*_BY_ID, *_BY_REFERENCE):
        found: str | None = await connection.fetchval(statement + " limit 1", company_id, name)
        if found:
            return found
    return None


async def events_of(connection: Connection, company_id: str, payment_id: str) -> list[StoredEvent]:
    rows = await connection.fetch(
        "select company_id, payment_id, seq, event, from_status, to_status, actor, evidence, at"
        " from payment_event where company_id = $1 and payment_id = $2 order by seq",
        company_id,
        payment_id,
    )
    return [
        StoredEvent(
            company_id=row[0],
            payment_id=row[1],
            seq=row[2],
            event=PaymentEvent(row[3]),
            from_status=PaymentStatus(row[4]) if row[4] else None,
            to_status=PaymentStatus(row[5]),
            actor=row[6],
            evidence=row[7],
            at=row[8],
        )
        for row in rows
    ]


async def postings_of(connection: Connection, company_id: str, payment_id: str) -> list[Posting]:
    rows = await connection.fetch(
        "select id, kind, currency, payment_id, cause, at from posting"
        " where company_id = $1 and payment_id = $2 and payment_id <> '' order by at, id",
        company_id,
        payment_id,
    )
    legs = await legs_of(connection, company_id, [row[0] for row in rows])
    return [
        Posting(
            company_id=company_id,
            id=row[0],
            kind=PostingKind(row[1]),
            currency=row[2],
            entries=tuple(Entry(account, minor) for account, minor in legs[row[0]]),
            payment_id=row[3],
            cause=row[4],
            at=row[5],
        )
        for row in rows
    ]


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


async def notifications_of(connection: Connection, company_id: str, payment_id: str) -> list[Sent]:
    rows = await connection.fetch(
        "select id, event_type, version, kind, url, state, tries, last_status, last_error,"
        " created_at, delivered_at from announcement where company_id = $1 and payment_id = $2"
        " order by created_at, id",
        company_id,
        payment_id,
    )
    return [Sent(**dict(row)) for row in rows]


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


async def settlement_lines_of(
    connection: Connection, company_id: str, payment_id: str
) -> list[SettledLine]:
    rows = await connection.fetch(
        "select s.id as settlement_id, s.number, s.connector, s.status, s.payout_reference,"
        " l.posting_id, l.kind, l.amount_minor, s.currency, s.opened_at, s.closed_at, s.paid_at"
        " from settlement_line l join settlement s"
        "   on s.company_id = l.company_id and s.id = l.settlement_id"
        " where l.company_id = $1 and l.payment_id = $2 and l.payment_id <> ''"
        " order by s.number, l.posting_id",
        company_id,
        payment_id,
    )
    found = []
    for row in rows:
        named = dict(row)
        amount = Money(named.pop("amount_minor"), named.pop("currency"))
        named["status"] = SettlementStatus(named["status"])
        found.append(SettledLine(amount=amount, **named))
    return found


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


_REPORTED = """
select f.id as file_id, f.name as file_name, f.connector, l.number, l.kind, l.state,
  l.amount_minor, l.fee_minor, l.currency, l.our_reference, l.provider_reference,
  l.payout_reference, l.occurred_at, f.started_at as imported_at, f.finished_at,
  array(select m.posting_id from report_match m where m.company_id = $1
    and m.posting_id = any($3) and m.file_id = l.file_id and m.place = l.place
    order by m.posting_id) as posting_ids
from report_line l
  join report_file f on f.company_id = $1 and f.id = l.file_id
where l.company_id = $1 and l.payment_id = $2 and l.payment_id <> ''
order by f.started_at, l.file_id, l.place
"""


async def reported_lines_of(
    connection: Connection, company_id: str, payment_id: str, posting_ids: Sequence[str]
) -> list[ReportedLine]:
    rows = await connection.fetch(_REPORTED, company_id, payment_id, posting_ids)
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


async def discrepancies_of(
    connection: Connection, company_id: str, payment_id: str
) -> list[Discrepancy]:
    rows = await connection.fetch(
        "select id, class as kind, connector, currency, expected_minor, found_minor, details,"
        " owner, status, opened_at, resolution, resolved_by, resolved_at from report_break"
        " where company_id = $1 and payment_id = $2 and payment_id <> '' order by opened_at, id",
        company_id,
        payment_id,
    )
    return [Discrepancy(**dict(row)) for row in rows]


async def stand_still(connection: Connection) -> None:
    """Let this transaction see one moment only, change nothing, and wait for a slow reader."""
    await connection.execute(
        "set transaction isolation level repeatable read, read only;"
        " set local idle_in_transaction_session_timeout = '10min'"
    )


async def legs_of(
    connection: Connection, company_id: str, posting_ids: Sequence[str]
) -> dict[str, list[tuple[str, int]]]:
    """(account, minor) of each posting's entries. The ids are in the statement by themselves, so
    that a planner without statistics looks them up."""
    found: dict[str, list[tuple[str, int]]] = {posting_id: [] for posting_id in posting_ids}
    rows = await connection.fetch(
        "select posting_id, account, amount_minor from entry"
        " where company_id = $1 and posting_id = any($2) order by posting_id, leg",
        company_id,
        posting_ids,
    )
    for row in rows:
        found[row[0]].append((row[1], row[2]))
    return found
