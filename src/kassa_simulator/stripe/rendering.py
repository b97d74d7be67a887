"""Stripe's objects as JSON. Source: https://docs.stripe.com/api"""

from datetime import timedelta
from typing import Any

from kassa_simulator.frame import Books, Change, Charge
from kassa_simulator.stripe.asked import NAME, seconds

AUTHORIZED_FOR = timedelta(days=7)


def intent_json(charge: Charge) -> dict[str, Any]:
    data = charge.data
    status = data["status"]
    return {
        "id": charge.id,
        "object": "payment_intent",
        "amount": charge.amount_minor,
        "amount_capturable": charge.authorized_minor if status == "requires_capture" else 0,
        "amount_details": {"tip": {}},
        "amount_received": charge.captured_minor,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": data["automatic_payment_methods"],
        "canceled_at": data["canceled_at"],
        "cancellation_reason": data["cancellation_reason"],
        "capture_method": data["capture_method"],
        "client_secret": data["client_secret"],
        "confirmation_method": "automatic",
        "created": seconds(charge.created_at),
        "currency": charge.currency.lower(),
        "customer": data["customer"],
        "description": data["description"],
        "last_payment_error": data["last_payment_error"],
        "latest_charge": data["latest_charge"],
        "livemode": False,
        "metadata": data["metadata"],
        "next_action": data["next_action"],
        "on_behalf_of": None,
        "payment_method": data["payment_method"],
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": data["payment_method_types"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }


def charge_json(books: Books, charge: Charge, kept: dict[str, Any]) -> dict[str, Any]:
    """Of one try to pay an intent; `kept`: what the books hold of it."""
    failed = kept["failure"]
    paid = failed is None
    captured = paid and charge.captured_minor > 0
    was_returned = bool(kept.get("failure_balance_transaction"))
    refunded = charge.refunded_minor if paid or was_returned else 0
    released = charge.amount_minor - charge.captured_minor
    voided = paid and charge.status == "voided"
    card = {
        "brand": "visa",
        "capture_before": kept["created"] + int(AUTHORIZED_FOR.total_seconds()),
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "funding": "credit",
        "last4": "4242",
        "network": "visa",
    }
    return {
        "id": kept["id"],
        "object": "charge",
        "amount": charge.amount_minor,
        "amount_captured": charge.captured_minor if paid else 0,
        "amount_refunded": charge.amount_minor
        if voided
        else refunded + (released if captured else 0),
        "balance_transaction": kept.get("balance_transaction"),
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "captured": captured,
        "created": kept["created"],
        "currency": charge.currency.lower(),
        "customer": charge.data["customer"],
        "description": charge.data["description"],
        "disputed": bool(charge.data["dispute"]),
        "failure_balance_transaction": kept.get("failure_balance_transaction"),
        "failure_code": failed and failed["code"],
        "failure_message": failed and failed["message"],
        "livemode": False,
        "metadata": charge.data["metadata"],
        "outcome": {
            "network_status": "approved_by_network" if paid else "declined_by_network",
            "reason": failed and (failed.get("decline_code") or failed["code"]),
            "risk_level": "normal",
            "seller_message": "Payment complete." if paid else "The bank declined the payment.",
            "type": "authorized" if paid else "issuer_declined",
        },
        "paid": paid,
        "payment_intent": charge.id,
        "payment_method": kept["payment_method"],
        "payment_method_details": {"card": card, "type": "card"},
        "receipt_url": None,
        "refunded": voided or bool(captured and refunded == charge.captured_minor),
        "status": "succeeded" if paid else "failed",
    }


def charge_of(books: Books, charge: Charge) -> dict[str, Any] | None:
    """The latest try to pay, if there was one."""
    kept = books.get(NAME, "charge", charge.data["latest_charge"] or "")
    return None if kept is None else charge_json(books, charge, kept)


def refund_json(charge: Charge, change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "object": "refund",
        "amount": change.amount_minor,
        "balance_transaction": change.data["balance_transaction"],
        "charge": charge.data["latest_charge"],
        "created": seconds(change.created_at),
        "currency": charge.currency.lower(),
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": change.data["metadata"],
        "payment_intent": charge.id,
        "reason": change.data["reason"],
        "receipt_number": None,
        "source_transfer_reversal": None,
        "failure_reason": change.data.get("failure_reason"),
        "failure_balance_transaction": change.data.get("failure_balance_transaction"),
        "status": "succeeded" if change.status == "done" else change.status,
        "transfer_reversal": None,
    }
