"""Payments to translate, made without a database."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kassa.base.domain.lifecycle import (
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PaymentStatus,
)
from kassa.base.domain.money import Money
from kassa.orders.domain.orders import Customer, Module, Order
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.find_payments import View

CREATED = datetime(2026, 11, 22, 2, 20, 2, 56_000, tzinfo=UTC)
CHANGED = datetime(2026, 11, 22, 2, 21, tzinfo=UTC)
PAYMENT_ID = "py_01kazq8w3hf8v2m4r6t9x0y2z4"


def a_view(*, customer: Customer | None = None, **changes: Any) -> View:
    """A captured payment of 12.34 CNY with a fee, with `changes` to the payment."""
    nothing = Money(0, "CNY")
    amount = Money(1234, "CNY")
    payment = Payment(
        company_id="cmp_001",
        id=PAYMENT_ID,
        order_id="ord_001",
        business_id="biz_001",
        amount=amount,
        status=PaymentStatus.CAPTURED,
        method=Method.CREDIT_CARD,
        module=Module.RETAIL,
        authorized=amount,
        captured=amount,
        refunded=nothing,
        refund_reserved=nothing,
        fee=Money(65, "CNY"),
        surplus_amount=nothing,
        face="orders",
        created_at=CREATED,
        updated_at=CHANGED,
        expires_at=CHANGED,
    )
    order = Order(
        company_id="cmp_001",
        id="ord_001",
        business_id="biz_001",
        amount=amount,
        status=OrderStatus.PAID,
        module=Module.RETAIL,
        customer=customer or Customer(id="cus_001", number=1, name="R. Lane"),
        org_number=1,
        session_token="sess_001",
        face="orders",
        created_at=CREATED,
        updated_at=CHANGED,
        expires_at=CHANGED,
    )
    return View(replace(payment, **changes), order)


def a_refund(**changes: Any) -> Modification:
    """A refund of 1.00 CNY that is done, with `changes`."""
    members: dict[str, Any] = {
        "company_id": "cmp_001",
        "id": "rf_001",
        "payment_id": PAYMENT_ID,
        "attempt_id": "at_001",
        "number": 1,
        "kind": ModificationKind.REFUND,
        "status": ModificationStatus.SUCCEEDED,
        "amount": Money(100, "CNY"),
        "connector": "sandbox",
        "actor": "test",
        "created_at": CREATED,
        "updated_at": CHANGED,
        "completed_at": CHANGED,
    }
    return Modification(**{**members, **changes})
