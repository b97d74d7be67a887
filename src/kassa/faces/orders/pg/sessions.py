"""Paying by a session: what a payer may give, and where the answer sends him."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.checkout.usecases.pay_session import SessionPay
from kassa.faces import edge
from kassa.faces.orders.contract import wrong
from kassa.faces.orders.pg.versions import ApiVersion
from kassa.orders.domain.orders import Order
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.domain.restrictions import allows, words_of
from kassa.routing.usecases.routing import NUMBER, REDIRECT, TOKEN

HIDDEN = "****"
_CARD = re.compile(r"[0-9]{12,19}")
_TOKEN = re.compile(r"pm_[A-Za-z0-9_]{1,60}")
_MONTH, _YEAR = re.compile(r"0[1-9]|1[0-2]"), re.compile(r"[0-9]{2}")
_CODE = re.compile(r"[0-9]{3,4}")
_KEYS: Mapping[str, Method] = {
    "card": Method.CREDIT_CARD,
    "upi": Method.UPI,
    "netbanking": Method.NET_BANKING,
    "app": Method.EWALLET,
    "banktransfer": Method.BANK_TRANSFER,
}
"""By the key of payment_method."""

_TOKEN_FORM = '{"card": {"channel": "link", "token": "pm_..."}}'
_LINK_FORM = '{"card": {"channel": "link"}}'


class PayOrder(msgspec.Struct, kw_only=True):
    """PayOrderRequest: `payment_method` has one key."""

    payment_session_id: str
    payment_method: dict[str, Any]
    save_instrument: bool | None = None
    offer_id: str | None = None

    def __repr__(self) -> str:
        return "PayOrder(hidden)"


class Authenticate(msgspec.Struct, kw_only=True):
    action: str
    otp: str | None = None


def refuse(why: str) -> InvalidRequest:
    """What is wrong with the payment method, to be raised. Nothing that was sent is repeated."""
    return wrong("payment_method", why)


def read_pay(wanted: PayOrder, order: Order, payment: Payment, request_id: str) -> SessionPay:
    """The try that is asked for.

    Raises: InvalidRequest.
    """
    if wanted.offer_id is not None:
        raise wrong("offer_id", "there are no offers here")
    key, said = _the_one_key(wanted.payment_method)
    method = _KEYS[key]
    if not allows(order.payment_methods, method):
        raise refuse(f"this order is paid by {', '.join(sorted(words_of(order.payment_methods)))}")
    if said.get("authorize_only") and payment.capture_method is not CaptureMethod.MANUAL:
        raise refuse("authorize_only needs an order whose capture_method is manual")
    takes, instrument = _card(said) if key == "card" else _link(said)
    return SessionPay(
        method=method,
        takes=takes,
        request_id=request_id,
        instrument=instrument,
        instrument_shown=HIDDEN + instrument[-4:] if instrument else "",
    )


def _the_one_key(said: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if len(said) != 1:
        raise refuse("exactly one of " + ", ".join(_KEYS) + " is needed")
    [(key, members)] = said.items()
    if key == "token" and isinstance(members, str):
        return "card", {"channel": "link", "token": members}
    if key not in _KEYS:
        raise refuse("one of " + ", ".join(_KEYS) + " is needed; others are not taken here")
    if not isinstance(members, dict):
        raise refuse(f"the members of {key} are needed")
    return key, members


def _card(said: dict[str, Any]) -> tuple[str, str]:
    if said.get("channel") not in ("link", "post"):
        raise refuse("card.channel is link or post")
    for member in ("cryptogram", "token_requestor_id", "token_type"):
        if said.get(member):
            raise refuse(f"network tokens are not taken: send {_TOKEN_FORM}, or {_LINK_FORM}")
    token = said.get("token") or said.get("instrument_id")
    if said.get("instrument_id") not in (None, "", token):
        raise refuse("card.token and card.instrument_id differ: one is needed")
    number = said.get("card_number")
    if token and number:
        raise refuse("a card's token or its number is needed, not both")
    if token:
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise refuse(f"a card's token begins with pm_, as in {_TOKEN_FORM}")
        return TOKEN, token
    if number is None:
        return REDIRECT, ""
    _check_card(said)
    return NUMBER, re.sub(r"[ -]", "", number)


def _check_card(said: dict[str, Any]) -> None:
    """A card in clear is for the sandbox, which looks at its number alone."""
    number = said["card_number"]
    if not isinstance(number, str) or not _CARD.fullmatch(re.sub(r"[ -]", "", number)):
        raise refuse("card.card_number has 12 to 19 digits")
    for member, shape, why in (
        ("card_expiry_mm", _MONTH, "is 01 to 12"),
        ("card_expiry_yy", _YEAR, "has two digits"),
        ("card_cvv", _CODE, "has three or four digits"),
    ):
        value = said.get(member)
        if value is not None and not (isinstance(value, str) and shape.fullmatch(value)):
            raise refuse(f"card.{member} {why}")


def _link(said: dict[str, Any]) -> tuple[str, str]:
    if said.get("channel", "link") != "link":
        raise refuse('only {"channel": "link"} is taken here: the payer goes to a page')
    return REDIRECT, ""


def no_account(takes: str) -> InvalidRequest:
    """To be raised where no provider takes this, saying what would be right."""
    if takes == NUMBER:
        return refuse(
            "card numbers are taken in the sandbox alone: send a token of the provider's, "
            f"{_TOKEN_FORM}, or let the payer type it at the provider's, {_LINK_FORM}"
        )
    return refuse(f"no provider here takes this; a payer can be sent to a page with {_LINK_FORM}")


def write_pay(
    wanted: PayOrder, order: Order, payment: Payment, version: ApiVersion, *, url: str
) -> dict[str, Any]:
    """PayOrderEntity. Always a link: the page behind it knows how the payment stands."""
    key = next(iter(wanted.payment_method))
    return {
        "payment_amount": order.amount.major,
        "cf_payment_id": version.id_of(payment.id),
        "payment_method": "card" if key == "token" else key,
        "channel": "link",
        "action": "link",
        "data": {
            "url": url,
            "payload": None,
            "content_type": None,
            "method": None,
            "redirect_to_bank": None,
        },
    }


def page_of(base_url: str, order: Order, payment: Payment | None) -> str:
    """Where the payer goes next. None: nobody took him yet, so to our cashier."""
    page = f"{base_url}/pay/{order.session_token}"
    if payment is None:
        return page
    if payment.status is PaymentStatus.REQUIRES_ACTION and payment.redirect_url:
        return payment.redirect_url
    return f"{page}/result"


ACTIONS: Mapping[str, Callable[[Authenticate], bool]] = {
    "SUBMIT_OTP": lambda said: bool(said.otp),
    "RESEND_OTP": lambda said: True,
}
"""What may be done with a one-time password, and whether the request says enough for it."""


def write_authenticated(
    wanted: Authenticate, cf_payment_id: str, version: ApiVersion
) -> dict[str, Any]:
    """Nobody here asks for one-time passwords: every pay request is answered with a link.

    Raises: InvalidRequest.
    """
    if wanted.action not in ACTIONS:
        raise wrong("action", "SUBMIT_OTP or RESEND_OTP is needed")
    if not ACTIONS[wanted.action](wanted):
        raise InvalidRequest("otp: it is required", field="otp", reason=edge.MISSING)
    return {
        "cf_payment_id": version.echo(cf_payment_id),
        "action": wanted.action,
        "authenticate_status": "FAILED",
        "payment_message": "No one-time password is taken here: send the payer to data.url",
    }
