"""What a charge is asked as: a payment link, or, to be reserved, an order and its UPI session.

Source: https://www.cashfree.com/docs/api-reference/payments/latest/payment-links/create,
…/orders/create and …/payments/pay
"""

import re
from datetime import datetime, timedelta
from typing import Any

from kassa.base.domain.money import Money
from kassa.connectors.base import ActionNeeded, ChargeRequest, Declined, InDoubt
from kassa.connectors.cashfree.api import (
    INDIA,
    CashfreeRefusal,
    Entity,
    money,
    number_word,
    word,
)
from kassa.connectors.cashfree.api import moment as moment_in
from kassa.connectors.payer import email_of, line_of, name_of, phone_of
from kassa.payments.domain.payments import Method

KEY = re.compile(r"[A-Za-z0-9_-]{3,40}", re.ASCII)
"""Keys of ours that order_id (45), link_id (50) and refund_id (40) can hold; ours have 29 to 37
characters and go as they are."""

_SHORTEST = timedelta(minutes=16)  # Cashfree: more than 15; one for clocks that differ
_LONGEST = timedelta(days=29)  # Cashfree: less than 30
_LEAST = Money(100, "INR")
_MAX_ADDRESS, _MAX_PURPOSE = 250, 500
_SHORT, _LONG = 3, 100  # characters of a name, an e-mail address, a note
_LOCAL = re.compile(r"(?:\+?91|0)?([0-9]{10})", re.ASCII)
_ABROAD = re.compile(r"\+[0-9]{8,15}", re.ASCII)
_NAME_SIGNS = ".,'-/&()"
_OPTIONAL = ("customer_", "link_purpose")
"""What a refusal names of what can be left out, or be the account's own."""
_OFFERED = {
    Method.CREDIT_CARD: "cc,dc,ccc,ppc",
    Method.UPI: "upi",
    Method.NET_BANKING: "nb",
    Method.EWALLET: "app",
}
"""`payment_methods` of what the payer has chosen here."""


def impossible(request: ChargeRequest) -> Declined | None:
    """Why Cashfree could never take this charge, or None.

    Raises: ValueError for a key that Cashfree cannot hold.
    """
    if not KEY.fullmatch(request.key):
        raise ValueError("a key for Cashfree is 3 to 40 letters, digits, - or _")
    if request.method not in _OFFERED or request.amount.currency != _LEAST.currency:
        return Declined(
            code="currency_unsupported",
            message=f"Cashfree takes no {request.method} in {request.amount.currency} here.",
            soft=True,
        )
    if request.amount.minor < _LEAST.minor:
        return Declined(
            code="amount_out_of_range", message="Cashfree takes 1.00 INR and more.", soft=True
        )
    if request.instrument:
        return Declined(
            code="card_not_supported", message="Cashfree's own page asks for the card.", soft=True
        )
    if not request.capture and request.method is not Method.UPI:
        return Declined(
            code="reserving_not_supported",
            message="Cashfree reserves money by UPI only here.",
            soft=True,
        )
    if request.expires_at - request.now < _SHORTEST:
        return Declined(
            code="expired",
            message="There is too little time left to pay this with Cashfree.",
            soft=True,
        )
    if max(len(request.return_url), len(request.notify_url)) > _MAX_ADDRESS:
        return Declined(
            code="address_too_long",
            message=f"Cashfree takes addresses of at most {_MAX_ADDRESS} characters.",
        )
    return None


def link_content(
    request: ChargeRequest, *, default_phone: str, tell_plainly: bool
) -> dict[str, Any]:
    """What `POST /links` is asked; Cashfree writes to nobody, the payer comes from us."""
    return {
        "link_id": request.key,
        "link_amount": request.amount.major,
        "link_currency": request.amount.currency,
        "link_purpose": line_of(request.subject, _MAX_PURPOSE)
        or f"Order {request.order_id}"[:_MAX_PURPOSE],
        "customer_details": _customer(request, default_phone),
        "link_partial_payments": False,
        "link_expiry_time": _expiry(request),
        "link_notify": {"send_sms": False, "send_email": False},
        "link_auto_reminders": False,
        "link_notes": {"kassa_key": request.key},
        "link_meta": {
            **_addresses(request, tell_plainly),
            "payment_methods": _OFFERED[request.method],
        },
    }


