"""Disputes: opened by the payer's bank, from phase to phase, decided for one side.

Source: https://razorpay.com/docs/api/disputes/entity/ and …/fetch-all/
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kassa_simulator.frame import Answer, Books, Charge
from kassa_simulator.razorpay.entities import dispute_json, payment_json
from kassa_simulator.razorpay.ledger import enter
from kassa_simulator.razorpay.paying import order_of, tell
from kassa_simulator.razorpay.wire import (
    NAME,
    Case,
    collection,
    new_id,
    no_such_id,
    page_of,
    query_of,
    reply,
    seconds,
    within,
)

_ANSWER_WITHIN = timedelta(days=7)
_EVERYTHING = 1_000_000
_PHASES = ("chargeback", "pre_arbitration", "arbitration")
_OPEN = ("open", "under_review")


def may(charge: Charge) -> Sequence[str]:
    """What the payer's bank may do now about a captured payment."""
    dispute: Mapping[str, Any] | None = charge.data.get("dispute")
    if dispute is None:
        left = charge.refunded_minor < charge.captured_minor
        return ("dispute", "dispute_deducted", "dispute_abroad") if left else ()
    if dispute["status"] in _OPEN:
        review = ("review_dispute",) if dispute["status"] == "open" else ()
        return ("win_dispute", "lose_dispute", *review, "reduce_dispute", "extend_dispute")
    return ("escalate_dispute",) if dispute.get("phase") != _PHASES[-1] else ()


def act(books: Books, charge: Charge, action: str, *, now: datetime) -> Charge:
    """One of `may`."""
    dispute: dict[str, Any] = dict(charge.data.get("dispute") or {})
    match action:
        case "dispute" | "dispute_deducted" | "dispute_abroad":
            return _begin(books, charge, action, now)
        case "win_dispute":
            charge = _deduct(books, charge, dispute, 0, now)
            return _save(books, charge, dispute | {"status": "won"}, "won", now)
        case "lose_dispute":
            abroad = dispute.get("currency", charge.currency) != charge.currency
            if not abroad:
                charge = _deduct(books, charge, dispute, dispute["amount"], now)
            return _save(books, charge, dispute | {"status": "lost"}, "lost", now)
        case "review_dispute":
            return _save(books, charge, dispute | {"status": "under_review"}, "under_review", now)
        case "reduce_dispute":
            less = dispute["amount"] * 60 // 100
            if dispute.get("deducted"):
                charge = _deduct(books, charge, dispute, less, now)
            return _save(books, charge, dispute | {"amount": less}, "action_required", now)
        case "extend_dispute":
            later = dispute["respond_by"] + int(_ANSWER_WITHIN.total_seconds())
            return _save(books, charge, dispute | {"respond_by": later}, "action_required", now)
        case "escalate_dispute":
            phase = _PHASES[_PHASES.index(dispute.get("phase", _PHASES[0])) + 1]
            again = {
                "phase": phase,
                "status": "open",
                "respond_by": seconds(now + _ANSWER_WITHIN),
            }
            return _save(books, charge, dispute | again, "created", now)
    return charge


def list_all(case: Case) -> Answer:
    """GET /disputes, newest first."""
    query = query_of(case.call)
    found = [
        shown for shown in map(dispute_json, _disputed(case)) if within(query, shown["created_at"])
    ]
    found.sort(key=lambda shown: shown["created_at"])
    return collection(page_of(query, found[::-1]))


def fetch(case: Case, dispute_id: str) -> Answer:
    """GET /disputes/{id}."""
    for charge in _disputed(case):
        if charge.data["dispute"]["id"] == dispute_id:
            return reply(dispute_json(charge))
    raise no_such_id()


def _disputed(case: Case) -> Sequence[Charge]:
    charges = case.books.charges(NAME, case.merchant.name, limit=_EVERYTHING)
    return [charge for charge in charges if charge.data.get("dispute")]


def _begin(books: Books, charge: Charge, action: str, now: datetime) -> Charge:
    amount = charge.captured_minor - charge.refunded_minor
    opened: dict[str, Any] = {
        "id": new_id(books, "disp_", charge.id),
        "amount": amount,
        "status": "open",
        "created_at": seconds(now),
        "respond_by": seconds(now + _ANSWER_WITHIN),
    }
    if action == "dispute_abroad":
        opened |= {"amount": max(1, amount // 80), "currency": "USD"}
    if action == "dispute_deducted":
        charge = _deduct(books, charge, opened, amount, now)
    return _save(books, charge, opened, "created", now)


def _deduct(
    books: Books, charge: Charge, dispute: dict[str, Any], deducted: int, now: datetime
) -> Charge:
    """Take more of the account's balance for it, or give back."""
    more = deducted - dispute.get("deducted", 0)
    if more:
        books.move(charge, "dispute", more, at=now)
        nth = dispute.get("moves", 0)
        dispute["moves"] = nth + 1
        order = order_of(books, charge.data["order_id"]) or {}
        about = replace(charge, data={**charge.data, "dispute": dispute})
        name = (dispute["id"], str(nth)) if nth else (dispute["id"],)
        enter(
            books,
            about,
            order,
            entity_id=new_id(books, "adj_", *name),
            kind="adjustment",
            at=now,
            amount_minor=more,
        )
    dispute["deducted"] = deducted
    return charge


def _save(
    books: Books, charge: Charge, dispute: Mapping[str, Any], event: str, now: datetime
) -> Charge:
    charge = replace(charge, updated_at=now, data={**charge.data, "dispute": dict(dispute)})
    books.save_charge(charge)
    payload = {"payment": payment_json(charge), "dispute": dispute_json(charge)}
    tell(books, charge, f"payment.dispute.{event}", payload)
    return charge
