"""Payment intents. Source: https://docs.stripe.com/api/payment_intents"""

import re
from dataclasses import replace
from typing import Any

from kassa_simulator.frame import Books, Change, Charge
from kassa_simulator.stripe.asked import NAME, Asked, numbered, reference_in
from kassa_simulator.stripe.cards import CURRENCIES, LOWEST
from kassa_simulator.stripe.errors import StripeError, no_such, unexpected_state
from kassa_simulator.stripe.forms import (
    amount_of,
    check_known,
    flag_of,
    listed_of,
    metadata_of,
    text_of,
)
from kassa_simulator.stripe.paying import Payer
from kassa_simulator.stripe.rendering import intent_json

_SHARED = (
    "amount currency automatic_payment_methods capture_method customer description metadata"
    " allowed_payment_method_types"
    " payment_method payment_method_options payment_method_types receipt_email"
    " setup_future_usage shipping statement_descriptor statement_descriptor_suffix"
    " transfer_group expand payment_method_data"
    " excluded_payment_method_types"
).split()
_CONFIRMING = (
    "payment_method return_url off_session error_on_requires_action capture_method expand"
    " payment_method_types payment_method_options payment_method_data receipt_email"
    " setup_future_usage shipping mandate mandate_data use_stripe_sdk"
).split()
_CREATING = [*_SHARED, *_CONFIRMING, "confirm", "confirmation_method"]
_CAPTURING = (
    "amount_to_capture metadata statement_descriptor statement_descriptor_suffix final_capture"
    " expand"
).split()
_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
_CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
_METHODS = ("automatic", "automatic_async", "manual")
_CLAUSE = re.compile(
    r"""\s{0,9}+(metadata\[(?P<q>["'])(?P<name>[^"']{0,40}+)(?P=q)\]"""
    r"""|(?P<field>status|currency|customer))\s{0,9}+:"""
    r"""\s{0,9}+(?P<v>["'])(?P<value>[^"']{0,500}+)(?P=v)\s{0,9}+""",
    re.DOTALL,
)


def new_intent(
    asked: Asked,
    *,
    amount: int,
    currency: str,
    metadata: dict[str, str],
    capture_method: str,
    description: str | None,
    more: dict[str, Any],
    reference: str = "",
) -> Charge:
    """An intent that nobody has paid."""
    books, merchant = asked.books, asked.merchant
    key = reference_in(metadata, reference, asked.call.headers.get("idempotency-key", ""))
    about = (merchant.name, key, numbered(books, "intents", merchant.name, key))
    name = books.new_id("pi_", *about)
    charge = Charge(
        provider=NAME,
        merchant=merchant.name,
        id=name,
        key=key,
        amount_minor=amount,
        currency=currency,
        status="waiting",
        created_at=asked.now,
        updated_at=asked.now,
        data={
            "status": "requires_payment_method",
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": capture_method,
            "client_secret": f"{name}_secret_{books.new_id('', 'secret', *about)}",
            "customer": None,
            "description": description,
            "last_payment_error": None,
            "latest_charge": None,
            "metadata": metadata,
            "next_action": None,
            "payment_method": None,
            "payment_method_types": ["card"],
            "dispute": None,
            "return_url": "",
            "session": "",
            "hidden": False,
            **more,
        },
    )
    books.add_charge(charge)
    return charge


def money_of(params: dict[str, Any], amount: int) -> str:
    """The currency, upper case. Raises: StripeError."""
    currency = text_of(params, "currency").upper()
    if currency not in CURRENCIES:
        raise StripeError(f"Invalid currency: {currency.lower()}.", param="currency")
    if amount < LOWEST.get(currency, 1):
        raise StripeError(
            "Amount must be no less than the minimum charge amount.",
            code="amount_too_small",
            param="amount",
        )
    return currency


def capture_method_of(params: dict[str, Any], usual: str = "automatic_async") -> str:
    method = text_of(params, "capture_method", usual)
    if method not in _METHODS:
        raise StripeError(
            f"Invalid capture_method: must be one of {', '.join(_METHODS)}",
            param="capture_method",
        )
    return method


