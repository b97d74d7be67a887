"""Order, payment, refund and settlement as the API's official clients read them.

Those clients refuse a whole answer for one value they do not expect, so what could be one (a phone
number that is not of ten digits, a word they have not heard of) is null.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus, SettlementStatus
from kassa.base.domain.money import Money
from kassa.faces.orders import refunds, resources
from kassa.faces.orders.authorization import ended_at, last_claim
from kassa.faces.orders.changes import asked_speed
from kassa.faces.orders.pg import states
from kassa.faces.orders.pg.versions import ApiVersion, number_of
from kassa.orders.domain.orders import Order
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack
from kassa.settlement.domain.settlements import PaymentShare

_IST = timezone(timedelta(hours=5, minutes=30))
_PHONE_DIGITS = 10
_NOT_DIGITS = re.compile(r"\D")
_LAST_FOUR = re.compile(r"[0-9]{4}\Z")
BANK_MEMBERS = (
    "customer_bank_account_number",
    "customer_bank_ifsc",
    "customer_bank_code",
    "customer_uid",
)
"""Members of customer_details that an order keeps to be shown again, the first one masked."""


def write_order(
    order: Order,
    payments: Sequence[Payment],
    version: ApiVersion,
    *,
    base_url: str,
    closing: bool = False,
) -> dict[str, Any]:
    """OrderEntity. `closing`: its end was asked for and has not come."""
    number = number_of(f"{order.company_id} {order.id}")
    said: dict[str, Any] = {
        "cf_order_id": number if version.integer_ids else str(number),
        "order_id": order.id,
        "entity": "order",
        "order_currency": order.amount.currency,
        "order_amount": order.amount.major,
        "order_status": states.order_status(order, payments, version, closing=closing),
        "payment_session_id": order.session_token,
        "order_expiry_time": ist_text(order.expires_at),
        "order_note": order.note or None,
        "created_at": ist_text(order.created_at),
        "order_splits": [],
        "customer_details": _customer(order, version),
        "order_meta": {
            "return_url": order.return_url or None,
            "notify_url": order.notify_url or None,
            "payment_methods": order.payment_methods or None,
        },
        "order_tags": order.tags or None,
        "cart_details": None,
        "terminal_data": None,
    }
    if version.links:
        page = f"{base_url}/pg/orders/{quote(order.id, safe='')}"
        for part in ("payments", "settlements", "refunds"):
            said[part] = {"url": f"{page}/{part}"}
    return said


def _customer(order: Order, version: ApiVersion) -> dict[str, Any] | None:
    customer, digits = order.customer, _NOT_DIGITS.sub("", order.customer.phone)
    said = {
        "customer_id": _of_length(customer.id, 50),
        "customer_name": _of_length(customer.name, 100),
        "customer_email": _of_length(customer.email, 100),
        "customer_phone": digits[-_PHONE_DIGITS:] if len(digits) >= _PHONE_DIGITS else None,
        **{member: order.extra.get(member) for member in BANK_MEMBERS},
    }
    if version.whole_customer and None in (said["customer_id"], said["customer_phone"]):
        return None
    return said


def _of_length(text: str, most: int) -> str | None:
    return text if 3 <= len(text) <= most else None


def write_payment(
    order: Order,
    payment: Payment,
    modifications: Sequence[Modification],
    version: ApiVersion,
    *,
    taken: TakenBack = NOTHING_TAKEN,
    about: Modification | None = None,
) -> dict[str, Any]:
    """PaymentEntity. `taken`: what a bank has of it. `about`: the capture or void to tell of; None
    for the newest."""
    method = payment.method
    reference = payment.provider_reference or None
    ended = ended_at(payment)
    said: dict[str, Any] = {
        "cf_payment_id": version.id_of(payment.id),
        "order_id": order.id,
        "entity": "payment",
        "is_captured": payment.captured.minor > 0,
        "order_amount": order.amount.major,
        "payment_group": states.GROUP[method] if method else None,
        "payment_currency": payment.amount.currency,
        "payment_amount": payment.amount.major,
        "payment_time": ist_text(payment.created_at),
        "payment_completion_time": ist_text(ended) if ended else None,
        "payment_status": states.payment_status(payment),
        "payment_message": resources.message_of(payment, taken),
        "bank_reference": reference,
        "auth_id": reference if payment.authorized.minor else None,
        "error_details": _error(payment),
        "authorization": _authorization(payment, about or last_claim(payment, modifications)),
        "payment_method": _method(order, payment),
    }
    if version.details:
        said |= {
            "order_currency": order.amount.currency,
            "international_payment": None,
            "payment_gateway_details": _gateway(payment),
            "payment_surcharge": None,
        }
    return said


def _error(payment: Payment) -> dict[str, Any] | None:
    if payment.status is not PaymentStatus.FAILED:
        return None
    return {
        "error_code": "TRANSACTION_DECLINED",
        "error_description": payment.failure_message,
        "error_reason": payment.failure_code,
        "error_source": "bank",
        "error_code_raw": payment.failure_code,
        "error_description_raw": payment.failure_message,
        "error_subcode_raw": None,
    }


def _authorization(payment: Payment, claim: Modification | None) -> dict[str, Any] | None:
    """Of money that is reserved first; null where it is taken at once."""
    if payment.capture_method is CaptureMethod.AUTOMATIC or not payment.authorized.minor:
        return None
    said: dict[str, Any] = dict.fromkeys(
        "action status captured_amount start_time end_time approve_by action_reference"
        " action_time".split()
    )
    if payment.authorization_expires_at is not None:
        said["approve_by"] = ist_text(payment.authorization_expires_at)
    if claim is not None and states.ACTION_STATUS[claim.status] is not None:
        said["action"] = states.ACTION[claim.kind]
        said["status"] = states.ACTION_STATUS[claim.status]
        said["action_reference"] = claim.provider_reference or claim.id
        said["action_time"] = ist_text(claim.completed_at or claim.created_at)
    elif payment.released_minor:  # its time ran out
        said["action"], said["status"] = "VOID", "SUCCESS"
    if payment.captured.minor:
        said["captured_amount"] = payment.captured.major
    return said


def _method(order: Order, payment: Payment) -> dict[str, Any] | None:
    key = states.METHOD_KEY[payment.method] if payment.method else None
    if key is None or payment.method is None:
        return None
    if key == "card":
        return {"card": _card(payment)}
    if key == "app":
        digits = _NOT_DIGITS.sub("", order.customer.phone)
        return {"app": {"channel": "link", "provider": payment.method.value, "phone": digits}}
    return {key: {"channel": "link"}}


def _card(payment: Payment) -> dict[str, Any]:
    last = _LAST_FOUR.search(payment.instrument)
    return {
        "channel": "link",
        "card_number": f"XXXXXXXXXXXX{last[0]}" if last else None,
        "card_network": None,
        "card_type": "credit_card",
        "card_country": None,
        "card_bank_name": None,
        "card_network_reference_id": None,
        "instrument_id": None,
    }


def _gateway(payment: Payment) -> dict[str, Any] | None:
    if not payment.connector:
        return None
    return {
        "gateway_name": payment.connector,
        "gateway_order_id": None,
        "gateway_payment_id": payment.provider_reference or None,
        "gateway_status_code": None,
        "gateway_order_reference_id": None,
        "gateway_settlement": None,
        "gateway_reference_name": None,
    }


def write_refund(order: Order, refund: Modification, version: ApiVersion) -> dict[str, Any]:
    """RefundEntity."""
    currency = refund.amount.currency
    done = refund.status is ModificationStatus.SUCCEEDED
    status = refunds.status_of(refund)
    speed = asked_speed(refund)
    return {
        "cf_payment_id": version.id_of(refund.payment_id),
        "cf_refund_id": version.refund_id_of(refund.id),
        "order_id": order.id,
        "refund_id": refunds.refund_id_of(refund),
        "entity": "refund",
        "refund_amount": refund.amount.major,
        "refund_currency": currency,
        "refund_note": refund.reason or None,
        "refund_status": status,
        "refund_arn": refund.provider_reference or None,
        "refund_charge": Money(refund.fee_minor, currency).major,
        "status_description": refund.failure_message or refunds.DESCRIPTION[status],
        "metadata": None,
        "refund_splits": [],
        "refund_type": refunds.AUTOMATIC if refund.surplus else refunds.MERCHANT,
        "refund_mode": "STANDARD",
        "created_at": ist_text(refund.created_at),
        "processed_at": ist_text(refund.completed_at) if done and refund.completed_at else None,
        "refund_speed": {
            "requested": speed,
            "accepted": "STANDARD",
            "processed": "STANDARD" if done else None,
            "message": None if speed == "STANDARD" else refunds.NO_INSTANT,
        },
        "forex_conversion_handling_charge": None,
        "forex_conversion_handling_tax": None,
        "forex_conversion_rate": None,
        "charges_currency": currency,
    }


def is_settled(share: PaymentShare) -> bool:
    """Whether this settlement has what the payment brought, and gathers no more."""
    return share.settlement.status is not SettlementStatus.OPEN and share.captured.minor > 0


def write_settlement(
    order: Order, payment: Payment, share: PaymentShare, version: ApiVersion
) -> dict[str, Any]:
    """SettlementEntity."""
    settlement = share.settlement
    arrived = share.transferred_at is not None and bool(share.transfer_reference)
    return {
        "cf_payment_id": version.id_of(payment.id),
        "cf_settlement_id": version.id_of(settlement.id),
        "settlement_currency": settlement.currency,
        "order_id": order.id,
        "entity": "settlement",
        "order_amount": order.amount.major,
        "payment_time": ist_text(payment.created_at),
        "service_charge": share.service_charge.major,
        "service_tax": Money(0, settlement.currency).major,
        "settlement_amount": share.amount.major,
        "settlement_id": settlement.number,
        "transfer_id": settlement.number if arrived else None,
        "transfer_time": ist_text(share.transferred_at) if share.transferred_at else None,
        "transfer_utr": share.transfer_reference or None,
    }


def ist_text(moment: datetime) -> str:
    """Whole seconds in the API's own zone: 2026-11-22T10:20:12+05:30."""
    return moment.astimezone(_IST).isoformat(timespec="seconds")
