"""Refunds of an order's one successful payment."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from kassa_simulator.cashfree import letters
from kassa_simulator.cashfree.entities import refund_json
from kassa_simulator.cashfree.ledger import enter
from kassa_simulator.cashfree.orders import own_order
from kassa_simulator.cashfree.paying import Order, attempts
from kassa_simulator.cashfree.wire import (
    NAME,
    Case,
    JsonObject,
    amount_in,
    body_of,
    invalid,
    missing,
    not_found,
    refusal,
    reply,
    seconds,
    text_in,
)
from kassa_simulator.frame import Answer, Books, Change, Charge

_REFUND_ID = re.compile(r"[A-Za-z0-9_-]{3,40}", re.ASCII)
_NOTES = {"FAILED": "FAILED", "PENDING": "PENDING", "ACTIVE": "PENDING", "ONHOLD": "ONHOLD"}
"""A note of these words makes the refund end, or wait, like that; any other one succeeds."""
_PENDING_FOR = timedelta(minutes=30)
_POSSIBLE_FOR = timedelta(days=182)


def create(case: Case, order_id: str) -> Answer:
    """The same request again gets the refund there is; another one under its id, 409."""
    order = own_order(case, order_id)
    fields = body_of(case.call)
    amount = amount_in(fields, "refund_amount", order["currency"])
    refund_id = fields.get("refund_id")
    if refund_id is None:
        raise missing("refund_id")
    if not isinstance(refund_id, str) or not _REFUND_ID.fullmatch(refund_id):
        raise invalid("refund_id", "should be 3 to 40 letters, digits, '_' or '-'")
    note = text_in(fields, "refund_note", 3, 100)
    speed = fields.get("refund_speed", "STANDARD")
    if speed not in ("STANDARD", "INSTANT"):
        raise invalid("refund_speed", "should be STANDARD or INSTANT")
    data = {"note": note, "speed": speed, "order_id": order_id}
    for known in refunds_of(case.books, order):
        if known.key == refund_id:
            same = {name: known.data[name] for name in data} == data
            if not same or known.amount_minor != amount:
                raise refusal(
                    409, "refund_already_exists", "refund with same id is already present"
                )
            return _shown(case, order, current(case.books, order, known, now=case.now))
    charge = _refundable(case, order, amount)
    refund = _made(case.books, order, charge, amount, refund_id, data, now=case.now)
    return _shown(case, order, refund)


def _made(
    books: Books,
    order: Order,
    charge: Charge,
    amount: int,
    refund_id: str,
    data: JsonObject,
    *,
    now: datetime,
) -> Change:
    digits = books.digits(12, NAME, "refund", charge.id, refund_id)
    refund = Change(
        provider=NAME,
        merchant=charge.merchant,
        id=digits,
        key=refund_id,
        charge_id=charge.id,
        kind="refund",
        amount_minor=amount,
        status="pending",
        created_at=now,
        data={
            **data,
            "status": _NOTES.get(data["note"] or "", "SUCCESS"),
            "arn": books.digits(23, NAME, "arn", digits),
        },
    )
    books.add_change(refund)
    charge = replace(charge, refunded_minor=charge.refunded_minor + amount, updated_at=now)
    books.save_charge(charge)
    if refund.data["status"] in ("SUCCESS", "FAILED"):
        refund = _end(books, order, refund, refund.data["status"], now=now)
    return refund


def make(books: Books, order: Order, charge: Charge, amount: int, *, now: datetime) -> None:
    """In the Dashboard, which makes up an id."""
    number = len(books.changes_of(NAME, charge.id)) + 1
    refund_id = f"dashboard_{books.digits(10, NAME, 'dashboard', charge.id, str(number))}"
    data: JsonObject = {"note": None, "speed": "STANDARD", "order_id": order["order_id"]}
    _made(books, order, charge, amount, refund_id, data, now=now)


def come_back(books: Books, order: Order, refund: Change, *, now: datetime) -> None:
    """A refund that succeeded is cancelled after all: its bank sent it back."""
    charge = books.charge(NAME, refund.charge_id)
    assert charge is not None, "a refund is of a payment"
    data = {**refund.data, "status": "CANCELLED", "returned": True}
    refund = replace(refund, status="failed", data=data)
    books.save_change(refund)
    left = charge.refunded_minor - refund.amount_minor
    books.save_charge(replace(charge, refunded_minor=left, updated_at=now))
    books.move(charge, "refund", -refund.amount_minor, at=now)
    enter(
        books,
        charge,
        order,
        event_id=f"{refund.id}9",
        kind="REFUND_REVERSAL",
        at=now,
        amount_minor=refund.amount_minor,
        about={"refund_id": refund.key, "refund_arn": refund.data["arn"], "refund_note": None},
    )
    letters.tell_refund(books, order, refund)


def _refundable(case: Case, order: Order, amount_minor: int) -> Charge:
    """The payment to refund. Raises: Refused."""
    taken = [charge for charge in attempts(case.books, order) if charge.status == "captured"]
    if not taken:
        raise refusal(400, "request_failed", "order is not paid, or not captured")
    charge = taken[0]
    if case.now > charge.created_at + _POSSIBLE_FOR:
        raise refusal(400, "request_failed", "refund is only possible within 6 months")
    if amount_minor > charge.captured_minor - charge.refunded_minor:
        raise invalid("refund_amount", "should not exceed what is left of the payment")
    if case.call.decline:
        raise refusal(400, "request_failed", "Insufficient balance to process the refund")
    return charge


def refunds_of(books: Books, order: Order) -> list[Change]:
    """Newest first."""
    found: list[Change] = []
    for charge in attempts(books, order):
        changes = books.changes_of(NAME, charge.id)
        found.extend(change for change in reversed(changes) if change.kind == "refund")
    return found


def current(books: Books, order: Order, refund: Change, *, now: datetime) -> Change:
    """A pending refund succeeds after a while."""
    waits = refund.data["status"] == "PENDING"
    if not waits or now < refund.created_at + _PENDING_FOR:
        return refund
    return _end(books, order, refund, "SUCCESS", now=now)


def _end(books: Books, order: Order, refund: Change, status: str, *, now: datetime) -> Change:
    """Money goes back only with a refund that succeeds; a failed one frees its amount."""
    failed = status == "FAILED"
    data = {**refund.data, "status": status, "processed_at": seconds(now)}
    refund = replace(refund, status="failed" if failed else "done", data=data)
    books.save_change(refund)
    charge = books.charge(NAME, refund.charge_id)
    assert charge is not None, "a refund is of a payment"
    if failed:
        left = charge.refunded_minor - refund.amount_minor
        books.save_charge(replace(charge, refunded_minor=left, updated_at=now))
    else:
        books.move(charge, "refund", refund.amount_minor, at=now)
        enter(
            books,
            charge,
            order,
            event_id=refund.id,
            kind="REFUND",
            at=now,
            amount_minor=refund.amount_minor,
            about={
                "refund_id": refund.key,
                "refund_arn": refund.data["arn"],
                "refund_note": refund.data["note"],
                "refund_processed_at": seconds(now),
            },
        )
    letters.tell_refund(books, order, refund)
    return refund


def fetch(case: Case, order_id: str, refund_id: str) -> Answer:
    order = own_order(case, order_id)
    for refund in refunds_of(case.books, order):
        if refund.key == refund_id:
            return _shown(case, order, current(case.books, order, refund, now=case.now))
    raise not_found("refund", "refund not found")


def list_all(case: Case, order_id: str) -> Answer:
    """A bare array, newest first."""
    order = own_order(case, order_id)
    found = [
        current(case.books, order, refund, now=case.now) for refund in refunds_of(case.books, order)
    ]
    return reply([refund_json(refund, order, case.version) for refund in found])


def _shown(case: Case, order: Order, refund: Change) -> Answer:
    return reply(refund_json(refund, order, case.version))
