"""The order and its payments in the words of the orders interface."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from kassa.base.domain.lifecycle import FUNDS_MOVED, ModificationStatus, OrderStatus, PaymentStatus
from kassa.faces.edge import utc_text
from kassa.faces.orders.authorization import (
    Authorization,
    ended_at,
    last_claim,
    optional,
    write_authorization,
)
from kassa.faces.taken import taken_in_words
from kassa.orders.domain.orders import Order
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack

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

CLOSED_ORDER_WORD: Mapping[OrderStatus, str] = {
    OrderStatus.PAID: "paid",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.CANCELED: "canceled",
}
"""order_status of an order that waits no more; an active one reads as its payment does."""


class ShownCustomer(msgspec.Struct, frozen=True):
    customer_id: int
    org_id: int
    customer_name: str
    customer_email: str
    customer_phone: str


class ShownMeta(msgspec.Struct, frozen=True):
    return_url: str
    notify_url: str
    payment_methods: str


class ShownTags(msgspec.Struct, frozen=True):
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
    customer_details: ShownCustomer
    order_meta: ShownMeta
    order_expiry_time: str
    order_note: str
    order_status: str
    order_tags: ShownTags
    order_created: str
    payment_session_id: str
    payments: Link
    refunds: Link
    settlements: Link


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
        customer_details=ShownCustomer(
            customer.number, order.org_number, customer.name, customer.email, customer.phone
        ),
        order_meta=ShownMeta(order.return_url, order.notify_url, order.payment_methods),
        order_expiry_time=utc_text(order.expires_at),
        order_note=order.note,
        order_status=order_word(order, payments),
        order_tags=ShownTags(order.tags.get("name", ""), order.tags.get("age", "")),
        order_created=utc_text(order.created_at),
        payment_session_id=order.session_token,
        payments=Link(f"{page}/payments"),
        refunds=Link(f"{page}/refunds"),
        settlements=Link(f"{page}/settlements"),
    )


def write_payment(
    order: Order,
    payment: Payment,
    modifications: Sequence[Modification] = (),
    *,
    taken: TakenBack = NOTHING_TAKEN,
    about: Modification | None = None,
) -> PaymentBody:
    """`modifications`: what was done to the order's payments since, oldest first. `taken`: what a
    bank has of it.

    `about`: the capture or void to tell of; None for the newest.
    """
    method = payment.method.value if payment.method else ""
    reference = payment.provider_reference
    claim = about or last_claim(payment, modifications)
    return PaymentBody(
        id=payment.id,
        order_id=payment.order_id,
        entity=payment.connector,
        payment_currency=payment.amount.currency,
        error_details=_error_details(payment, claim, taken),
        order_amount=order.amount.major,
        is_captured=payment.is_paid,
        payment_group=method,
        authorization=write_authorization(payment, claim),
        payment_method=[{"type": method, "instrument": payment.instrument}] if method else [],
        payment_amount=payment.captured.major,
        payment_time=utc_text(payment.created_at),
        payment_completion_time=optional(ended_at(payment)),
        payment_status=PAYMENT_WORD[payment.status],
        payment_message=message_of(payment, taken),
        bank_reference=reference,
        auth_id=reference if payment.authorized.minor else "",
    )


def _error_details(
    payment: Payment, claim: Modification | None, taken: TakenBack
) -> list[dict[str, str]]:
    """Why the payment failed, why the provider refused to claim or let go of its money, and how a
    bank has taken it back for good."""
    refused = claim if claim and claim.status is ModificationStatus.FAILED else None
    gone = "; ".join(taken_in_words(taken)) if taken.is_final else ""
    back = [{"error_code": str(taken.taking), "error_description": gone}] if gone else []
    return back + [
        {"error_code": failed.failure_code, "error_description": failed.failure_message}
        for failed in (payment, refused)
        if failed is not None and failed.failure_code
    ]


def message_of(payment: Payment, taken: TakenBack = NOTHING_TAKEN) -> str:
    """payment_message."""
    if payment.surplus:
        return f"Paid although nothing was owed any more: {_of_surplus(payment, taken)}"
    if payment.unapplied_minor:
        came = f"{payment.unapplied} of {payment.amount} came by transfer"
        return f"{came}; {payment.missing} are missing"
    if payment.failure_message or not payment.is_paid:
        return payment.failure_message or PAYMENT_MESSAGE[payment.status]
    said = [PAYMENT_MESSAGE[payment.status]]
    if payment.captured.minor < payment.authorized.minor:
        rest = f"{payment.held} is still reserved" if payment.held.minor else "the rest was let go"
        said.append(f"{payment.captured} of {payment.authorized} was claimed, {rest}")
    if payment.method is Method.BANK_TRANSFER and payment.captured.minor < payment.amount.minor:
        said.append(f"{payment.captured} of {payment.amount} was taken for the whole")
    if payment.surplus_left.minor:
        said.append(f"{payment.surplus_left} more came, and is to be given back")
    if payment.refunded.minor:
        said.append(f"{payment.refunded} was given back")
    return "; ".join([*said, *taken_in_words(taken)])


def _of_surplus(payment: Payment, taken: TakenBack) -> str:
    """What became, or is to become, of money that nobody owed."""
    own, refunded = taken.own(payment), taken.refunded_of(payment)
    said = taken_in_words(own)
    if payment.surplus_returned_minor < payment.surplus_amount.minor:
        said.append(f"{'the rest' if said else 'it'} is to be given back")
    elif refunded.minor:
        said.append(f"{refunded if said else 'it'} was given back")
    return "; ".join(said) or "it was given back"
