"""Cancel a payment: nobody can pay it any more, and what was reserved for it is let go."""

from dataclasses import dataclass
from datetime import datetime

from kassa.base.domain.errors import IllegalTransition, InProgress
from kassa.base.domain.lifecycle import (
    OPEN,
    UNPAID_FOR_GOOD,
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PaymentStatus,
)
from kassa.base.usecases.core import Core
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.orders.domain.orders import Order
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.close_page import close_open_page
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.sync_payment import sync_payment

_LET_GO = frozenset({"already_voided", "authorization_expired"})


@dataclass(frozen=True, slots=True)
class Canceled:
    """`at`: when the order ended, alike for everybody who asks again."""

    payment: Payment
    order: Order
    at: datetime


async def cancel_payment(core: Core, company_id: str, payment_id: str, *, actor: str) -> Canceled:
    """End the payment and its order without money; what has ended so already stays as it is.

    Where a provider may know more than we do, it is asked first, once; where the payer could still
    pay at its page, that is closed there first, or else soon afterwards.
    Raises: NotFound; IllegalTransition when it is paid (reason payment_paid), or its reservation
    cannot be let go (void_refused); InProgress while nobody knows whether it is paid.
    """
    payment = (await get_payment(core, company_id, payment_id)).payment
    if payment.status is PaymentStatus.PROCESSING:
        await sync_payment(core, company_id, payment_id, actor=actor)
    elif payment.status is PaymentStatus.REQUIRES_ACTION:
        await _end_at_page(core, payment, actor)

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        _close(case, actor)

    change = PaymentChange(company_id=company_id, payment_id=payment_id, decide=decide)
    case = await change_payment(core, change)
    if case.payment.status is PaymentStatus.AUTHORIZED:
        await _void(core, case.payment, actor)
        case = await change_payment(core, change)
    if case.payment.status is PaymentStatus.AUTHORIZED:
        raise _unknown()
    return Canceled(case.payment, case.order, case.order.updated_at)


async def _end_at_page(core: Core, payment: Payment, actor: str) -> None:
    """So that nobody pays a payment that is canceled; what was paid before that counts."""
    key = payment.company_id, payment.id
    if not await close_open_page(core, *key, end=facts.PaymentCanceled, actor=actor):
        await sync_payment(core, *key, actor=actor)


def _close(case: PaymentAggregate, actor: str) -> None:
    payment = case.payment
    if payment.is_paid and not payment.surplus:
        raise _paid()
    if case.order.status is OrderStatus.PAID:
        raise IllegalTransition("the order is paid by another payment", reason="payment_paid")
    if case.order.status in UNPAID_FOR_GOOD or payment.status is PaymentStatus.AUTHORIZED:
        return
    if payment.status is PaymentStatus.PROCESSING or case.doubt is not None:
        raise _unknown()
    if payment.status in OPEN:
        case.close(facts.PaymentCanceled(), actor=actor, by="request")
        return
    # It failed, and with its order open somebody could try again.
    case.record(facts.OrderCanceled(), actor=actor, by="request")
    case.announce_end()
    case.part_unowed(actor=actor, by="request")


async def _void(core: Core, payment: Payment, actor: str) -> None:
    """Let go of what is reserved. Without a request id: each try is one of its own."""
    wanted = ModifyPayment(
        company_id=payment.company_id,
        payment_id=payment.id,
        kind=ModificationKind.VOID,
        actor=actor,
        reason="the payment was canceled",
    )
    try:
        done = await modify_payment(core, wanted)
    except IllegalTransition as error:
        if error.reason == "claim_in_progress":
            raise _unknown() from None
        if error.reason == "already_captured":
            raise _paid() from None
        if error.reason in _LET_GO:
            return
        raise
    refused = done.modification.status is ModificationStatus.FAILED
    if refused and done.payment.status is PaymentStatus.AUTHORIZED:
        raise IllegalTransition(
            f"the reservation cannot be let go: {done.modification.failure_message}",
            reason="void_refused",
        )


def _paid() -> IllegalTransition:
    return IllegalTransition(
        "the payment is paid and cannot be canceled: refund it", reason="payment_paid"
    )


def _unknown() -> InProgress:
    return InProgress(
        "whether the payment is paid is not known yet: cancel it again later",
        reason="outcome_unknown",
    )
