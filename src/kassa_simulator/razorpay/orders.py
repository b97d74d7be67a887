"""Orders: what is to be paid, and the payments made on it."""

from collections.abc import Mapping
from typing import Any

from kassa_simulator.frame import Answer, Charge
from kassa_simulator.razorpay.entities import order_json, payment_json
from kassa_simulator.razorpay.paying import Order, add_attempt, current, keep_order, order_of
from kassa_simulator.razorpay.wire import (
    NAME,
    Case,
    amount_in,
    body_of,
    collection,
    currency_in,
    new_id,
    no_such_id,
    notes_in,
    page_of,
    query_of,
    refusal,
    reply,
    seconds,
    text_in,
    within,
)

_LONGEST_RECEIPT = 40


def create(case: Case) -> Answer:
    fields = body_of(case.call)
    currency = currency_in(fields)
    order = new_order(
        case,
        amount_minor=amount_in(fields, currency),
        currency=currency,
        receipt=text_in(fields, "receipt", _LONGEST_RECEIPT),
        notes=notes_in(fields),
        capture=_captures(fields),
    )
    return reply(order_json(order))


def new_order(
    case: Case,
    *,
    amount_minor: int,
    currency: str,
    receipt: str | None,
    notes: Mapping[str, Any],
    capture: bool,
    link: str = "",
) -> Order:
    """An order and the payment that waits for its payer."""
    books, merchant = case.books, case.merchant.name
    index = books.get(NAME, "receipt", f"{merchant}/{receipt or ''}") or {"count": 0, "orders": []}
    index["count"] += 1
    order = {
        "id": new_id(books, "order_", merchant, receipt or "", str(index["count"])),
        "merchant": merchant,
        "amount": amount_minor,
        "currency": currency,
        "receipt": receipt,
        "notes": dict(notes),
        "created_at": seconds(case.now),
        "capture": capture,
        "attempts": 0,
        "paid": 0,
        "charges": [],
        "link": link,
    }
    if receipt:
        index["orders"].append(order["id"])
    books.put(NAME, "receipt", f"{merchant}/{receipt or ''}", index)
    add_attempt(books, order, now=case.now)
    return order


def _captures(fields: Mapping[str, Any]) -> bool:
    """Automatic unless the request says otherwise, in its older or its newer words."""
    payment = fields.get("payment")
    if isinstance(payment, dict):
        word = payment.get("capture", "automatic")
        if word not in ("automatic", "manual"):
            raise refusal("The capture must be automatic or manual.", "payment.capture")
        return bool(word == "automatic")
    value = fields.get("payment_capture", True)
    if value in (True, "1", "true"):
        return True
    if value in (False, "0", "false"):
        return False
    raise refusal("The payment capture field must be true or false.", "payment_capture")


def fetch(case: Case, order_id: str) -> Answer:
    return reply(order_json(own_order(case, order_id)))


def own_order(case: Case, order_id: str) -> Order:
    order = order_of(case.books, order_id)
    if order is None or order["merchant"] != case.merchant.name:
        raise no_such_id()
    return order


def update(case: Case, order_id: str) -> Answer:
    order = own_order(case, order_id)
    order["notes"] = notes_in(body_of(case.call))
    keep_order(case.books, order)
    return reply(order_json(order))


def list_all(case: Case) -> Answer:
    """GET /orders, newest first; `receipt` picks those with it."""
    query = query_of(case.call)
    if receipt := query.get("receipt"):
        index = case.books.get(NAME, "receipt", f"{case.merchant.name}/{receipt}")
        kept = [order_of(case.books, order_id) for order_id in (index or {}).get("orders", ())]
        orders = [order for order in kept if order is not None]
    else:
        everyone = case.books.listed(NAME, "order")
        orders = [order for order in everyone if order["merchant"] == case.merchant.name]
    found = [order for order in reversed(orders) if within(query, order["created_at"])]
    return collection([order_json(order) for order in page_of(query, found)])


def attempts(case: Case, order: Order) -> list[Charge]:
    """What payers have done, newest first."""
    found = []
    for charge_id in reversed(order["charges"]):
        charge = case.books.charge(NAME, charge_id)
        if charge is not None and charge.data.get("attempted_at"):
            found.append(current(case.books, charge, now=case.now))
    return found


def payments(case: Case, order_id: str) -> Answer:
    return collection(
        [payment_json(charge) for charge in attempts(case, own_order(case, order_id))]
    )