def create(asked: Asked) -> dict[str, Any]:
    params = asked.params
    check_known(params, _CREATING)
    amount = amount_of(params, "amount")
    currency = money_of(params, amount)
    confirms = flag_of(params, "confirm")
    wanted = params.get("automatic_payment_methods") or {"enabled": "true"}
    types = listed_of(params, "payment_method_types")
    if types or listed_of(params, "allowed_payment_method_types"):
        wanted = {"enabled": "false"}
    automatic = _automatic(wanted)
    method = text_of(params, "payment_method", "")
    if method:
        _method(method)
    if confirms:
        _check_return(automatic, text_of(params, "return_url", ""))
    charge = new_intent(
        asked,
        amount=amount,
        currency=currency,
        metadata=metadata_of(params),
        capture_method=capture_method_of(params),
        description=text_of(params, "description", "") or None,
        more={
            "automatic_payment_methods": automatic,
            "customer": text_of(params, "customer", "") or None,
            "payment_method_types": types or ["card"],
        },
    )
    payer = _payer(asked)
    if method:
        charge = payer.save(charge, "requires_confirmation", payment_method=method)
    payer.tell("payment_intent.created", charge)
    if confirms:
        charge = _confirm(asked, payer, charge)
    return intent_json(charge)


def _automatic(wanted: Any) -> dict[str, Any] | None:
    if not isinstance(wanted, dict) or wanted.get("enabled") != "true":
        return None
    return {"allow_redirects": wanted.get("allow_redirects", "always"), "enabled": True}


def _method(name: str) -> str:
    if not name.startswith(("pm_", "card_")):
        raise no_such("PaymentMethod", name, param="payment_method", status=400)
    return name


def _confirm(asked: Asked, payer: Payer, charge: Charge) -> Charge:
    params = asked.params
    if not charge.data["payment_method"]:
        raise unexpected_state(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can"
            " either update the PaymentIntent with a payment method and then confirm it again, or"
            " confirm it again directly with a payment method.",
            intent_json(charge),
        )
    return_url = text_of(params, "return_url", "")
    _check_return(charge.data["automatic_payment_methods"], return_url)
    off_session = text_of(params, "off_session", "false") not in ("false", "")
    alone = off_session or flag_of(params, "error_on_requires_action")
    return payer.confirm(charge, return_url=return_url, decline=asked.call.decline, alone=alone)


def _check_return(automatic: dict[str, Any] | None, return_url: str) -> None:
    if automatic and automatic["allow_redirects"] == "always" and not return_url:
        raise StripeError(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard."
            " Because some of these payment methods might redirect your customer off of your page,"
            " you must provide a `return_url`. If you don't want to accept redirect-based payment"
            " methods, set `automatic_payment_methods[enabled]` to `true` and"
            " `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents"
            " and Payment Intents."
        )


def _payer(asked: Asked) -> Payer:
    return Payer(asked.books, asked.merchant, asked.now, asked.call)


def find(asked: Asked, name: str, *, status: int = 404, param: str = "intent") -> Charge:
    """The intent as it is by now. Raises: StripeError."""
    charge = asked.books.charge(NAME, name)
    is_ours = charge is not None and charge.merchant == asked.merchant.name
    if charge is None or not is_ours or charge.data["hidden"]:
        raise no_such("payment_intent", name, param=param, status=status)
    return aged(_payer(asked), charge)


def aged(payer: Payer, charge: Charge) -> Charge:
    """A reservation that nobody captured in time has been let go."""
    held = charge.data["status"] == "requires_capture"
    if held and payer.now.timestamp() >= charge.data["capture_before"]:
        return payer.cancel(charge, "automatic")
    return charge


def retrieve(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("expand", "client_secret"))
    return intent_json(find(asked, name))


def update(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("metadata", "description", "expand", "receipt_email"))
    charge = find(asked, name)
    metadata = {**charge.data["metadata"], **metadata_of(asked.params)}
    description = text_of(asked.params, "description", charge.data["description"] or "")
    charge = _payer(asked).save(
        charge, charge.data["status"], metadata=metadata, description=description or None
    )
    return intent_json(charge)


def confirm(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, _CONFIRMING)
    charge = find(asked, name)
    status = charge.data["status"]
    if status not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        raise unexpected_state(
            f"This PaymentIntent's status is {status} and it cannot be confirmed: only one of"
            " requires_payment_method, requires_confirmation, requires_action can.",
            intent_json(charge),
        )
    payer = _payer(asked)
    if method := text_of(asked.params, "payment_method", ""):
        charge = payer.save(charge, status, payment_method=_method(method))
    return intent_json(_confirm(asked, payer, charge))


