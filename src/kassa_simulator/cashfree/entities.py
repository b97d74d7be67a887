"""Cashfree's objects as it writes them, in the version asked for.

An order's record in the books holds: order_id, key (of its payments), cf_order_id, merchant,
amount, currency, status, session, created_at, expires_at, note, customer, meta, tags, splits
(JSON text), charges (ids), version (the one it was made in), origin (how the simulator was
reached).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kassa_simulator.cashfree.wire import (
    FIRST_VERSION,
    PREFIX,
    JsonObject,
    cf_id,
    indian,
    loads,
    money,
    seconds,
)
from kassa_simulator.frame import Change, Charge

AUTHORIZATION = (
    "action status captured_amount start_time end_time approve_by action_reference action_time"
).split()

_DECLINED = {
    "error_code": "TRANSACTION_DECLINED",
    "error_description": "The transaction was declined by the bank.",
    "error_reason": "auth_declined",
    "error_source": "bank",
    "error_code_raw": None,
    "error_description_raw": None,
    "error_subcode_raw": None,
}
_STATUS = {"authorized": "SUCCESS", "captured": "SUCCESS", "declined": "FAILED", "voided": "VOID"}
_MESSAGE = {
    "SUCCESS": "00::Transaction success",
    "FAILED": "01::REJECTED",
    "USER_DROPPED": "User dropped and did not complete the two factor authentication",
    "CANCELLED": "Transaction cancelled as the order is no longer active",
    "VOID": "PRE_AUTH|Transaction voided",
    "PENDING": "Transaction pending",
    "NOT_ATTEMPTED": "Transaction not attempted",
}


def order_json(order: Mapping[str, Any], version: str) -> JsonObject:
    customer = order["customer"]
    shown: JsonObject = {
        "cf_order_id": cf_id(order["cf_order_id"], version),
        "order_id": order["order_id"],
        "entity": "order",
        "order_currency": order["currency"],
        "order_amount": money(order["amount"], order["currency"]),
        "order_status": order["status"],
        "payment_session_id": order["session"],
        "order_expiry_time": indian(order["expires_at"]),
        "order_note": order["note"],
        "created_at": indian(order["created_at"]),
        "order_splits": loads(order["splits"]),
        "customer_details": {
            "customer_id": customer["customer_id"],
            "customer_name": customer.get("customer_name"),
            "customer_email": customer.get("customer_email"),
            "customer_phone": customer["customer_phone"],
            "customer_uid": customer.get("customer_uid"),
        },
        "order_meta": {
            "return_url": order["meta"].get("return_url"),
            "notify_url": order["meta"].get("notify_url"),
            "payment_methods": order["meta"].get("payment_methods"),
        },
        "order_tags": order["tags"] or None,
    }
    if version == FIRST_VERSION:
        del shown["customer_details"]["customer_uid"]
        base = f"{order['origin']}{PREFIX}/orders/{order['order_id']}"
        for name in ("payments", "refunds", "settlements"):
            shown[name] = {"url": f"{base}/{name}"}
        return shown
    return {**shown, "cart_details": None, "terminal_data": None}


def payment_status(charge: Charge) -> str:
    if charge.status == "waiting":
        return str(charge.data.get("stage") or "NOT_ATTEMPTED")
    if charge.status == "closed":
        return "CANCELLED" if charge.data.get("cancelled") else "USER_DROPPED"
    return _STATUS[charge.status]


def payment_message(charge: Charge) -> str:
    status = payment_status(charge)
    held = bool(charge.data.get("held")) and status == "SUCCESS"
    return "PRE_AUTH|Transaction Success" if held else _MESSAGE[status]


def payment_json(charge: Charge, order: Mapping[str, Any], version: str) -> JsonObject:
    data, currency = charge.data, charge.currency
    ended_at = None if charge.status == "waiting" else indian(int(data["ended_at"]))
    shown: JsonObject = {
        "cf_payment_id": cf_id(charge.id, version),
        "order_id": order["order_id"],
        "entity": "payment",
        "is_captured": charge.status == "captured",
        "order_amount": money(order["amount"], currency),
        "payment_group": data["group"],
        "payment_currency": currency,
        "payment_amount": money(charge.amount_minor, currency),
        "payment_time": indian(int(data["attempted_at"])),
        "payment_completion_time": ended_at,
        "payment_status": payment_status(charge),
        "payment_message": payment_message(charge),
        "bank_reference": data.get("bank_reference"),
        "auth_id": None,
        "error_details": error_details(charge),
        "authorization": _authorization(charge),
        "payment_method": data["method"],
    }
    if version >= "2023-08-01":
        shown["order_currency"] = currency
        shown["payment_gateway_details"] = gateway_details()
    if version >= "2025-01-01":
        shown["international_payment"] = {"international": False}
        shown["payment_surcharge"] = {
            "payment_surcharge_service_charge": money(0, currency),
            "payment_surcharge_service_tax": money(0, currency),
        }
    return shown


def error_details(charge: Charge) -> JsonObject | None:
    return dict(_DECLINED) if charge.status == "declined" else None


def gateway_details() -> JsonObject:
    return {
        "gateway_name": "CASHFREE",
        "gateway_order_id": None,
        "gateway_payment_id": None,
        "gateway_order_reference_id": None,
        "gateway_status_code": None,
        "gateway_settlement": "CASHFREE",
    }


def _authorization(charge: Charge) -> JsonObject | None:
    """All null while money is held; None where nothing ever was."""
    if not charge.data.get("held"):
        return None
    done: Mapping[str, Any] = charge.data.get("authorization") or {}
    shown: JsonObject = dict.fromkeys(AUTHORIZATION)
    shown.update(done)
    if "captured_minor" in shown:
        shown["captured_amount"] = money(shown.pop("captured_minor"), charge.currency)
    return shown


def refund_json(refund: Change, order: Mapping[str, Any], version: str) -> JsonObject:
    data, currency = refund.data, order["currency"]
    status = data["status"]
    done = status == "SUCCESS"
    shown: JsonObject = {
        "cf_payment_id": cf_id(refund.charge_id, version),
        "cf_refund_id": f"refund_{refund.id}" if version == FIRST_VERSION else refund.id,
        "order_id": order["order_id"],
        "refund_id": refund.key,
        "entity": "refund",
        "refund_amount": money(refund.amount_minor, currency),
        "refund_currency": currency,
        "refund_note": data["note"],
        "refund_status": status,
        "refund_arn": data["arn"] if done else None,
        "refund_charge": money(0, currency),
        "status_description": _REFUND_SAID[status],
        "metadata": None,
        "refund_splits": [],
        "refund_type": "MERCHANT_INITIATED",
        "refund_mode": data["speed"],
        "created_at": indian(seconds(refund.created_at)),
        "processed_at": indian(data["processed_at"]) if done else None,
        "refund_speed": {
            "requested": data["speed"],
            "accepted": data["speed"],
            "processed": data["speed"] if done else None,
            "message": None,
        },
    }
    if version >= "2025-01-01":
        shown["charges_currency"] = currency
    return shown


_REFUND_SAID = {
    "SUCCESS": "Refund processed successfully",
    "PENDING": "Refund is being processed",
    "ONHOLD": "Refund is on hold",
    "FAILED": "Refund could not be processed by the bank",
    "CANCELLED": "Refund was cancelled",
}


def action_time(now: datetime) -> str:
    """Without a zone and with microseconds, unlike all of Cashfree's other times."""
    return now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
