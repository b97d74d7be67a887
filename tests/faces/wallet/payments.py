"""Payments to put into words, made without a database."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kassa.base.domain.lifecycle import FUNDS_MOVED, PaymentStatus
from kassa.base.domain.money import Money
from kassa.orders.domain.orders import Module
from kassa.payments.domain.payments import Payment

CREATED = datetime(2026, 11, 22, 2, 20, 2, 56_000, tzinfo=UTC)
CAPTURED = datetime(2026, 11, 22, 2, 21, tzinfo=UTC)
PAYMENT_ID = "py_01kazq8w3hf8v2m4r6t9x0y2z4"
REQUEST_ID = "2019112719074101000700000077771xxxx"
CLIENT_ID = "5X00000000000000"


def a_payment(status: PaymentStatus = PaymentStatus.CAPTURED, **changes: Any) -> Payment:
    """A wallet payment of 2000 CLP in that status, with `changes`."""
    amount, nothing = Money(2000, "CLP"), Money(0, "CLP")
    moved = amount if status in FUNDS_MOVED else nothing
    payment = Payment(
        company_id="cmp_001",
        id=PAYMENT_ID,
        order_id="order_001",
        business_id="biz_001",
        amount=amount,
        status=status,
        method=None,
        module=Module.RETAIL,
        authorized=moved,
        captured=moved,
        refunded=nothing,
        refund_reserved=nothing,
        fee=nothing,
        surplus_amount=nothing,
        retry_allowed=False,
        face="wallet",
        request_scope=f"wallet.pay:{CLIENT_ID}",
        request_id=REQUEST_ID,
        created_at=CREATED,
        updated_at=CAPTURED,
        captured_at=CAPTURED if status in FUNDS_MOVED else None,
        expires_at=CAPTURED,
        extra={"client_id": CLIENT_ID, "auth": ""},
    )
    return replace(payment, **changes)
