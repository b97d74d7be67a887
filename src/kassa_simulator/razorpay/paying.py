"""What payers, their banks and time do to a payment, and what Razorpay tells of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kassa_simulator.frame import Books, Charge
from kassa_simulator.razorpay.entities import (
    fee_and_tax,
    link_json,
    order_json,
    payment_json,
)
from kassa_simulator.razorpay.ledger import enter
from kassa_simulator.razorpay.wire import NAME, JsonObject, new_id, seconds

HELD_FOR = timedelta(days=3)
"""An authorisation that nobody captures goes back to the payer by itself."""

Order = dict[str, Any]


def order_of(books: Books, order_id: str) -> Order | None:
    return books.get(NAME, "order", order_id)


def keep_order(books: Books, order: Order) -> None:
    books.put(NAME, "order", order["id"], order)


def link_of(books: Books, link_id: str) -> JsonObject | None:
    return books.get(NAME, "link", link_id)


def keep_link(books: Books, link: JsonObject, now: datetime) -> None:
    link["updated_at"] = seconds(now)
    books.put(NAME, "link", link["id"], link)


def add_attempt(books: Books, order: Order, *, now: datetime) -> Charge:
    """The payment that a payer of this order will make; unseen until that payer acts."""
    number = len(order["charges"]) + 1
    charge = Charge(
        provider=NAME,
        merchant=order["merchant"],
        id=new_id(books, "pay_", order["id"], str(number)),
        key=order["receipt"] or order["id"],
        amount_minor=order["amount"] - order["paid"],
        currency=order["currency"],
        status="waiting",
        created_at=now,
        updated_at=now,
        data={"order_id": order["id"], "link": order["link"], "notes": order["notes"]},
    )
    books.add_charge(charge)
    order["charges"].append(charge.id)
    keep_order(books, order)
    return charge


def waiting_attempt(books: Books, order: Order, *, now: datetime) -> Charge:
    """The attempt that waits for a payer of this order, a new one where there is none."""
    for charge_id in reversed(order["charges"]):
        charge = books.charge(NAME, charge_id)
        if charge is not None and charge.status == "waiting":
            return charge
    return add_attempt(books, order, now=now)


def payable(books: Books, order: Order, *, now: datetime) -> bool:
    """Whether a payer may still pay it."""
    if order["paid"] >= order["amount"]:
        return False
    link = link_of(books, order["link"]) if order["link"] else None
    return link is None or current_link(books, link, now=now)["status"] == "created"


def current(books: Books, charge: Charge, *, now: datetime) -> Charge:
    """The payment as it is now: an old authorisation has lapsed."""
    if charge.status == "authorized" and now >= charge.updated_at + HELD_FOR:
        return lapse(books, charge, now=now)
    return charge


def current_link(books: Books, link: JsonObject, *, now: datetime) -> JsonObject:
    if link["status"] == "created" and link["expire_by"] and seconds(now) >= link["expire_by"]:
        end_link(books, link, "expired", now=now)
    return link


def end_link(books: Books, link: JsonObject, status: str, *, now: datetime) -> None:
    """Cancel or expire it: nobody can pay it any more."""
    link["status"] = status
    link["cancelled_at" if status == "cancelled" else "expired_at"] = seconds(now)
    keep_link(books, link, now)
    order = order_of(books, link["order_id"])
    for charge_id in order["charges"] if order else ():
        charge = books.charge(NAME, charge_id)
        if charge is not None and charge.status == "waiting":
            books.save_charge(replace(charge, status="closed", updated_at=now))
            _tell_of_link(books, charge, f"payment_link.{status}", link, order)


def pay(books: Books, charge: Charge, *, now: datetime, method: str = "card") -> Charge:
    """The payer pays: authorised, and captured at once where the order says so."""
    order = order_of(books, charge.data["order_id"])
    if order is None or not payable(books, order, now=now):
        return charge
    charge = _attempted(books, order, charge, "authorized", now=now, method=method)
    _tell(books, charge, "payment.authorized")
    return capture(books, order, charge, now=now) if order["capture"] else charge


def decline(books: Books, charge: Charge, *, now: datetime, method: str = "card") -> Charge:
    order = order_of(books, charge.data["order_id"])
    if order is None:
        return charge
    charge = _attempted(books, order, charge, "declined", now=now, method=method)
    _tell(books, charge, "payment.failed")
    return charge


def _attempted(
    books: Books, order: Order, charge: Charge, status: str, *, now: datetime, method: str
) -> Charge:
    order["attempts"] += 1
    keep_order(books, order)
    data = {
        **charge.data,
        "method": method,
        "attempted_at": seconds(now),
        "rrn": books.digits(12, NAME, "rrn", charge.id),
    }
    held = charge.amount_minor if status == "authorized" else 0
    charge = replace(charge, status=status, authorized_minor=held, updated_at=now, data=data)
    books.save_charge(charge)
    return charge


def capture(books: Books, order: Order, charge: Charge, *, now: datetime) -> Charge:
    """Take what is authorised; the order is paid by it."""
    fee, tax = fee_and_tax(charge.amount_minor)
    charge = replace(
        charge,
        status="captured",
        captured_minor=charge.amount_minor,
        updated_at=now,
        data={**charge.data, "fee": fee, "tax": tax},
    )
    books.save_charge(charge)
    books.move(charge, "charge", charge.amount_minor, at=now, fee_minor=fee)
    order["paid"] += charge.amount_minor
    keep_order(books, order)
    enter(books, charge, order, entity_id=charge.id, kind="payment", at=now)
    _tell(books, charge, "payment.captured")
    _tell(books, charge, "order.paid", order=order_json(order))
    link = link_of(books, order["link"]) if order["link"] else None
    if link is not None:
        link["status"] = "paid"
        paid = {
            "amount": charge.amount_minor,
            "created_at": seconds(now),
            "method": charge.data["method"],
            "payment_id": charge.id,
            "status": "captured",
        }
        link["payments"] = [*link["payments"], paid]
        keep_link(books, link, now)
        _tell_of_link(books, charge, "payment_link.paid", link, order)
    return charge


def lapse(books: Books, charge: Charge, *, now: datetime) -> Charge:
    charge = replace(charge, status="voided", updated_at=now)
    books.save_charge(charge)
    return charge


def tell(books: Books, charge: Charge, event: str, payload: Mapping[str, Any]) -> None:
    """Queue an event about a payment; `payload` is how things are at this moment."""
    merchant = books.merchant(NAME, charge.merchant)
    if merchant is not None:
        wrapped = {name: {"entity": content} for name, content in payload.items()}
        data = {"contains": list(payload), "payload": wrapped}
        books.tell(merchant, event, charge_id=charge.id, data=data)


def _tell(books: Books, charge: Charge, event: str, **more: JsonObject) -> None:
    tell(books, charge, event, {"payment": payment_json(charge), **more})


def _tell_of_link(
    books: Books, charge: Charge, event: str, link: JsonObject, order: Order | None
) -> None:
    payload = {"payment_link": link_json(link, order or {})}
    if event == "payment_link.paid" and order:
        payload = {"order": order_json(order), "payment": payment_json(charge), **payload}
    tell(books, charge, event, payload)
