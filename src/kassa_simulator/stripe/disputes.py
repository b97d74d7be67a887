"""Disputes: opened by the payer's bank, answered with evidence, won or lost.

Source: https://docs.stripe.com/api/disputes
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kassa_simulator.frame import Books, Charge, Merchant
from kassa_simulator.stripe.asked import NAME, Asked, seconds, tell
from kassa_simulator.stripe.balance import DISPUTE_FEE, enter
from kassa_simulator.stripe.errors import StripeError, no_such
from kassa_simulator.stripe.forms import check_known, flag_of, metadata_of, text_of

_RESPOND_WITHIN = timedelta(days=7)
_OPEN = ("needs_response", "under_review")
_VERDICTS = {"winning_evidence": True, "losing_evidence": False}


def open_dispute(books: Books, merchant: Merchant, charge: Charge, now: datetime) -> Charge:
    """The payer's bank takes the money back until it is decided."""
    amount = charge.captured_minor - charge.refunded_minor
    name = books.new_id("du_", charge.id)
    entry = enter(
        books,
        merchant.name,
        name,
        "dispute",
        -amount,
        charge.currency,
        fee=DISPUTE_FEE,
        at=now,
    )
    dispute = {
        "id": name,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [_entry(books, entry)],
        "charge": charge.data["latest_charge"],
        "created": seconds(now),
        "currency": charge.currency.lower(),
        "evidence": {},
        "evidence_details": {
            "due_by": seconds(now + _RESPOND_WITHIN),
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge.id,
        "reason": "fraudulent",
        "status": "needs_response",
    }
    _keep(books, merchant, dispute)
    charge = replace(
        charge, data={**charge.data, "dispute": name, "dispute_open": True}, updated_at=now
    )
    books.save_charge(charge)
    books.move(charge, "dispute", amount, at=now, fee_minor=DISPUTE_FEE)
    tell(books, merchant, "charge.dispute.created", charge.id, dispute)
    tell(books, merchant, "charge.dispute.funds_withdrawn", charge.id, dispute)
    return charge


def close(books: Books, merchant: Merchant, charge: Charge, now: datetime, *, won: bool) -> None:
    """The bank decides."""
    kept = books.get(NAME, "dispute", charge.data["dispute"] or "")
    if kept is None or kept["shown"]["status"] not in _OPEN:
        return
    dispute = {**kept["shown"], "status": "won" if won else "lost"}
    if won:
        amount = dispute["amount"]
        entry = enter(
            books,
            merchant.name,
            dispute["id"],
            "dispute_reversal",
            amount,
            charge.currency,
            fee=0,
            at=now,
        )
        dispute["balance_transactions"] = [
            *dispute["balance_transactions"],
            _entry(books, entry),
        ]
        books.move(charge, "dispute", -amount, at=now)
    _keep(books, merchant, dispute)
    charge = replace(
        charge, data={**charge.data, "dispute_won": won, "dispute_open": False}, updated_at=now
    )
    books.save_charge(charge)
    if won:
        tell(books, merchant, "charge.dispute.funds_reinstated", charge.id, dispute)
    tell(books, merchant, "charge.dispute.closed", charge.id, dispute)


def find(asked: Asked, name: str) -> dict[str, Any]:
    """Raises: StripeError."""
    kept = asked.books.get(NAME, "dispute", name)
    if kept is None or kept["merchant"] != asked.merchant.name:
        raise no_such("dispute", name)
    return dict(kept["shown"])


def retrieve(asked: Asked, name: str) -> dict[str, Any]:
    return find(asked, name)


def list_all(asked: Asked) -> list[dict[str, Any]]:
    check_known(asked.params, (*_LISTING, "charge", "payment_intent", "created"))
    wanted = {
        name: asked.params[name] for name in ("charge", "payment_intent") if name in asked.params
    }
    return [
        kept["shown"]
        for kept in reversed(asked.books.listed(NAME, "dispute"))
        if kept["merchant"] == asked.merchant.name
        and all(kept["shown"][name] == value for name, value in wanted.items())
    ]


_LISTING = ("limit", "starting_after", "ending_before", "expand")


def update(asked: Asked, name: str) -> dict[str, Any]:
    """Add evidence and, with `submit`, hand it to the bank."""
    check_known(asked.params, ("evidence", "metadata", "submit", "expand"))
    dispute = find(asked, name)
    if dispute["status"] not in _OPEN:
        raise StripeError(f"This dispute is already {dispute['status']}.", kept=True)
    evidence = asked.params.get("evidence") or {}
    if not isinstance(evidence, Mapping):
        raise StripeError("Invalid hash", param="evidence")
    submits = "submit" not in asked.params or flag_of(asked.params, "submit")
    details = {
        **dispute["evidence_details"],
        "has_evidence": bool(evidence or dispute["evidence"]),
        "submission_count": dispute["evidence_details"]["submission_count"] + submits,
    }
    dispute |= {
        "evidence": {**dispute["evidence"], **evidence},
        "evidence_details": details,
        "metadata": {**dispute["metadata"], **metadata_of(asked.params)},
        "status": "under_review" if submits else dispute["status"],
    }
    _keep(asked.books, asked.merchant, dispute)
    asked.tell("charge.dispute.updated", dispute["payment_intent"], dispute)
    verdict = _VERDICTS.get(text_of(evidence, "uncategorized_text", ""))
    charge = asked.books.charge(NAME, dispute["payment_intent"])
    if submits and verdict is not None and charge is not None:
        close(asked.books, asked.merchant, charge, asked.now, won=verdict)
    return dispute


def give_in(asked: Asked, name: str) -> dict[str, Any]:
    """The merchant lets the dispute be lost."""
    dispute = find(asked, name)
    if dispute["status"] not in _OPEN:
        raise StripeError("This dispute is already closed.", kept=True)
    charge = asked.books.charge(NAME, dispute["payment_intent"])
    if charge is not None:
        close(asked.books, asked.merchant, charge, asked.now, won=False)
    return find(asked, name)


def _keep(books: Books, merchant: Merchant, dispute: Mapping[str, Any]) -> None:
    books.put(NAME, "dispute", dispute["id"], {"merchant": merchant.name, "shown": dict(dispute)})


def _entry(books: Books, name: str) -> Any:
    return (books.get(NAME, "txn", name) or {})["shown"]
