"""Checkout sessions. Source: https://docs.stripe.com/api/checkout/sessions"""

from datetime import timedelta
from typing import Any

from kassa_simulator.frame import Books, Charge
from kassa_simulator.stripe.asked import NAME, Asked, seconds, tell
from kassa_simulator.stripe.errors import StripeError, missing, no_such
from kassa_simulator.stripe.forms import (
    amount_of,
    check_known,
    listed_of,
    metadata_of,
    text_of,
    whole_of,
)
from kassa_simulator.stripe.intents import capture_method_of, money_of, new_intent
from kassa_simulator.stripe.paying import Payer

_CREATING = (
    "mode line_items payment_intent_data success_url cancel_url client_reference_id expires_at"
    " allowed_payment_method_types"
    " metadata payment_method_types customer customer_email customer_creation locale ui_mode"
    " submit_type billing_address_collection phone_number_collection allow_promotion_codes"
    " return_url expand invoice_creation payment_method_options"
    " excluded_payment_method_types"
).split()
_OF_INTENT = "metadata capture_method description receipt_email setup_future_usage shipping".split()
_SHORTEST, _LONGEST = timedelta(minutes=30), timedelta(hours=24)
_LISTING = ("limit", "starting_after", "ending_before", "expand", "created")


def create(asked: Asked) -> dict[str, Any]:
    params = asked.params
    check_known(params, _CREATING)
    if text_of(params, "mode") != "payment":
        raise StripeError("Invalid mode: this account may only take payments", param="mode")
    amount, currency, lines = _lines(params)
    inner = params.get("payment_intent_data") or {}
    if not isinstance(inner, dict):
        raise StripeError("Invalid hash", param="payment_intent_data")
    check_known(inner, _OF_INTENT)
    success_url = text_of(params, "success_url")
    name_of_caller = text_of(params, "client_reference_id", "")
    metadata = metadata_of(params)
    expires_at = _expiry(asked)
    reference = next((value for _, value in sorted(metadata.items())), "") or name_of_caller
    charge = new_intent(
        asked,
        amount=amount,
        currency=currency,
        metadata=metadata_of(inner),
        capture_method=capture_method_of(inner),
        description=text_of(inner, "description", "") or None,
        more={"hidden": True},
        reference=reference,
    )
    name = asked.books.new_id("cs_test_", charge.id)
    session = {
        "id": name,
        "object": "checkout.session",
        "amount_subtotal": amount,
        "amount_total": amount,
        "cancel_url": text_of(params, "cancel_url", "") or None,
        "client_reference_id": name_of_caller or None,
        "created": seconds(asked.now),
        "currency": currency.lower(),
        "customer": text_of(params, "customer", "") or None,
        "customer_details": None,
        "customer_email": text_of(params, "customer_email", "") or None,
        "expires_at": expires_at,
        "livemode": False,
        "locale": text_of(params, "locale", "") or None,
        "metadata": metadata,
        "mode": "payment",
        "payment_intent": None,
        "payment_method_collection": "if_required",
        "payment_method_types": listed_of(params, "payment_method_types") or ["card"],
        "payment_status": "unpaid",
        "recovered_from": None,
        "setup_intent": None,
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{asked.call.origin}/{NAME}/checkout/{name}",
    }
    _keep(asked.books, asked.merchant.name, session, charge.id, lines)
    Payer(asked.books, asked.merchant, asked.now).save(charge, charge.data["status"], session=name)
    return session


def _lines(params: dict[str, Any]) -> tuple[int, str, list[dict[str, Any]]]:
    wanted = listed_of(params, "line_items")
    if not wanted:
        raise missing("line_items")
    total, currencies, lines = 0, set(), []
    for place, item in enumerate(wanted):
        price = item.get("price_data") if isinstance(item, dict) else None
        if not isinstance(price, dict):
            raise missing(f"line_items[{place}][price_data]")
        product = price.get("product_data")
        if not isinstance(product, dict) or not product.get("name"):
            raise missing(f"line_items[{place}][price_data][product_data][name]")
        quantity = whole_of(item, "quantity", 1)
        unit = amount_of(price, "unit_amount")
        total += unit * quantity
        currencies.add(money_of(price, unit * quantity))
        lines.append({"name": product["name"], "quantity": quantity, "unit_amount": unit})
    if len(currencies) != 1:
        raise StripeError("All line items must have the same currency.", param="line_items")
    return total, currencies.pop(), lines


