"""Events that a release before 0.4 wrote, read as facts.

They told what had happened by a note in words, and left out what their rows and postings had: both
are frozen now, and so is this table. Nothing else reads them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from kassa.base.domain.errors import KassaError
from kassa.base.domain.lifecycle import (
    DisputeStage,
    DisputeStatus,
    ModificationKind,
    PaymentEvent,
)
from kassa.base.domain.money import Money
from kassa.ledger.domain.ledger import PostingKind
from kassa.payments.domain import facts, facts_written
from kassa.payments.domain.disputes import RETURN_MARK, DisputeEffect
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.older_rows import OlderRows, fee_changes
from kassa.payments.domain.payments import Attempt, Method
from kassa.payments.domain.timeline import PROVENANCE, StoredEvent, TimelineEvent

_E, _K = PaymentEvent, PostingKind

NOTES = {
    "captured after it was let go": facts.CaptureUnbooked.kind,
    "refunded although it had failed, beyond what is left": facts.RefundUnbooked.kind,
    "capture requested": facts.ModificationRequested.kind,
    "void requested": facts.ModificationRequested.kind,
    "refund requested": facts.ModificationRequested.kind,
    "surplus return requested": facts.ModificationRequested.kind,
    "another amount was moved": facts.ModificationAmountDiffers.kind,
    "late news of a dispute": facts.DisputeEventLate.kind,
    "a dispute that cannot be ours": facts.DisputeNotOurs.kind,
}
"""The notes that checks in SQL look for, and the kinds that stand for them now."""


def read_events(events: Iterable[StoredEvent], rows: OlderRows) -> list[TimelineEvent]:
    """A history as facts, whichever release wrote it."""
    events = list(events)
    rows = replace(rows, fee_changes=fee_changes(events, rows))
    return [
        TimelineEvent(
            company_id=event.company_id,
            payment_id=event.payment_id,
            seq=event.seq,
            from_status=event.from_status,
            to_status=event.to_status,
            actor=event.actor,
            at=event.at,
            fact=_fact(event, rows),
            kept=event.evidence,
            **{name: str(event.evidence.get(name, "")) for name in PROVENANCE},
        )
        for event in events
    ]


def _fact(event: StoredEvent, rows: OlderRows) -> Fact:
    """Total: a row that somebody has spoiled is told as far as it can be read."""
    try:
        fact = facts_written.read(event.evidence)
        if fact is None:
            fact = _older(event, rows)
    except (ValueError, KeyError, TypeError, AttributeError, KassaError):
        fact = None
    if fact is None:
        fact = facts.Remark(text=str(event.evidence.get("note", "")))
    return _as_return(fact) if isinstance(fact, facts.DisputeMoved) else fact


def _as_return(fact: facts.DisputeMoved) -> Fact:
    """Until 0.5 a charge that its bank returned was written as a dispute that was lost at once."""
    if not fact.reference.endswith(RETURN_MARK):
        return fact
    return facts.ChargeReturned(
        dispute=fact.dispute,
        attempt=fact.attempt,
        number=fact.number,
        amount=fact.amount,
        reference=fact.reference.removesuffix(RETURN_MARK),
        code=fact.reason,
        left_twice_minor=fact.left_twice_minor,
        called_off=fact.called_off,
    )


def _older(event: StoredEvent, rows: OlderRows) -> Fact | None:
    said = event.evidence
    if event.event is _E.NOTE:
        note = str(said.get("note", ""))
        read = _BY_NOTE.get(note)
        if read is None and note.startswith("dispute "):
            read = _dispute_moved
        return (read or _unnamed)(event, rows)
    return _BY_EVENT[event.event](event, rows)


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name, "")
    return value if isinstance(value, str) else ""


def _created(event: StoredEvent, rows: OlderRows) -> Fact:
    return facts.PaymentCreated(
        face=_text(event.evidence, "face"), order=_text(event.evidence, "order")
    )


def _started(event: StoredEvent, rows: OlderRows) -> Fact | None:
    attempt = rows.attempts.get(_text(event.evidence, "attempt"))
    if attempt is None:
        return None
    return facts.AttemptStarted(
        attempt=attempt.id,
        number=attempt.number,
        method=attempt.method,
        account=attempt.connector,
        amount=attempt.amount,
        instrument=attempt.instrument,
        because=tuple(event.evidence.get("because", ())),
    )


def _failure(event: StoredEvent, rows: OlderRows) -> tuple[str, str]:
    """Its code and message, as the attempt has them; a mark of people's is not its refusal."""
    attempt = rows.attempts.get(_text(event.evidence, "attempt"))
    if attempt is None or attempt.failure_code == "amount_mismatch":
        return _text(event.evidence, "code"), ""
    return attempt.failure_code, attempt.failure_message


