"""Refunds: whole, in part, repeated under a key, and asked about."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from kassa_simulator.frame import Answer, Books, Change, Charge
from kassa_simulator.razorpay.entities import payment_json, refund_json
from kassa_simulator.razorpay.ledger import enter
from kassa_simulator.razorpay.paying import order_of, tell
from kassa_simulator.razorpay.payments import own_payment
from kassa_simulator.razorpay.wire import (
    NAME,
    Case,
    amount_in,
    body_of,
    collection,
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

_KEY = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_SHORTEST_KEY = 10
_LONGEST_RECEIPT = 255
_PENDING_FOR = timedelta(minutes=30)
_EVERYTHING = 1_000_000

SIMULATE = "simulate_refund"
"""A note of this name with "failed" or "pending" makes the refund end, or wait, like that."""


def create(case: Case, payment_id: str) -> Answer:
    """POST /payments/{id}/refund; a repeat under the same key gets the same answer."""
    key = case.call.headers.get("x-refund-idempotency", "")
    if not key:
        return _create(case, payment_id)
    if len(key) < _SHORTEST_KEY:
        raise refusal("The idempotency key must be at least 10 characters long.")
    if not _KEY.fullmatch(key):
        raise refusal(
            "The idempotency key must only contain alphanumeric characters, underscores,"
            " and hyphens"
        )
    fingerprint = hashlib.sha256(payment_id.encode() + b"\n" + case.call.body).hexdigest()
    kept = case.books.recall(NAME, case.merchant.name, key)
    if kept is not None:
        if kept[0] != fingerprint:
            raise refusal(
                "Different request with the same idempotency key has already been processed.",
                status=409,
            )
        return kept[1]
    answer = _create(case, payment_id)
    case.books.remember(NAME, case.merchant.name, key, fingerprint, answer)
    return answer


def _create(case: Case, payment_id: str) -> Answer:
    charge = own_payment(case, payment_id)
    fields = body_of(case.call)
    notes = notes_in(fields)
    speed = fields.get("speed", "normal")
    if speed not in ("normal", "optimum"):
        raise refusal("The speed must be normal or optimum.", "speed")
    if charge.status != "captured":
        raise refusal("The payment status should be captured for action to be taken")
    amount = _refundable(case, charge, fields.get("amount"))
    if case.call.decline:
        raise refusal(
            "Your account does not have enough balance to carry out the refund operation."
        )
    receipt = text_in(fields, "receipt", _LONGEST_RECEIPT) or ""
    refund = make(
        case.books, charge, amount, now=case.now, receipt=receipt, notes=notes, speed=speed
    )
    return reply(refund_json(refund, charge.currency))


def make(
    books: Books,
    charge: Charge,
    amount: int,
    *,
    now: datetime,
    receipt: str = "",
    notes: Mapping[str, str] | None = None,
    speed: str = "normal",
) -> Change:
    """By the API; or, without receipt and notes, in the Dashboard."""
    notes = notes or {}
    number = len(books.changes_of(NAME, charge.id)) + 1
    refund_id = new_id(books, "rfnd_", charge.id, str(number))
    refund = Change(
        provider=NAME,
        merchant=charge.merchant,
        id=refund_id,
        key=receipt,
        charge_id=charge.id,
        kind="refund",
        amount_minor=amount,
        status="pending",
        created_at=now,
        data={"notes": notes, "speed": speed, "arn": books.digits(23, NAME, refund_id)},
    )
    books.add_change(refund)
    charge = replace(charge, refunded_minor=charge.refunded_minor + amount, updated_at=now)
    books.save_charge(charge)
    _tell(books, charge, refund, "refund.created")
    wish = notes.get(SIMULATE)
    if wish != "pending":
        refund = _end(books, charge, refund, failed=wish == "failed", now=now)
    return refund


def come_back(books: Books, charge: Charge, refund: Change, *, now: datetime) -> None:
    """A refund that was processed fails after all: its bank sent it back."""
    refund = replace(refund, status="failed", data={**refund.data, "returned": True})
    books.save_change(refund)
    left = charge.refunded_minor - refund.amount_minor
    charge = replace(charge, refunded_minor=left, updated_at=now)
    books.save_charge(charge)
    books.move(charge, "refund", -refund.amount_minor, at=now)
    enter(
        books,
        charge,
        order_of(books, charge.data["order_id"]) or {},
        entity_id=new_id(books, "adj_", refund.id),
        kind="adjustment",
        at=now,
        amount_minor=-refund.amount_minor,
        why=f"Reversal of refund {refund.id}",
    )
    _tell(books, charge, refund, "refund.failed")


def _refundable(case: Case, charge: Charge, wanted: object) -> int:
    """The amount asked for, all that is left where none is. Raises: Refused."""
    left = charge.captured_minor - charge.refunded_minor
    if left <= 0:
        raise refusal("The payment has been fully refunded already")
    if wanted is None:
        return left
    amount = amount_in({"amount": wanted}, charge.currency)
    if amount > charge.captured_minor:
        raise refusal("The refund amount provided is greater than amount captured", "amount")
    if amount > left:
        raise refusal("The total refund amount is greater than the refund payment amount")
    return amount


def _end(books: Books, charge: Charge, refund: Change, *, failed: bool, now: datetime) -> Change:
    """Money goes back only with a refund that succeeds; a failed one frees its amount."""
    refund = replace(refund, status="failed" if failed else "done")
    books.save_change(refund)
    if failed:
        left = charge.refunded_minor - refund.amount_minor
        charge = replace(charge, refunded_minor=left, updated_at=now)
        books.save_charge(charge)
    else:
        books.move(charge, "refund", refund.amount_minor, at=now)
        enter(
            books,
            charge,
            order_of(books, charge.data["order_id"]) or {},
            entity_id=refund.id,
            kind="refund",
            at=now,
            amount_minor=refund.amount_minor,
        )
    _tell(books, charge, refund, "refund.failed" if failed else "refund.processed")
    return refund


def _current(case: Case, refund: Change) -> Change:
    """A pending refund succeeds after a while."""
    if refund.status != "pending" or case.now < refund.created_at + _PENDING_FOR:
        return refund
    charge = case.books.charge(NAME, refund.charge_id)
    if charge is None:
        return refund
    return _end(case.books, charge, refund, failed=False, now=case.now)


def fetch(case: Case, refund_id: str, payment_id: str = "") -> Answer:
    refund = case.books.change(NAME, refund_id)
    if refund is None or refund.merchant != case.merchant.name or refund.kind != "refund":
        raise no_such_id()
    if payment_id and refund.charge_id != payment_id:
        raise no_such_id()
    return reply(_shown(case, _current(case, refund)))


def list_of(case: Case, payment_id: str) -> Answer:
    """GET /payments/{id}/refunds, newest first."""
    return _listed(case, [own_payment(case, payment_id)])


def list_all(case: Case) -> Answer:
    """GET /refunds, newest first."""
    return _listed(case, list(case.books.charges(NAME, case.merchant.name, limit=_EVERYTHING)))


def _listed(case: Case, charges: list[Charge]) -> Answer:
    query = query_of(case.call)
    found = [
        change
        for charge in charges
        for change in case.books.changes_of(NAME, charge.id)
        if change.kind == "refund" and within(query, seconds(change.created_at))
    ]
    found.sort(key=lambda change: change.created_at)
    shown = page_of(query, found[::-1])
    return collection([_shown(case, _current(case, refund)) for refund in shown])


def _shown(case: Case, refund: Change) -> dict[str, object]:
    charge = case.books.charge(NAME, refund.charge_id)
    return refund_json(refund, charge.currency if charge else "")


def _tell(books: Books, charge: Charge, refund: Change, event: str) -> None:
    payload = {"refund": refund_json(refund, charge.currency), "payment": payment_json(charge)}
    tell(books, charge, event, payload)
