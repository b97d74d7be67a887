"""What Razorpay's payments mean: one table of its words, and which of several tries decides.

Source: https://razorpay.com/docs/api/payments/ and razorpay.com/docs/payments/payments/
"""

from collections.abc import Sequence
from datetime import timedelta

from kassa.base.domain.money import Money
from kassa.connectors.base import Authorized, Captured, Declined, InDoubt, Pending
from kassa.connectors.razorpay.api import Entity, moment, money, word
from kassa.connectors.tries import weightiest

HELD_FOR = timedelta(days=3)
"""What nobody captures goes back to the payer after so long, says Razorpay; older papers say 5."""

_FEES = "INR"  # what fees are counted in; of a payment in another currency they are not told

_STATUS = ("captured", "authorized", "created", "pending", "refunded", "failed")
"""The words for a payment; of two tries that come to the same, the one whose word stands first."""

Told = Captured | Authorized | Pending | Declined | InDoubt


def payment_told(payment: Entity) -> Told:
    """One payment, whatever else its link or order has seen."""
    reference, amount = word(payment, "id"), money(payment)
    status = word(payment, "status")
    if not reference or amount is None:
        return InDoubt(reason="Razorpay described a payment that cannot be read")
    match status:
        case "captured":
            return _captured(payment, reference, amount)
        case "refunded" if payment.get("captured") is True:
            return _captured(payment, reference, amount)
        case "refunded":
            return Declined(
                code="authorization_expired",
                message="Nobody claimed the reserved money in time.",
                reference=reference,
                provider_code=status,
            )
        case "authorized":
            made_at = moment(payment, "created_at")
            return Authorized(
                reference=reference,
                amount=amount,
                expires_at=made_at + HELD_FOR if made_at else None,
            )
        case "created" | "pending":
            return Pending(reference="")
        case "failed":
            return _failed(payment, reference)
        case _:
            return InDoubt(reason="Razorpay sent an unknown payment status")


def tries_told(payments: Sequence[Entity]) -> Told | None:
    """What several tries at one link or order come to; None where no try was made."""
    return weightiest(map(payment_told, sorted(payments, key=_weight)))


def _weight(payment: Entity) -> int:
    status = word(payment, "status")
    return _STATUS.index(status) if status in _STATUS else 0


def _captured(payment: Entity, reference: str, amount: Money) -> Captured:
    gone = money(payment, "amount_refunded")
    refunded = gone if gone is not None and gone.minor else None
    return Captured(reference=reference, amount=amount, fee=_fee(payment), refunded=refunded)


def _fee(payment: Entity) -> Money | None:
    """The fee, in which Razorpay includes the tax on it."""
    fee = money(payment, "fee")
    return fee if fee is not None and fee.currency == _FEES and fee.minor >= 0 else None


_REASONS = {
    "insufficient_funds": "insufficient_funds",
    "insufficient_balance": "insufficient_funds",
    "card_expired": "expired_card",
    "incorrect_card_expiry_date": "expired_card",
    "incorrect_cvv": "incorrect_cvc",
    "incorrect_card_details": "invalid_card_number",
    "card_number_invalid": "invalid_card_number",
    "card_not_supported": "card_not_supported",
    "card_type_invalid": "card_not_supported",
    "payment_cancelled": "payer_refused",
    "payment_timed_out": "payer_too_late",
}
"""Razorpay's `error_reason` in our words; any other is card_declined, and stays beside it."""


def _failed(payment: Entity, reference: str) -> Declined:
    reason = word(payment, "error_reason")
    return Declined(
        code=_REASONS.get(reason, "card_declined"),
        message="The payment was declined.",
        reference=reference,
        provider_code=reason or word(payment, "error_code"),
    )
