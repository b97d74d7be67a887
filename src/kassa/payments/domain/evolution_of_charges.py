"""What facts about a payment and its attempts make of them."""

from collections.abc import Mapping
from datetime import datetime

from kassa.base.domain.copying import replace
from kassa.base.domain.lifecycle import AttemptStatus, OrderStatus
from kassa.base.domain.money import Money
from kassa.base.domain.query_schedule import SILENCE
from kassa.payments.domain import facts
from kassa.payments.domain.modifications import claimed_surplus
from kassa.payments.domain.payments import OFFLINE, Attempt
from kassa.payments.domain.state import (
    PaymentState,
    after,
    closed_order,
    done,
    moved,
    plus,
    put,
    succeeded,
)
from kassa.payments.domain.timeline import TimelineEvent

_A = AttemptStatus


@after.register
def _(fact: facts.PaymentRequested, state: PaymentState, event: TimelineEvent) -> PaymentState:
    payment = replace(
        moved(state.payment, event),
        payer=fact.payer or state.payment.payer,
        extra=dict(state.payment.extra if fact.extra is None else fact.extra),
    )
    return replace(state, payment=payment)


@after.register
def _(fact: facts.PaymentOpened, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before = state.payment
    payment = replace(
        moved(before, event),
        number=fact.number or before.number,
        payer=fact.payer or before.payer,
        subject=fact.subject or before.subject,
        description=fact.description or before.description,
        extra=dict(before.extra if fact.extra is None else fact.extra),
    )
    return replace(state, payment=payment)


@after.register
def _(fact: facts.AttemptStarted, state: PaymentState, event: TimelineEvent) -> PaymentState:
    """A redirect the payer walked away from is left, and closed at its provider soon."""
    before = state.payment
    attempt = Attempt(
        company_id=before.company_id,
        id=fact.attempt,
        payment_id=before.id,
        number=fact.number,
        connector=fact.account,
        method=fact.method,
        status=_A.DISPATCHED,
        amount=fact.amount,
        instrument=fact.instrument,
        next_query_at=event.at + SILENCE,  # should whoever makes it die before the answer
        created_at=event.at,
        updated_at=event.at,
    )
    payment = replace(
        before,
        status=event.to_status,
        version=event.seq,
        updated_at=event.at,
        method=fact.method,
        connector=fact.account,
        instrument=fact.instrument,
        provider_reference="",
        redirect_url="",
        redirect_expires_at=None,
        failure_code="",
        failure_message="",
    )
    attempts = put(_all_left(state.attempts, event.at), attempt)
    return replace(state, payment=payment, attempts=attempts)


def _all_left(attempts: Mapping[str, Attempt], at: datetime) -> Mapping[str, Attempt]:
    """What stands open at its provider is closed there, or asked about, for a while longer."""
    for old in attempts.values():
        if old.status is _A.DISPATCHED:
            attempts = put(attempts, _left(old, at))
    return attempts


def _left(old: Attempt, at: datetime) -> Attempt:
    left = replace(old, status=_A.ABANDONED, undecided_since=at, updated_at=at)
    nobody_knows = old.method in OFFLINE  # of a transfer only a statement tells
    return replace(left, next_query_at=None if nobody_knows else left.next_query(at))


@after.register
def _(fact: facts.AttemptLeft, state: PaymentState, event: TimelineEvent) -> PaymentState:
    old = state.attempts.get(fact.attempt)
    attempts = put(state.attempts, _left(old, event.at)) if old else state.attempts
    return replace(state, payment=moved(state.payment, event), attempts=attempts)


def _refused(
    state: PaymentState,
    attempt_id: str,
    status: AttemptStatus,
    code: str,
    message: str,
    at: datetime,
) -> Mapping[str, Attempt]:
    old = state.attempts.get(attempt_id)
    if old is None:
        return state.attempts
    refused = replace(
        old,
        status=status,
        failure_code=code,
        failure_message=message,
        next_query_at=None,
        updated_at=at,
    )
    return put(state.attempts, refused)


@after.register
def _(fact: facts.AttemptRerouted, state: PaymentState, event: TimelineEvent) -> PaymentState:
    return replace(
        state,
        payment=replace(moved(state.payment, event), method=None, connector=""),
        attempts=_refused(state, fact.attempt, _A.DECLINED, fact.code, fact.message, event.at),
    )


@after.register
def _(fact: facts.AttemptNotSent, state: PaymentState, event: TimelineEvent) -> PaymentState:
    payment = moved(state.payment, event)
    if fact.decisive:
        payment = replace(payment, method=None, connector="")
    attempts = _refused(state, fact.attempt, _A.ABANDONED, "not_sent", fact.reason, event.at)
    return replace(state, payment=payment, attempts=attempts)


@after.register
def _(fact: facts.AttemptDeclined, state: PaymentState, event: TimelineEvent) -> PaymentState:
    payment = moved(state.payment, event)
    if fact.decisive:
        payment = replace(
            payment,
            failure_code=fact.code,
            failure_message=fact.message,
            redirect_url="",
            redirect_expires_at=None,
        )
    attempts = _refused(state, fact.attempt, _A.DECLINED, fact.code, fact.message, event.at)
    return replace(state, payment=payment, attempts=attempts)


@after.register
def _(
    fact: facts.ActionRequired | facts.RedirectRenewed, state: PaymentState, event: TimelineEvent
) -> PaymentState:
    payment = replace(
        moved(state.payment, event), redirect_url=fact.url, redirect_expires_at=fact.expires_at
    )
    return replace(state, payment=payment)


@after.register
def _(fact: facts.AttemptAccepted, state: PaymentState, event: TimelineEvent) -> PaymentState:
    payment = replace(moved(state.payment, event), provider_reference=fact.reference)
    old = state.attempts.get(fact.attempt)
    if old is None:
        return replace(state, payment=payment)
    known = replace(
        old,
        status=_A.DISPATCHED,
        provider_reference=fact.reference or old.provider_reference,
        updated_at=event.at,
    )
    attempts = put(state.attempts, replace(known, next_query_at=known.next_query(event.at)))
    return replace(state, payment=payment, attempts=attempts)


@after.register
def _(fact: facts.AttemptDoubted, state: PaymentState, event: TimelineEvent) -> PaymentState:
    old = state.attempts.get(fact.attempt)
    attempts = state.attempts
    if old is not None:
        doubted = replace(old, status=_A.IN_DOUBT, undecided_since=event.at, updated_at=event.at)
        attempts = put(attempts, replace(doubted, next_query_at=doubted.next_query(event.at)))
    return replace(state, payment=moved(state.payment, event), attempts=attempts)


MISMATCH = "amount_mismatch"
"""The failure code of what a provider says was another amount."""


@after.register
def _(fact: facts.AmountDiffers, state: PaymentState, event: TimelineEvent) -> PaymentState:
    old = state.attempts.get(fact.attempt)
    attempts = state.attempts
    if old is not None:
        words = f"the provider says {fact.provider_says}"
        attempts = put(
            attempts,
            replace(old, failure_code=MISMATCH, failure_message=words, updated_at=event.at),
        )
    return replace(state, payment=moved(state.payment, event), attempts=attempts)


@after.register
def _(fact: facts.PaymentAuthorized, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before = state.payment
    attempts, attempt = succeeded(
        state, fact.attempt, fact.reference, event.at, fact.amount, surplus=False
    )
    payment = replace(
        before,
        status=event.to_status,
        version=event.seq,
        updated_at=event.at,
        method=attempt.method if attempt else before.method,
        connector=attempt.connector if attempt else before.connector,
        instrument=attempt.instrument if attempt else before.instrument,
        authorized=fact.amount,
        authorization_expires_at=fact.expires_at,
        provider_reference=fact.reference,
        redirect_url="",
        redirect_expires_at=None,
        failure_code="",
        failure_message="",
    )
    return replace(state, payment=payment, attempts=attempts)


@after.register
def _(fact: facts.PaymentCaptured, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before = state.payment
    attempts, attempt = succeeded(
        state, fact.attempt, fact.reference, event.at, fact.amount, surplus=fact.surplus
    )
    currency = before.amount.currency
    fee = fact.fee or Money(0, currency)
    payment = replace(
        before,
        status=event.to_status,
        version=event.seq,
        updated_at=event.at,
        method=attempt.method if attempt else before.method,
        connector=attempt.connector if attempt else before.connector,
        instrument=attempt.instrument if attempt else before.instrument,
        # What another attempt had reserved, and let go, before this surplus came, stays told.
        authorized=before.authorized if before.released_minor else fact.amount,
        captured=fact.amount,
        surplus=fact.surplus,
        surplus_amount=fact.amount if fact.surplus else before.surplus_amount,
        # Only a statement tells of a part, so it has been reported.
        unapplied_minor=before.unapplied_minor - _minor(fact.applied),
        settled_minor=before.settled_minor + _minor(fact.applied),
        fee=before.fee if fact.surplus else plus(before.fee, fee),
        expected_fee_minor=before.expected_fee_minor + fact.expected_fee_minor,
        fee_known=before.fee_known if fact.surplus else fact.fee_known,
        provider_reference=fact.reference,
        captured_at=event.at,
        redirect_url="",
        redirect_expires_at=None,
        failure_code="",
        failure_message="",
    )
    status = state.order_status if fact.surplus else OrderStatus.PAID
    return replace(state, payment=payment, attempts=attempts, order_status=status)


@after.register
def _(fact: facts.PaidTwice, state: PaymentState, event: TimelineEvent) -> PaymentState:
    came, old = fact.amount, state.attempts.get(fact.attempt)
    if fact.capture and old is not None:  # in parts, perhaps
        claimed = claimed_surplus(old, state.modifications)
        came = Money(claimed + came.minor, came.currency)
    attempts, _attempt = succeeded(
        state, fact.attempt, fact.reference, event.at, came, surplus=True
    )
    before = state.payment
    payment = replace(
        moved(before, event),
        surplus_amount=plus(before.surplus_amount, fact.amount),
        unapplied_minor=before.unapplied_minor - _minor(fact.applied),
    )
    modifications = state.modifications
    if fact.capture:
        modifications = done(state, fact.capture, fact.reference, event.at)
    return replace(state, payment=payment, attempts=attempts, modifications=modifications)


def _minor(amount: Money | None) -> int:
    return amount.minor if amount else 0


@after.register
def _(
    fact: facts.TransferReceived | facts.TransferReversed, state: PaymentState, event: TimelineEvent
) -> PaymentState:
    more = -fact.amount.minor if isinstance(fact, facts.TransferReversed) else fact.amount.minor
    before = state.payment
    payment = replace(moved(before, event), unapplied_minor=before.unapplied_minor + more)
    return replace(state, payment=payment)


@after.register
def _(fact: facts.TransferOverpaid, state: PaymentState, event: TimelineEvent) -> PaymentState:
    """The attempt's amount is all that it brought."""
    before, old = state.payment, state.attempts.get(fact.attempt)
    payment = replace(moved(before, event), surplus_amount=plus(before.surplus_amount, fact.amount))
    attempts = state.attempts
    if old is not None:
        brought = replace(old, amount=plus(old.amount, fact.amount), updated_at=event.at)
        attempts = put(attempts, brought)
    return replace(state, payment=payment, attempts=attempts)


@after.register
def _(
    fact: facts.PaymentCanceled | facts.PaymentExpired, state: PaymentState, event: TimelineEvent
) -> PaymentState:
    payment = replace(moved(state.payment, event), redirect_url="", redirect_expires_at=None)
    return replace(
        state,
        payment=payment,
        attempts=_all_left(state.attempts, event.at),
        order_status=closed_order(state, event.to_status),
    )


@after.register
def _(fact: facts.OrderCanceled, state: PaymentState, event: TimelineEvent) -> PaymentState:
    return replace(
        state,
        payment=moved(state.payment, event),
        order_status=closed_order(state, event.to_status),
    )
