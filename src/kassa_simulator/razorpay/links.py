"""Payment links: a hosted page of their own, for who has none."""

import re
from typing import Any

from kassa_simulator.frame import Answer
from kassa_simulator.razorpay.entities import link_json
from kassa_simulator.razorpay.orders import new_order
from kassa_simulator.razorpay.paying import (
    current_link,
    end_link,
    keep_link,
    keep_order,
    link_of,
    order_of,
)
from kassa_simulator.razorpay.wire import (
    NAME,
    Case,
    JsonObject,
    amount_in,
    body_of,
    currency_in,
    hex_mac,
    new_id,
    no_such_id,
    notes_in,
    query_of,
    refusal,
    reply,
    seconds,
    text_in,
    whole,
)

_SOONEST_EXPIRY_SECONDS = 15 * 60
_LONGEST_REFERENCE, _LONGEST_TEXT = 40, 2048
_RULES = (
    ("name", re.compile(r"[A-Za-z0-9 .'/@()]{3,50}"), "The name format is invalid."),
    ("contact", re.compile(r"\+?[0-9]{8,14}"), "Contact number is invalid."),
    ("email", re.compile(r"[^@\s]{1,63}+@[^@\s]{1,63}+"), "The email is invalid."),
)
_OVER = {
    "paid": "cannot cancel or expire an already paid/partially paid link",
    "expired": "cannot cancel or expire an expired link",
    "cancelled": "cannot cancel or expire an expired link",
}


def create(case: Case) -> Answer:
    fields = body_of(case.call)
    books, merchant = case.books, case.merchant.name
    currency = currency_in(fields, "INR")
    amount = amount_in(fields, currency)
    notes = notes_in(fields)
    reference = text_in(fields, "reference_id", _LONGEST_REFERENCE) or ""
    index = books.get(NAME, "reference", f"{merchant}/{reference}") or {"count": 0, "link": ""}
    if reference and index["count"]:
        raise refusal("payment link creation with reference ID already attempted", "reference_id")
    index["count"] += 1
    link_id = new_id(books, "plink_", merchant, reference, str(index["count"]))
    link = {
        "id": link_id,
        "merchant": merchant,
        "callback_method": _callback_method(fields),
        "callback_url": text_in(fields, "callback_url", _LONGEST_TEXT) or "",
        "cancelled_at": 0,
        "created_at": seconds(case.now),
        "customer": _customer(fields),
        "description": text_in(fields, "description", _LONGEST_TEXT) or "",
        "expire_by": _expiry(case, fields),
        "expired_at": 0,
        "notes": notes,
        "notify": {"email": False, "sms": False, "whatsapp": False, **_object(fields, "notify")},
        "payments": [],
        "reference_id": reference,
        "reminder_enable": fields.get("reminder_enable") is True,
        "short_url": f"{case.call.origin}/razorpay/i/{link_id}",
        "status": "created",
        "order_id": "",
    }
    books.put(NAME, "reference", f"{merchant}/{reference}", {**index, "link": link_id})
    order = new_order(
        case,
        amount_minor=amount,
        currency=currency,
        receipt=reference or None,
        notes=notes,
        capture=True,
        link=link_id,
    )
    keep_order(books, order)
    link["order_id"] = order["id"]
    keep_link(books, link, case.now)
    return _shown(case, link)


def _callback_method(fields: JsonObject) -> str:
    method = fields.get("callback_method")
    if fields.get("callback_url") and method != "get":
        raise refusal("callback_method: must be a valid value.", "callback_method")
    return "get" if method == "get" else ""


def _expiry(case: Case, fields: JsonObject) -> int:
    if not fields.get("expire_by"):
        return 0
    expire_by = whole(fields, "expire_by")
    if expire_by < seconds(case.now) + _SOONEST_EXPIRY_SECONDS:
        raise refusal("timestamp must be atleast 15 minutes in future", "expire_by")
    return expire_by


def _object(fields: JsonObject, name: str) -> JsonObject:
    value: Any = fields.get(name) or {}
    if not isinstance(value, dict):
        raise refusal(f"{name}: must be an object.", name)
    return value


def _customer(fields: JsonObject) -> JsonObject:
    """Source: https://razorpay.com/docs/api/customers/create"""
    customer = _object(fields, "customer")
    for name, rule, words in _RULES:
        value = customer.get(name)
        if value is not None and not (isinstance(value, str) and rule.fullmatch(value)):
            raise refusal(words, f"customer.{name}")
    return customer


def own_link(case: Case, link_id: str) -> JsonObject:
    """The merchant's link, as it is now. Raises: Refused."""
    link = link_of(case.books, link_id)
    if link is None or link["merchant"] != case.merchant.name:
        raise no_such_id()
    return current_link(case.books, link, now=case.now)


def fetch(case: Case, link_id: str) -> Answer:
    return _shown(case, own_link(case, link_id))


def list_all(case: Case) -> Answer:
    """GET /payment_links: by `reference_id`, by `payment_id`, or all, newest first."""
    query = query_of(case.call)
    if reference := query.get("reference_id"):
        index = case.books.get(NAME, "reference", f"{case.merchant.name}/{reference}")
        kept = [link_of(case.books, index["link"])] if index else []
        links = [link for link in kept if link is not None]
    else:
        everyone = case.books.listed(NAME, "link")
        links = [link for link in everyone if link["merchant"] == case.merchant.name]
    if payment_id := query.get("payment_id"):
        links = [
            link
            for link in links
            if any(paid["payment_id"] == payment_id for paid in link["payments"])
        ]
    shown = [_json(case, current_link(case.books, link, now=case.now)) for link in links]
    return reply({"payment_links": shown[::-1]})


def cancel(case: Case, link_id: str) -> Answer:
    link = own_link(case, link_id)
    if link["status"] != "created":
        raise refusal(_OVER[link["status"]])
    end_link(case.books, link, "cancelled", now=case.now)
    return _shown(case, link)


def signature(secret: str, link: JsonObject, payment_id: str) -> str:
    """What stands in the callback's query.

    Source: https://razorpay.com/docs/payments/payment-links/verify-payment-signature
    """
    signed = (link["id"], link["reference_id"], link["status"], payment_id)
    return hex_mac(secret, "|".join(signed))


def _json(case: Case, link: JsonObject) -> JsonObject:
    return link_json(link, order_of(case.books, link["order_id"]) or {})


def _shown(case: Case, link: JsonObject) -> Answer:
    return reply(_json(case, link))