def _rerouted(event: StoredEvent, rows: OlderRows) -> Fact:
    code, message = _failure(event, rows)
    return facts.AttemptRerouted(
        attempt=_text(event.evidence, "attempt"),
        code=code,
        message=message,
        provider_code=_text(event.evidence, "provider_code"),
        next=_text(event.evidence, "next"),
    )


def _not_sent(event: StoredEvent, rows: OlderRows) -> Fact:
    return facts.AttemptNotSent(
        attempt=_text(event.evidence, "attempt"),
        reason=_text(event.evidence, "reason"),
        decisive=event.event is _E.NOT_SENT,
    )


def _declined(event: StoredEvent, rows: OlderRows) -> Fact:
    code, message = _failure(event, rows)
    decisive = event.event is _E.DECLINE
    return facts.AttemptDeclined(
        attempt=_text(event.evidence, "attempt"),
        code=code,
        message=message,
        reason=_text(event.evidence, "reason"),
        provider_code=_text(event.evidence, "provider_code"),
        pay_code=_text(event.evidence, "code") if decisive else "",
        decisive=decisive,
    )


def _accepted(event: StoredEvent, rows: OlderRows) -> Fact:
    about = _text(event.evidence, "attempt")
    attempt = rows.attempts.get(about)
    return facts.AttemptAccepted(
        attempt=about, reference=attempt.provider_reference if attempt else ""
    )


def _doubted(event: StoredEvent, rows: OlderRows) -> Fact:
    return facts.AttemptDoubted(
        attempt=_text(event.evidence, "attempt"),
        reason=_text(event.evidence, "reason"),
        provider_says=_text(event.evidence, "provider_says"),
    )


def _reference(event: StoredEvent, attempt: Attempt | None) -> str:
    return _text(event.evidence, "reference") or (attempt.provider_reference if attempt else "")


def _authorized(event: StoredEvent, rows: OlderRows) -> Fact:
    attempt = rows.attempts.get(_text(event.evidence, "attempt"))
    return facts.PaymentAuthorized(
        attempt=_text(event.evidence, "attempt"),
        amount=attempt.amount if attempt else rows.payment.amount,
        reference=_reference(event, attempt),
        pay_code=_text(event.evidence, "code"),
    )


def _authorized_late(event: StoredEvent, rows: OlderRows) -> Fact:
    attempt = rows.attempts[_text(event.evidence, "attempt")]
    voids = [
        item
        for item in rows.modifications.values()
        if item.attempt_id == attempt.id and item.surplus and item.kind is ModificationKind.VOID
    ]
    return facts.AuthorizedTooLate(
        attempt=attempt.id,
        void=voids[0].id if voids else "",
        number=voids[0].number if voids else 0,
        amount=attempt.amount,
        reference=_reference(event, attempt),
    )


def _captured(event: StoredEvent, rows: OlderRows) -> Fact:
    if "modification" in event.evidence:
        return _part_captured(event, rows)
    attempt = rows.attempts.get(_text(event.evidence, "attempt"))
    about = attempt.id if attempt else _text(event.evidence, "attempt")
    return facts.PaymentCaptured(
        attempt=about,
        amount=attempt.amount if attempt else rows.payment.amount,
        reference=_reference(event, attempt),
        fee=rows.fee(about, event),
        surplus=rows.is_surplus(about),
        pay_code=_text(event.evidence, "code"),
    )


def _part_captured(event: StoredEvent, rows: OlderRows) -> Fact:
    item = rows.modifications[_text(event.evidence, "modification")]
    reference = _text(event.evidence, "reference")
    if rows.is_surplus(item.id):
        return facts.CaptureUnowed(modification=item.id, amount=item.amount, reference=reference)
    fee = rows.fee(item.id, event)
    return facts.CaptureCompleted(
        modification=item.id, amount=item.amount, reference=reference, fee=fee
    )


