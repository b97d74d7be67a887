"""Razorpay's webhooks: verified over the raw bytes, then translated.

Source: https://razorpay.com/docs/webhooks/payloads/payments/, …/refunds/, …/payment-links/ and
…/disputes/
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.connectors.base import (
    AnyNews,
    ChargeEvent,
    Declined,
    DisputeEvent,
    ForeignEvent,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    Outcome,
    Pending,
    Refused,
)
from kassa.connectors.jsontext import read_object
from kassa.connectors.razorpay.api import Entity, entity, moment, money, word
from kassa.connectors.razorpay.disputes import UNDECIDED, is_deducted, status_of, taken_by
from kassa.connectors.razorpay.links import NOTE, OVER, over_told
from kassa.connectors.razorpay.payments import payment_told
from kassa.connectors.razorpay.refunds import key_of, told_refund
from kassa.connectors.razorpay.signatures import signed
from kassa.connectors.unread import genuine, unread

_PAYMENTS = frozenset(
    {
        "payment.authorized",
        "payment.captured",
        "payment.failed",
        "payment.pending",
        "order.paid",
        "payment_link.paid",
    }
)
_LINKS_OVER = frozenset({"payment_link.cancelled", "payment_link.expired"})
_REFUNDS = frozenset(
    {"refund.created", "refund.processed", "refund.failed", "refund.speed_changed"}
)
_DISPUTES = "payment.dispute."

_STAGE = {
    "fraud": DisputeStage.INQUIRY,
    "retrieval": DisputeStage.INQUIRY,
    "chargeback": DisputeStage.CHARGEBACK,
    "pre_arbitration": DisputeStage.PRE_ARBITRATION,
    "arbitration": DisputeStage.ARBITRATION,
}


def read_news(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str]
) -> AnyNews | IrrelevantEvent | ForeignEvent | Refused:
    """What the webhook says; Irrelevant too where it is about nothing that Kassa has made."""
    if not secrets:
        return Refused(reason="no webhook_secret is configured")
    signature = headers.get("x-razorpay-signature", "")
    matches = [signed(secret, body, signature) for secret in secrets]
    if not any(matches):
        return Refused(reason="the signature is missing or wrong")
    try:
        told = read_object(body)
    except ValueError:
        return unread(body, "the body is no JSON object")
    event = word(told, "event")
    payload = {
        name: entity(entity(entity(told, "payload"), name), "entity")
        for name in ("payment", "refund", "payment_link", "dispute")
    }
    # The event's id is in a header, which nobody signs: whoever posts it again may change it.
    said = _told(event, told, payload, hashlib.sha256(body).hexdigest())
    return genuine(said, body, charge_reference=word(payload["dispute"], "payment_id"))


def _told(
    event: str, told: Entity, payload: Mapping[str, Entity], mark: str
) -> AnyNews | IrrelevantEvent | Refused:
    payment, link, refund = payload["payment"], payload["payment_link"], payload["refund"]
    if event in _PAYMENTS and payment:
        key = word(link, "reference_id") or word(entity(payment, "notes"), NOTE)
        outcome = _payment(payment)
    elif event in _LINKS_OVER and link:
        key, outcome = word(link, "reference_id"), _over(link)
    elif event in _REFUNDS and refund:
        return _refund(event, refund, payment, mark)
    elif event.startswith(_DISPUTES) and payload["dispute"]:
        return _dispute(payload["dispute"], payment, mark, moment(told, "created_at"))
    else:
        return IrrelevantEvent(event=event)
    return (
        ChargeEvent(dedupe_key=mark, key=key, outcome=outcome)
        if key
        else IrrelevantEvent(event=event)
    )


def _refund(
    event: str, refund: Entity, payment: Entity, mark: str
) -> ChargeEvent | ModificationEvent | IrrelevantEvent:
    """Reserved money that nobody captured goes back as a refund too: that is news of the payment,
    for none of it was ours."""
    if payment.get("captured") is False and not key_of(refund):
        key = word(entity(payment, "notes"), NOTE)
        if not key:
            return IrrelevantEvent(event=event)
        return ChargeEvent(dedupe_key=mark, key=key, outcome=_payment(payment))
    told = told_refund(refund, mark)
    return told if told.key or told.charge_reference else IrrelevantEvent(event=event)


def _payment(payment: Entity) -> Outcome:
    """A try that failed decides nothing: the payer may try again while the link is open."""
    told = payment_told(payment)
    if isinstance(told, Declined) and told.code != "authorization_expired":
        return Pending(reference="")
    return told


def _over(link: Entity) -> Outcome:
    """Nobody can begin to pay any more. Whoever had begun may still end, so then it is asked."""
    if word(link, "status") not in OVER:
        return InDoubt(reason="Razorpay sent an unknown link status")
    begun = word(link, "order_id") or link.get("payments") or link.get("amount_paid")
    return Pending(reference="") if begun else over_told(link)


def _dispute(
    dispute: Entity, payment: Entity, mark: str, told_at: datetime | None
) -> DisputeEvent | Refused:
    """While it is undecided and nothing was deducted, no money has moved, whatever the phase is
    called: Razorpay deducts what is lost, and of some accounts at once."""
    stage, status = _STAGE.get(word(dispute, "phase")), status_of(dispute)
    amount, reference = money(dispute), word(dispute, "id")
    if stage is None or status is None or amount is None or not reference:
        return Refused(reason="a dispute in words that are not known")
    deducted = is_deducted(dispute)
    if status in UNDECIDED and not deducted and stage is DisputeStage.CHARGEBACK:
        stage = DisputeStage.INQUIRY
    elif stage is DisputeStage.INQUIRY and (deducted or status is DisputeStatus.LOST):
        stage = DisputeStage.CHARGEBACK
    return DisputeEvent(
        dedupe_key=mark,
        key=word(entity(payment, "notes"), NOTE),
        reference=reference,
        stage=stage,
        status=status,
        amount=amount,
        fee=None,
        reason=word(dispute, "reason_code"),
        respond_by=moment(dispute, "respond_by"),
        charge_reference=word(dispute, "payment_id"),
        told_at=told_at,
        taken=taken_by(dispute, status, amount),
    )
