"""Orders and payments to translate, made without a database, and the golden examples' reader."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

from kassa.base.domain.lifecycle import (
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PaymentStatus,
    SettlementStatus,
)
from kassa.base.domain.money import Money
from kassa.identity.domain.principals import Company, Mode, Principal
from kassa.ledger.domain.ledger import PostingKind
from kassa.orders.domain.orders import Customer, Module, Order
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.settlement.domain.settlements import Line, PaymentShare, Settlement, Sums

BASE_URL = "https://pay.example"
CREATED = datetime(2026, 11, 22, 2, 20, 2, 56_000, tzinfo=UTC)
CHANGED = datetime(2026, 11, 22, 2, 21, tzinfo=UTC)
RESERVED_UNTIL = datetime(2026, 11, 29, 2, 20, 30, tzinfo=UTC)
EXPIRES = datetime(2026, 11, 30, 4, 30, tzinfo=UTC)
PRINCIPAL = Principal(
    company=Company(
        id="cmp_1",
        public_id="cmp_1",
        number=1001,
        name="Demo",
        currency="CNY",
        business_id="biz_demo",
        mode=Mode.TEST,
    ),
    business_id="biz_demo",
    kind="client",
    credential="demo",
)


def golden(name: str) -> dict[str, Any]:
    """`examples/name.json`, numbers as Decimals with the digits they are printed with."""
    place = files("kassa.faces.orders") / "examples" / f"{name}.json"
    found: dict[str, Any] = json.loads(place.read_text("utf-8"), parse_float=Decimal)
    return found


def an_order(**changes: Any) -> Order:
    said: dict[str, Any] = {
        "company_id": "cmp_1",
        "id": "order_xyz789",
        "business_id": "biz_demo",
        "amount": Money(29990, "INR"),
        "status": OrderStatus.ACTIVE,
        "module": Module.RETAIL,
        "customer": Customer(
            id="77", number=77, name="Alice", email="alice@example.com", phone="+91 99999-99999"
        ),
        "org_number": 1001,
        "note": "Gift wrap",
        "tags": {"name": "Retail", "age": "New"},
        "return_url": "https://shop.example/done?order={order_id}",
        "notify_url": "https://shop.example/news",
        "payment_methods": "upi, card",
        "session_token": "sess_abc123",
        "face": "orders",
        "created_at": CREATED,
        "updated_at": CHANGED,
        "expires_at": EXPIRES,
    }
    return Order(**said | changes)


def a_payment(status: PaymentStatus, **changes: Any) -> Payment:
    nothing = Money(0, "INR")
    said: dict[str, Any] = {
        "company_id": "cmp_1",
        "id": "py_01jd0000000000000000000000",
        "order_id": "order_xyz789",
        "business_id": "biz_demo",
        "amount": Money(29990, "INR"),
        "status": status,
        "method": None,
        "module": Module.RETAIL,
        "authorized": nothing,
        "captured": nothing,
        "refunded": nothing,
        "refund_reserved": nothing,
        "fee": nothing,
        "surplus_amount": nothing,
        "face": "orders",
        "created_at": CREATED,
        "updated_at": CHANGED,
        "expires_at": EXPIRES,
    }
    return Payment(**said | changes)


def a_paid_payment(**changes: Any) -> Payment:
    said: dict[str, Any] = {
        "method": Method.CREDIT_CARD,
        "authorized": Money(29990, "INR"),
        "captured": Money(29990, "INR"),
        "connector": "sandbox",
        "provider_reference": "sbx_1",
        "instrument": "•••• 4242",
        "captured_at": CHANGED,
        "version": 3,
    }
    return a_payment(PaymentStatus.CAPTURED, **said | changes)


def a_failed_payment(**changes: Any) -> Payment:
    said: dict[str, Any] = {
        "method": Method.CREDIT_CARD,
        "connector": "sandbox",
        "instrument": "•••• 0002",
        "failure_code": "card_declined",
        "failure_message": "The card was declined",
        "version": 3,
    }
    return a_payment(PaymentStatus.FAILED, **said | changes)


def a_reserved_payment(**changes: Any) -> Payment:
    said: dict[str, Any] = {
        "method": Method.CREDIT_CARD,
        "authorized": Money(29990, "INR"),
        "connector": "sandbox",
        "provider_reference": "sbx_1",
        "instrument": "•••• 4242",
        "capture_method": CaptureMethod.MANUAL,
        "authorization_expires_at": RESERVED_UNTIL,
        "version": 3,
    }
    return replace(a_payment(PaymentStatus.AUTHORIZED), **said | changes)


def a_partly_captured_payment(**changes: Any) -> Payment:
    """100.00 of what was reserved was claimed, and the rest let go."""
    said: dict[str, Any] = {
        "status": PaymentStatus.CAPTURED,
        "captured": Money(10000, "INR"),
        "released_minor": 19990,
        "authorization_expires_at": None,
        "captured_at": CHANGED,
        "modifications": 1,
        "version": 5,
    }
    return replace(a_reserved_payment(), **said | changes)


def a_modification(kind: ModificationKind, **changes: Any) -> Modification:
    """One that is done, of 100.00."""
    said: dict[str, Any] = {
        "company_id": "cmp_1",
        "id": f"{kind[:2]}1001_01jd0000000000000000000000",
        "payment_id": "py_01jd0000000000000000000000",
        "attempt_id": "at1001_01jd0000000000000000000000",
        "number": 1,
        "kind": kind,
        "status": ModificationStatus.SUCCEEDED,
        "amount": Money(10000, "INR"),
        "connector": "sandbox",
        "actor": "client:demo",
        "provider_reference": "sbx_2",
        "created_at": CHANGED,
        "updated_at": CHANGED,
        "completed_at": CHANGED,
    }
    return Modification(**said | changes)


def a_refund(**changes: Any) -> Modification:
    said: dict[str, Any] = {
        "request_scope": "orders.refunds",
        "request_id": "refund_1",
        "reason": "One cup was broken",
        "provider_reference": "sbx_3",
        "extra": {"refund_speed": "INSTANT", "idempotency_key": ""},
    }
    return a_modification(ModificationKind.REFUND, **said | changes)


def a_share(status: SettlementStatus = SettlementStatus.PAID) -> PaymentShare:
    """299.90 captured, 100.00 given back and 8.99 kept by the provider, paid out with others."""
    is_open, paid = status is SettlementStatus.OPEN, status is SettlementStatus.PAID
    moved = ((PostingKind.CAPTURE, 29990), (PostingKind.FEE, -899), (PostingKind.REFUND, -10000))
    return PaymentShare(
        payment_id="py_01jd0000000000000000000000",
        settlement=Settlement(
            company_id="cmp_1",
            id="st_01jd0000000000000000000000",
            number=7,
            connector="sandbox",
            currency="INR",
            status=status,
            sums=Sums(payments=50000, refunds=-10000, fees=-1500),
            payout_reference="payout_20261123_INR" if paid else "",
            opened_at=CREATED,
            closed_at=None if is_open else EXPIRES,
            paid_at=EXPIRES if paid else None,
        ),
        lines=tuple(
            Line(
                posting_id=f"po_{minor}",
                leg=1,
                settlement_id="st_01jd0000000000000000000000",
                payment_id="py_01jd0000000000000000000000",
                kind=kind,
                at=CHANGED,
                amount=Money(minor, "INR"),
            )
            for kind, minor in moved
        ),
    )
