"""Captures, voids and refunds: what Stripe's answers mean for the one under our key.

Source: https://docs.stripe.com/api/payment_intents/capture and https://docs.stripe.com/api/refunds
"""

from kassa.base.domain.lifecycle import ModificationKind
from kassa.connectors.base import (
    Declined,
    Done,
    InDoubt,
    ModificationEvent,
    ModificationOutcome,
    ModificationRequest,
    Pending,
    Unknown,
)
from kassa.connectors.stripe.intents import canceled_code, fee_in, fee_of
from kassa.connectors.stripe.objects import CAPTURE_KEY, KEY, Garbled, Thing
from kassa.connectors.stripe.words import REFUND_FAILURES, declined
from kassa.modifications.domain.captures import PREFIX


def kind_of(key: str) -> ModificationKind | None:
    """What our key says that it is of."""
    return next((kind for kind, prefix in PREFIX.items() if key.startswith(prefix)), None)


def not_that_charge(intent: Thing, request: ModificationRequest) -> InDoubt | None:
    """Why `intent` is not the charge that `request` changes, or None.

    Raises: Garbled.
    """
    if intent.word("object") != "payment_intent" or intent.noted(KEY) != request.charge_key:
        return InDoubt(reason="Stripe answered about another charge")
    if request.charge_reference.startswith("pi_") and (
        intent.word("id") != request.charge_reference
    ):
        return InDoubt(reason="Stripe answered about another charge")
    if intent.money("amount") != request.charge_amount:
        return InDoubt(reason="Stripe's charge is of another amount than ours")
    return None


def capture_told(intent: Thing, request: ModificationRequest) -> ModificationOutcome:
    """What became of a capture. A capture without a key was made by hand, in the Dashboard: it
    counts as ours, with the amount that Stripe says."""
    try:
        if (wrong := not_that_charge(intent, request)) is not None:
            return wrong
        status, reference = intent.word("status"), intent.word("id")
        if status == "succeeded":
            if intent.noted(CAPTURE_KEY) not in ("", request.key):
                return declined("already_captured", reference=reference)
            amount = intent.money("amount_received")
            return Done(reference=reference, amount=amount, fee=fee_of(intent))
        return _not_captured(intent, status, reference)
    except Garbled as error:
        return InDoubt(reason=f"Stripe's payment intent cannot be read: {error}")


def _not_captured(intent: Thing, status: str, reference: str) -> ModificationOutcome:
    if status == "requires_capture":
        return Unknown(reason="Stripe holds the money and has captured none of it")
    if status == "processing":
        return Pending(reference=reference)
    if status == "canceled":
        why = intent.word("cancellation_reason")
        return declined(canceled_code(intent), reference=reference, provider_code=why)
    if status == "requires_payment_method":
        return declined("not_authorized", reference=reference)
    return InDoubt(reason=f"Stripe's payment intent has the status {status[:40]!r}")


def void_told(intent: Thing, request: ModificationRequest) -> ModificationOutcome:
    """What became of letting go. By whose hand does not matter: it is let go."""
    try:
        if (wrong := not_that_charge(intent, request)) is not None:
            return wrong
        status, reference = intent.word("status"), intent.word("id")
        if status == "canceled":
            return Done(reference=reference, amount=intent.money("amount"))
        if status == "succeeded":
            return declined("already_captured", reference=reference)
        return _not_captured(intent, status, reference)
    except Garbled as error:
        return InDoubt(reason=f"Stripe's payment intent cannot be read: {error}")


def refund_told(refund: Thing, request: ModificationRequest) -> ModificationOutcome:
    """What a refund says, when it is the one under our key."""
    try:
        made_there = bool(request.reference) and refund.word("id") == request.reference
        if refund.noted(KEY) != request.key and not made_there:
            return InDoubt(reason="Stripe answered about another refund")
        charged = refund.id_of("payment_intent")
        if request.charge_reference.startswith("pi_") and charged != request.charge_reference:
            return InDoubt(reason="Stripe made the refund of another charge")
        return refund_outcome(refund)
    except Garbled as error:
        return InDoubt(reason=f"Stripe's refund cannot be read: {error}")


def told_refund(refund: Thing, dedupe_key: str) -> ModificationEvent:
    """The same of any refund; one that was made in the Dashboard has no key of ours, and is known
    by its own name.

    Raises: Garbled.
    """
    if key := refund.noted(KEY):
        return ModificationEvent(dedupe_key=dedupe_key, key=key, outcome=refund_outcome(refund))
    return ModificationEvent(
        dedupe_key=dedupe_key,
        key="",
        outcome=refund_outcome(refund),
        reference=refund.word("id"),
        charge_reference=refund.id_of("payment_intent"),
    )


def refund_outcome(refund: Thing) -> Done | Pending | Declined | InDoubt:
    """What a refund came to; the amount is Stripe's, for the caller to compare.

    Raises: Garbled.
    """
    status, reference = refund.word("status"), refund.word("id")
    if refund.word("object") != "refund" or not reference:
        return InDoubt(reason="Stripe's answer is not a refund")
    if status == "succeeded":
        fee = fee_in(refund, refund.word("currency"))
        return Done(reference=reference, amount=refund.money("amount"), fee=fee)
    if status in ("pending", "requires_action"):
        return Pending(reference=reference)
    if status in ("failed", "canceled"):
        why = refund.word("failure_reason") or status
        code = REFUND_FAILURES.get(why, "refund_refused")
        return declined(code, reference=reference, provider_code=why)
    return InDoubt(reason="Stripe's refund has a status that we do not know")


def told_without_refund(intent: Thing, request: ModificationRequest) -> ModificationOutcome:
    """What became of `request` when Stripe has no refund under its key."""
    try:
        if (wrong := not_that_charge(intent, request)) is not None:
            return wrong
        kind = kind_of(request.key)
        if kind is ModificationKind.REFUND:
            return Unknown(reason="Stripe knows no refund under this key")
        if kind is ModificationKind.VOID:
            return void_told(intent, request)
        if kind is ModificationKind.CAPTURE or intent.noted(CAPTURE_KEY) == request.key:
            return capture_told(intent, request)
        return Unknown(reason="Stripe knows nothing under this key")
    except Garbled as error:
        return InDoubt(reason=f"Stripe's payment intent cannot be read: {error}")
