"""What somebody does in Stripe's Dashboard, and what banks do days later.

Source: https://docs.stripe.com/refunds#failed-refunds and
https://docs.stripe.com/api/charges/object#charge_object-failure_balance_transaction
"""

from dataclasses import replace

from kassa_simulator.frame import Change, Charge
from kassa_simulator.stripe.asked import NAME, numbered
from kassa_simulator.stripe.balance import enter, fee_of
from kassa_simulator.stripe.paying import Payer
from kassa_simulator.stripe.rendering import charge_of, refund_json


def may(charge: Charge) -> list[str]:
    if charge.status == "authorized":
        return ["capture", "void"]
    if charge.status != "captured" or charge.data.get("dispute_open"):
        return []
    found = [] if charge.data["dispute"] else ["fail"]  # a bank takes it back one way or the other
    if not charge.data.get("fee_corrected"):
        found.append("correct_fee")
    if not charge.data.get("settled"):
        found.append("settle_abroad")
    if charge.refunded_minor < charge.captured_minor and not charge.data["dispute"]:
        found.append("refund")
    return [*found, "fail_refund"] if charge.refunded_minor else found


def do(payer: Payer, charge: Charge, action: str) -> None:
    match action:
        case "capture":
            payer.capture(charge, charge.authorized_minor, "")
        case "void":
            payer.cancel(charge, "requested_by_customer")
        case "refund":
            _refund(payer, charge)
        case "fail_refund":
            _fail_refund(payer, charge)
        case "fail":
            _fail(payer, charge)
        case "correct_fee":
            _correct_fee(payer, charge)
        case "settle_abroad":
            settled = "EUR" if charge.currency != "EUR" else "GBP"
            data = {**charge.data, "settled": settled}
            payer.books.save_charge(replace(charge, data=data))


def _refund(payer: Payer, charge: Charge) -> None:
    """All that is left, without any metadata."""
    books, amount = payer.books, charge.captured_minor - charge.refunded_minor
    name = books.new_id("re_", charge.id, "", numbered(books, "refunds", charge.id))
    entry = enter(
        books, charge.merchant, name, "refund", -amount, charge.currency, fee=0, at=payer.now
    )
    change = Change(
        provider=NAME,
        merchant=charge.merchant,
        id=name,
        key="",
        charge_id=charge.id,
        kind="refund",
        amount_minor=amount,
        status="done",
        created_at=payer.now,
        data={"reason": None, "metadata": {}, "balance_transaction": entry},
    )
    books.add_change(change)
    charge = replace(charge, refunded_minor=charge.refunded_minor + amount, updated_at=payer.now)
    books.save_charge(charge)
    books.move(charge, "refund", amount, at=payer.now)
    payer.tell("refund.created", charge, refund_json(charge, change))
    payer.tell("charge.refunded", charge, charge_of(books, charge) or {})


def _fail_refund(payer: Payer, charge: Charge) -> None:
    """The newest one that was done comes back: nobody could take it."""
    books = payer.books
    done = [
        one
        for one in books.changes_of(NAME, charge.id)
        if one.kind == "refund" and one.status == "done"
    ]
    change = done[-1]
    entry = enter(
        books,
        charge.merchant,
        change.id,
        "refund_failure",
        change.amount_minor,
        charge.currency,
        fee=0,
        at=payer.now,
    )
    failure = {
        "failure_reason": "expired_or_canceled_card",
        "failure_balance_transaction": entry,
        "returned": True,
    }
    change = replace(change, status="failed", data={**change.data, **failure})
    books.save_change(change)
    left = charge.refunded_minor - change.amount_minor
    charge = replace(charge, refunded_minor=left, updated_at=payer.now)
    books.save_charge(charge)
    books.move(charge, "refund", -change.amount_minor, at=payer.now)
    payer.tell("refund.failed", charge, refund_json(charge, change))
    payer.tell("charge.refund.updated", charge, refund_json(charge, change))


def _correct_fee(payer: Payer, charge: Charge) -> None:
    """Half of it is given back; only the balance tells of that."""
    half = fee_of(charge.captured_minor) // 2
    enter(
        payer.books,
        charge.merchant,
        charge.data["latest_charge"],
        "fee",
        half,
        charge.currency,
        fee=0,
        at=payer.now,
    )
    payer.books.save_charge(replace(charge, data={**charge.data, "fee_corrected": True}))
    payer.books.move(charge, "charge", 0, at=payer.now, fee_minor=-half)


def _fail(payer: Payer, charge: Charge) -> None:
    """A debit that was paid is returned by the payer's bank."""
    books, latest = payer.books, charge.data["latest_charge"]
    amount = charge.captured_minor
    entry = enter(
        books,
        charge.merchant,
        latest,
        "charge_failure",
        -amount,
        charge.currency,
        fee=0,
        at=payer.now,
    )
    failure = {"code": "insufficient_funds", "message": "The bank returned the debit."}
    kept = books.get(NAME, "charge", latest) or {}
    returned = {**kept, "failure": failure, "failure_balance_transaction": entry}
    books.put(NAME, "charge", latest, returned)
    error = {**failure, "charge": latest, "type": "card_error"}
    charge = payer.save(
        replace(charge, captured_minor=0), "requires_payment_method", last_payment_error=error
    )
    charge = replace(charge, status="declined", data={**charge.data, "returned": True})
    books.save_charge(charge)
    books.move(charge, "dispute", amount, at=payer.now)
    payer.tell("charge.failed", charge, charge_of(books, charge) or {})
    payer.tell("payment_intent.payment_failed", charge)
