"""What a payment intent or a checkout session means for the charge under our key.

Source: https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    FailedLater,
    InDoubt,
    Outcome,
    Pending,
)
from kassa.connectors.stripe.objects import KEY, PAGE, Garbled, Thing
from kassa.connectors.stripe.words import declined, declined_for

Read = TypeVar("Read")

EXPANDED = ["latest_charge.balance_transaction"]
"""What an intent must have inside for its fee and its time limit to be known."""
SESSION_EXPANDED = [f"payment_intent.{name}" for name in EXPANDED]

_WITH_MONEY = frozenset({"succeeded", "requires_capture"})
_LAPSED = frozenset({"automatic", "expired"})  # Stripe let go by itself when the time was over


def told_intent(intent: Thing, key: str, expected: Money | None = None) -> Outcome:
    """What it says, when it is ours; `expected`: what was asked for, where that is known.

    Money that was taken or reserved is told as Stripe says it: the caller compares.
    """
    try:
        if intent.word("object") != "payment_intent" or not intent.word("id"):
            return InDoubt(reason="Stripe's answer is not a payment intent")
        if intent.noted(KEY) != key:
            return InDoubt(reason="Stripe's payment intent has another key than ours")
        other = expected is not None and intent.money("amount") != expected
        if other and intent.word("status") not in _WITH_MONEY:
            return InDoubt(reason="Stripe's payment intent is of another amount than asked for")
        if (charge := _returned(intent)) is not None:
            return failed_later(charge)
        read = _STATUS.get(intent.word("status"))
        if read is None:
            return InDoubt(reason="Stripe's payment intent has a status that we do not know")
        return read(intent)
    except Garbled as error:
        return InDoubt(reason=f"Stripe's payment intent cannot be read: {error}")


def _succeeded(intent: Thing) -> Captured:
    amount = intent.money("amount_received")
    charge = intent.thing("latest_charge")
    return Captured(
        reference=intent.word("id"),
        amount=amount,
        fee=fee_of(intent),
        refunded=None if charge is None else refunded_of(charge),
    )


RETURNED = "failure_balance_transaction"
"""What a charge has when it was paid, and its bank has taken the money back."""


def _returned(intent: Thing) -> Thing | None:
    charge = intent.thing("latest_charge")
    return charge if charge is not None and charge.id_of(RETURNED) else None


def failed_later(charge: Thing) -> FailedLater:
    """A debit that its bank returned. Raises: Garbled."""
    return FailedLater(
        code="charge_failed",
        message="The payer's bank has taken the money back.",
        reference=charge.id_of("payment_intent"),
        provider_code=charge.word("failure_code"),
        returned_as=charge.id_of(RETURNED),
    )


def refunded_of(charge: Thing) -> Money | None:
    """How much of a captured charge has gone back. Of a part that was captured Stripe counts the
    rest, which was let go, as refunded. None for nothing, or where it does not say.

    Raises: Garbled.
    """
    if charge.fields.get("captured") is not True or "amount_refunded" not in charge.fields:
        return None
    let_go = charge.money("amount") - charge.money("amount_captured")
    gone = charge.money("amount_refunded") - let_go
    return gone if gone.minor > 0 else None


def _reserved(intent: Thing) -> Authorized:
    return Authorized(
        reference=intent.word("id"),
        amount=intent.money("amount_capturable"),
        expires_at=_capture_before(intent),
    )


def _capture_before(intent: Thing) -> datetime | None:
    found: Thing | None = intent
    for name in ("latest_charge", "payment_method_details", "card"):
        found = found.thing(name) if found is not None else None
    return None if found is None else _or_none(found.moment, "capture_before")


def _pending(intent: Thing) -> Pending:
    return Pending(reference=intent.word("id"))


def _action(intent: Thing) -> ActionNeeded | InDoubt:
    action = intent.thing("next_action")
    redirect = action.thing("redirect_to_url") if action is not None else None
    url = redirect.word("url") if redirect is not None else ""
    if not is_address(url):
        return InDoubt(reason="Stripe wants the payer to act and names no address for it")
    return ActionNeeded(reference=intent.word("id"), url=url)


def _not_paid(intent: Thing) -> Declined | Pending:
    """Tried and refused, or not tried yet."""
    error = intent.thing("last_payment_error")
    if error is None:
        return Pending(reference=intent.word("id"))
    reason = error.word("decline_code") or error.word("code")
    return declined_for(reason, reference=intent.word("id"))


def _canceled(intent: Thing) -> Declined:
    why = intent.word("cancellation_reason")
    return declined(canceled_code(intent), reference=intent.word("id"), provider_code=why)


def canceled_code(intent: Thing) -> str:
    """How a canceled intent ended: with a reservation let go, or without one."""
    held = intent.word("capture_method") == "manual" and intent.id_of("latest_charge")
    if not held or intent.thing("last_payment_error") is not None:
        return "closed"
    lapsed = intent.word("cancellation_reason") in _LAPSED
    return "authorization_expired" if lapsed else "voided"


_STATUS: Mapping[str, Callable[[Thing], Outcome]] = {
    "succeeded": _succeeded,
    "requires_capture": _reserved,
    "processing": _pending,
    "requires_action": _action,
    "requires_confirmation": _pending,
    "requires_payment_method": _not_paid,
    "canceled": _canceled,
}
"""Every status of a payment intent; one that is not here leaves us in doubt."""

_AT_THE_PAGE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})


def is_at_the_page(intent: Thing) -> bool:
    """Whether the payer is still trying at a checkout page, which decides then."""
    return bool(intent.noted(PAGE)) and intent.word("status") in _AT_THE_PAGE


def told_session(session: Thing, key: str, expected: Money | None = None) -> Outcome:
    """What a checkout session says, when it is ours. `expected`: as for an intent."""
    try:
        if session.word("object") != "checkout.session" or not session.word("id"):
            return InDoubt(reason="Stripe's answer is not a checkout session")
        if session.noted(KEY) != key:
            return InDoubt(reason="Stripe's checkout session has another key than ours")
        if expected is not None and session.money("amount_total") != expected:
            return InDoubt(reason="Stripe's checkout session is of another amount than asked for")
        intent = session.thing("payment_intent")
        if intent is not None and (_returned(intent) is not None or not is_at_the_page(intent)):
            return told_intent(intent, key, expected)
        return _session_told(session)
    except Garbled as error:
        return InDoubt(reason=f"Stripe's checkout session cannot be read: {error}")


def _session_told(session: Thing) -> Outcome:
    reference, status = session.word("id"), session.word("status")
    if status == "open":
        url = session.word("url")
        if not is_address(url):
            return InDoubt(reason="Stripe's checkout session is open and has no address")
        expires_at = session.moment("expires_at")
        return ActionNeeded(reference=reference, url=url, expires_at=expires_at)
    if status == "expired":
        return declined("closed", reference=reference, provider_code="expired")
    if status != "complete":
        return InDoubt(reason="Stripe's checkout session has a status that we do not know")
    reference = session.id_of("payment_intent") or reference
    paid = session.word("payment_status")
    if paid == "paid":
        return Captured(reference=reference, amount=session.money("amount_total"))
    if paid == "unpaid":  # reserved, or on its way: the intent says which
        return Pending(reference=reference)
    return InDoubt(reason="Stripe's checkout session does not say whether it was paid")


def fee_of(intent: Thing) -> Money | None:
    """What Stripe keeps of it; None where it does not say, or keeps it in another currency."""
    charge = intent.thing("latest_charge")
    return None if charge is None else fee_in(charge, intent.word("currency"))


def _or_none(read: Callable[[str], Read | None], name: str) -> Read | None:
    """What a payment can do without: where it cannot be read, the rest stands all the same."""
    try:
        return read(name)
    except Garbled:
        return None


def fee_in(moved: Thing, currency: str) -> Money | None:
    """The same of a charge or a refund that has its balance transaction inside."""
    entry = moved.thing("balance_transaction")
    if entry is None or entry.fields.get("currency") != currency:
        return None
    return _or_none(entry.money, "fee")


def is_address(url: str) -> bool:
    """Whether a payer's browser can be sent there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
