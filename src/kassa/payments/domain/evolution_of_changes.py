"""What facts about captures, voids, refunds, disputes and reports make of a payment."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from kassa.base.domain.copying import replace
from kassa.base.domain.lifecycle import (
    DECIDED,
    DisputeKind,
    DisputeStage,
    DisputeStatus,
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PaymentEvent,
)
from kassa.base.domain.money import Money
from kassa.payments.domain import facts
from kassa.payments.domain.disputes import Dispute, DisputeEffect
from kassa.payments.domain.evolution_of_charges import MISMATCH
from kassa.payments.domain.modifications import Modification, made_there
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.domain.postings import taken_by
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

_M = ModificationStatus


@after.register
def _(fact: facts.AuthorizedTooLate, state: PaymentState, event: TimelineEvent) -> PaymentState:
    attempts, attempt = succeeded(
        state, fact.attempt, fact.reference, event.at, fact.amount, surplus=True
    )
    payment = replace(moved(state.payment, event), modifications=fact.number)
    changed = replace(state, payment=payment, attempts=attempts)
    if attempt is None:
        return changed
    void = _requested(
        state,
        event,
        attempt,
        facts.ModificationRequested(
            modification=fact.void,
            attempt=fact.attempt,
            number=fact.number,
            what=ModificationKind.VOID,
            amount=fact.amount,
            surplus=True,
        ),
    )
    return replace(changed, modifications=put(state.modifications, void))


def _requested(
    state: PaymentState,
    event: TimelineEvent,
    attempt: Attempt | None,
    fact: facts.ModificationRequested,
) -> Modification:
    return Modification(
        company_id=state.payment.company_id,
        id=fact.modification,
        payment_id=state.payment.id,
        attempt_id=fact.attempt,
        number=fact.number,
        kind=fact.what,
        status=_M.REQUESTED,
        amount=fact.amount,
        connector=attempt.connector if attempt else state.payment.connector,
        surplus=fact.surplus,
        is_last=fact.is_last,
        reason=fact.reason,
        actor=event.actor,
        face=state.payment.face,
        next_query_at=event.at,
        created_at=event.at,
        updated_at=event.at,
    )


@after.register
def _(fact: facts.ModificationRequested, state: PaymentState, event: TimelineEvent) -> PaymentState:
    made = _requested(state, event, state.attempts.get(fact.attempt), fact)
    payment = replace(moved(state.payment, event), modifications=fact.number)
    if fact.what is ModificationKind.REFUND:
        payment = _reserved(payment, fact.amount, surplus=fact.surplus)
    return replace(state, payment=payment, modifications=put(state.modifications, made))


@after.register
def _(fact: facts.FoundAtProvider, state: PaymentState, event: TimelineEvent) -> PaymentState:
    attempt = state.attempts.get(fact.attempt)
    asked = facts.ModificationRequested(
        modification=fact.modification,
        attempt=fact.attempt,
        number=fact.number,
        what=fact.what,
        amount=fact.amount,
        surplus=fact.surplus,
        is_last=fact.is_last,
    )
    made = _requested(state, event, attempt, asked)
    made = replace(
        made,
        request_scope=made_there(made.connector),
        request_id=fact.reference,
        provider_reference=fact.reference,
    )
    payment = replace(moved(state.payment, event), modifications=fact.number)
    if fact.what is ModificationKind.REFUND:
        payment = _reserved(payment, fact.amount, surplus=fact.surplus).recounted()
    return replace(state, payment=payment, modifications=put(state.modifications, made))


def _reserved(payment: Payment, amount: Money, *, surplus: bool) -> Payment:
    if surplus:
        reserved = payment.surplus_reserved_minor + amount.minor
        return replace(payment, surplus_reserved_minor=reserved)
    return replace(payment, refund_reserved=plus(payment.refund_reserved, amount))


@after.register
def _(fact: facts.ModificationRefused, state: PaymentState, event: TimelineEvent) -> PaymentState:
    payment = moved(state.payment, event)
    old = state.modifications.get(fact.modification)
    if old is None:
        return replace(state, payment=payment)
    failed = _failed(old, fact.code, fact.message, event.at)
    if fact.what is ModificationKind.REFUND:
        payment = _reserved(payment, -old.amount, surplus=fact.surplus).recounted()
    return replace(state, payment=payment, modifications=put(state.modifications, failed))


def _failed(old: Modification, code: str, message: str, at: datetime) -> Modification:
    return replace(
        old,
        status=_M.FAILED,
        failure_code=code,
        failure_message=message,
        next_query_at=None,
        completed_at=at,
        updated_at=at,
    )


@after.register
def _(
    fact: facts.ModificationAmountDiffers, state: PaymentState, event: TimelineEvent
) -> PaymentState:
    old = state.modifications.get(fact.modification)
    modifications = state.modifications
    if old is not None:
        marked = replace(old, failure_code=MISMATCH, updated_at=event.at)
        modifications = put(modifications, marked)
    return replace(state, payment=moved(state.payment, event), modifications=modifications)


@after.register
def _(fact: facts.CaptureCompleted, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before = state.payment
    fee = fact.fee or Money(0, before.amount.currency)
    payment = replace(
        before,
        status=event.to_status,
        version=event.seq,
        updated_at=event.at,
        captured=plus(before.captured, fact.amount),
        captured_at=before.captured_at or event.at,
        fee=plus(before.fee, fee),
        expected_fee_minor=before.expected_fee_minor + fact.expected_fee_minor,
        fee_known=fact.fee_known,
    )
    return replace(
        state,
        payment=payment,
        modifications=done(state, fact.modification, fact.reference, event.at, fee=fee),
        order_status=OrderStatus.PAID,
    )


@after.register
def _(fact: facts.CaptureUnowed, state: PaymentState, event: TimelineEvent) -> PaymentState:
    payment = replace(
        moved(state.payment, event),
        # Nothing was reserved for the payment before, where all of it had come too late.
        authorized=state.payment.authorized if state.payment.released_minor else fact.amount,
        captured=fact.amount,
        captured_at=event.at,
        surplus=True,
        surplus_amount=fact.amount,
    )
    attempts = state.attempts
    modification = state.modifications.get(fact.modification)
    attempt = attempts.get(modification.attempt_id) if modification else None
    if attempt is not None:
        came = fact.amount if attempt.surplus else attempt.amount
        attempts = put(attempts, replace(attempt, surplus=True, amount=came, updated_at=event.at))
    return replace(
        state,
        payment=payment,
        attempts=attempts,
        modifications=done(state, fact.modification, fact.reference, event.at),
    )


@after.register
def _(
    fact: facts.CaptureUnbooked | facts.LateReservationReleased,
    state: PaymentState,
    event: TimelineEvent,
) -> PaymentState:
    return replace(
        state,
        payment=moved(state.payment, event),
        modifications=done(state, fact.modification, fact.reference, event.at),
    )


@after.register
def _(fact: facts.ReservationReleased, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before = state.payment
    payment = replace(
        moved(before, event), released_minor=before.released_minor + fact.released.minor
    )
    modifications = state.modifications
    if fact.void:
        modifications = done(state, fact.modification, fact.reference, event.at)
    status = state.order_status
    if fact.how in (PaymentEvent.CANCEL, PaymentEvent.EXPIRE):
        status = closed_order(state, event.to_status)
    return replace(state, payment=payment, modifications=modifications, order_status=status)


@after.register
def _(fact: facts.RefundCompleted, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before = state.payment
    old = state.modifications.get(fact.modification)
    late = old is not None and old.status is _M.FAILED
    fee = fact.fee or Money(0, before.amount.currency)
    was_charged = old.fee_minor if old else 0  # of one that came back, and went again
    payment = replace(
        moved(before, event),
        refunded=plus(before.refunded, fact.amount),
        refund_reserved=before.refund_reserved
        if late
        else plus(before.refund_reserved, -fact.amount),
        fee=plus(before.fee, fee),
        expected_fee_minor=before.expected_fee_minor + fact.expected_fee_minor,
    )
    return replace(
        state,
        payment=payment,
        modifications=done(
            state,
            fact.modification,
            fact.reference,
            event.at,
            fee=plus(fee, Money(was_charged, fee.currency)),
        ),
    )


@after.register
def _(fact: facts.OverpaymentReturned, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before, minor = state.payment, fact.amount.minor
    old = state.modifications.get(fact.modification)
    late = old is not None and old.status is _M.FAILED
    payment = replace(
        moved(before, event),
        surplus_returned_minor=before.surplus_returned_minor + minor,
        surplus_reserved_minor=before.surplus_reserved_minor - (0 if late else minor),
    )
    return replace(
        state,
        payment=payment,
        modifications=done(state, fact.modification, fact.reference, event.at),
    )


@after.register
def _(fact: facts.RefundReversed, state: PaymentState, event: TimelineEvent) -> PaymentState:
    payment, modifications = moved(state.payment, event), state.modifications
    if fact.surplus:
        left = payment.surplus_returned_minor - fact.amount.minor
        payment = replace(payment, surplus_returned_minor=left).recounted()
    else:
        payment = replace(payment, refunded=plus(payment.refunded, -fact.amount)).recounted()
    old = modifications.get(fact.modification)
    if old is not None:
        failed = _failed(old, fact.code, fact.message, event.at)
        modifications = put(modifications, failed)
    return replace(state, payment=payment, modifications=modifications)


@after.register
def _(fact: facts.DisputeMoved, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before, modifications = state.payment, state.modifications
    old = state.disputes.get(fact.dispute)
    fee = old.fee if old else Money(0, before.amount.currency)
    if fact.fee is not None:
        fee = fact.fee
    was = old.fee.minor if old else 0
    found = old or _opened(fact, state, event)
    taken = taken_by(fact, old, before.amount.currency)
    found = replace(
        found,
        stage=fact.stage,
        status=fact.status,
        reason=fact.reason,
        amount=fact.amount,
        respond_by=fact.respond_by,
        closed_at=_closed_at(fact, old, event),
        fee=fee,
        taken=taken,
        withdrawn=taken.minor > 0,
        updated_at=event.at,
    )
    attempt = state.attempts.get(fact.attempt)
    surplus = attempt is not None and attempt.surplus
    payment = replace(moved(before, event), disputes=max(before.disputes, fact.number))
    if not surplus:  # else it is ours to bear
        payment = replace(
            payment,
            fee=Money(before.fee.minor + fee.minor - was, before.fee.currency),
            expected_fee_minor=before.expected_fee_minor + fact.expected_fee_minor,
        )
    payment, modifications = _called_off(payment, modifications, fact.called_off, event)
    is_back = fact.effect is DisputeEffect.RETURNED and fact.taken is not None
    if is_back or fact.effect is DisputeEffect.WITHDRAWN:
        found = replace(found, double_paid_minor=fact.left_twice_minor)
    if fact.effect is not DisputeEffect.NONE:
        more = taken.minor - (old.taken.minor if old else 0)
        payment = _taken_back(payment, more, surplus=surplus).recounted()
    return replace(
        state,
        payment=payment,
        modifications=modifications,
        disputes=put(state.disputes, found),
    )


def _taken_back(payment: Payment, minor: int, *, surplus: bool) -> Payment:
    """A bank took so much. To whom nobody owed it, it has given it back."""
    if surplus:
        return replace(payment, surplus_returned_minor=payment.surplus_returned_minor + minor)
    return replace(payment, disputed_minor=payment.disputed_minor + minor)


def _called_off(
    payment: Payment,
    modifications: Mapping[str, Modification],
    refunds: Iterable[str],
    event: TimelineEvent,
) -> tuple[Payment, Mapping[str, Modification]]:
    """These refunds will not be sent: the money they were to give back has gone back."""
    for item in [modifications[one] for one in refunds if one in modifications]:
        failed = _failed(item, "disputed", _TAKEN_BACK, event.at)
        modifications = put(modifications, failed)
        payment = _reserved(payment, -item.amount, surplus=item.surplus)
    return payment, modifications


@after.register
def _(fact: facts.ChargeReturned, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before, nothing = state.payment, Money(0, state.payment.amount.currency)
    attempt = state.attempts.get(fact.attempt)
    found = Dispute(
        company_id=before.company_id,
        id=fact.dispute,
        payment_id=before.id,
        attempt_id=fact.attempt,
        number=fact.number,
        connector=attempt.connector if attempt else before.connector,
        provider_reference=fact.reference,
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.LOST,
        reason=fact.provider_code or fact.code,
        amount=fact.amount,
        fee=nothing,
        taken=fact.amount,
        withdrawn=True,
        double_paid_minor=fact.left_twice_minor,
        opened_at=event.at,
        updated_at=event.at,
        closed_at=event.at,
        kind=DisputeKind.RETURN,
    )
    payment, modifications = _called_off(
        moved(before, event), state.modifications, fact.called_off, event
    )
    payment = replace(payment, disputes=max(before.disputes, fact.number))
    surplus = attempt is not None and attempt.surplus
    return replace(
        state,
        payment=_taken_back(payment, fact.amount.minor, surplus=surplus).recounted(),
        modifications=modifications,
        disputes=put(state.disputes, found),
    )


def _closed_at(
    fact: facts.DisputeMoved, old: Dispute | None, event: TimelineEvent
) -> datetime | None:
    if fact.status not in DECIDED:
        return None
    if old and (old.stage, old.status) == (fact.stage, fact.status):
        return old.closed_at or event.at  # only something else was told of it
    return event.at


_TAKEN_BACK = "the payer's bank has taken the money back meanwhile"


def _opened(fact: facts.DisputeMoved, state: PaymentState, event: TimelineEvent) -> Dispute:
    attempt = state.attempts.get(fact.attempt)
    return Dispute(
        company_id=state.payment.company_id,
        id=fact.dispute,
        payment_id=state.payment.id,
        attempt_id=fact.attempt,
        number=fact.number,
        connector=attempt.connector if attempt else state.payment.connector,
        provider_reference=fact.reference,
        stage=fact.stage,
        status=fact.status,
        reason=fact.reason,
        amount=fact.amount,
        fee=Money(0, state.payment.amount.currency),
        taken=Money(0, state.payment.amount.currency),
        respond_by=fact.respond_by,
        opened_at=event.at,
        updated_at=event.at,
    )


@after.register
def _(fact: facts.Reported, state: PaymentState, event: TimelineEvent) -> PaymentState:
    before = state.payment
    change = 0 if fact.fee_is_ours else fact.fee_change_minor
    payment = replace(
        before,
        status=event.to_status,
        version=event.seq,
        updated_at=event.at,
        settled_minor=before.settled_minor + fact.counted_minor,
        fee=Money(before.fee.minor + change, before.fee.currency) if change else before.fee,
        fee_known=before.fee_known or fact.fee_known,
    )
    return replace(state, payment=payment)