def _paid_twice(event: StoredEvent, rows: OlderRows) -> Fact:
    attempt = rows.attempts[_text(event.evidence, "attempt")]
    return facts.PaidTwice(
        attempt=attempt.id, amount=attempt.amount, reference=_reference(event, attempt)
    )


def _released(event: StoredEvent, rows: OlderRows) -> Fact:
    said = event.evidence
    item = rows.modifications.get(_text(said, "modification"))
    holder = _text(said, "attempt") or (item.attempt_id if item else "")
    return facts.ReservationReleased(
        how=event.event,
        released=Money.parse(said["released"]),
        attempt=holder,
        modification=item.id if item else "",
        reference=_text(said, "reference"),
        code=_text(said, "code"),
        provider_code=_text(said, "provider_code"),
        void=item is not None and item.kind is ModificationKind.VOID and "reference" in said,
    )


def _ended(event: StoredEvent, rows: OlderRows) -> Fact:
    if "released" in event.evidence:
        return _released(event, rows)
    attempt = _text(event.evidence, "attempt")
    if event.event is _E.EXPIRE:
        return facts.PaymentExpired(attempt=attempt)
    return facts.PaymentCanceled(attempt=attempt)


def _reported(event: StoredEvent, rows: OlderRows) -> Fact:
    said = event.evidence
    # A line confirmed all of its amount, or nothing of it.
    counts = event.event is _E.SETTLE or said.get("note") == "reported in part"
    return facts.Reported(
        report=_text(said, "report"),
        file=_text(said, "file"),
        line=said["line"] if isinstance(said.get("line"), int) else 0,
        amount=_text(said, "amount"),
        settles=event.event is _E.SETTLE,
        counted_minor=Money.parse(said["amount"]).minor if counts and "amount" in said else 0,
        fee=_text(said, "fee"),
        fee_change_minor=rows.fee_changes.get(event.seq, 0),
    )


def _requested(event: StoredEvent, rows: OlderRows) -> Fact:
    item = rows.modifications[_text(event.evidence, "modification")]
    return facts.ModificationRequested(
        modification=item.id,
        attempt=item.attempt_id,
        number=item.number,
        what=item.kind,
        amount=item.amount,
        surplus=item.surplus,
        is_last=item.is_last,
        reason=item.reason,
    )


def _refused(event: StoredEvent, rows: OlderRows) -> Fact:
    item = rows.modifications[_text(event.evidence, "modification")]
    return facts.ModificationRefused(
        modification=item.id,
        what=item.kind,
        surplus=item.surplus,
        code=_text(event.evidence, "code"),
        provider_code=_text(event.evidence, "provider_code"),
    )


def _other_amount(event: StoredEvent, rows: OlderRows) -> Fact:
    return facts.ModificationAmountDiffers(
        modification=_text(event.evidence, "modification"),
        provider_says=_text(event.evidence, "provider_says"),
    )


def _refunded(event: StoredEvent, rows: OlderRows) -> Fact:
    item = rows.modifications[_text(event.evidence, "modification")]
    return facts.RefundCompleted(
        modification=item.id,
        amount=item.amount,
        reference=_text(event.evidence, "reference"),
        fee=rows.fee(item.id, event),
    )


def _returned(event: StoredEvent, rows: OlderRows) -> Fact:
    item = rows.modifications[_text(event.evidence, "modification")]
    return facts.OverpaymentReturned(
        modification=item.id, amount=item.amount, reference=_text(event.evidence, "reference")
    )


def _refund_unbooked(event: StoredEvent, rows: OlderRows) -> Fact:
    item = rows.modifications[_text(event.evidence, "modification")]
    return facts.RefundUnbooked(
        modification=item.id, amount=item.amount, reference=_text(event.evidence, "reference")
    )


def _capture_unbooked(event: StoredEvent, rows: OlderRows) -> Fact:
    said = event.evidence
    return facts.CaptureUnbooked(
        modification=_text(said, "modification"), reference=_text(said, "reference")
    )


def _late_released(event: StoredEvent, rows: OlderRows) -> Fact:
    said = event.evidence
    return facts.LateReservationReleased(
        modification=_text(said, "modification"), reference=_text(said, "reference")
    )


