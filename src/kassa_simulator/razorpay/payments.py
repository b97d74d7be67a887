"""Payments: asking about them and capturing them."""

from dataclasses import replace

from kassa_simulator.frame import Answer, Change, Charge
from kassa_simulator.razorpay.entities import payment_json
from kassa_simulator.razorpay.paying import capture as take
from kassa_simulator.razorpay.paying import current, order_of
from kassa_simulator.razorpay.wire import (
    NAME,
    Case,
    body_of,
    collection,
    currency_in,
    new_id,
    no_such_id,
    notes_in,
    page_of,
    query_of,
    refusal,
    reply,
    whole,
    within,
)

_EVERYTHING = 1_000_000


def own_payment(case: Case, payment_id: str) -> Charge:
    """The merchant's payment, as it is now. Raises: Refused."""
    if not payment_id.startswith("pay_"):
        raise refusal(f"{payment_id} is not a valid id", "id")
    charge = case.books.charge(NAME, payment_id)
    if charge is None or charge.merchant != case.merchant.name:
        raise no_such_id()
    if not charge.data.get("attempted_at"):
        raise no_such_id()
    return current(case.books, charge, now=case.now)


def fetch(case: Case, payment_id: str) -> Answer:
    return reply(payment_json(own_payment(case, payment_id)))


def update(case: Case, payment_id: str) -> Answer:
    charge = own_payment(case, payment_id)
    notes = notes_in(body_of(case.call))
    charge = replace(charge, data={**charge.data, "notes": notes})
    case.books.save_charge(charge)
    return reply(payment_json(charge))


def list_all(case: Case) -> Answer:
    """GET /payments, newest first."""
    query = query_of(case.call)
    found = []
    for charge in case.books.charges(NAME, case.merchant.name, limit=_EVERYTHING):
        attempted_at = charge.data.get("attempted_at")
        if attempted_at and within(query, attempted_at):
            found.append(charge)
    shown = [current(case.books, charge, now=case.now) for charge in page_of(query, found)]
    return collection([payment_json(charge) for charge in shown])


def capture(case: Case, payment_id: str) -> Answer:
    """POST /payments/{id}/capture: all that is authorised, and once."""
    charge = own_payment(case, payment_id)
    fields = body_of(case.call)
    amount, currency = whole(fields, "amount"), currency_in(fields, "INR")
    if charge.status == "captured":
        raise refusal("This payment has already been captured")
    if charge.status != "authorized":
        raise refusal(
            "Only payments which have been authorized and not yet captured can be captured"
        )
    if currency != charge.currency:
        raise refusal("The currency does not match the payment's currency.", "currency")
    if amount != charge.amount_minor:
        raise refusal("Capture amount must be equal to the amount authorized", "amount")
    order = order_of(case.books, charge.data["order_id"])
    if order is None or order["paid"] >= order["amount"]:
        raise refusal(
            "Your payment has been declined as the order is already paid."
            " Please initiate the payment with a new order."
        )
    if case.call.decline:
        raise refusal("The payment could not be captured by the bank.")
    case.books.add_change(
        Change(
            provider=NAME,
            merchant=case.merchant.name,
            id=new_id(case.books, "cap_", charge.id),
            key=charge.key,
            charge_id=charge.id,
            kind="capture",
            amount_minor=amount,
            status="done",
            created_at=case.now,
        )
    )
    return reply(payment_json(take(case.books, order, charge, now=case.now)))
