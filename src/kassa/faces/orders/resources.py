"""The order and its payments, refunds and settlements, in the words of the orders interface."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from kassa.domain.lifecycle import ENDED, FUNDS_MOVED, OrderStatus, PaymentStatus
from kassa.domain.orders import Order
from kassa.domain.payments import Payment
from kassa.faces.edge import utc_text

_S = PaymentStatus

PAYMENT_WORD: Mapping[PaymentStatus, str] = {
    _S.CREATED: "created",
    _S.REQUIRES_ACTION: "created",
    _S.PROCESSING: "pending",
    _S.AUTHORIZED: "pending",
    _S.CAPTURED: "paid",
    _S.SETTLED: "paid",
    _S.CANCELED: "failed",
    _S.FAILED: "failed",
    _S.EXPIRED: "failed",
}
"""payment_status."""

PAYMENT_MESSAGE: Mapping[PaymentStatus, str] = {
    _S.CREATED: "Waiting for the payer",
    _S.REQUIRES_ACTION: "Waiting for the payer to confirm",
    _S.PROCESSING: "Payment is being processed",
    _S.AUTHORIZED: "Funds are reserved",
    _S.CAPTURED: "Payment successful",
    _S.SETTLED: "Payment successful",
    _S.CANCELED: "Payment canceled",
    _S.FAILED: "Payment failed",
    _S.EXPIRED: "Payment expired",
}
"""payment_message, unless the payment failed for a reason of its own."""

AUTHORIZATION: Mapping[PaymentStatus, tuple[str, str]] = {
    _S.CREATED: ("", ""),
    _S.REQUIRES_ACTION: ("", ""),
    _S.PROCESSING: ("capture", "pending"),
    _S.AUTHORIZED: ("authorize", "success"),
    _S.CAPTURED: ("capture", "success"),
    _S.SETTLED: ("capture", "success"),
    _S.CANCELED: ("", ""),
    _S.FAILED: ("capture", "failed"),
    _S.EXPIRED: ("", ""),
}
"""authorization's action and status: empty where no provider is, or has been, asked to act."""

CLOSED_ORDER_WORD: Mapping[OrderStatus, str] = {
    OrderStatus.PAID: "paid",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.CANCELED: "canceled",
}
"""order_status of an order that waits no more; an active one reads as its payment does."""


class CustomerDetails(msgspec.Struct, frozen=True):
    customer_id: int
    org_id: int
    customer_name: str
    customer_email: str
    customer_phone: str


class OrderMeta(msgspec.Struct, frozen=True):
    return_url: str
    notify_url: str
    payment_methods: str


class OrderTags(msgspec.Struct, frozen=True):
    name: str
    age: str


class Link(msgspec.Struct, frozen=True):
    url: str


class OrderBody(msgspec.Struct, frozen=True, kw_only=True):
    """Order. `order_amount`: major units with the currency's digits; times: RFC 3339, UTC."""

    id: str
    order_id: str
    order_amount: Decimal
    order_currency: str
    customer_details: CustomerDetails
    order_meta: OrderMeta
    order_expiry_time: str
    order_note: str
    order_status: str
    order_tags: OrderTags
    order_created: str
    payment_session_id: str
    payments: Link
    refunds: Link
    settlements: Link


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """A time that has not come is null; text that there is none of is empty."""

    action: str
    status: str
    captured_amount: Decimal
    start_time: str | None
    end_time: str | None
    approve_by: str
    action_reference: str
    action_time: str | None


class PaymentBody(msgspec.Struct, frozen=True, kw_only=True):
    """Payment. `payment_amount` is what has been paid, and so zero until funds are claimed."""

    id: str
    order_id: str
    entity: str
    payment_currency: str
    error_details: list[dict[str, str]]
    order_amount: Decimal
    is_captured: bool
    payment_group: str
    authorization: Authorization
    payment_method: list[dict[str, Any]]
    payment_amount: Decimal
    payment_time: str
    payment_completion_time: str | None
    payment_status: str
    payment_message: str
    bank_reference: str
    auth_id: str


class RefundBody(msgspec.Struct, frozen=True, kw_only=True):
    """What has been given back of one payment."""

    order_id: str
    payment_id: str
    refund_amount: Decimal
    refund_currency: str


class SettlementBody(msgspec.Struct, frozen=True, kw_only=True):
    """One payment that a provider's settlement report has confirmed."""

    order_id: str
    payment_id: str
    entity: str
    payment_amount: Decimal
    service_charge: Decimal
    settlement_currency: str


