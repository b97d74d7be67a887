"""Which facts a person has to hear of, and in which words: each such fact opens a break.

Every kind of fact stands in the table here, and a test sees to that: what is marked for people is
somebody's work by the same commit that marks it, and no reader can be forgotten.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kassa.base.domain.lifecycle import BreakClass
from kassa.base.domain.money import Money
from kassa.payments.domain import facts
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.state import PaymentState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """A break to be opened. `cause`: what it is about; it is opened once for each. `amount`: the
    money that is not booked, where it is known and in which currency."""

    problem: BreakClass
    words: str
    cause: str
    connector: str
    amount: Money | None = None


def _doubted(fact: facts.AttemptDoubted, state: PaymentState) -> WorkItem | None:
    if not fact.provider_says:
        return None  # nobody knows yet; after a week that is work as well
    return _amount_of_attempt(fact, state)


def _amount_of_attempt(
    fact: "facts.AttemptDoubted | facts.AmountDiffers", state: PaymentState
) -> WorkItem:
    attempt = state.attempts[fact.attempt]
    return WorkItem(
        problem=BreakClass.AMOUNT,
        words=f"{fact.reason}: the provider says {fact.provider_says} of {attempt.id}, which was"
        f" to be {attempt.amount}. Find out there what was paid, and settle it with the payer",
        cause=attempt.id,
        connector=attempt.connector,
    )


def _amount_of_modification(fact: facts.ModificationAmountDiffers, state: PaymentState) -> WorkItem:
    item = state.modifications[fact.modification]
    return WorkItem(
        problem=BreakClass.AMOUNT,
        words=f"the provider says {fact.provider_says} of the {item.kind} {item.id}, which was to"
        f" be {item.amount}. Find out there what was moved, and book the difference",
        cause=item.id,
        connector=item.connector,
    )


def _short(fact: facts.TransferReceived, state: PaymentState) -> WorkItem:
    attempt, payment = state.attempts[fact.attempt], state.payment
    came = payment.unapplied + fact.amount
    return WorkItem(
        problem=BreakClass.UNDERPAID,
        words=f"{came} of {payment.amount} came by transfer, {payment.amount - came} are missing."
        " A second transfer completes it; else take it as it is with kassa record"
        f" {payment.order_id} --accept-short, or send it back and say so with kassa refund"
        f" {payment.id} --unapplied",
        cause=attempt.id,
        connector=attempt.connector,
        amount=came,
    )


def _overpaid(
    fact: facts.TransferOverpaid | facts.PaidTwice | facts.PaymentCaptured, state: PaymentState
) -> WorkItem | None:
    """What a bank brought, no provider gives back."""
    attempt, payment = state.attempts[fact.attempt], state.payment
    unowed = not isinstance(fact, facts.PaymentCaptured) or fact.surplus
    if not unowed or not attempt.is_transfer:
        return None
    return WorkItem(
        problem=BreakClass.OVERPAID,
        words=f"{fact.amount} came by transfer and nobody owes it: send it back from the bank, and"
        f" say so with kassa refund {payment.id} --unapplied",
        cause=attempt.id,
        connector=attempt.connector,
        amount=fact.amount,
    )


def _unbooked_capture(fact: facts.CaptureUnbooked, state: PaymentState) -> WorkItem:
    item = state.modifications[fact.modification]
    return WorkItem(
        problem=BreakClass.STATUS,
        words=f"the provider captured {item.amount} under {item.id} after that had been given up,"
        " and the payment has other money: it is not in the books. Give it back there",
        cause=item.id,
        connector=item.connector,
    )


def _unbooked_refund(fact: facts.RefundUnbooked, state: PaymentState) -> WorkItem:
    item = state.modifications[fact.modification]
    return WorkItem(
        problem=BreakClass.STATUS,
        words=f"the provider refunded {fact.amount} under {item.id} after saying that it had"
        " failed, and that is more than is left of the payment: it is not in the books",
        cause=item.id,
        connector=item.connector,
    )


def _foreign_dispute(fact: facts.DisputeMoved, state: PaymentState) -> WorkItem | None:
    if not fact.foreign:
        return None
    currency = state.payment.amount.currency
    return WorkItem(
        problem=BreakClass.CURRENCY,
        words=f"of the dispute {fact.reference} of {fact.amount}, {' and '.join(fact.foreign)}"
        f" cannot be booked on a payment in {currency}. Find out at the provider what it has taken"
        f" in {currency}, and book that",
        cause=fact.dispute,
        connector=state.attempts[fact.attempt].connector,
        amount=Money.parse(fact.foreign[0]),
    )


def _odd_dispute_news(fact: facts.DisputeEventLate, state: PaymentState) -> WorkItem | None:
    if not fact.is_odd:
        return None
    found = state.disputes[fact.dispute]
    return WorkItem(
        problem=BreakClass.STATUS,
        words=f"the provider says of the dispute {found.provider_reference} that it is {fact.said},"
        f" which cannot follow what it had said before: here it is {found.stage} {found.status}",
        cause=found.id,
        connector=found.connector,
    )


def _strange_dispute(fact: facts.DisputeNotOurs, state: PaymentState) -> WorkItem:
    return WorkItem(
        problem=BreakClass.UNKNOWN_NEWS,
        words=f"the provider told of a dispute {fact.reference} about money that was never taken"
        f" here: {fact.reason}",
        cause=fact.reference,
        connector=state.payment.connector,
    )


WORK: Final[Mapping[type[Fact], Callable[[Any, PaymentState], WorkItem | None] | None]] = {
    facts.AttemptDoubted: _doubted,
    facts.AmountDiffers: _amount_of_attempt,
    facts.ModificationAmountDiffers: _amount_of_modification,
    facts.CaptureUnbooked: _unbooked_capture,
    facts.RefundUnbooked: _unbooked_refund,
    facts.DisputeMoved: _foreign_dispute,
    facts.DisputeEventLate: _odd_dispute_news,
    facts.DisputeNotOurs: _strange_dispute,
    facts.TransferReceived: _short,
    facts.TransferOverpaid: _overpaid,
    facts.PaidTwice: _overpaid,
    facts.PaymentCaptured: _overpaid,
    # These follow their course by themselves.
    facts.TransferReversed: None,
    facts.PaymentCreated: None,
    facts.PaymentRequested: None,
    facts.PaymentOpened: None,
    facts.AttemptStarted: None,
    facts.AttemptRerouted: None,
    facts.AttemptNotSent: None,
    facts.AttemptDeclined: None,
    facts.ActionRequired: None,
    facts.RedirectRenewed: None,
    facts.AttemptAccepted: None,
    facts.AttemptLeft: None,
    facts.PaymentAuthorized: None,
    facts.AuthorizedTooLate: None,
    facts.PaymentCanceled: None,
    facts.PaymentExpired: None,
    facts.OrderCanceled: None,
    facts.ModificationRequested: None,
    facts.ModificationRefused: None,
    facts.CaptureCompleted: None,
    facts.CaptureUnowed: None,
    facts.ReservationReleased: None,
    facts.LateReservationReleased: None,
    facts.RefundCompleted: None,
    facts.OverpaymentReturned: None,
    facts.RefundReversed: None,
    facts.ChargeReturned: None,
    facts.FoundAtProvider: None,
    facts.Reported: None,
    facts.Remark: None,
}
"""Every kind of fact, with what it asks of a person; None: nothing, ever."""


_OF_A_TRANSFER: Final = frozenset({BreakClass.UNDERPAID, BreakClass.AMOUNT})
_OF_MONEY_BACK: Final = frozenset({BreakClass.OVERPAID, BreakClass.SURPLUS_STUCK})
_NOTHING: Final[frozenset[BreakClass]] = frozenset()


def work_ended_by(fact: Fact, after: PaymentState) -> frozenset[BreakClass]:
    """Which work about the payment nobody has to do any more, now that it has happened."""
    match fact:
        case facts.PaymentCaptured() | facts.PaidTwice() | facts.TransferReversed():
            attempt = after.attempts.get(fact.attempt)
            ended = (
                attempt is not None and attempt.is_transfer and not after.payment.unapplied_minor
            )
            return _OF_A_TRANSFER if ended else _NOTHING
        case facts.OverpaymentReturned() if not after.payment.surplus_left.minor:
            return _OF_MONEY_BACK
        case _:
            return _NOTHING


def work_of(fact: Fact, state: PaymentState) -> WorkItem | None:
    """What a person has to do about it, when it has just happened; None for most."""
    ask = WORK[type(fact)]
    return None if ask is None else ask(fact, state)
