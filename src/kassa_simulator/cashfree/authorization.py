"""POST /orders/{order_id}/authorization: take held money, all or part of it, or let it go; once."""

from kassa_simulator.cashfree.entities import payment_json
from kassa_simulator.cashfree.orders import own_order
from kassa_simulator.cashfree.paying import attempts, capture, note_change, void
from kassa_simulator.cashfree.wire import (
    Case,
    amount_in,
    body_of,
    invalid,
    refusal,
    reply,
)
from kassa_simulator.frame import Answer, Charge


def act(case: Case, order_id: str) -> Answer:
    order = own_order(case, order_id)
    fields = body_of(case.call)
    action = fields.get("action")
    if action not in ("CAPTURE", "VOID"):
        raise invalid("action", "should be CAPTURE or VOID")
    held = [charge for charge in attempts(case.books, order) if charge.data.get("held")]
    paid = [charge for charge in held if charge.status in ("authorized", "captured", "voided")]
    if not paid:
        raise _refused("transaction is not authorized")
    charge = paid[0]
    if action == "CAPTURE":
        amount = amount_in(fields, "amount", charge.currency)
        charge = _capture(case, charge, amount)
    else:
        charge = _void(case, charge)
    return reply(payment_json(charge, order, case.version))


def _capture(case: Case, charge: Charge, amount_minor: int) -> Charge:
    if charge.status == "voided":
        raise _refused("transaction is already voided")
    if charge.status == "captured":
        raise _refused("Duplicate capture_id present")
    if amount_minor > charge.authorized_minor:
        raise _refused("Capture amount cannot be more than the amount authorized.")
    if case.call.decline:
        raise _refused("Capture was declined by the bank")
    note_change(case.books, charge, "capture", amount_minor, case.now)
    return capture(case.books, charge, amount_minor, now=case.now)


def _void(case: Case, charge: Charge) -> Charge:
    if charge.status == "captured":
        raise _refused("Capture request already exist for the void")
    if charge.status == "voided":
        raise refusal(400, "order_id_voided", "transaction is already voided")
    note_change(case.books, charge, "void", charge.authorized_minor, case.now)
    return void(case.books, charge, now=case.now)


def _refused(message: str) -> Exception:
    return refusal(400, "request_failed", message)
