"""Stripe's webhooks: the signature over the raw body, then the event in our words.

Source: https://docs.stripe.com/webhooks/signature and https://docs.stripe.com/api/events/types
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.connectors.base import (
    AnyNews,
    Captured,
    ChargeEvent,
    DisputeEvent,
    ForeignEvent,
    ForeignReason,
    IrrelevantEvent,
    ModificationEvent,
    PayoutEvent,
    Refused,
)
from kassa.connectors.jsontext import text_of
from kassa.connectors.stripe.changes import told_refund
from kassa.connectors.stripe.intents import (
    RETURNED,
    failed_later,
    is_at_the_page,
    refunded_of,
    told_intent,
    told_session,
)
from kassa.connectors.stripe.objects import KEY, Garbled, Thing
from kassa.connectors.unread import unread
from kassa.payments.domain.disputes import BalanceMovement, DisputeOrder, Place

_TOLERANCE = timedelta(minutes=5)
_MOST_SIGNATURES = 16  # two while a secret is being replaced
_S, _D = DisputeStage, DisputeStatus
DISPUTE: Mapping[str, tuple[DisputeStage, DisputeStatus]] = {
    "warning_needs_response": (_S.INQUIRY, _D.NEEDS_RESPONSE),
    "warning_under_review": (_S.INQUIRY, _D.UNDER_REVIEW),
    "warning_closed": (_S.INQUIRY, _D.CLOSED),
    "prevented": (_S.INQUIRY, _D.CLOSED),
    "needs_response": (_S.CHARGEBACK, _D.NEEDS_RESPONSE),
    "under_review": (_S.CHARGEBACK, _D.UNDER_REVIEW),
    "appeal_needs_response": (_S.PRE_ARBITRATION, _D.NEEDS_RESPONSE),
    "appeal_under_review": (_S.PRE_ARBITRATION, _D.UNDER_REVIEW),
    "won": (_S.CHARGEBACK, _D.WON),
    "lost": (_S.CHARGEBACK, _D.LOST),
}
"""Every status of a dispute; an event with one that is not here is for a person to read."""


ORDER = DisputeOrder(
    [
        [Place(_S.INQUIRY, _D.NEEDS_RESPONSE), Place(_S.INQUIRY, _D.UNDER_REVIEW)],
        [Place(_S.INQUIRY, _D.CLOSED)],
        [Place(_S.CHARGEBACK, _D.NEEDS_RESPONSE), Place(_S.CHARGEBACK, _D.UNDER_REVIEW)],
        # What was decided may be appealed against, and is decided again.
        [
            Place(_S.PRE_ARBITRATION, _D.NEEDS_RESPONSE),
            Place(_S.PRE_ARBITRATION, _D.UNDER_REVIEW),
            Place(_S.CHARGEBACK, _D.LOST),
            Place(_S.CHARGEBACK, _D.WON),
        ],
    ]
)


def is_genuine(
    header: str, body: bytes, secrets: Sequence[str], received_at: datetime | None
) -> Refused | None:
    """None for a body that Stripe signed with one of them, not long before it came."""
    if not secrets:
        return Refused(reason="no webhook secret is configured")
    stamp, signatures = _read_header(header)
    if not stamp or not signatures:
        return Refused(reason="the signature is missing")
    text = stamp.encode() + b"." + body
    wanted = [hmac.new(one.encode(), text, hashlib.sha256).hexdigest() for one in secrets]
    matches = [
        hmac.compare_digest(right.encode(), one.encode()) for right in wanted for one in signatures
    ]
    if not any(matches):
        return Refused(reason="the signature is wrong")
    if received_at is None:
        return None
    away = abs(received_at - datetime.fromtimestamp(int(stamp), UTC))
    return Refused(reason="signed long before it came, or after") if away > _TOLERANCE else None


def _read_header(header: str) -> tuple[str, list[str]]:
    stamp = ""
    signatures: list[str] = []
    for item in header.split(","):
        name, _, value = item.strip().partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) <= 11:
            stamp = stamp or value
        elif name == "v1" and len(signatures) < _MOST_SIGNATURES:
            signatures.append(value)
    return stamp, signatures


def read_event(
    body: bytes, *, live: bool
) -> AnyNews | PayoutEvent | IrrelevantEvent | ForeignEvent:
    """What an event says, when its signature has been verified already."""
    about: Thing | None = None
    try:
        read = json.loads(text_of(body), parse_float=Decimal)
        event = Thing(read if isinstance(read, dict) else {})
        dedupe_key, name = event.word("id"), event.word("type")
        data = event.thing("data")
        about = data.thing("object") if data is not None else None
        if not dedupe_key or not name or about is None:
            return unread(body, "it is not an event")
        if event.flag("livemode") is not live:
            return ForeignEvent(why=ForeignReason.MODE, event=name)
        reader = _EVENTS.get(name)
        if reader is None:
            return IrrelevantEvent(event=name)
        news = reader(dedupe_key, name, about)
        if isinstance(news, DisputeEvent):
            return replace(news, told_at=event.moment("created"))
        return news
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, Garbled) else "it is no JSON"
        return unread(body, said, charge_reference=_charge_in(about), for_people=True)


def _charge_in(about: Thing | None) -> str:
    """Stripe's name of the intent that an object is of, as far as it can be read."""
    if about is None:
        return ""
    inner = about.fields.get("payment_intent")
    name = inner.get("id") if isinstance(inner, dict) else inner
    return name if isinstance(name, str) else ""


