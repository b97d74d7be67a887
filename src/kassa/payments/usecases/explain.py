"""Explain: one payment's whole story from what the books remember, now or as it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.lifecycle import BreakStatus, OrderStatus, SettlementStatus
from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.ledger.domain.ledger import PostingKind
from kassa.orders.domain.orders import Order
from kassa.orders.store import orders
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.older_events import read_events
from kassa.payments.domain.older_rows import OlderRows
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.domain.replay import History, as_of, fault_of
from kassa.payments.domain.timeline import TimelineEvent
from kassa.payments.store import history, payments
from kassa.payments.store.history import Discrepancy, ReportedLine, Sent, SettledLine

_LONGEST_NAME = 300
_LAST = {PostingKind.FEE: 1, PostingKind.FEE_ADJUSTMENT: 1, PostingKind.RELEASE: 2}
"""Of what is booked at once, a fee comes after what it is for, and then what is let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One entry in the ledger's words: `amount` on the side named, always positive."""

    account: str
    side: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One posting."""

    id: str
    kind: PostingKind
    cause: str
    at: datetime
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineStep:
    """One event of the timeline. `fault`: why the transition table does not have it."""

    event: TimelineEvent
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeStory:
    """`booked`: what the payment has been charged. `expected` and `known` (whether the provider has
    named its own figure) are None where that cannot be told of a past moment.
    """

    booked: Money
    expected: Money | None
    known: bool | None

    @property
    def variance(self) -> Money | None:
        """How much more than expected."""
        return None if self.expected is None else self.booked - self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentHistory:
    """A payment and all that happened to it, oldest first.

    `moment`: as of when; None is now. `order_status` is told of now only.
    `others`: the order's other payments.
    """

    payment: Payment
    moment: datetime | None
    order_status: OrderStatus | None
    others: tuple[str, ...]
    steps: tuple[TimelineStep, ...]
    attempts: tuple[Attempt, ...]
    modifications: tuple[Modification, ...]
    disputes: tuple[Dispute, ...]
    bookings: tuple[Booking, ...]
    fee: FeeStory
    settlements: tuple[SettledLine, ...]
    reports: tuple[ReportedLine, ...]
    breaks: tuple[Discrepancy, ...]
    notifications: tuple[Sent, ...]


@dataclass(frozen=True, slots=True)
class _Beside:
    """What others have said of the payment."""

    settlements: Sequence[SettledLine]
    reports: Sequence[ReportedLine]
    breaks: Sequence[Discrepancy]
    sent: Sequence[Sent]


async def explain(
    core: Core, company_id: str, name: str, moment: datetime | None = None
) -> PaymentHistory:
    """The story of the payment that `name` belongs to: its id, its order's, that of one of its
    attempts, captures, voids, refunds, disputes or postings, or a provider's reference.

    Raises: NotFound, InvalidRequest for a `moment` before there was a payment.
    """
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise _unknown(name)
    async with core.db.transaction(long=True) as connection:
        await history.stand_still(connection)
        payment_id = await history.payment_named(connection, company_id, name)
        if payment_id is None:
            raise _unknown(name)
        key = (company_id, payment_id)
        payment, order = (await orders.by_payment(connection, [key]))[key]
        siblings = await orders.by_order(connection, [(company_id, order.id)])
        whole = await _history(connection, payment)
        posted = [posting.id for posting in whole.postings]
        beside = _Beside(
            await history.settlement_lines_of(connection, *key),
            await history.reported_lines_of(connection, *key, posted),
            await history.discrepancies_of(connection, *key),
            await history.notifications_of(connection, *key),
        )
        now = await payments.clock(connection)
    others = [other for other, _ in siblings[company_id, order.id] if other.id != payment.id]
    if moment is None or moment >= now:
        return _told(whole, None, _fee_now(payment), order, others, beside)
    if moment < payment.created_at:
        raise InvalidRequest(
            f"{payment.id} was made at {payment.created_at.isoformat()}: there is nothing to tell"
            " of an earlier time"
        )
    past = as_of(whole, moment)
    seen = [other for other in others if other.created_at <= moment]
    fee = _fee_then(whole, past)
    return _told(past, moment, fee, order, seen, _beside_then(beside, past, moment))


async def _history(connection: Connection, payment: Payment) -> History:
    key = (payment.company_id, payment.id)
    attempts = await payments.attempts_of(connection, [key])
    modifications = await payments.modifications_of(connection, [key])
    disputes = await payments.disputes_of(connection, [key])
    rows = OlderRows(
        payment=payment,
        attempts={one.id: one for one in attempts},
        modifications={one.id: one for one in modifications},
        disputes={one.id: one for one in disputes},
        postings=await history.postings_of(connection, *key),
    )
    return History(
        payment=payment,
        events=read_events(await history.events_of(connection, *key), rows),
        attempts=attempts,
        modifications=modifications,
        disputes=disputes,
        postings=rows.postings,
    )


def _unknown(name: str) -> NotFound:
    shown = name if len(name) <= 60 else f"{name[:60]}…"
    return NotFound(
        f"nothing here is called {shown!r}: give the id of a payment, order, attempt, capture,"
        " void, refund, dispute or posting, or a provider's reference; --company names another"
        " company"
    )


def _told(
    whole: History,
    moment: datetime | None,
    fee: FeeStory,
    order: Order,
    others: Sequence[Payment],
    beside: _Beside,
) -> PaymentHistory:
    steps, before = [], None
    for event in whole.events:
        steps.append(TimelineStep(event=event, fault=fault_of(before, event)))
        before = event.to_status
    return PaymentHistory(
        payment=whole.payment,
        moment=moment,
        order_status=order.status if moment is None else None,
        others=tuple(other.id for other in others),
        steps=tuple(steps),
        attempts=tuple(whole.attempts),
        modifications=tuple(whole.modifications),
        disputes=tuple(whole.disputes),
        bookings=_bookings(whole),
        fee=fee,
        settlements=tuple(beside.settlements),
        reports=tuple(beside.reports),
        breaks=tuple(beside.breaks),
        notifications=tuple(beside.sent),
    )


def _bookings(whole: History) -> tuple[Booking, ...]:
    return tuple(
        Booking(
            id=posting.id,
            kind=posting.kind,
            cause=posting.cause,
            at=posting.at,
            legs=tuple(
                Leg(
                    account=entry.account,
                    side="debit" if entry.minor > 0 else "credit",
                    amount=Money(abs(entry.minor), posting.currency),
                )
                for entry in posting.entries
            ),
        )
        for posting in sorted(whole.postings, key=lambda one: (one.at, _LAST.get(one.kind, 0)))
    )


def _fee_now(payment: Payment) -> FeeStory:
    expected = Money(payment.expected_fee_minor, payment.amount.currency)
    return FeeStory(booked=payment.fee, expected=expected, known=payment.fee_known)


def _fee_then(whole: History, past: History) -> FeeStory:
    """What was expected is kept as one sum: told once everything that made it grow was done."""
    if past.payment is whole.payment:
        return _fee_now(past.payment)
    nothing = Money(0, past.payment.amount.currency)
    if not past.payment.is_paid:
        return FeeStory(booked=past.payment.fee, expected=nothing, known=False)
    charged, all_charged = (
        sum(posting.kind is PostingKind.FEE for posting in one.postings) for one in (past, whole)
    )
    expected = _fee_now(whole.payment).expected if charged == all_charged else None
    # A provider may have named its figure since, without any posting where it was as expected.
    return FeeStory(booked=past.payment.fee, expected=expected, known=None)


def _beside_then(beside: _Beside, past: History, moment: datetime) -> _Beside:
    lines = [_line_then(line, past, moment) for line in beside.settlements]
    return _Beside(
        [line for line in lines if line is not None],
        # When its file was done, a line had been looked at; not surely any earlier.
        [
            line
            for line in beside.reports
            if line.finished_at is not None and line.finished_at <= moment
        ],
        [_break_then(item, moment) for item in beside.breaks if item.opened_at <= moment],
        [_sent_then(item, moment) for item in beside.sent if item.created_at <= moment],
    )


def _break_then(item: Discrepancy, moment: datetime) -> Discrepancy:
    if item.resolved_at is not None and item.resolved_at <= moment:
        return item
    return replace(
        item, owner="", status=BreakStatus.OPEN, resolution="", resolved_by="", resolved_at=None
    )


def _line_then(line: SettledLine, past: History, moment: datetime) -> SettledLine | None:
    """A settlement's lines are fixed when it closes; before that nobody could have told them."""
    booked = any(posting.id == line.posting_id for posting in past.postings)
    if not booked or line.closed_at is None or line.closed_at > moment:
        return None
    if line.paid_at is not None and line.paid_at <= moment:
        return replace(line, status=SettlementStatus.PAID)
    carried = line.status is SettlementStatus.CARRIED
    return replace(
        line,
        status=line.status if carried else SettlementStatus.CLOSED,
        payout_reference="",
        paid_at=None,
    )


def _sent_then(item: Sent, moment: datetime) -> Sent:
    if item.delivered_at is not None and item.delivered_at <= moment:
        return item
    return replace(
        item, state="waiting", tries=None, last_status=None, last_error="", delivered_at=None
    )
