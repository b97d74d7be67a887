"""What Cashfree's payments mean: one table of its words, and which of several tries decides.

Source: https://www.cashfree.com/docs/api-reference/payments/latest/payments/get
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from kassa.connectors.base import Authorized, Captured, Declined, InDoubt, Pending
from kassa.connectors.cashfree.api import Entity, entity, moment, money, number_word, word
from kassa.connectors.tries import weightiest

_HELD_FOR = timedelta(days=7)

_STATUS = (
    "SUCCESS",  # paid; reserved only, while is_captured is false
    "PENDING",
    "FLAGGED",  # paid, and held back until somebody at Cashfree has looked at it
    "NOT_ATTEMPTED",  # the payer has chosen how, and not paid yet
    "VOID",
    "CANCELLED",  # came too late, and went back
    "USER_DROPPED",
    "FAILED",
)
"""The words for a payment; of two tries that come to the same, the one whose word stands first."""

_OVER: Mapping[str, tuple[str, str]] = {
    "VOID": ("voided", "The reserved money was let go."),
    "CANCELLED": ("payer_too_late", "The payment came too late and went back."),
    "USER_DROPPED": ("payer_refused", "The payer left."),
    "FAILED": ("card_declined", "The payment was declined."),
}
_REASONS = {
    "insufficient_funds": "insufficient_funds",
    "insufficient_balance": "insufficient_funds",
    "card_expired": "expired_card",
    "invalid_cvv": "incorrect_cvc",
    "invalid_card_number": "invalid_card_number",
    "payment_cancelled": "payer_refused",
    "payment_timed_out": "payer_too_late",
}
"""`error_details.error_reason` in our words; any other is card_declined, and stays beside it."""

Told = Captured | Authorized | Pending | Declined | InDoubt


def payment_told(payment: Entity) -> Told:
    """One payment, whatever else its order has seen."""
    reference = number_word(payment, "cf_payment_id")
    amount = money(payment, "payment_amount", "payment_currency")
    status = word(payment, "payment_status")
    if not reference or amount is None:
        return InDoubt(reason="Cashfree described a payment that cannot be read")
    match status:
        case "SUCCESS":
            return _paid(payment, reference)
        case "PENDING" | "FLAGGED" | "NOT_ATTEMPTED":
            return Pending(reference="")
        case "VOID" | "CANCELLED" | "USER_DROPPED" | "FAILED":
            code, message = _OVER[status]
            reason = word(entity(payment, "error_details"), "error_reason")
            return Declined(
                code=_REASONS.get(reason, code) if status == "FAILED" else code,
                message=message,
                reference=reference,
                provider_code=reason or status,
            )
        case _:
            return InDoubt(reason="Cashfree sent an unknown payment status")


def _paid(payment: Entity, reference: str) -> Told:
    """Taken, or reserved. Webhooks do not say `is_captured`: see `news`."""
    amount = money(payment, "payment_amount", "payment_currency")
    assert amount is not None, "it has been read before"
    claimed = entity(payment, "authorization")
    if payment.get("is_captured") is True:
        if word(claimed, "action") != "CAPTURE":
            return Captured(reference=reference, amount=amount)
        told = {**claimed, "currency": amount.currency}
        part = money(told, "captured_amount", "currency")
        if part is None:
            return InDoubt(reason="Cashfree did not say how much it captured")
        return Captured(reference=reference, amount=part)
    if payment.get("is_captured") is not False:
        return InDoubt(reason="Cashfree did not say whether it has captured")
    match word(claimed, "action"), word(claimed, "status"):
        case "VOID", "SUCCESS":
            return Declined(
                code="voided",
                message=_OVER["VOID"][1],
                reference=reference,
                provider_code="VOID",
            )
        case (("VOID" | "CAPTURE"), _):
            return Pending(reference="")
        case "", _:
            held_since = moment(payment, "payment_completion_time")
            expires_at = held_since + _HELD_FOR if held_since else None
            return Authorized(reference=reference, amount=amount, expires_at=expires_at)
        case _:
            return InDoubt(reason="Cashfree sent an unknown authorization")


def tries_told(payments: Sequence[Entity]) -> Told | None:
    """What several tries at one order come to; None where no try was made."""
    return weightiest(map(payment_told, sorted(payments, key=_weight)))


def _weight(payment: Entity) -> int:
    status = word(payment, "payment_status")
    return _STATUS.index(status) if status in _STATUS else 0
