"""Disputes: opened by the payer's bank, closed for one side."""

from dataclasses import replace
from datetime import datetime, timedelta

from kassa_simulator.cashfree import letters
from kassa_simulator.cashfree.ledger import enter
from kassa_simulator.cashfree.paying import order_paid_by
from kassa_simulator.cashfree.wire import NAME, seconds
from kassa_simulator.frame import Books, Charge

_ANSWER_WITHIN = timedelta(days=7)
OPEN, WON, LOST = "CHARGEBACK_CREATED", "CHARGEBACK_MERCHANT_WON", "CHARGEBACK_MERCHANT_LOST"


def begin(books: Books, charge: Charge, *, now: datetime) -> Charge:
    opened = {
        "id": books.digits(9, NAME, "dispute", charge.id),
        "amount": charge.captured_minor - charge.refunded_minor,
        "status": OPEN,
        "created_at": seconds(now),
        "respond_by": seconds(now + _ANSWER_WITHIN),
    }
    return _save(books, charge, opened, "DISPUTE_CREATED", now)


def end(books: Books, charge: Charge, status: str, *, now: datetime) -> Charge:
    """`status`: WON or LOST, by the merchant. Only a lost one takes money."""
    dispute = {**charge.data["dispute"], "status": status}
    if status == LOST:
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
    return _save(books, charge, dispute, "DISPUTE_CLOSED", now)


def _save(
    books: Books, charge: Charge, dispute: dict[str, object], event: str, now: datetime
) -> Charge:
    charge = replace(charge, updated_at=now, data={**charge.data, "dispute": dispute})
    books.save_charge(charge)
    letters.tell_dispute(books, order_paid_by(books, charge), charge, event)
    return charge
