"""The provider's words and money in ours: of its books' answers, and of what it posts."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    AnyNews,
    Authorized,
    Captured,
    ChargeEvent,
    Declined,
    DisputeEvent,
    Done,
    FailedLater,
    InDoubt,
    ModificationEvent,
    ModificationOutcome,
    Outcome,
    Pending,
)
from kassa.connectors.jsontext import text_of
from kassa.connectors.sandbox.amounts import SandboxAmount
from kassa.connectors.sandbox.cards import RETURNED_CHARGE, RETURNED_REFUND, SandboxState
from kassa.connectors.sandbox.records import ChangeKind, ChangeState, SandboxChange
from kassa.connectors.unread import unread

OUR_CODE: Mapping[str, str] = {
    "card_declined": "card_declined",
    "insufficient_funds": "insufficient_funds",
    "expired_card": "expired_card",
    "incorrect_cvc": "incorrect_cvc",
    "invalid_card_number": "invalid_card_number",
    "not_a_sandbox_card": "card_not_supported",
    "authentication_refused": "payer_refused",
    "authentication_expired": "payer_too_late",
    "never_arrived": "not_received",
    "voided": "voided",
    "authorization_expired": "authorization_expired",
    "no_such_charge": "charge_not_found",
    "currency_mismatch": "currency_mismatch",
    "not_authorized": "not_authorized",
    "already_captured": "already_captured",
    "already_voided": "already_voided",
    "capture_too_large": "amount_too_large",
    "capture_refused": "capture_refused",
    "not_captured": "not_captured",
    "refund_too_large": "amount_too_large",
    "refund_refused": "refund_refused",
    RETURNED_REFUND: "refund_failed",
    RETURNED_CHARGE: "charge_failed",
}
"""The provider's reasons, in our words."""


class _Any(msgspec.Struct):
    """What every notification begins with."""

    id: str
    type: str


class _ChargeWire(msgspec.Struct, forbid_unknown_fields=True):
    """News of a charge; amounts are decimal text. Old ones do not say `reserved_until`."""

    id: str
    type: str
    key: str
    reference: str
    state: str
    amount: str
    currency: str
    fee: str
    reason: str
    message: str
    reserved_until: str = ""


class _ChangeWire(msgspec.Struct, forbid_unknown_fields=True):
    """News of a capture, void or refund; `charge` is the provider's reference of the charge."""

    id: str
    type: str
    key: str
    charge: str
    reference: str
    state: str
    amount: str
    currency: str
    fee: str
    reason: str
    message: str


class _DisputeWire(msgspec.Struct, forbid_unknown_fields=True):
    """News of a dispute; `key` is our reference of the charge, `charge` the provider's. Old ones
    do not say `at`, when it was so."""

    id: str
    type: str
    key: str
    charge: str
    reference: str
    stage: str
    state: str
    amount: str
    currency: str
    fee: str
    reason: str
    respond_by: str
    at: str = ""


_DISPUTE_TYPES: Mapping[str, frozenset[DisputeStatus]] = {
    "dispute.opened": frozenset({DisputeStatus.NEEDS_RESPONSE}),
    "dispute.updated": frozenset({DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW}),
    "dispute.closed": frozenset({DisputeStatus.WON, DisputeStatus.LOST, DisputeStatus.CLOSED}),
}


def read_news(body: bytes) -> AnyNews:
    """What the provider said, when its signature has been verified already."""
    try:
        text = text_of(body).encode(errors="replace")
        family = msgspec.json.decode(text, type=_Any).type.partition(".")[0]
        return _READERS.get(family, _charge_news)(text)
    except (msgspec.DecodeError, ValueError, RecursionError, InvalidRequest) as error:
        return unread(body, str(error), for_people=True)


def _charge_news(body: bytes) -> ChargeEvent:
    wire = msgspec.json.decode(body, type=_ChargeWire)
    return ChargeEvent(dedupe_key=wire.id, key=wire.key, outcome=_charge_outcome(wire))


