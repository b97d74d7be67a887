"""Refunds at Cashfree: what is asked, and what its answers mean.

Source: https://www.cashfree.com/docs/api-reference/payments/latest/refunds/create
"""

from typing import Any

from kassa.base.domain.lifecycle import ModificationKind
from kassa.connectors.base import (
    Declined,
    Done,
    InDoubt,
    ModificationEvent,
    ModificationOutcome,
    ModificationRequest,
    Pending,
)
from kassa.connectors.cashfree.api import CashfreeRefusal, Entity, money, number_word, word
from kassa.modifications.domain.captures import is_key

_SHORT, _LONG = 3, 100  # characters of a note

_REFUSALS = {
    "refund_amount_invalid": "amount_too_large",
    "order_not_paid": "charge_not_refundable",
    "insufficient_balance": "balance_too_low",
}
"""Cashfree's codes, in our words; any other refusal is refund_refused."""


def refund_content(request: ModificationRequest) -> dict[str, Any]:
    """What `POST /orders/{order_id}/refunds` is asked; a repeat is the same to the letter."""
    content: dict[str, Any] = {
        "refund_amount": request.amount.major,
        "refund_id": request.key,
        "refund_speed": "STANDARD",
    }
    note = request.reason.strip()[:_LONG]
    return {**content, "refund_note": note} if len(note) >= _SHORT else content


def refund_told(refund: Entity) -> Done | Pending | Declined | InDoubt:
    """One refund, which the caller knows to be ours."""
    reference = number_word(refund, "cf_refund_id")
    amount = money(refund, "refund_amount", "refund_currency")
    status = word(refund, "refund_status")
    if not reference or amount is None:
        return InDoubt(reason="Cashfree described a refund that cannot be read")
    match status:
        case "SUCCESS":
            return Done(reference=reference, amount=amount)
        case "PENDING" | "ONHOLD":
            return Pending(reference=reference)
        case "CANCELLED" | "FAILED":
            return Declined(
                code="refund_failed",
                message="Cashfree could not give the money back.",
                reference=reference,
                provider_code=status,
            )
        case _:
            return InDoubt(reason="Cashfree sent an unknown refund status")


def told_refund(refund: Entity, dedupe_key: str) -> ModificationEvent:
    """Any refund, by whomever it was made: by us, in Cashfree's own pages, or by Cashfree itself.
    Those that we did not make are of ours only by the payment that they name."""
    key = word(refund, "refund_id")
    if is_key(key, ModificationKind.REFUND):
        return ModificationEvent(dedupe_key=dedupe_key, key=key, outcome=refund_told(refund))
    return ModificationEvent(
        dedupe_key=dedupe_key,
        key="",
        outcome=refund_told(refund),
        reference=number_word(refund, "cf_refund_id"),
        charge_reference=number_word(refund, "cf_payment_id"),
    )


def answer_told(refund: Entity, request: ModificationRequest, order_id: str) -> ModificationOutcome:
    """The same, when it is the one that was asked for."""
    if word(refund, "refund_id") != request.key or word(refund, "order_id") != order_id:
        return InDoubt(reason="Cashfree answered about another refund")
    told = refund_told(refund)
    asked = money(refund, "refund_amount", "refund_currency") == request.amount
    if isinstance(told, Pending) and not asked:
        return InDoubt(reason="Cashfree makes a refund of another amount")
    return told


def refused(refusal: CashfreeRefusal) -> Declined:
    """Only when no refund under our key is there after all."""
    return Declined(
        code=_REFUSALS.get(refusal.code, "refund_refused"),
        message="Cashfree refused the refund.",
        provider_code=refusal.code,
    )
