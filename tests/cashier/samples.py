"""A look at a payment, made without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kassa.base.domain.lifecycle import OrderStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.cashier.screens import CashierVisit
from kassa.cashier.speech import choose_speech
from kassa.cashier.stages import stage_of
from kassa.identity.domain.principals import Company, Mode
from kassa.orders.domain.orders import Customer, Module, Order
from kassa.payments.domain.payments import Method, Payment

NOW = datetime(2026, 11, 22, 10, 4, tzinfo=UTC)
PLACE = "/pay/sess_1z0123456789abcdef"
AMOUNT = Money(29_900, "CNY")
NOTHING = Money(0, "CNY")

COMPANY = Company(
    id="cmp_001",
    public_id="cmp_001",
    number=1,
    name="Lantern Tea House",
    currency="CNY",
    business_id="biz_001",
    mode=Mode.TEST,
)
ORDER = Order(
    company_id="cmp_001",
    id="order_tea",
    business_id="biz_001",
    amount=AMOUNT,
    status=OrderStatus.ACTIVE,
    module=Module.RETAIL,
    customer=Customer(id="cus_001", number=1),
    org_number=1,
    description="Jasmine pearls, 250 g",
    return_url="https://shop.example/thanks?order={order_id}",
    session_token=PLACE.removeprefix("/pay/"),
    face="orders",
    created_at=NOW,
    updated_at=NOW,
    expires_at=NOW + timedelta(minutes=14),
)
PAYMENT = Payment(
    company_id="cmp_001",
    id="py_01kazq8w3hf8v2m4r6t9x0y2z4",
    order_id=ORDER.id,
    business_id="biz_001",
    amount=AMOUNT,
    status=PaymentStatus.CREATED,
    method=None,
    module=Module.RETAIL,
    authorized=NOTHING,
    captured=NOTHING,
    refunded=NOTHING,
    refund_reserved=NOTHING,
    fee=NOTHING,
    surplus_amount=NOTHING,
    face="orders",
    created_at=NOW,
    updated_at=NOW,
    expires_at=ORDER.expires_at,
)
PAID = replace(
    PAYMENT,
    status=PaymentStatus.CAPTURED,
    captured=AMOUNT,
    method=Method.CREDIT_CARD,
    instrument="•••• 4242",
    captured_at=NOW,
)


def a_visit(
    payment: Payment = PAYMENT,
    *,
    order: Order = ORDER,
    company: Company = COMPANY,
    lang: str = "",
    accept_language: str = "en-US",
    expired: bool = False,
    **changes: Any,
) -> CashierVisit:
    """A visit to that payment, with `changes` to the visit."""
    visit = CashierVisit(
        company=company,
        order=order,
        payment=payment,
        methods=[Method.CREDIT_CARD, Method.WALLET, Method.ALIPAY],
        stage=stage_of(order, payment, expired=expired),
        now=NOW,
        sandbox=True,
        place=PLACE,
        speech=choose_speech(lang, accept_language),
    )
    return replace(visit, **changes)
