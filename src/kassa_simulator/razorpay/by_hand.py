"""What somebody does in Razorpay's Dashboard, and a refund that comes back days later."""

from dataclasses import replace
from datetime import datetime

from kassa_simulator.frame import Books, Charge
from kassa_simulator.razorpay import ledger, paying, refunds
from kassa_simulator.razorpay.wire import NAME, new_id


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
    order = paying.order_of(books, charge.data["order_id"])
    if action == "capture" and order is not None and order["paid"] < order["amount"]:
        paying.capture(books, order, charge, now=now)
    elif action == "refund":
        left = charge.captured_minor - charge.refunded_minor
        refunds.make(books, charge, left, now=now)
    elif action == "fail_refund":
        done = [
            one
            for one in books.changes_of(NAME, charge.id)
            if one.kind == "refund" and one.status == "done"
        ]
        if done:
            refunds.come_back(books, charge, done[-1], now=now)
    elif action == "correct_fee":
        half = charge.data["fee"] // 2
        ledger.enter(
            books,
            charge,
            order or {},
            entity_id=new_id(books, "adj_", charge.id, "fee"),
            kind="adjustment",
            at=now,
            amount_minor=-half,
            why=f"Fee correction of {charge.id}",
        )
        books.save_charge(replace(charge, data={**charge.data, "fee_corrected": True}))
        books.move(charge, "charge", 0, at=now, fee_minor=-half)
    return books.charge(NAME, charge.id) or charge