def capture(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, _CAPTURING)
    charge = find(asked, name)
    status = charge.data["status"]
    if status != "requires_capture":
        raise unexpected_state(
            f"This PaymentIntent could not be captured because it has a status of {status}. Only a"
            " PaymentIntent with one of the following statuses may be captured: requires_capture.",
            intent_json(charge),
        )
    amount = amount_of(asked.params, "amount_to_capture", charge.authorized_minor)
    if amount > charge.authorized_minor:
        raise StripeError(
            f"The provided amount_to_capture ({amount}) is greater than the amount that can be"
            f" captured ({charge.authorized_minor}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    metadata = {**charge.data["metadata"], **metadata_of(asked.params)}
    payer = _payer(asked)
    charge = payer.save(charge, status, metadata=metadata)
    key = asked.call.headers.get("idempotency-key", "")
    return intent_json(payer.capture(charge, amount, reference_in(metadata_of(asked.params), key)))


def cancel(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("cancellation_reason", "expand"))
    reason = text_of(asked.params, "cancellation_reason", "") or None
    if reason is not None and reason not in _REASONS:
        raise StripeError(
            f"Invalid cancellation_reason: must be one of {', '.join(_REASONS)}",
            param="cancellation_reason",
        )
    charge = find(asked, name)
    status = charge.data["status"]
    if status not in _CANCELABLE:
        raise unexpected_state(
            f"You cannot cancel this PaymentIntent because it has a status of {status}. Only a"
            " PaymentIntent with one of the following statuses may be canceled:"
            f" {', '.join(_CANCELABLE)}.",
            intent_json(charge),
        )
    if charge.data["session"] and status != "requires_capture":
        raise StripeError(
            "You cannot cancel this PaymentIntent because it was created by a Checkout Session."
            " Expire the Checkout Session instead.",
            kept=True,
        )
    payer = _payer(asked)
    if status == "requires_capture":
        _note_void(asked, charge)
    return intent_json(payer.cancel(charge, reason))


def _note_void(asked: Asked, charge: Charge) -> None:
    asked.books.add_change(
        Change(
            provider=NAME,
            merchant=charge.merchant,
            id=asked.books.new_id("void_", charge.id),
            key=asked.call.headers.get("idempotency-key", ""),
            charge_id=charge.id,
            kind="void",
            amount_minor=charge.authorized_minor,
            status="done",
            created_at=asked.now,
        )
    )


def every(asked: Asked, holding: str = "") -> list[Charge]:
    """All that the account may see, newest first; or those that hold this text somewhere."""
    name = asked.merchant.name
    found = asked.books.charges(NAME, name, limit=1_000_000, holding=holding)
    payer = _payer(asked)
    return [aged(payer, charge) for charge in found if not charge.data["hidden"]]


def list_all(asked: Asked) -> list[dict[str, Any]]:
    check_known(
        asked.params,
        ("created", "customer", "limit", "starting_after", "ending_before", "expand"),
    )
    customer = text_of(asked.params, "customer", "")
    return [
        intent_json(charge)
        for charge in every(asked)
        if customer in ("", charge.data["customer"] or "")
    ]


def search(asked: Asked) -> list[dict[str, Any]]:
    """By metadata['name']:'value', status, currency or customer, all joined by AND."""
    check_known(asked.params, ("query", "limit", "page", "expand"))
    query = text_of(asked.params, "query")
    clauses = [_clause(part) for part in re.split(r"\s{1,9}AND\s{1,9}", query, flags=re.IGNORECASE)]
    # With many intents, the one that is looked for must not cost reading them all.
    holding = next((value for of_metadata, _, value in clauses if of_metadata), "")
    found = [intent_json(charge) for charge in every(asked, holding)]
    return [
        intent
        for intent in found
        if all(
            (intent["metadata"].get(name) if of_metadata else intent[name]) == value
            for of_metadata, name, value in clauses
        )
    ]


def _clause(text: str) -> tuple[bool, str, str]:
    found = _CLAUSE.fullmatch(text)
    if found is None:
        raise StripeError(
            "We were unable to parse your search query. Try using the format"
            ' `metadata["key"]:"value"` to query for metadata or key:"value" to query for'
            " other fields.",
            param="query",
        )
    name = found["name"]
    return name is not None, name if name is not None else found["field"], found["value"]


def to_pay(books: Books, charge: Charge, method: str) -> Charge:
    """The intent, seen by the merchant from now on and to be paid with `method`."""
    charge = replace(charge, data={**charge.data, "hidden": False, "payment_method": method})
    books.save_charge(charge)
    return charge
