"""The hosted checkout of a session, and the bank's page of a payment already begun."""

from collections.abc import Callable
from urllib.parse import parse_qs, quote

from kassa_simulator import decimals
from kassa_simulator.cashfree.paying import (
    Order,
    begin,
    current,
    drop,
    fail,
    order_paid_by,
    pay,
    payable,
)
from kassa_simulator.cashfree.sessions import session_of
from kassa_simulator.cashfree.wire import NAME
from kassa_simulator.frame import Answer, Books, Call, Charge, Merchant
from kassa_simulator.onward import sent_to, web_address
from kassa_simulator.payer_page import payer_page

_ACTS = {"pay": pay, "decline": fail, "leave": drop}


def checkout(books: Books, call: Call) -> Answer:
    """GET with ?session=, or POST with payment_session_id as Cashfree's script does."""
    fields = _fields(call)
    session_id = fields.get("payment_session_id") or fields.get("session") or ""
    found = session_of(books, session_id)
    if found is None:
        return payer_page(call, status=404, message="unknown")
    merchant, order = found
    order = current(books, order, now=call.now)
    if not payable(order):
        return _back(call, order, "paid" if order["status"] == "PAID" else "closed")
    act = _act(call, fields)
    if act is None:
        return _ask(call, merchant, order, {"payment_session_id": session_id})
    return _acted(call, order, act(books, begin(books, order, now=call.now), now=call.now))


def bank(books: Books, call: Call, token: str) -> Answer:
    """/view/gateway/{token}: where the link of POST /orders/sessions leads."""
    kept = books.get(NAME, "gateway", token)
    charge = books.charge(NAME, kept["charge"]) if kept else None
    merchant = books.merchant(NAME, charge.merchant) if charge else None
    if charge is None or merchant is None:
        return payer_page(call, status=404, message="unknown")
    order = current(books, order_paid_by(books, charge), now=call.now)
    charge = books.charge(NAME, charge.id) or charge
    if charge.status != "waiting":
        return _acted(call, order, charge)
    act = _act(call, _fields(call))
    if act is None:
        return _ask(call, merchant, order, {})
    return _acted(call, order, act(books, charge, now=call.now))


def _act(call: Call, fields: dict[str, str]) -> Callable[..., Charge] | None:
    return _ACTS.get(fields.get("action", "")) if call.method == "POST" else None


def _ask(call: Call, merchant: Merchant, order: Order, form: dict[str, str]) -> Answer:
    amount = decimals.shown(order["amount"], order["currency"])
    return payer_page(
        call,
        title=merchant.name,
        amount=f"{order['currency']} {amount}",
        lines=[order["order_id"]],
        actions=("pay", "decline", "leave"),
        form=dict(form),
    )


def _acted(call: Call, order: Order, charge: Charge) -> Answer:
    message = {"authorized": "paid", "captured": "paid", "declined": "declined"}
    return _back(call, order, message.get(charge.status, "closed"))


def _back(call: Call, order: Order, message: str) -> Answer:
    """To the return address, with {order_id} in it replaced; else say how it ended."""
    address = web_address(order["meta"].get("return_url"))
    if not address:
        return payer_page(call, message=message)
    return sent_to(address.replace("{order_id}", quote(order["order_id"])))


def _fields(call: Call) -> dict[str, str]:
    text = call.body.decode(errors="replace") if call.method == "POST" else ""
    pairs = {**parse_qs(call.query), **parse_qs(text)}
    return {name: values[-1] for name, values in pairs.items()}