def _intent(dedupe_key: str, name: str, intent: Thing) -> ChargeEvent | IrrelevantEvent:
    key = intent.noted(KEY)
    if not key or is_at_the_page(intent):
        return IrrelevantEvent(event=name)  # not of our making, or the payer may still pay
    return ChargeEvent(
        dedupe_key=dedupe_key,
        key=key,
        outcome=told_intent(intent, key),
        charge_reference=intent.word("id"),
    )


def _session(dedupe_key: str, name: str, session: Thing) -> ChargeEvent | IrrelevantEvent:
    key = session.noted(KEY)
    if not key:
        return IrrelevantEvent(event=name)
    return ChargeEvent(
        dedupe_key=dedupe_key,
        key=key,
        outcome=told_session(session, key),
        charge_reference=session.id_of("payment_intent") or session.word("id"),
    )


def _refund(dedupe_key: str, name: str, refund: Thing) -> ModificationEvent | IrrelevantEvent:
    told = told_refund(refund, dedupe_key)
    return told if told.key or told.charge_reference else IrrelevantEvent(event=name)


def _refunded(
    dedupe_key: str, name: str, charge: Thing
) -> ChargeEvent | ModificationEvent | IrrelevantEvent:
    """Older API versions put the refunds in, the newest first; newer ones send events of them, and
    here say how much of the charge has gone back by now."""
    if charge.fields.get("refunds") is not None:
        refunds = [one for one in charge.things("refunds") if one.is_named]
        return _refund(dedupe_key, name, refunds[0]) if refunds else IrrelevantEvent(event=name)
    key, refunded = charge.noted(KEY), refunded_of(charge)
    if not key or refunded is None:
        return IrrelevantEvent(event=name)  # not of our making, or let go before it was captured
    return ChargeEvent(
        dedupe_key=dedupe_key,
        key=key,
        outcome=Captured(
            reference=charge.id_of("payment_intent"),
            amount=charge.money("amount_captured"),
            refunded=refunded,
        ),
        charge_reference=charge.id_of("payment_intent"),
    )


def _failed(dedupe_key: str, name: str, charge: Thing) -> ChargeEvent | IrrelevantEvent:
    """A try that failed is told with its intent; here is heard what failed after it was paid."""
    key = charge.noted(KEY)
    if not key or not charge.id_of(RETURNED):
        return IrrelevantEvent(event=name)
    return ChargeEvent(
        dedupe_key=dedupe_key,
        key=key,
        outcome=failed_later(charge),
        charge_reference=charge.id_of("payment_intent"),
    )


def _dispute(dedupe_key: str, name: str, dispute: Thing) -> DisputeEvent | IrrelevantEvent:
    charge_reference = dispute.id_of("payment_intent")
    if not charge_reference:
        return IrrelevantEvent(event=name)  # of a charge that was made without an intent: not by us
    known = DISPUTE.get(dispute.word("status"))
    if known is None or not dispute.word("id"):
        raise Garbled("a dispute has a status that we do not know")
    details = dispute.thing("evidence_details")
    return DisputeEvent(
        dedupe_key=dedupe_key,
        key="",
        reference=dispute.word("id"),
        stage=known[0],
        status=known[1],
        amount=dispute.money("amount"),
        fee=None,
        reason=dispute.word("reason"),
        respond_by=details.moment("due_by") if details is not None else None,
        charge_reference=charge_reference,
        movements=_movements(dispute),
    )


def _movements(dispute: Thing) -> tuple[BalanceMovement, ...] | None:
    """Everything that was booked for it, in whatever currency; None where that is not told."""
    if dispute.fields.get("balance_transactions") is None:
        return None
    return tuple(
        BalanceMovement(
            id=entry.word("id") or f"{place}",
            amount=entry.money("amount"),
            fee=entry.money("fee"),
        )
        for place, entry in enumerate(dispute.things("balance_transactions"), start=1)
    )


def _payout(dedupe_key: str, name: str, payout: Thing) -> PayoutEvent:
    """What failed may have been at the bank before. Raises: Garbled."""
    words = (name, payout.word("failure_code"), payout.word("failure_message"))
    return PayoutEvent(
        dedupe_key=dedupe_key,
        references=(payout.word("id"),),
        reason=": ".join(word for word in words if word),
    )


_EVENTS: Mapping[str, Callable[[str, str, Thing], AnyNews | PayoutEvent | IrrelevantEvent]] = {
    "payout.failed": _payout,
    "payout.canceled": _payout,
    "payment_intent.succeeded": _intent,
    "payment_intent.payment_failed": _intent,
    "payment_intent.canceled": _intent,
    "payment_intent.amount_capturable_updated": _intent,
    "payment_intent.requires_action": _intent,
    "payment_intent.processing": _intent,
    "checkout.session.completed": _session,
    "checkout.session.expired": _session,
    "charge.failed": _failed,
    "charge.refunded": _refunded,
    "charge.refund.updated": _refund,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
}
"""What is read of what Stripe sends; everything else changes nothing here."""
