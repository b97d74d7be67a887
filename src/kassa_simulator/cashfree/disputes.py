"""Disputes: opened by the payer's bank, closed for one side."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kassa_simulator.cashfree import letters
from kassa_simulator.cashfree.ledger import enter
from kassa_simulator.cashfree.paying import order_paid_by
from kassa_simulator.cashfree.wire import NAME, seconds
from kassa_simulator.frame import Books, Charge

_ANSWER_WITHIN = timedelta(days=7)
_TYPES = ("CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION")
_OPEN = ("CREATED", "DOCS_RECEIVED")


def may(charge: Charge) -> Sequence[str]:
    """What the payer's bank may do now about a captured payment."""
    dispute: Mapping[str, Any] | None = charge.data.get("dispute")
    if dispute is None:
        left = charge.refunded_minor < charge.captured_minor
        return ("dispute", "inquire", "dispute_abroad") if left else ()
    if dispute["now"] in _OPEN:
        review = ("review_dispute",) if dispute["now"] == "CREATED" else ()
        return ("win_dispute", "lose_dispute", *review, "reduce_dispute", "extend_dispute")
    won = dispute["now"] == "MERCHANT_WON"
    return ("escalate_dispute",) if won and dispute["type"] != _TYPES[-1] else ()


def act(books: Books, charge: Charge, action: str, *, now: datetime) -> Charge:
    """One of `may`. Only a lost one takes money."""
    dispute: dict[str, Any] = dict(charge.data.get("dispute") or {})
    match action:
        case "dispute" | "inquire" | "dispute_abroad":
            return _begin(books, charge, action, now)
        case "win_dispute":
            return _save(books, charge, dispute | {"now": "MERCHANT_WON"}, "DISPUTE_CLOSED", now)
        case "lose_dispute":
            _take(books, charge, dispute, now)
            return _save(books, charge, dispute | {"now": "MERCHANT_LOST"}, "DISPUTE_CLOSED", now)
        case "review_dispute":
            return _save(books, charge, dispute | {"now": "DOCS_RECEIVED"}, "DISPUTE_UPDATED", now)
        case "reduce_dispute":
            less = dispute["amount"] * 60 // 100
            return _save(books, charge, dispute | {"amount": less}, "DISPUTE_UPDATED", now)
        case "extend_dispute":
            later = dispute["respond_by"] + int(_ANSWER_WITHIN.total_seconds())
            return _save(books, charge, dispute | {"respond_by": later}, "DISPUTE_UPDATED", now)
        case "escalate_dispute":
            at = _TYPES.index(dispute["type"]) if dispute["type"] in _TYPES else -1
            again = {
                "type": _TYPES[at + 1],
                "now": "CREATED",
                "respond_by": seconds(now + _ANSWER_WITHIN),
            }
            return _save(books, charge, dispute | again, "DISPUTE_CREATED", now)
    return charge


def _begin(books: Books, charge: Charge, action: str, now: datetime) -> Charge:
    amount = charge.captured_minor - charge.refunded_minor
    opened: dict[str, object] = {
        "id": books.digits(9, NAME, "dispute", charge.id),
        "type": "RETRIEVAL" if action == "inquire" else "CHARGEBACK",
        "amount": amount,
        "currency": charge.currency,
        "now": "CREATED",
        "created_at": seconds(now),
        "respond_by": seconds(now + _ANSWER_WITHIN),
    }
    if action == "dispute_abroad":
        opened |= {"amount": max(1, amount // 80), "currency": "USD"}
    return _save(books, charge, opened, "DISPUTE_CREATED", now)


def _take(books: Books, charge: Charge, dispute: Mapping[str, Any], now: datetime) -> None:
    if dispute["currency"] != charge.currency:
        return  # what it comes to in the account's currency, only a settlement tells
    books.move(charge, "dispute", dispute["amount"], at=now)
    enter(
        books,
        charge,
        order_paid_by(books, charge),
        event_id=dispute["id"],
        kind="DISPUTE",
        at=now,
        amount_minor=dispute["amount"],
        about={"closed_in_favor_of": "CUSTOMER", "resolved_on": seconds(now)},
    )


def _save(
    books: Books, charge: Charge, dispute: dict[str, object], event: str, now: datetime
) -> Charge:
    charge = replace(charge, updated_at=now, data={**charge.data, "dispute": dispute})
    books.save_charge(charge)
    letters.tell_dispute(books, order_paid_by(books, charge), charge, event)
    return charge