def _dispute_moved(event: StoredEvent, rows: OlderRows) -> Fact:
    said, note = event.evidence, _text(event.evidence, "note")
    found = rows.disputes[_text(said, "dispute")]
    moved = [
        posting.kind
        for posting in rows.postings
        if posting.cause == found.id and posting.at == event.at
    ]
    effect = DisputeEffect.NONE
    if note == "disputed" or _K.DISPUTE in moved:
        effect = DisputeEffect.WITHDRAWN
    elif _K.DISPUTE_REVERSAL in moved:
        effect = DisputeEffect.RETURNED
    called_off = [
        item.id
        for item in rows.modifications.values()
        if item.failure_code == "disputed" and item.completed_at == event.at
    ]
    twice = said.get("left_twice_minor", 0)
    return facts.DisputeMoved(
        dispute=found.id,
        attempt=found.attempt_id,
        number=found.number,
        stage=DisputeStage(said.get("stage", DisputeStage.INQUIRY)),
        status=DisputeStatus(said.get("status", DisputeStatus.NEEDS_RESPONSE)),
        amount=found.amount,
        effect=effect,
        reference=found.provider_reference,
        reason=found.reason,
        fee=rows.fee(found.id, event),
        left_twice_minor=twice if isinstance(twice, int) else 0,
        called_off=tuple(called_off),
    )


def _not_ours(event: StoredEvent, rows: OlderRows) -> Fact:
    return facts.DisputeNotOurs(
        reference=_text(event.evidence, "reference"), reason=_text(event.evidence, "reason")
    )


def _payment_requested(event: StoredEvent, rows: OlderRows) -> Fact:
    return facts.PaymentRequested(method=Method(event.evidence["method"]))


def _unnamed(event: StoredEvent, rows: OlderRows) -> Fact | None:
    """A note without words: what was let go, or an amount that differs."""
    said = event.evidence
    if "released" in said:
        return _released(event, rows)
    if "provider_says" in said:
        return facts.AmountDiffers(
            attempt=_text(said, "attempt"),
            reason=_text(said, "reason"),
            provider_says=_text(said, "provider_says"),
        )
    return None


_Read = Callable[[StoredEvent, OlderRows], Fact | None]

_BY_EVENT: Mapping[PaymentEvent, _Read] = {
    _E.CREATE: _created,
    _E.SUBMIT: _started,
    _E.NOT_SENT: _not_sent,
    _E.REROUTE: _rerouted,
    _E.ACTION_NEEDED: lambda event, _: facts.ActionRequired(
        attempt=_text(event.evidence, "attempt")
    ),
    _E.AUTHORIZE: _authorized,
    _E.CAPTURE: _captured,
    _E.DECLINE: _declined,
    _E.CANCEL: _ended,
    _E.EXPIRE: _ended,
    _E.SETTLE: _reported,
    _E.RELEASE: _released,
}
_BY_NOTE: Mapping[str, _Read] = {
    "accepted by the provider": _accepted,
    "in doubt": _doubted,
    "paid twice": _paid_twice,
    "reserved too late": _authorized_late,
    "late reservation let go": _late_released,
    "an attempt was declined": _declined,
    "not sent": _not_sent,
    "capture requested": _requested,
    "void requested": _requested,
    "refund requested": _requested,
    "surplus return requested": _requested,
    "capture refused": _refused,
    "void refused": _refused,
    "refund refused": _refused,
    "surplus return refused": _refused,
    "another amount was moved": _other_amount,
    "refunded": _refunded,
    "surplus returned": _returned,
    "refunded although it had failed, beyond what is left": _refund_unbooked,
    "captured after it was let go": _capture_unbooked,
    "disputed": _dispute_moved,
    "late news of a dispute": lambda event, _: facts.DisputeEventLate(
        dispute=_text(event.evidence, "dispute"), said=_text(event.evidence, "said")
    ),
    "a dispute that cannot be ours": _not_ours,
    "reported in part": _reported,
    "the provider's own fee": _reported,
    "fee known": _reported,
    "payment requested": _payment_requested,
    "opened by the customer": lambda _, rows: facts.PaymentOpened(number=rows.payment.number or 0),
    "redirect renewed": lambda event, _: facts.RedirectRenewed(
        attempt=_text(event.evidence, "attempt")
    ),
    "canceled after its end": lambda _event, _rows: facts.OrderCanceled(),
}