def order_content(
    request: ChargeRequest, *, default_phone: str, tell_plainly: bool
) -> dict[str, Any]:
    """What `POST /orders` is asked."""
    customer = request.customer
    customer_id = re.sub(r"[^A-Za-z0-9_-]", "", customer.id if customer else "")[:50]
    return {
        "order_id": request.key,
        "order_amount": request.amount.major,
        "order_currency": request.amount.currency,
        "order_expiry_time": _expiry(request),
        "customer_details": {
            **_customer(request, default_phone),
            "customer_id": customer_id if len(customer_id) >= _SHORT else request.key,
        },
        "order_meta": {
            **_addresses(request, tell_plainly),
            "payment_methods": _OFFERED[request.method],
        },
    }


def session_content(session: str, request: ChargeRequest) -> dict[str, Any]:
    """What `POST /orders/sessions` is asked: a UPI mandate, which only reserves."""
    approve_by, ends = _end(request), request.now + timedelta(days=7)
    return {
        "payment_session_id": session,
        "payment_method": {
            "upi": {
                "channel": "link",
                "authorize_only": True,
                "authorization": {
                    "approve_by": _written(approve_by),
                    "start_time": _written(request.now),
                    "end_time": _written(max(approve_by, ends)),
                },
            }
        },
    }


def _expiry(request: ChargeRequest) -> str:
    return _written(_end(request))


def _end(request: ChargeRequest) -> datetime:
    return min(request.expires_at, request.now + _LONGEST)


def _written(moment: datetime) -> str:
    return moment.astimezone(INDIA).isoformat(timespec="seconds")


def _addresses(request: ChargeRequest, tell_plainly: bool) -> dict[str, str]:
    """Cashfree posts to https alone. `tell_plainly`: this one is no further away than http."""
    found = {"return_url": request.return_url} if request.return_url else {}
    if request.notify_url.startswith("https://") or (tell_plainly and request.notify_url):
        found["notify_url"] = request.notify_url
    return found


def _customer(request: ChargeRequest, default_phone: str) -> dict[str, str]:
    """Cashfree insists on a phone number: the account's `default_phone` where we know none."""
    said = request.customer
    phone = phone_of(said.phone) if said else ""
    local = _LOCAL.fullmatch(phone)
    known = local[1] if local else phone if _ABROAD.fullmatch(phone) else default_phone
    found = {"customer_phone": known}
    if said is None:
        return found
    name = name_of(said.name, allowed=_NAME_SIGNS, shortest=_SHORT, longest=_LONG)
    email = email_of(said.email, longest=_LONG)
    return found | {
        key: value for key, value in (("customer_name", name), ("customer_email", email)) if value
    }


def is_optional(refusal: CashfreeRefusal) -> bool:
    """Whether it was refused over something that can be left out."""
    return refusal.status not in (404, 409) and any(name in refusal.code for name in _OPTIONAL)


OVER = {
    "EXPIRED": ("expired", "The time to pay is over."),
    "CANCELLED": ("closed", "The payment was closed."),
    "TERMINATED": ("closed", "The payment was closed."),
}
"""Statuses of links and orders that nobody can begin to pay any more, in our words.

ACTIVE: open; PAID: see its payment; TERMINATION_REQUESTED: somebody may still be paying.
PARTIALLY_PAID cannot be, for we never allow parts; it and any other word leave us in doubt.
"""


def over_told(status: str, reference: str) -> Declined:
    code, message = OVER[status]
    return Declined(code=code, message=message, reference=reference, provider_code=status)


def link_address(link: Entity, amount: Money | None) -> ActionNeeded | InDoubt:
    """Where the payer pays a link that is open. `amount`: what it must ask for, if we know."""
    asked = money(link, "link_amount", "link_currency")
    if asked is None or (amount is not None and asked != amount):
        return InDoubt(reason="Cashfree's link is not for the amount that was asked")
    address = word(link, "link_url")
    if not address.startswith(("https://", "http://")):
        return InDoubt(reason="Cashfree's link has no address")
    return ActionNeeded(
        reference=number_word(link, "cf_link_id"),
        url=address,
        expires_at=moment_in(link, "link_expiry_time"),
    )
