"""Payment links: Razorpay's own page for one charge, which is captured as soon as it is paid.

Source: https://razorpay.com/docs/api/payments/payment-links/
"""

import re
from datetime import timedelta
from typing import Any

from kassa.base.domain.money import Money
from kassa.connectors.base import ActionNeeded, ChargeRequest, Declined, InDoubt
from kassa.connectors.payer import email_of, line_of, name_of, phone_of
from kassa.connectors.razorpay.api import Entity, RazorpayRefusal, moment, money, word
from kassa.payments.domain.payments import Method

KEY = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
"""Keys of ours that `reference_id` and `receipt` can hold; ours have 29 to 37 characters."""
NOTE = "kassa_key"
"""Under which of an entity's notes our key stands."""

_SHORTEST = timedelta(minutes=16)  # Razorpay: 15 in the future; one for clocks that differ
_LEAST_INR = 100
_MAX_DESCRIPTION = 2048
_MAX_ADDRESS = 2048
_PHONE = re.compile(r"\+?[0-9]{8,14}", re.ASCII)
_NAME_SIGNS = ".'/@()"
_SHORTEST_NAME, _MAX_NAME, _MAX_EMAIL = 3, 50, 64
"""Of a customer. Source: https://razorpay.com/docs/api/customers/create"""
_OPTIONAL = re.compile(r"\b(?:customer|name|e-?mail|contact|phone|description)\b", re.IGNORECASE)
"""How a refusal names what a link can do without."""
_ONLY_INR = frozenset({Method.UPI, Method.NET_BANKING, Method.EWALLET})
_CHECKOUT = {
    Method.CREDIT_CARD: "card",
    Method.UPI: "upi",
    Method.NET_BANKING: "netbanking",
    Method.EWALLET: "wallet",
}
"""What the page offers: only the method that the payer has chosen here."""


def impossible(request: ChargeRequest) -> Declined | None:
    """Why Razorpay could never take this charge, or None.

    Raises: ValueError for a key that Razorpay cannot hold.
    """
    if not KEY.fullmatch(request.key):
        raise ValueError("a key for Razorpay is 1 to 40 letters, digits, - or _")
    if request.method not in _CHECKOUT or (
        request.method in _ONLY_INR and request.amount.currency != "INR"
    ):
        return Declined(
            code="currency_unsupported",
            message=f"Razorpay takes no {request.method} payments in {request.amount.currency}.",
            soft=True,
        )
    if request.amount.currency == "INR" and request.amount.minor < _LEAST_INR:
        return Declined(
            code="amount_out_of_range", message="Razorpay takes 1.00 INR and more.", soft=True
        )
    if request.instrument:
        return Declined(
            code="card_not_supported", message="Razorpay's own page asks for the card.", soft=True
        )
    if request.expires_at - request.now < _SHORTEST:
        return Declined(
            code="expired",
            message="There is too little time left to pay this with Razorpay.",
            soft=True,
        )
    if len(request.return_url) > _MAX_ADDRESS:
        return Declined(
            code="address_too_long",
            message=f"Razorpay takes addresses of at most {_MAX_ADDRESS} characters.",
        )
    return None


def link_content(request: ChargeRequest) -> dict[str, Any]:
    """What `POST /payment_links` is asked; Razorpay writes to nobody, the payer comes from us."""
    offered = _CHECKOUT[request.method]
    content: dict[str, Any] = {
        "amount": request.amount.minor,
        "currency": request.amount.currency,
        "accept_partial": False,
        "reference_id": request.key,
        "description": line_of(request.subject, _MAX_DESCRIPTION)
        or f"Order {request.order_id}"[:_MAX_DESCRIPTION],
        "expire_by": int(request.expires_at.timestamp()),
        "notes": {NOTE: request.key},
        "notify": {"sms": False, "email": False},
        "reminder_enable": False,
        "options": {
            "checkout": {
                "method": {name: "1" if name == offered else "0" for name in _CHECKOUT.values()}
            }
        },
    }
    if request.return_url:
        content["callback_url"] = request.return_url
        content["callback_method"] = "get"
    if customer := _customer(request):
        content["customer"] = customer
    return content


def _customer(request: ChargeRequest) -> dict[str, str]:
    """What Razorpay takes of what the merchant said: anything else fails the whole request."""
    said = request.customer
    if said is None:
        return {}
    phone = phone_of(said.phone)
    found = {
        "name": name_of(
            said.name,
            allowed=_NAME_SIGNS,
            shortest=_SHORTEST_NAME,
            longest=_MAX_NAME,
            latin=True,
        ),
        "email": email_of(said.email, longest=_MAX_EMAIL),
        "contact": phone if _PHONE.fullmatch(phone) else "",
    }
    return {name: value for name, value in found.items() if value}


def is_ours(link: Entity, key: str) -> bool:
    return word(link, "reference_id") == key and bool(word(link, "id"))


def link_address(link: Entity, amount: Money | None) -> ActionNeeded | InDoubt:
    """Where the payer pays a link that is open. `amount`: what it must ask for, if we know."""
    asked = money(link)
    if asked is None or (amount is not None and asked != amount):
        return InDoubt(reason="Razorpay's link is not for the amount that was asked")
    address = word(link, "short_url")
    if not address.startswith(("https://", "http://")):
        return InDoubt(reason="Razorpay's link has no address")
    return ActionNeeded(
        reference=word(link, "id"), url=address, expires_at=moment(link, "expire_by")
    )


OVER = {
    "cancelled": ("closed", "The payment was closed."),
    "expired": ("expired", "The time to pay is over."),
}
"""Link statuses after which nobody can pay, in our words. created: open; paid: see its payment.
partially_paid cannot be, for we never allow parts; it and any other word leave us in doubt."""


def over_told(link: Entity) -> Declined:
    """A link that is over, as far as no payment says otherwise."""
    code, message = OVER[word(link, "status")]
    return Declined(
        code=code, message=message, reference=word(link, "id"), provider_code=word(link, "status")
    )


def is_optional(refusal: RazorpayRefusal) -> bool:
    """Whether it was refused over something that a link can do without."""
    named = bool(_OPTIONAL.search(f"{refusal.field} {refusal.description}"))
    return named and "reference" not in refusal.description.lower()