def _expiry(asked: Asked) -> int:
    """Between half an hour and a day from now; a day where the request says nothing."""
    latest = seconds(asked.now + _LONGEST)
    wanted = whole_of(asked.params, "expires_at", latest)
    if not seconds(asked.now + _SHORTEST) <= wanted <= latest:
        raise StripeError(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout"
            " Session creation.",
            param="expires_at",
        )
    return wanted


def _keep(
    books: Books, merchant: str, session: dict[str, Any], intent: str, lines: list[dict[str, Any]]
) -> None:
    kept = {"merchant": merchant, "intent": intent, "lines": lines, "shown": session}
    books.put(NAME, "session", session["id"], kept)


def current(payer: Payer, name: str) -> dict[str, Any] | None:
    """What the books hold of it by now: an open one whose time is over has expired."""
    kept = payer.books.get(NAME, "session", name)
    if kept is None:
        return None
    session = kept["shown"]
    if session["status"] == "open" and payer.now.timestamp() >= session["expires_at"]:
        return _expire(payer, kept)
    charge = payer.books.charge(NAME, kept["intent"])
    if charge is not None and charge.captured_minor and session["status"] == "complete":
        return {**kept, "shown": {**session, "payment_status": "paid"}}
    return kept


def _expire(payer: Payer, kept: dict[str, Any]) -> dict[str, Any]:
    session = {**kept["shown"], "status": "expired", "url": None}
    _keep(payer.books, kept["merchant"], session, kept["intent"], kept["lines"])
    charge = payer.books.charge(NAME, kept["intent"])
    if charge is not None and charge.data["status"] != "canceled":
        payer.cancel(charge, "automatic")
    tell(payer.books, payer.merchant, "checkout.session.expired", kept["intent"], session)
    return {**kept, "shown": session}


def find(asked: Asked, name: str) -> dict[str, Any]:
    """Raises: StripeError."""
    payer = Payer(asked.books, asked.merchant, asked.now, asked.call)
    kept = asked.books.get(NAME, "session", name)
    if kept is None or kept["merchant"] != asked.merchant.name:
        raise no_such("checkout.session", name, param="session")
    return current(payer, name) or kept


def retrieve(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("expand",))
    return dict(find(asked, name)["shown"])


def list_all(asked: Asked) -> list[dict[str, Any]]:
    check_known(asked.params, (*_LISTING, "payment_intent", "status", "customer"))
    payer = Payer(asked.books, asked.merchant, asked.now, asked.call)
    names = [
        kept["shown"]["id"]
        for kept in reversed(asked.books.listed(NAME, "session"))
        if kept["merchant"] == asked.merchant.name
    ]
    found = [kept["shown"] for name in names if (kept := current(payer, name)) is not None]
    wanted = {
        name: asked.params[name]
        for name in ("payment_intent", "status", "customer")
        if name in asked.params
    }
    return [
        session
        for session in found
        if all(session[name] == value for name, value in wanted.items())
    ]


def expire(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("expand",))
    kept = find(asked, name)
    status = kept["shown"]["status"]
    if status != "open":
        raise StripeError(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
            f" Session has a status of `{status}`.",
            kept=True,
        )
    payer = Payer(asked.books, asked.merchant, asked.now, asked.call)
    return dict(_expire(payer, kept)["shown"])


def completed(payer: Payer, charge: Charge) -> None:
    """The payer has paid on the session's page."""
    kept = payer.books.get(NAME, "session", charge.data["session"])
    if kept is None:
        return
    session = {
        **kept["shown"],
        "customer_details": {"email": "payer@example.com", "name": None, "phone": None},
        "payment_intent": charge.id,
        "payment_status": "paid" if charge.captured_minor else "unpaid",
        "status": "complete",
        "url": None,
    }
    _keep(payer.books, charge.merchant, session, charge.id, kept["lines"])
    tell(payer.books, payer.merchant, "checkout.session.completed", charge.id, session)


def tried(payer: Payer, charge: Charge) -> None:
    """The payer's card was declined; the session stays open, and names the intent."""
    kept = payer.books.get(NAME, "session", charge.data["session"])
    if kept is not None:
        session = {**kept["shown"], "payment_intent": charge.id}
        _keep(payer.books, charge.merchant, session, charge.id, kept["lines"])


def close(payer: Payer, charge: Charge) -> None:
    """The session ends before its time, as if that had come."""
    kept = payer.books.get(NAME, "session", charge.data["session"])
    if kept is not None and kept["shown"]["status"] == "open":
        _expire(payer, kept)
