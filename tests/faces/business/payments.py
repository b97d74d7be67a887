"""Payments to translate, made without a database."""

from datetime import UTC, datetime
from typing import Any

from kassa.base.domain.lifecycle import (
    ModificationKind,
    ModificationStatus,
    PaymentStatus,
)
from kassa.base.domain.money import Money
from kassa.orders.domain.orders import Module
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Method
from kassa.payments.domain.summaries import Summary

CREATED = datetime(2026, 11, 22, 2, 20, 2, 56_000, tzinfo=UTC)
CHANGED = datetime(2026, 11, 22, 2, 21, tzinfo=UTC)
PAYMENT_ID = "py_01kazq8w3hf8v2m4r6t9x0y2z4"


def a_summary(**changes: Any) -> Summary:
    """A captured payment of 12.34 CNY with a fee, with `changes`."""
    payment = Summary(
        company_id="cmp_001",
        id=PAYMENT_ID,
        business_id="biz_001",
        order_id="ord_001",
        customer_id="cus_001",
        customer_name="R. Lane",
        method=Method.CREDIT_CARD,
        status=PaymentStatus.CAPTURED,
        module=Module.RETAIL,
        currency="CNY",
        amount_minor=1234,
        captured_minor=1234,
        fee_minor=65,
        refunded_minor=0,
        disputed_minor=0,
        surplus=False,
        surplus_minor=0,
        surplus_returned_minor=0,
        unapplied_minor=0,
        modifications=0,
        disputes=0,
        created_at=CREATED,
        updated_at=CHANGED,
    )
    return payment._replace(**changes)


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
