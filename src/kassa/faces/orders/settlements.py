"""A payment's share of a settlement, with the names that Cashfree PG has for it."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from kassa.base.domain.lifecycle import SettlementStatus
from kassa.base.domain.money import Money
from kassa.faces.edge import utc_text
from kassa.faces.orders.authorization import optional
from kassa.orders.domain.orders import Order
from kassa.payments.domain.payments import Payment
from kassa.settlement.domain.settlements import PaymentShare


class SettlementBody(msgspec.Struct, frozen=True, kw_only=True):
    """SettlementEntity.

    `settlement_amount` = `payment_amount` + `adjustment_amount` - `service_charge` -
    `service_tax`, where `adjustment_amount` is what refunds and disputes took, below zero.
    """

    cf_payment_id: str
    cf_settlement_id: str
    settlement_id: int
    settlement_status: str
    settlement_currency: str
    order_id: str
    payment_id: str
    entity: str
    order_amount: Decimal
    payment_amount: Decimal
    payment_time: str
    adjustment_amount: Decimal
    service_charge: Decimal
    service_tax: Decimal
    settlement_amount: Decimal
    transfer_id: int | None
    transfer_time: str | None
    transfer_utr: str


def write_settlements(
    order: Order, payments: Sequence[Payment], shares: Sequence[PaymentShare]
) -> list[SettlementBody]:
    """One entry for each settlement that a payment is in; one that still gathers is left out."""
    paid = {payment.id: payment for payment in payments}
    return [
        _write(order, paid[share.payment_id], share)
        for share in shares
        if share.settlement.status is not SettlementStatus.OPEN
    ]


def _write(order: Order, payment: Payment, share: PaymentShare) -> SettlementBody:
    settlement = share.settlement
    adjustment = share.amount - share.captured + share.service_charge
    arrived = settlement.status is SettlementStatus.PAID
    return SettlementBody(
        cf_payment_id=payment.id,
        cf_settlement_id=settlement.id,
        settlement_id=settlement.number,
        settlement_status=settlement.status.value,
        settlement_currency=settlement.currency,
        order_id=order.id,
        payment_id=payment.id,
        entity="settlement",
        order_amount=order.amount.major,
        payment_amount=share.captured.major,
        payment_time=utc_text(payment.created_at),
        adjustment_amount=adjustment.major,
        service_charge=share.service_charge.major,
        service_tax=Money(0, settlement.currency).major,
        settlement_amount=share.amount.major,
        transfer_id=settlement.number if arrived else None,
        transfer_time=optional(share.transferred_at),
        transfer_utr=share.transfer_reference,
    )
