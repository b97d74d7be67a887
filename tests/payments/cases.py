"""A payment to work on without a database: an order, its payment, and a clock that is told."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from kassa.base.domain.lifecycle import AttemptStatus, OrderStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.orders.domain.orders import Customer, Module, Order
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import Attempt, Method, Payment

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
EXPIRES = NOW + timedelta(hours=1)
HUNDRED = Money(10_000, "CNY")
NOTHING = Money(0, "CNY")
_numbers = itertools.count(1)


def new_id(prefix: str) -> str:
    return f"{prefix}_{next(_numbers):04d}"


def an_order(**changes: Any) -> Order:
    members: dict[str, Any] = {
        "company_id": "c1",
        "id": "o1",
        "business_id": "b1",
        "amount": HUNDRED,
        "status": OrderStatus.ACTIVE,
        "module": Module.RETAIL,
        "customer": Customer(id="cus", number=1),
        "org_number": 7,
        "notify_url": "https://merchant.example/news",
        "notify_kind": "standard",
        "session_token": "sess_7z",
        "face": "orders",
        "created_at": NOW,
        "updated_at": NOW,
        "expires_at": EXPIRES,
    }
    return Order(**{**members, **changes})


def a_payment(status: PaymentStatus = PaymentStatus.CREATED, **changes: Any) -> Payment:
    members: dict[str, Any] = {
        "company_id": "c1",
        "id": "py1",
        "order_id": "o1",
        "business_id": "b1",
        "amount": HUNDRED,
        "status": status,
        "method": None,
        "module": Module.RETAIL,
        "authorized": NOTHING,
        "captured": NOTHING,
        "refunded": NOTHING,
        "refund_reserved": NOTHING,
        "fee": NOTHING,
        "surplus_amount": NOTHING,
        "face": "orders",
        "notify_url": "https://merchant.example/news",
        "notify_kind": "standard",
        "created_at": NOW,
        "updated_at": NOW,
        "expires_at": EXPIRES,
    }
    return Payment(**{**members, **changes})


def an_attempt(
    status: AttemptStatus = AttemptStatus.DISPATCHED, number: int = 1, **changes: Any
) -> Attempt:
    members: dict[str, Any] = {
        "company_id": "c1",
        "id": f"at7_{number}",
        "payment_id": "py1",
        "number": number,
        "connector": "sandbox",
        "method": Method.CREDIT_CARD,
        "status": status,
        "amount": HUNDRED,
        "instrument": "•••• 4242",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Attempt(**{**members, **changes})


def a_case(
    status: PaymentStatus = PaymentStatus.CREATED,
    *attempts: Attempt,
    order: OrderStatus = OrderStatus.ACTIVE,
    order_paid: bool = False,
    now: datetime = NOW,
    **payment: Any,
) -> PaymentAggregate:
    """A case as it would be read under the lock."""
    paid = status in (PaymentStatus.CAPTURED, PaymentStatus.SETTLED)
    if paid:
        payment = {"authorized": HUNDRED, "captured": HUNDRED, "captured_at": NOW, **payment}
        order = order if payment.get("surplus") else OrderStatus.PAID
    return PaymentAggregate(
        a_payment(status, **payment),
        now,
        new_id,
        an_order(status=order),
        {attempt.id: attempt for attempt in attempts},
        order_paid=order_paid,
    )


def booked(case: PaymentAggregate) -> dict[str, int]:
    """What this case's postings add to each account, debits positive."""
    found: dict[str, int] = {}
    for posting in case.postings:
        for entry in posting.entries:
            found[entry.account] = found.get(entry.account, 0) + entry.minor
    return found
