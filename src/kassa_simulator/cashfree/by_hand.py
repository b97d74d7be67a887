"""What somebody does in Cashfree's Dashboard, and a refund that comes back days later."""

from dataclasses import replace
from datetime import datetime

from kassa_simulator.cashfree import ledger, letters, paying, refunds
from kassa_simulator.cashfree.wire import NAME
from kassa_simulator.frame import Books, Charge


def may(charge: Charge) -> list[str]:
    if charge.status == "authorized":
        return ["capture"]
    if charge.status != "captured" or charge.data.get("dispute"):
        return []
    found = ["refund"] if charge.refunded_minor < charge.captured_minor else []
    if charge.data["fee"] and not charge.data.get("fee_corrected"):
        found.append("correct_fee")
    return [*found, "fail_refund"] if charge.refunded_minor else found


def do(books: Books, charge: Charge, action: str, now: datetime) -> Charge:
    order = paying.order_paid_by(books, charge)
    match action:
        case "capture":
            charge = paying.capture(books, charge, charge.authorized_minor, now=now)
            letters.tell_payment(books, order, charge)
        case "refund":
            left = charge.captured_minor - charge.refunded_minor
            refunds.make(books, order, charge, left, now=now)
        case "fail_refund":
            done = [
                one
                for one in books.changes_of(NAME, charge.id)
                if one.kind == "refund" and one.status == "done"
            ]
            if done:
                refunds.come_back(books, order, done[-1], now=now)
        case "correct_fee":
            half = charge.data["fee"] // 2
            ledger.enter(
                books,
                charge,
                order,
                event_id=books.digits(12, NAME, "fee", charge.id),
                kind="OTHER_ADJUSTMENT",
                at=now,
                amount_minor=half,
            )
            books.save_charge(replace(charge, data={**charge.data, "fee_corrected": True}))
            books.move(charge, "charge", 0, at=now, fee_minor=-half)
    return books.charge(NAME, charge.id) or charge
