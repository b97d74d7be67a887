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
_OLDER = ("needs_response", 0)  # of books from before this was kept
_VERDICTS = {"winning_evidence": True, "losing_evidence": False}


def may(charge: Charge) -> list[str]:
    """What the payer's bank may do now about a charge whose money was taken."""
    if not charge.data["dispute"]:
        left = charge.refunded_minor < charge.captured_minor
        return ["dispute", "inquire", "dispute_abroad", "dispute_converted"] if left else []
    status, fee = charge.data.get("dispute_now", _OLDER)
    if status.startswith("warning_") and status != "warning_closed":
        return ["charge_back", "close_inquiry", "extend_dispute"]
    if status in _OPEN:
        review = ["review_dispute"] if status == "needs_response" else []
        return ["win_dispute", "lose_dispute", *review, "reduce_dispute", "extend_dispute"]
    if status == "won" and fee > 0:
        return ["return_dispute_fee"]
    return []


def of_charge(books: Books, charge: Charge) -> dict[str, Any] | None:
    kept = books.get(NAME, "dispute", charge.data["dispute"] or "")
    return None if kept is None else kept["shown"]


def act(books: Books, merchant: Merchant, charge: Charge, action: str, now: datetime) -> None:
    """One of `may`."""
    match action:
        case "dispute":
            open_dispute(books, merchant, charge, now)
        case "inquire":
            open_dispute(books, merchant, charge, now, asks=True)
        case "dispute_abroad":
            open_dispute(books, merchant, charge, now, told_in=_another(charge), abroad=True)
        case "dispute_converted":
            open_dispute(books, merchant, charge, now, told_in=_another(charge))
        case "win_dispute" | "lose_dispute":
            close(books, merchant, charge, now, won=action == "win_dispute")
        case _:
            _go_on(_Open(books, merchant, charge, now), action)


def _another(charge: Charge) -> str:
    return "JPY" if charge.currency != "JPY" else "USD"


def open_dispute(
    books: Books,
    merchant: Merchant,
    charge: Charge,
    now: datetime,
    *,
    asks: bool = False,
    told_in: str = "",
    abroad: bool = False,
) -> Charge:
    """The payer's bank takes the money back until it is decided, or, `asks`, only asks.

    `told_in`: the currency that the dispute is told in; `abroad`: it is taken in that as well.
    """
    amount = charge.captured_minor - charge.refunded_minor
    name = books.new_id("du_", charge.id)
    dispute = {
        "id": name,
        "object": "dispute",
        "amount": amount * 157 // 100 if told_in else amount,
        "balance_transactions": [],
        "charge": charge.data["latest_charge"],
        "created": seconds(now),
        "currency": (told_in or charge.currency).lower(),
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
        "status": "warning_needs_response" if asks else "needs_response",
    }
    data = {**charge.data, "dispute": name, "dispute_open": not asks}
    opened = _Open(books, merchant, replace(charge, data=data), now, dispute)
    if not asks:
        currency = told_in if abroad else charge.currency
        taken = dispute["amount"] if abroad else amount
        opened.book("dispute", -taken, DISPUTE_FEE, currency)
    opened.say("created")
    if not asks:
        opened.say("funds_withdrawn")
    return opened.charge


class _Open:
    """A dispute at work: what is done to it is booked, kept and told."""

    def __init__(
        self,
        books: Books,
        merchant: Merchant,
        charge: Charge,
        now: datetime,
        dispute: dict[str, Any] | None = None,
    ) -> None:
        self.books, self.merchant, self.charge, self.now = books, merchant, charge, now
        self.dispute: dict[str, Any] = dispute or of_charge(books, charge) or {}

    @property
    def entries(self) -> list[dict[str, Any]]:
        return list(self.dispute["balance_transactions"])

    def book(self, category: str, amount: int, fee: int, currency: str) -> None:
        nth = str(len(self.entries)) if len(self.entries) > 1 else ""
        entry = enter(
            self.books,
            self.merchant.name,
            self.dispute["id"],
            category,
            amount,
            currency,
            fee=fee,
            at=self.now,
            nth=nth,
        )
        self.dispute["balance_transactions"] = [*self.entries, _entry(self.books, entry)]
        moved = replace(self.charge, currency=currency)
        self.books.move(moved, "dispute", -amount, at=self.now, fee_minor=fee)

    def say(self, event: str, **changes: Any) -> None:
        self.dispute |= changes
        _keep(self.books, self.merchant, self.dispute)
        now = [self.dispute["status"], sum(each["fee"] for each in self.entries)]
        data = {**self.charge.data, "dispute_now": now}
        self.charge = replace(self.charge, data=data, updated_at=self.now)
        self.books.save_charge(self.charge)
        tell(self.books, self.merchant, f"charge.dispute.{event}", self.charge.id, self.dispute)


def _go_on(opened: _Open, action: str) -> None:
    dispute, charge = opened.dispute, opened.charge
    match action:
        case "charge_back":
            opened.charge = replace(charge, data={**charge.data, "dispute_open": True})
            opened.book("dispute", -dispute["amount"], DISPUTE_FEE, charge.currency)
            opened.say("funds_withdrawn", status="needs_response")
        case "close_inquiry":
            opened.say("closed", status="warning_closed")
        case "review_dispute":
            opened.say("updated", status="under_review")
        case "extend_dispute":
            details = dispute["evidence_details"]
            later = details["due_by"] + int(_RESPOND_WITHIN.total_seconds())
            opened.say("updated", evidence_details={**details, "due_by": later})
        case "reduce_dispute":
            less = dispute["amount"] * 60 // 100
            back = dispute["amount"] - less
            currency = opened.entries[0]["currency"].upper()
            if dispute["currency"].upper() != currency:  # taken in another than it is told in
                back = sum(-each["amount"] for each in opened.entries) * 40 // 100
            opened.book("dispute_reversal", back, 0, currency)
            opened.say("updated", amount=less)
        case "return_dispute_fee":
            fee = sum(each["fee"] for each in opened.entries)
            opened.book("dispute_reversal", 0, -fee, opened.entries[0]["currency"].upper())
            opened.say("funds_reinstated")


def close(books: Books, merchant: Merchant, charge: Charge, now: datetime, *, won: bool) -> None:
    """The bank decides."""
    dispute = of_charge(books, charge)
    if dispute is None or dispute["status"] not in _OPEN:
        return
    opened = _Open(books, merchant, charge, now, dispute)
    if won:
        taken = -sum(each["amount"] for each in opened.entries)
        opened.book("dispute_reversal", taken, 0, opened.entries[0]["currency"].upper())
    dispute["status"] = "won" if won else "lost"
    data = {**charge.data, "dispute_won": won, "dispute_open": False}
    opened.charge = replace(charge, data=data)
    if won:
        opened.say("funds_reinstated")
    opened.say("closed")


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
    charge = asked.books.charge(NAME, dispute["payment_intent"])
    if charge is not None:
        _Open(asked.books, asked.merchant, charge, asked.now, dispute).say("updated")
        charge = asked.books.charge(NAME, charge.id)
    verdict = _VERDICTS.get(text_of(evidence, "uncategorized_text", ""))
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
