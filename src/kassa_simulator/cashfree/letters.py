"""Webhooks: what happened, signed with the client secret over the time and the very bytes."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from kassa_simulator.cashfree.entities import (
    error_details,
    gateway_details,
    payment_message,
    payment_status,
    refund_json,
)
from kassa_simulator.cashfree.wire import (
    FIRST_VERSION,
    NAME,
    JsonObject,
    cf_id,
    dumps,
    indian,
    loads,
    money,
    seconds,
)
from kassa_simulator.frame import Books, Change, Charge, Letter, Merchant, Told

_EVENT = {
    "SUCCESS": "PAYMENT_SUCCESS_WEBHOOK",
    "FAILED": "PAYMENT_FAILED_WEBHOOK",
    "USER_DROPPED": "PAYMENT_USER_DROPPED_WEBHOOK",
}
_NEXT_VERSION = "2031-01-01"
_WRONG_SECRET = "not-the-secret"
_KEYED_SINCE = "2025-01-01"
_MONEY = ("payment_amount", "refund_amount", "amount_settled", "dispute_amount")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """No sign stands between the time and the body.

    Source: https://www.cashfree.com/docs/payments/online/webhooks/signature-verification
    """
    mac = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def write(merchant: Merchant, told: Told, *, now: datetime, forged: bool) -> Letter:
    data: Any = loads(told.data["text"])
    if forged:
        data = _forged(data)
    content = {"data": data, "event_time": indian(seconds(told.at)), "type": told.event}
    body = told.written(dumps(content))
    timestamp = str(int(now.timestamp() * 1000))
    secret = _WRONG_SECRET if forged else merchant.credentials["client_secret"]
    headers = {
        "content-type": "application/json",
        "x-webhook-signature": signature(secret, timestamp, body),
        "x-webhook-timestamp": timestamp,
        "x-webhook-version": _NEXT_VERSION if told.next_year else told.data["version"],
        "x-webhook-attempt": "1",
    }
    if told.data["version"] >= _KEYED_SINCE:
        digest = hashlib.sha256(told.id.encode()).digest()
        headers["x-idempotency-key"] = base64.b64encode(digest).decode()
    return Letter(url=told.url or merchant.notify_url, headers=headers, body=body)


def tell_payment(books: Books, order: Mapping[str, Any], charge: Charge) -> None:
    """Nothing is told of a payment that is not over."""
    event = _EVENT.get(payment_status(charge))
    if event is None:
        return
    currency, version = charge.currency, order["version"]
    payment: JsonObject = {
        "cf_payment_id": cf_id(charge.id, version),
        "payment_status": payment_status(charge),
        "payment_amount": money(charge.amount_minor, currency),
        "payment_currency": currency,
        "payment_message": payment_message(charge),
        "payment_time": indian(int(charge.data["attempted_at"])),
        "bank_reference": charge.data.get("bank_reference"),
        "auth_id": None,
        "payment_method": charge.data["method"],
        "payment_group": charge.data["group"],
    }
    if version >= _KEYED_SINCE:
        payment["international_payment"] = {"international": False}
        payment["payment_surcharge"] = None
    data: JsonObject = {
        "order": {
            "order_id": order["order_id"],
            "order_amount": money(order["amount"], currency),
            "order_currency": currency,
            "order_tags": order["tags"] or None,
        },
        "payment": payment,
        "customer_details": _customer(order),
        "payment_gateway_details": gateway_details(),
        "payment_offers": None,
    }
    if errors := error_details(charge):
        data["error_details"] = errors
    _tell(books, order, charge.id, event, data)


def tell_refund(books: Books, order: Mapping[str, Any], refund: Change) -> None:
    """Written otherwise than the refund itself: its ids are numbers, its entity has a capital."""
    shown = refund_json(refund, order, FIRST_VERSION)
    speed = shown.pop("refund_speed")
    shown |= {
        "cf_refund_id": int(refund.id),
        "entity": "Refund",
        "requested_speed": speed["requested"],
        "processed_speed": speed["processed"],
        "service_charge": money(0, order["currency"]),
        "service_tax": money(0, order["currency"]),
    }
    _tell(books, order, refund.charge_id, "REFUND_STATUS_WEBHOOK", {"refund": shown})


def tell_dispute(books: Books, order: Mapping[str, Any], charge: Charge, event: str) -> None:
    dispute = charge.data["dispute"]
    currency, told_in = charge.currency, dispute["currency"]
    said = {
        "dispute_id": dispute["id"],
        "dispute_type": dispute["type"],
        "reason_code": "4855",
        "reason_description": "Goods or Services Not Provided",
        "dispute_amount": money(dispute["amount"], told_in),
        "dispute_amount_currency": told_in,
        "created_at": indian(dispute["created_at"]),
        "updated_at": indian(seconds(charge.updated_at)),
        "respond_by": indian(dispute["respond_by"]),
        "resolved_at": indian(seconds(charge.updated_at)) if event == "DISPUTE_CLOSED" else None,
        "dispute_status": f"{dispute['type']}_{dispute['now']}",
        "cf_dispute_remarks": None,
    }
    details = {
        "order_id": order["order_id"],
        "order_currency": currency,
        "order_amount": money(order["amount"], currency),
        "cf_payment_id": cf_id(charge.id, order["version"]),
        "payment_currency": currency,
        "payment_amount": money(charge.amount_minor, currency),
    }
    data = {"dispute": said, "order_details": details, "customer_details": _customer(order)}
    _tell(books, order, charge.id, event, data)


def tell_settlement(
    books: Books, merchant: Merchant, settlement: Mapping[str, Any], status: str = "SUCCESS"
) -> None:
    """`status`: REVERSED where the bank has sent it back."""
    currency = settlement["currency"]
    said = {
        "settlement_id": int(settlement["id"]),
        "utr": settlement["utr"],
        "status": status,
        "amount_settled": money(settlement["amount_settled"], currency),
        "payment_amount": money(settlement["payment_amount"], currency),
        "settlement_amount": money(settlement["settlement_amount"], currency),
        "adjustment": money(settlement["adjustment"], currency),
        "service_charge": money(settlement["fee"], currency),
        "service_tax": money(settlement["tax"], currency),
        "settlement_charge": money(0, currency),
        "settlement_tax": money(0, currency),
        "payment_from": _plain(settlement["from"]),
        "payment_till": _plain(settlement["till"]),
        "settled_on": _plain(settlement["at"]),
        "settlement_type": "NORMAL_SETTLEMENT",
        "reason": None,
        "remarks": None,
    }
    data = {"text": dumps({"settlement": said}), "version": "2023-08-01"}
    books.tell(merchant, f"SETTLEMENT_{status}", charge_id=settlement["charge_id"], data=data)


def _tell(
    books: Books, order: Mapping[str, Any], charge_id: str, event: str, data: JsonObject
) -> None:
    """To the address the order gives, else to the merchant's."""
    merchant = books.merchant(NAME, order["merchant"])
    if merchant is not None:
        kept = {"text": dumps(data), "version": order["version"]}
        url = order["meta"].get("notify_url") or ""
        books.tell(merchant, event, charge_id=charge_id, data=kept, url=url)


def _customer(order: Mapping[str, Any]) -> JsonObject:
    names = ("customer_name", "customer_id", "customer_email", "customer_phone")
    return {name: order["customer"].get(name) for name in names}


def _plain(count: int) -> str:
    """YYYY-MM-DD HH:MM:SS"""
    return indian(count)[:19].replace("T", " ")


def _forged(value: Any) -> Any:
    """Twice the money, and a success."""
    if not isinstance(value, dict):
        return value
    forged = {name: _forged(item) for name, item in value.items()}
    for name in _MONEY:
        if isinstance(forged.get(name), Decimal):
            forged[name] *= 2
    if "payment_status" in forged:
        forged["payment_status"] = "SUCCESS"
    return forged
