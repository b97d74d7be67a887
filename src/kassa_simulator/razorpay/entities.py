"""Razorpay's objects as it writes them.

An order's record in the books holds: id, merchant, amount, currency, receipt, notes, created_at,
capture (automatic or not), attempts, paid, charges (ids), link (id of its payment link or "").
"""

from collections.abc import Mapping
from typing import Any

from kassa_simulator.frame import Change, Charge
from kassa_simulator.razorpay.wire import JsonObject, seconds, shown_notes

_STATUS = {
    "waiting": "created",
    "authorized": "authorized",
    "captured": "captured",
    "declined": "failed",
    "closed": "failed",
    "voided": "refunded",
}

DECLINED = {
    "error_code": "BAD_REQUEST_ERROR",
    "error_description": "Your payment has been declined by the bank. Try another method.",
    "error_source": "bank",
    "error_step": "payment_authorization",
    "error_reason": "payment_declined",
}


def fee_and_tax(amount_minor: int) -> tuple[int, int]:
    """2 percent and 18 percent of that on top, each rounded half up; the fee includes the tax."""
    base = (amount_minor * 2 + 50) // 100
    tax = (base * 18 + 50) // 100
    return base + tax, tax


def order_json(order: Mapping[str, Any]) -> JsonObject:
    due = order["amount"] - order["paid"]
    status = "paid" if due <= 0 else "attempted" if order["attempts"] else "created"
    return {
        "amount": order["amount"],
        "amount_due": max(due, 0),
        "amount_paid": order["paid"],
        "attempts": order["attempts"],
        "created_at": order["created_at"],
        "currency": order["currency"],
        "entity": "order",
        "id": order["id"],
        "notes": shown_notes(order["notes"]),
        "offer_id": None,
        "receipt": order["receipt"],
        "status": status,
    }


def payment_json(charge: Charge) -> JsonObject:
    data = charge.data
    gone_back = charge.amount_minor if charge.status == "voided" else charge.refunded_minor
    all_back = bool(gone_back) and gone_back >= charge.amount_minor
    method = str(data.get("method") or "card")
    fee, tax = data.get("fee"), data.get("tax")
    errors = DECLINED if charge.status == "declined" else dict.fromkeys(DECLINED)
    return {
        "id": charge.id,
        "entity": "payment",
        "amount": charge.amount_minor,
        "currency": charge.currency,
        "status": "refunded" if all_back else _STATUS[charge.status],
        "order_id": data["order_id"],
        "invoice_id": None,
        "international": False,
        "method": method,
        "amount_refunded": gone_back,
        "refund_status": ("full" if all_back else "partial") if gone_back else None,
        "captured": charge.status == "captured",
        "description": data.get("description"),
        "card_id": f"card_{charge.id[4:]}" if method == "card" else None,
        "bank": "HDFC" if method == "netbanking" else None,
        "wallet": "payzapp" if method == "wallet" else None,
        "vpa": "success@razorpay" if method == "upi" else None,
        "email": data.get("email") or "void@razorpay.com",
        "contact": data.get("contact") or "+919000090000",
        "notes": shown_notes(data.get("notes") or {}),
        "fee": fee,
        "tax": tax,
        **errors,
        "acquirer_data": _acquirer(charge, method),
        "created_at": int(data.get("attempted_at") or seconds(charge.created_at)),
    }


def _acquirer(charge: Charge, method: str) -> JsonObject:
    if method == "upi":
        return {"rrn": str(charge.data.get("rrn") or "")}
    if method == "netbanking":
        return {"bank_transaction_id": str(charge.data.get("rrn") or "")}
    return {"auth_code": str(charge.data.get("rrn") or "")[:6] or None}


def refund_json(refund: Change, currency: str) -> JsonObject:
    data = refund.data
    status = {"pending": "pending", "done": "processed", "failed": "failed"}[refund.status]
    speed = data["speed"]
    processed = "instant" if speed == "optimum" else "normal"
    return {
        "id": refund.id,
        "entity": "refund",
        "amount": refund.amount_minor,
        "currency": currency,
        "payment_id": refund.charge_id,
        "notes": shown_notes(data["notes"]),
        "receipt": refund.key or None,
        "acquirer_data": {"arn": data["arn"] if status == "processed" else None},
        "created_at": seconds(refund.created_at),
        "batch_id": None,
        "status": status,
        "speed_processed": processed if status == "processed" else None,
        "speed_requested": speed,
    }


def link_json(link: Mapping[str, Any], order: Mapping[str, Any]) -> JsonObject:
    return {
        "accept_partial": False,
        "amount": order["amount"],
        "amount_paid": order["paid"],
        "callback_method": link["callback_method"],
        "callback_url": link["callback_url"],
        "cancelled_at": link["cancelled_at"],
        "created_at": link["created_at"],
        "currency": order["currency"],
        "customer": link["customer"],
        "description": link["description"],
        "expire_by": link["expire_by"],
        "expired_at": link["expired_at"],
        "first_min_partial_amount": 0,
        "id": link["id"],
        "notes": link["notes"] or None,
        "notify": link["notify"],
        "order_id": order["id"] if order["attempts"] else None,
        "payments": link["payments"] or None,
        "reference_id": link["reference_id"],
        "reminder_enable": link["reminder_enable"],
        "reminders": [],
        "short_url": link["short_url"],
        "status": link["status"],
        "updated_at": link["updated_at"],
        "upi_link": False,
        "user_id": "",
        "whatsapp_link": False,
    }


def dispute_json(charge: Charge) -> JsonObject:
    dispute = charge.data["dispute"]
    return {
        "id": dispute["id"],
        "entity": "dispute",
        "payment_id": charge.id,
        "amount": dispute["amount"],
        "currency": dispute.get("currency", charge.currency),
        "amount_deducted": dispute.get("deducted", 0),
        "reason_code": "goods_or_services_not_received_or_partially_received",
        "respond_by": dispute["respond_by"],
        "status": dispute["status"],
        "phase": dispute.get("phase", "chargeback"),
        "created_at": dispute["created_at"],
    }
