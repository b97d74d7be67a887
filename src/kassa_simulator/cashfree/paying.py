"""What payers, their banks and time do to an order and its payments."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kassa_simulator.cashfree import letters
from kassa_simulator.cashfree.entities import action_time
from kassa_simulator.cashfree.ledger import enter, fee_and_tax
from kassa_simulator.cashfree.wire import NAME, JsonObject, indian, seconds
from kassa_simulator.frame import Books, Change, Charge

HELD_FOR = timedelta(days=7)
"""Money that is held and neither captured nor voided goes back by itself."""
IN_FLIGHT_FOR = timedelta(minutes=15)
"""How long an attempt may still succeed after its order has ended."""
PREAUTH_NOTE = "preauth_transaction"
"""An order with this note holds card and UPI money instead of taking it."""
CARD: JsonObject = {
    "card": {
        "channel": "link",
        "card_number": "XXXXXXXXXXXX1111",
        "card_network": "visa",
        "card_type": "credit_card",
        "card_sub_type": "R",
        "card_country": "IN",
        "card_bank_name": "TEST Bank",
        "card_network_reference_id": None,
        "instrument_id": None,
    }
}

Order = dict[str, Any]


def order_of(books: Books, merchant: str, order_id: str) -> Order | None:
    return books.get(NAME, "order", f"{merchant}/{order_id}")


def keep_order(books: Books, order: Order) -> None:
    books.put(NAME, "order", f"{order['merchant']}/{order['order_id']}", order)


def order_paid_by(books: Books, charge: Charge) -> Order:
    order = order_of(books, charge.merchant, charge.data["order_id"])
    assert order is not None, "a payment is of an order"
    return order


def charges_of(books: Books, order: Order) -> list[Charge]:
    """Every payment of the order, oldest first; also the one no payer has begun yet."""
    found = [books.charge(NAME, charge_id) for charge_id in order["charges"]]
    return [charge for charge in found if charge is not None]


def attempts(books: Books, order: Order) -> list[Charge]:
    """The payments that payers have begun, newest first."""
    begun = [charge for charge in charges_of(books, order) if charge.data.get("attempted_at")]
    return begun[::-1]


def current(books: Books, order: Order, *, now: datetime) -> Order:
    """The order as it is now: it expires, its termination ends, its held money goes back."""
    for charge in charges_of(books, order):
        if charge.status == "authorized" and now >= charge.updated_at + HELD_FOR:
            void(books, charge, now=now)
    ended = order["status"]
    if ended == "ACTIVE" and seconds(now) >= order["expires_at"]:
        ended = "EXPIRED"
    if ended == "TERMINATION_REQUESTED" and not in_flight(books, order, now=now):
        ended = "TERMINATED"
    if ended != order["status"]:
        end_order(books, order, ended, now=now)
    return order


def in_flight(books: Books, order: Order, *, now: datetime) -> bool:
    """Whether a payer may be about to finish."""
    return any(
        charge.status == "waiting" and now < charge.updated_at + IN_FLIGHT_FOR
        for charge in attempts(books, order)
    )


def end_order(books: Books, order: Order, status: str, *, now: datetime) -> None:
    """Nobody can begin to pay it any more; who has begun may finish in time."""
    order["status"] = status
    keep_order(books, order)
    for charge in charges_of(books, order):
        late = now >= charge.updated_at + IN_FLIGHT_FOR or not charge.data.get("attempted_at")
        if charge.status == "waiting" and late:
            _end(books, charge, "closed", now=now)


def add_attempt(books: Books, order: Order, *, now: datetime) -> Charge:
    """The payment that a payer of this order will make; unseen until that payer begins."""
    number = len(order["charges"]) + 1
    charge = Charge(
        provider=NAME,
        merchant=order["merchant"],
        id=books.digits(14, NAME, "payment", order["merchant"], order["order_id"], str(number)),
        key=order["key"],
        amount_minor=order["amount"],
        currency=order["currency"],
        status="waiting",
        created_at=now,
        updated_at=now,
        data={"order_id": order["order_id"]},
    )
    books.add_charge(charge)
    order["charges"].append(charge.id)
    keep_order(books, order)
    return charge


def begin(
    books: Books,
    order: Order,
    *,
    now: datetime,
    method: Mapping[str, Any] = CARD,
    group: str = "credit_card",
    stage: str = "NOT_ATTEMPTED",
    holds: bool = False,
) -> Charge:
    """A payer begins: takes the payment nobody has begun, or a new one."""
    unbegun = [
        charge
        for charge in charges_of(books, order)
        if charge.status == "waiting" and not charge.data.get("attempted_at")
    ]
    charge = unbegun[0] if unbegun else add_attempt(books, order, now=now)
    can_hold = group in ("credit_card", "upi")
    data = {
        **charge.data,
        "attempted_at": seconds(now),
        "method": method,
        "group": group,
        "stage": stage,
        "held": holds or (can_hold and order["note"] == PREAUTH_NOTE),
    }
    charge = replace(charge, updated_at=now, data=data)
    books.save_charge(charge)
    return charge


def payable(order: Order) -> bool:
    return bool(order["status"] == "ACTIVE")


def pay(books: Books, charge: Charge, *, now: datetime) -> Charge:
    """The payer pays. Money that comes after the order has ended goes straight back."""
    order = current(books, order_paid_by(books, charge), now=now)
    charge = books.charge(NAME, charge.id) or charge
    if charge.status != "waiting":
        return charge
    late = order["status"] != "ACTIVE" and now >= charge.updated_at + IN_FLIGHT_FOR
    charge = _begun(books, order, charge, now=now)
    if late or order["status"] == "PAID":
        return _end(books, charge, "closed", now=now, cancelled=True)
    reference = {"bank_reference": books.digits(12, NAME, "bank", charge.id)}
    held = bool(charge.data["held"])
    charge = replace(charge, authorized_minor=charge.amount_minor)
    order["status"] = "PAID"
    keep_order(books, order)
    if held:
        charge = _end(books, charge, "authorized", now=now, **reference)
    else:
        charge = take(books, order, charge, charge.amount_minor, now=now, **reference)
    letters.tell_payment(books, order, charge)
    return charge


def fail(books: Books, charge: Charge, *, now: datetime) -> Charge:
    """The payer's bank declines."""
    order = order_paid_by(books, charge)
    charge = _end(books, _begun(books, order, charge, now=now), "declined", now=now)
    letters.tell_payment(books, order, charge)
    current(books, order, now=now)
    return charge


