"""A payment as it was at an earlier moment: its facts told again, up to there and no further.

What no fact tells (how often a provider was asked, who asked under which id) is taken from the row.
A row that has not changed since that moment is taken as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kassa.base.domain.copying import replace
from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import (
    AttemptStatus,
    ModificationKind,
    ModificationStatus,
    PaymentEvent,
    PaymentStatus,
    next_status,
)
from kassa.base.domain.money import Money
from kassa.ledger.domain.ledger import Posting
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.evolution import evolve
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.domain.state import PaymentState
from kassa.payments.domain.timeline import TimelineEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A payment with everything that belongs to it."""

    payment: Payment
    events: Sequence[TimelineEvent]
    attempts: Sequence[Attempt]
    modifications: Sequence[Modification]
    disputes: Sequence[Dispute]
    postings: Sequence[Posting]


def as_of(now: History, at: datetime) -> History:
    """The history as somebody would have seen it at that moment, after the payment was made."""
    events = [event for event in now.events if event.at <= at]
    state = told(now.payment, events)
    past = History(
        payment=now.payment,
        events=events,
        attempts=[_attempt(one, state, at) for one in now.attempts if one.created_at <= at],
        modifications=[
            _modification(one, state, at) for one in now.modifications if one.created_at <= at
        ],
        disputes=[_dispute(one, state, at) for one in now.disputes if one.opened_at <= at],
        postings=[posting for posting in now.postings if posting.at <= at],
    )
    if now.payment.updated_at <= at and len(events) == len(now.events):
        return past
    return replace(past, payment=state.payment)


def told(payment: Payment, events: Sequence[TimelineEvent]) -> PaymentState:
    """What these facts make of a payment that had nothing happen to it yet."""
    state = PaymentState(payment=_new(payment), attempts={}, modifications={}, disputes={})
    for event in events:
        state = evolve(state, event)
    return state


def fault_of(before: PaymentStatus | None, event: TimelineEvent) -> str:
    """Why this step cannot have been made; empty for one that the table has."""
    if before is None:
        first = event.event is PaymentEvent.CREATE
        return "" if first else "the timeline does not begin with create"
    try:
        to = next_status(before, event.event)
    except IllegalTransition as error:
        return error.message
    return "" if to is event.to_status else f"{event.event} leads to {to}"


def _new(payment: Payment) -> Payment:
    """What is fixed when a payment is made, and nothing of what came after.

    Whose it is, its number and its texts are told of now: they never change once they are there.
    """
    nothing = Money(0, payment.amount.currency)
    return replace(
        payment,
        status=PaymentStatus.CREATED,
        version=0,
        method=None,
        connector="",
        instrument="",
        provider_reference="",
        authorized=nothing,
        captured=nothing,
        refunded=nothing,
        refund_reserved=nothing,
        fee=nothing,
        surplus=False,
        surplus_amount=nothing,
        released_minor=0,
        surplus_returned_minor=0,
        surplus_reserved_minor=0,
        disputed_minor=0,
        double_paid_minor=0,
        settled_minor=0,
        expected_fee_minor=0,
        fee_known=False,
        authorization_expires_at=None,
        modifications=0,
        disputes=0,
        redirect_url="",
        redirect_expires_at=None,
        failure_code="",
        failure_message="",
        captured_at=None,
        updated_at=payment.created_at,
    )


def _attempt(row: Attempt, state: PaymentState, at: datetime) -> Attempt:
    if row.updated_at <= at:
        return row
    then = state.attempts.get(row.id)
    return replace(
        row,
        status=then.status if then else AttemptStatus.DISPATCHED,
        surplus=then.surplus if then else False,
        provider_reference=then.provider_reference if then else "",
        failure_code=then.failure_code if then else "",
        failure_message=then.failure_message if then else "",
        query_count=0,
        next_query_at=None,
        last_query_at=None,
        undecided_since=None,
        updated_at=at,
    )


def _modification(row: Modification, state: PaymentState, at: datetime) -> Modification:
    if row.updated_at <= at:
        return row
    then = state.modifications.get(row.id)
    status = then.status if then else ModificationStatus.REQUESTED
    by_worker = row.surplus and row.kind is ModificationKind.VOID
    if status is ModificationStatus.REQUESTED and not by_worker:
        status = ModificationStatus.PROCESSING  # whoever asks for one sends it at once
    return replace(
        row,
        status=status,
        provider_reference=then.provider_reference if then else "",
        fee_minor=then.fee_minor if then else 0,
        failure_code=then.failure_code if then else "",
        failure_message=then.failure_message if then else "",
        query_count=0,
        next_query_at=None,
        last_query_at=None,
        undecided_since=None,
        completed_at=then.completed_at if then else None,
        updated_at=then.updated_at if then else row.created_at,
    )


def _dispute(row: Dispute, state: PaymentState, at: datetime) -> Dispute:
    if row.updated_at <= at:
        return row
    then = state.disputes.get(row.id)
    if then is None:
        return row
    return replace(
        row,
        stage=then.stage,
        status=then.status,
        reason=then.reason,
        amount=then.amount,
        taken=then.taken,
        withdrawn=then.withdrawn,
        fee=then.fee,
        double_paid_minor=then.double_paid_minor,
        respond_by=then.respond_by,
        updated_at=then.updated_at,
        closed_at=then.closed_at,
    )