def deciding_payment(payments: Sequence[Payment]) -> Payment | None:
    """The payment that says how its order stands: a paid one, else one under way, else the newest.

    `payments`: oldest first.
    """
    for statuses in (FUNDS_MOVED, {_S.PROCESSING, _S.AUTHORIZED}, PAYMENT_WORD):
        for payment in reversed(payments):
            if payment.status in statuses:
                return payment
    return None


def order_word(order: Order, payments: Sequence[Payment]) -> str:
    """order_status."""
    if order.status in CLOSED_ORDER_WORD:
        return CLOSED_ORDER_WORD[order.status]
    deciding = deciding_payment(payments)
    return "created" if deciding is None else PAYMENT_WORD[deciding.status]


def write_order(order: Order, payments: Sequence[Payment], base_url: str) -> OrderBody:
    page = f"{base_url}/pg/orders/{quote(order.id, safe='')}"
    customer = order.customer
    return OrderBody(
        id=order.id,
        order_id=order.id,
        order_amount=order.amount.major,
        order_currency=order.amount.currency,
        customer_details=CustomerDetails(
            customer.number, order.org_number, customer.name, customer.email, customer.phone
        ),
        order_meta=OrderMeta(order.return_url, order.notify_url, order.payment_methods),
        order_expiry_time=utc_text(order.expires_at),
        order_note=order.note,
        order_status=order_word(order, payments),
        order_tags=OrderTags(order.tags.get("name", ""), order.tags.get("age", "")),
        order_created=utc_text(order.created_at),
        payment_session_id=order.session_token,
        payments=Link(f"{page}/payments"),
        refunds=Link(f"{page}/refunds"),
        settlements=Link(f"{page}/settlements"),
    )


def write_payment(order: Order, payment: Payment) -> PaymentBody:
    method = payment.method.value if payment.method else ""
    reference = payment.provider_reference
    return PaymentBody(
        id=payment.id,
        order_id=payment.order_id,
        entity=payment.connector,
        payment_currency=payment.amount.currency,
        error_details=_error_details(payment),
        order_amount=order.amount.major,
        is_captured=payment.is_paid,
        payment_group=method,
        authorization=_authorization(payment),
        payment_method=[{"type": method, "instrument": payment.instrument}] if method else [],
        payment_amount=payment.captured.major,
        payment_time=utc_text(payment.created_at),
        payment_completion_time=_optional(_ended_at(payment)),
        payment_status=PAYMENT_WORD[payment.status],
        payment_message=_message(payment),
        bank_reference=reference,
        auth_id=reference if payment.authorized.minor else "",
    )


def _error_details(payment: Payment) -> list[dict[str, str]]:
    if not payment.failure_code:
        return []
    return [
        {"error_code": payment.failure_code, "error_description": payment.failure_message},
    ]


def _message(payment: Payment) -> str:
    if payment.surplus:
        return "Paid although nothing was owed any more: it is to be given back"
    return payment.failure_message or PAYMENT_MESSAGE[payment.status]


def _authorization(payment: Payment) -> Authorization:
    action, status = AUTHORIZATION[payment.status]
    ended_at = _ended_at(payment) if action else None
    return Authorization(
        action=action,
        status=status,
        captured_amount=payment.captured.major,
        start_time=utc_text(payment.created_at) if action else None,
        end_time=_optional(ended_at),
        approve_by=utc_text(payment.expires_at),
        action_reference=payment.provider_reference,
        action_time=_optional(ended_at),
    )


def _ended_at(payment: Payment) -> datetime | None:
    """When it was decided; for what ended without funds, that was its last change."""
    if payment.captured_at is not None:
        return payment.captured_at
    return payment.updated_at if payment.status in ENDED else None


def _optional(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)


def write_refunds(payments: Sequence[Payment]) -> list[RefundBody]:
    return [
        RefundBody(
            order_id=payment.order_id,
            payment_id=payment.id,
            refund_amount=payment.refunded.major,
            refund_currency=payment.refunded.currency,
        )
        for payment in payments
        if payment.refunded.minor
    ]


def write_settlements(payments: Sequence[Payment]) -> list[SettlementBody]:
    return [
        SettlementBody(
            order_id=payment.order_id,
            payment_id=payment.id,
            entity=payment.connector,
            payment_amount=payment.captured.major,
            service_charge=payment.fee.major,
            settlement_currency=payment.captured.currency,
        )
        for payment in payments
        if payment.status is _S.SETTLED
    ]