def drop(books: Books, charge: Charge, *, now: datetime) -> Charge:
    """The payer leaves."""
    order = order_paid_by(books, charge)
    begun = bool(charge.data.get("attempted_at"))
    charge = _end(books, charge, "closed", now=now)
    if begun:
        letters.tell_payment(books, order, charge)
    current(books, order, now=now)
    return charge


def take(
    books: Books, order: Order, charge: Charge, amount_minor: int, *, now: datetime, **data: Any
) -> Charge:
    """Take money that is authorised."""
    fee, tax = fee_and_tax(amount_minor)
    charge = replace(charge, captured_minor=amount_minor)
    charge = _end(books, charge, "captured", now=now, fee=fee, tax=tax, **data)
    books.move(charge, "charge", amount_minor, at=now, fee_minor=fee + tax)
    enter(books, charge, order, event_id=charge.id, kind="PAYMENT", at=now)
    return charge


def void(books: Books, charge: Charge, *, now: datetime) -> Charge:
    """Let go of money that is held."""
    done = _authorized("VOID", books, charge, now)
    return _end(books, charge, "voided", now=now, authorization=done)


def capture(books: Books, charge: Charge, amount_minor: int, *, now: datetime) -> Charge:
    done = {**_authorized("CAPTURE", books, charge, now), "captured_minor": amount_minor}
    order = order_paid_by(books, charge)
    return take(books, order, charge, amount_minor, now=now, authorization=done)


def note_change(books: Books, charge: Charge, kind: str, amount_minor: int, now: datetime) -> None:
    """Write down a capture or void that the merchant asked for."""
    books.add_change(
        Change(
            provider=NAME,
            merchant=charge.merchant,
            id=books.new_id(f"{kind}_", NAME, charge.id),
            key=charge.key,
            charge_id=charge.id,
            kind=kind,
            amount_minor=amount_minor,
            status="done",
            created_at=now,
        )
    )


def _authorized(action: str, books: Books, charge: Charge, now: datetime) -> JsonObject:
    return {
        "action": action,
        "status": "SUCCESS",
        "start_time": indian(int(charge.data["ended_at"])),
        "end_time": indian(int(charge.data["ended_at"]) + int(HELD_FOR.total_seconds())),
        "action_reference": books.digits(22, NAME, action, charge.id),
        "action_time": action_time(now),
    }


def _begun(books: Books, order: Order, charge: Charge, *, now: datetime) -> Charge:
    """With a card, where nobody has said how."""
    return charge if charge.data.get("attempted_at") else begin(books, order, now=now)


def _end(books: Books, charge: Charge, status: str, *, now: datetime, **data: Any) -> Charge:
    kept = {**charge.data, "ended_at": charge.data.get("ended_at") or seconds(now), **data}
    charge = replace(charge, status=status, updated_at=now, data=kept)
    books.save_charge(charge)
    return charge