def _charge_outcome(wire: _ChargeWire) -> Outcome:
    if wire.type != f"charge.{wire.state}":
        return InDoubt(reason=f"a notification of type {wire.type!r} says {wire.state!r}")
    if wire.state == SandboxState.CAPTURED:
        return captured(wire.reference, wire.amount, wire.fee, wire.currency)
    if wire.state == SandboxState.AUTHORIZED:
        until = wire.reserved_until
        return Authorized(
            reference=wire.reference,
            amount=Money.from_major(wire.amount, wire.currency),
            expires_at=_moment(until) if until else None,
        )
    if wire.state == SandboxState.RETURNED:
        return failed_later(wire.reference, wire.reason, wire.message)
    if wire.state in (SandboxState.DECLINED, SandboxState.VOIDED):
        return declined(wire.reference, wire.reason, wire.message)
    return InDoubt(reason=f"a notification says {wire.state!r}, which we do not know")


def _change_news(body: bytes) -> ModificationEvent:
    wire = msgspec.json.decode(body, type=_ChangeWire)
    return ModificationEvent(dedupe_key=wire.id, key=wire.key, outcome=_change_outcome(wire))


def _change_outcome(wire: _ChangeWire) -> ModificationOutcome:
    if wire.type.partition(".")[2] != wire.state:
        return InDoubt(reason=f"a notification of type {wire.type!r} says {wire.state!r}")
    if wire.state == ChangeState.DONE:
        return done(wire.reference, wire.amount, wire.fee, wire.currency)
    if wire.state == ChangeState.REFUSED:
        return declined(wire.reference, wire.reason, wire.message)
    return InDoubt(reason=f"a notification says {wire.state!r}, which we do not know")


def _dispute_news(body: bytes) -> DisputeEvent:
    """Raises: ValueError for a stage or a state that we do not know: it must not be guessed."""
    wire = msgspec.json.decode(body, type=_DisputeWire)
    status = DisputeStatus(wire.state)
    if status not in _DISPUTE_TYPES.get(wire.type, ()):
        raise ValueError(f"a notification of type {wire.type!r} says {wire.state!r}")
    return DisputeEvent(
        dedupe_key=wire.id,
        key=wire.key,
        reference=wire.reference,
        stage=DisputeStage(wire.stage),
        status=status,
        amount=Money.from_major(wire.amount, wire.currency),
        fee=Money.from_major(wire.fee, wire.currency) if wire.fee else None,
        reason=wire.reason,
        respond_by=_moment(wire.respond_by) if wire.respond_by else None,
        told_at=_moment(wire.at) if wire.at else None,
    )


_READERS: Mapping[str, Callable[[bytes], AnyNews]] = {
    "charge": _charge_news,
    "capture": _change_news,
    "void": _change_news,
    "refund": _change_news,
    "dispute": _dispute_news,
}


def change_told(change: SandboxChange) -> ModificationOutcome:
    """What the books say of a capture, void or refund."""
    match change.state:
        case ChangeState.DONE:
            fee = "" if change.kind is ChangeKind.VOID else str(change.fee)
            return done(change.reference, str(change.moved), fee, change.amount.currency)
        case ChangeState.PENDING:
            return Pending(reference=change.reference)
        case ChangeState.REFUSED:
            return declined(change.reference, change.reason, change.message)


def captured(reference: str, amount: str, fee: str, currency: str) -> Captured:
    """Raises: InvalidRequest when the amount cannot be money of ours."""
    return Captured(
        reference=reference,
        amount=Money.from_major(amount, currency),
        fee=Money.from_major(fee, currency) if fee else None,
    )


def done(reference: str, amount: str, fee: str, currency: str) -> Done:
    """Raises: InvalidRequest when the amount cannot be money of ours."""
    return Done(
        reference=reference,
        amount=Money.from_major(amount, currency),
        fee=Money.from_major(fee, currency) if fee else None,
    )


def declined(reference: str, reason: str, message: str) -> Declined:
    """A refusal, or what was let go: no money of it is ours."""
    return Declined(
        code=OUR_CODE.get(reason, "declined"),
        message=message,
        reference=reference,
        provider_code=reason,
    )


def failed_later(reference: str, reason: str, message: str) -> FailedLater:
    """The money was ours, and its bank has taken it back."""
    return FailedLater(
        code=OUR_CODE.get(reason, "charge_failed"),
        message=message,
        reference=reference,
        provider_code=reason,
    )


def money(amount: SandboxAmount) -> Money:
    """The provider's amount, read from its text as it would be from a real provider's."""
    return Money.from_major(str(amount), amount.currency)


def _moment(text: str) -> datetime:
    """Raises: ValueError unless it is RFC 3339 in UTC, to the second."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
