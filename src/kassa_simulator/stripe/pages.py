"""What the payer sees: the hosted checkout page, and the bank's page that asks again."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from kassa_simulator.frame import Answer, Books, Call, Charge
from kassa_simulator.payer_page import payer_page
from kassa_simulator.stripe import checkout, disputes
from kassa_simulator.stripe.asked import NAME
from kassa_simulator.stripe.cards import GENERIC, decimals
from kassa_simulator.stripe.intents import to_pay
from kassa_simulator.stripe.paying import Payer

_CARD = "pm_card_visa"
_SESSION_MARK = "{CHECKOUT_SESSION_ID}"


def is_page(path: list[str]) -> bool:
    return len(path) == 2 and path[0] in ("checkout", "authenticate")


def answer(books: Books, call: Call, path: list[str]) -> Answer:
    kind, name = path
    if kind == "checkout":
        return _checkout(books, call, name)
    return _authenticate(books, call, name)


def may(charge: Charge) -> list[str]:
    """What the payer, or the payer's bank, may do now."""
    data = charge.data
    if data.get("returned"):
        return []  # a session is completed once
    if data["status"] == "requires_action":
        return ["pay", "decline"]
    if data["session"] and data["status"] == "requires_payment_method":
        return ["pay", "decline", "close"]
    if data["status"] == "succeeded":
        return disputes.may(charge)
    return []


def pay(payer: Payer, charge: Charge) -> Charge:
    if not charge.data["session"]:
        return payer.pay(charge)
    charge = payer.pay(_shown(payer, charge))
    checkout.completed(payer, charge)
    return charge


def decline(payer: Payer, charge: Charge) -> Charge:
    if not charge.data["session"]:
        return payer.fail_at_bank(charge)
    charge = _shown(payer, charge)
    payer.refuse(charge, GENERIC)
    checkout.tried(payer, charge)
    return payer.books.charge(NAME, charge.id) or charge


def _shown(payer: Payer, charge: Charge) -> Charge:
    was_hidden = charge.data["hidden"]
    charge = to_pay(payer.books, charge, _CARD)
    if was_hidden:
        payer.tell("payment_intent.created", charge)
    return charge


def _checkout(books: Books, call: Call, name: str) -> Answer:
    kept = books.get(NAME, "session", name)
    merchant = books.merchant(NAME, kept["merchant"]) if kept else None
    if kept is None or merchant is None:
        return payer_page(call, status=404, message="unknown")
    payer = Payer(books, merchant, call.now, call)
    kept = checkout.current(payer, name) or kept
    session = kept["shown"]
    charge = books.charge(NAME, kept["intent"])
    done = session["success_url"].replace(_SESSION_MARK, session["id"])
    back = (session["cancel_url"] or "").replace(_SESSION_MARK, session["id"])
    if charge is None or session["status"] == "expired":
        return payer_page(call, message="closed", link=back)
    if session["status"] == "complete":
        return payer_page(call, message="paid", link=done)
    action = _action(call)
    if action == "pay":
        pay(payer, charge)
        return _go_to(done)
    if action == "decline":
        decline(payer, charge)
    return payer_page(
        call,
        title=merchant.name,
        amount=_amount(charge),
        lines=[f"{line['quantity']} x {line['name']}" for line in kept["lines"]],
        message="declined" if action == "decline" else "",
        actions=("pay", "decline"),
        link=back,
    )


def _authenticate(books: Books, call: Call, name: str) -> Answer:
    charge = books.charge(NAME, name)
    merchant = books.merchant(NAME, charge.merchant) if charge else None
    if charge is None or merchant is None:
        return payer_page(call, status=404, message="unknown")
    payer = Payer(books, merchant, call.now, call)
    action = _action(call)
    if charge.data["status"] == "requires_action" and action:
        charge = pay(payer, charge) if action == "pay" else decline(payer, charge)
    if charge.data["status"] == "requires_action":
        return payer_page(
            call, title=merchant.name, amount=_amount(charge), actions=("pay", "decline")
        )
    went_well = charge.data["status"] in ("succeeded", "requires_capture")
    back = charge.data["return_url"]
    if not back:
        return payer_page(call, message="paid" if went_well else "declined")
    told = {
        "payment_intent": charge.id,
        "payment_intent_client_secret": charge.data["client_secret"],
        "redirect_status": "succeeded" if went_well else "failed",
    }
    return _go_to(_with_query(back, told))


def _action(call: Call) -> str:
    """Which button was pressed, "" for none."""
    if call.method != "POST":
        return ""
    pressed = parse_qs(call.body.decode("ascii", "replace")).get("action", [""])[0]
    return pressed if pressed in ("pay", "decline") else ""


def _amount(charge: Charge) -> str:
    places = decimals(charge.currency)
    whole, part = divmod(charge.amount_minor, 10**places)
    return (
        f"{whole}.{part:0{places}d} {charge.currency}" if places else f"{whole} {charge.currency}"
    )


def _with_query(url: str, told: Mapping[str, Any]) -> str:
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *told.items()])
    return urlunsplit(parts._replace(query=query))


def _go_to(url: str) -> Answer:
    return Answer(status=303, headers={"location": url, "cache-control": "no-store"})
