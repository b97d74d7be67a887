"""What somebody does in the wallet's own pages, and what fails there days later."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from kassa_simulator.frame import Books, Change, Charge
from kassa_simulator.wallet import changes
from kassa_simulator.wallet.payments import tell
from kassa_simulator.wallet.wire import NAME, iso


def may(charge: Charge) -> tuple[str, ...]:
    if charge.status != "captured":
        return ()
    found = ["fail"]
    if charge.refunded_minor < charge.captured_minor:
        found.append("refund")
    return (*found, "fail_refund") if charge.refunded_minor else tuple(found)


def do(books: Books, charge: Charge, action: str, now: datetime) -> Charge:
    match action:
        case "refund":
            _refund(books, charge, now)
        case "fail_refund":
            _fail_refund(books, charge, now)
        case "fail":
            _fail(books, charge, now)
    return books.charge(NAME, charge.id) or charge


def _refund(books: Books, charge: Charge, now: datetime) -> None:
    """All that is left, under a number of the wallet's."""
    number = str(len(books.changes_of(NAME, charge.id)) + 1)
    change = Change(
        provider=NAME,
        merchant=charge.merchant,
        id=f"{now:%Y%m%d}{books.digits(20, NAME, 'by hand', charge.id, number)}",
        key=f"BYHAND{books.digits(12, NAME, charge.id, number)}",
        charge_id=charge.id,
        kind="refund",
        amount_minor=charge.captured_minor - charge.refunded_minor,
        status="done",
        created_at=now,
        data={
            "code": "SUCCESS",
            "currency": charge.currency,
            "asked_in": charge.currency,
            "reason": "",
        },
    )
    books.add_change(change)
    changes.give_back(books, charge, change, charge.data["notify_url"], now=now)


def _fail_refund(books: Books, charge: Charge, now: datetime) -> None:
    done = [
        one
        for one in books.changes_of(NAME, charge.id)
        if one.kind == "refund" and one.status == "done"
    ]
    if not done:
        return
    data: dict[str, Any] = {**done[-1].data, "code": "PROCESS_FAIL", "returned": True}
    change = replace(done[-1], status="failed", data=data)
    books.save_change(change)
    left = charge.refunded_minor - change.amount_minor
    charge = replace(charge, refunded_minor=left, updated_at=now)
    books.save_charge(charge)
    books.move(charge, "refund", -change.amount_minor, at=now)
    changes.tell_refund(books, charge, change, charge.data["notify_url"])


def _fail(books: Books, charge: Charge, now: datetime) -> None:
    """The bank card behind the wallet's payment is charged back: the wallet takes it out again."""
    taken = charge.captured_minor
    failure = {"failure": "PROCESS_FAIL", "fail_reason": "The bank returned it."}
    charge = replace(
        charge,
        status="declined",
        captured_minor=0,
        updated_at=now,
        data={**charge.data, **failure, "ended_at": iso(now)},
    )
    books.save_charge(charge)
    books.move(charge, "dispute", taken, at=now)
    tell(books, charge)
