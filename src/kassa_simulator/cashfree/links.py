"""Payment links: a page of their own, and behind it an order that Cashfree makes.

Source: https://www.cashfree.com/docs/api-reference/payments/latest/payment-links/create
"""

import re
from typing import Any

from kassa_simulator.cashfree.entities import order_json
from kassa_simulator.cashfree.orders import open_order, own_order
from kassa_simulator.cashfree.paying import Order, attempts, end_order, in_flight
from kassa_simulator.cashfree.wire import (
    NAME,
    PREFIX,
    Case,
    JsonObject,
    Refused,
    body_of,
    cf_id,
    indian,
    invalid,
    missing,
    money,
    not_found,
    object_in,
    refusal,
    reply,
    text_in,
)
from kassa_simulator.frame import Answer

_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,50}", re.ASCII)
_STATUS = {"TERMINATED": "CANCELLED", "TERMINATION_REQUESTED": "CANCELLED"}
"""Of a link, where it is not its order's own word."""


def create(case: Case) -> Answer:
    """POST /links"""
    fields = body_of(case.call)
    link_id = fields.get("link_id")
    if link_id is None:
        raise missing("link_id")
    if not isinstance(link_id, str) or not _LINK_ID.fullmatch(link_id):
        raise invalid("link_id", "should be 1 to 50 letters, digits, '_' or '-'")
    if text_in(fields, "link_purpose", 1, 500) is None:
        raise missing("link_purpose")
    if case.books.get(NAME, "link", f"{case.merchant.name}/{link_id}") is not None:
        raise refusal(409, "link_already_exists", "link with same id is already present")
    number = case.books.digits(12, NAME, "link", case.merchant.name, link_id)
    order = open_order(case, _order_fields(fields, link_id, number), key=link_id)
    link = {
        "link_id": link_id,
        "cf_link_id": number,
        "order_id": order["order_id"],
        "purpose": fields["link_purpose"],
        "customer": object_in(fields, "customer_details"),
        "notes": object_in(fields, "link_notes"),
        "notify": object_in(fields, "link_notify"),
        "reminders": fields.get("link_auto_reminders") is True,
        "upi_intent": object_in(fields, "link_meta").get("upi_intent") is True,
    }
    case.books.put(NAME, "link", f"{case.merchant.name}/{link_id}", link)
    return _shown(case, link)


def _order_fields(fields: JsonObject, link_id: str, number: str) -> JsonObject:
    """The order behind a link, in the words of POST /orders."""
    customer = {**object_in(fields, "customer_details"), "customer_id": f"link_{number}"}
    return {
        "order_id": f"CFPay_{number}",
        "order_amount": fields.get("link_amount"),
        "order_currency": fields.get("link_currency"),
        "customer_details": customer,
        "order_meta": object_in(fields, "link_meta"),
        "order_tags": {"cf_link_id": number, "link_id": link_id},
        "order_expiry_time": fields.get("link_expiry_time"),
    }


def unknown() -> Refused:
    return not_found("link", "Link does not exist")


def _own(case: Case, link_id: str) -> tuple[JsonObject, Order]:
    """The merchant's link and its order, as they are now. Raises: Refused with 404."""
    link = case.books.get(NAME, "link", f"{case.merchant.name}/{link_id}")
    if link is None:
        raise unknown()
    return link, own_order(case, link["order_id"])


def fetch(case: Case, link_id: str) -> Answer:
    return _shown(case, _own(case, link_id)[0])


def cancel(case: Case, link_id: str) -> Answer:
    link, order = _own(case, link_id)
    if order["status"] != "ACTIVE":
        raise refusal(400, "link_cancellation_failed", "link can only be cancelled while active")
    waits = in_flight(case.books, order, now=case.now)
    status = "TERMINATION_REQUESTED" if waits else "TERMINATED"
    end_order(case.books, order, status, now=case.now)
    return _shown(case, link)


def orders_of(case: Case, link_id: str) -> Answer:
    """GET /links/{link_id}/orders: the order behind it, once a payer has begun to pay it."""
    _, order = _own(case, link_id)
    begun = attempts(case.books, order)
    return reply([order_json(order, case.version)] if begun else [])


def _shown(case: Case, link: JsonObject) -> Answer:
    order = own_order(case, link["order_id"])
    currency = order["currency"]
    paid = order["amount"] if order["status"] == "PAID" else 0
    meta: JsonObject = {**order["meta"], "upi_intent": link["upi_intent"]}
    customer: dict[str, Any] = link["customer"]
    return reply(
        {
            "cf_link_id": cf_id(link["cf_link_id"], case.version),
            "link_id": link["link_id"],
            "link_status": _STATUS.get(order["status"], order["status"]),
            "link_currency": currency,
            "link_amount": money(order["amount"], currency),
            "link_amount_paid": money(paid, currency),
            "link_partial_payments": False,
            "link_minimum_partial_amount": None,
            "link_purpose": link["purpose"],
            "link_created_at": indian(order["created_at"]),
            "customer_details": customer,
            "link_meta": meta,
            "link_url": f"{order['origin']}{PREFIX}/view/sessions/checkout"
            f"?session={order['session']}",
            "link_expiry_time": indian(order["expires_at"]),
            "link_notes": link["notes"],
            "link_auto_reminders": link["reminders"],
            "link_notify": link["notify"],
        }
    )
