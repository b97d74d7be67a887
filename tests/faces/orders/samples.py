"""Orders and payments to translate, made without a database, and the golden examples' reader."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

from kassa.domain.lifecycle import OrderStatus, PaymentStatus
from kassa.domain.money import Money
from kassa.domain.orders import Customer, Module, Order
from kassa.domain.payments import Method, Payment
from kassa.domain.principals import Company, Principal

BASE_URL = "https://pay.example"
CREATED = datetime(2026, 11, 22, 2, 20, 2, 56_000, tzinfo=UTC)
CHANGED = datetime(2026, 11, 22, 2, 21, tzinfo=UTC)
EXPIRES = datetime(2026, 11, 30, 4, 30, tzinfo=UTC)
PRINCIPAL = Principal(
    company=Company(id="cmp_1", number=1001, name="Demo", currency="CNY", business_id="biz_demo"),
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
