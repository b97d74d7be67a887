"""Refunds at Razorpay: what is asked, and what its answers mean.

Source: https://razorpay.com/docs/api/refunds/
"""

import re
from collections.abc import Mapping, Sequence
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
from kassa.connectors.razorpay.api import Entity, RazorpayRefusal, entity, money, word
from kassa.connectors.razorpay.links import NOTE
from kassa.modifications.domain.captures import is_key

HEADER = "X-Refund-Idempotency"

_KEY = re.compile(r"[A-Za-z0-9_-]{10,40}", re.ASCII)
_MAX_REASON = 256

_REFUSALS: Sequence[tuple[str, str]] = (
    ("fully refunded already", "amount_too_large"),
    ("refund amount provided is greater", "amount_too_large"),
    ("total refund amount is greater", "amount_too_large"),
    ("does not have enough balance", "balance_too_low"),
    ("not enough balance", "balance_too_low"),
    ("should be captured", "charge_not_refundable"),
    ("more than six months", "refund_too_late"),
)
"""What stands in Razorpay's descriptions, in our words; any other refusal is refund_refused."""


def impossible(request: ModificationRequest) -> Declined | None:
    """Raises: ValueError for a key that Razorpay cannot hold."""
    if not _KEY.fullmatch(request.key):
        raise ValueError("a refund's key for Razorpay is 10 to 40 letters, digits, - or _")
    if request.amount.minor <= 0:
        return Declined(code="amount_out_of_range", message="A refund must be more than nothing.")
    return None


def refund_content(request: ModificationRequest) -> dict[str, Any]:
    """What `POST /payments/{id}/refund` is asked; a repeat is the same to the letter."""
    notes = {NOTE: request.key}
    if reason := request.reason.strip()[:_MAX_REASON]:
        notes["reason"] = reason
    return {
        "amount": request.amount.minor,
        "speed": "normal",
        "notes": notes,
        "receipt": request.key,
    }


def key_of(refund: Entity) -> str:
    """Our key of it, "" of a refund that was made elsewhere: there a receipt is somebody else's."""
    receipt = word(refund, "receipt")
    ours = receipt if is_key(receipt, ModificationKind.REFUND) else ""
    return word(entity(refund, "notes"), NOTE) or ours


def told_refund(refund: Entity, dedupe_key: str) -> ModificationEvent:
    """Any refund, by whomever it was made."""
    if key := key_of(refund):
        return ModificationEvent(dedupe_key=dedupe_key, key=key, outcome=refund_told(refund))
    return ModificationEvent(
        dedupe_key=dedupe_key,
        key="",
        outcome=refund_told(refund),
        reference=word(refund, "id"),
        charge_reference=word(refund, "payment_id"),
    )


def refund_told(refund: Entity) -> Done | Pending | Declined | InDoubt:
    """One refund, which the caller knows to be ours."""
    reference, amount, status = word(refund, "id"), money(refund), word(refund, "status")
    if not reference or amount is None:
        return InDoubt(reason="Razorpay described a refund that cannot be read")
    match status:
        case "processed":
            return Done(reference=reference, amount=amount)
        case "pending" | "created":
            return Pending(reference=reference)
        case "failed":
            return Declined(
                code="refund_failed",
                message="Razorpay could not give the money back.",
                reference=reference,
                provider_code=status,
            )
        case _:
            return InDoubt(reason="Razorpay sent an unknown refund status")


def answer_told(
    refund: Mapping[str, Any], request: ModificationRequest, payment_id: str
) -> ModificationOutcome:
    """The same, when it is the one that was asked for."""
    made_there = bool(request.reference) and word(refund, "id") == request.reference
    is_it = made_there or key_of(refund) == request.key
    if word(refund, "payment_id") != payment_id or not is_it:
        return InDoubt(reason="Razorpay answered about another refund")
    told = refund_told(refund)
    if isinstance(told, Pending) and money(refund) != request.amount:
        return InDoubt(reason="Razorpay makes a refund of another amount")
    return told


def refused(refusal: RazorpayRefusal) -> Declined:
    """Only when no refund under our key is there after all."""
    said = refusal.description.lower()
    code = next((code for words, code in _REFUSALS if words in said), "refund_refused")
    return Declined(code=code, message="Razorpay refused the refund.", provider_code=refusal.shown)
