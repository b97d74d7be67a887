"""Reserved funds: held for the merchant, claimed in one or more parts, or let go."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kassa.base.domain.copying import replace
from kassa.base.domain.errors import AmountTooLarge, IllegalTransition, UnsupportedOperation
from kassa.base.domain.lifecycle import (
    CAPTURE_OR_VOID,
    ENDED,
    AttemptStatus,
    ModificationKind,
    PaymentEvent,
    PaymentStatus,
    can,
)
from kassa.base.domain.money import Money
from kassa.fees.domain.fees import FeeKind
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt

_S = PaymentStatus
PREFIX = {
    ModificationKind.CAPTURE: "ca",
    ModificationKind.VOID: "vo",
    ModificationKind.REFUND: "re",
}
"""Before the company's number, in the id that a provider hears."""

_KEYS = {
    kind: re.compile(rf"{prefix}[0-9]{{1,20}}_[0-9a-z]{{1,64}}", re.ASCII)
    for kind, prefix in PREFIX.items()
}


def is_key(text: str, kind: ModificationKind) -> bool:
    """Whether it is what a provider hears from us of one; whose it is, it does not say."""
    return _KEYS[kind].fullmatch(text) is not None


LAPSES = {
    "authorization_expired": PaymentEvent.EXPIRE,
    "already_voided": PaymentEvent.CANCEL,
    "voided": PaymentEvent.CANCEL,
}
"""Codes of a refusal that say that a reservation is over, and how it ended."""

DONE_ELSEWHERE = frozenset(
    {"already_captured", "amount_too_large", "charge_not_refundable", "charge_closed"}
)
"""Codes of a refusal that may say that somebody did it at the provider: the charge is asked."""

RESERVED_FOR = timedelta(days=7)
"""For so long a reservation counts on whose end its provider says nothing: none is without one."""


def authorize(
    case: PaymentAggregate,
    attempt: Attempt,
    *,
    reference: str,
    expires_at: datetime | None,
    actor: str,
    by: str,
    pay_code: str = "",
    amount: Money | None = None,
) -> None:
    """The attempt's funds are reserved for the merchant.

    A reservation that comes when nothing is owed any more is let go again, at once: a worker sends
    its void. `amount`: as in `PaymentAggregate.capture`.
    """
    if attempt.status is AttemptStatus.SUCCEEDED:
        return
    if not case.is_owed or not can(case.payment.status, PaymentEvent.AUTHORIZE):
        late = facts.AuthorizedTooLate(
            attempt=attempt.id,
            void=new_id(case, ModificationKind.VOID),
            number=case.payment.modifications + 1,
            amount=attempt.amount if amount is None else amount,
            reference=reference,
        )
        case.record(late, actor=actor, by=by)
        return
    waited = case.payment.status is PaymentStatus.REQUIRES_ACTION
    case.record(
        facts.PaymentAuthorized(
            attempt=attempt.id,
            amount=attempt.amount,
            reference=reference,
            expires_at=expires_at or case.now + RESERVED_FOR,
            pay_code=pay_code,
        ),
        actor=actor,
        by=by,
    )
    case.announce("payment.authorized")
    if waited:
        case.leave_pages(actor=actor, by=by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks for a capture, void or refund, and what they want kept with it: see Modification.

    `face` empty: the payment's own.
    """

    actor: str
    reason: str = ""
    face: str = ""
    request_scope: str = ""
    request_id: str | None = None
    fingerprint: str = ""
    notify_url: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


def new_id(case: PaymentAggregate, kind: ModificationKind) -> str:
    """What a provider will hear."""
    return case.new_id(f"{PREFIX[kind]}{case.order.org_number}")


def request(
    case: PaymentAggregate,
    kind: ModificationKind,
    attempt: Attempt,
    amount: Money,
    wanted: Request,
    *,
    is_last: bool = True,
    surplus: bool = False,
) -> Modification:
    """It is accepted, and its amount reserved. Its caller's own marks are kept in its row."""
    asked = facts.ModificationRequested(
        modification=new_id(case, kind),
        attempt=attempt.id,
        number=case.payment.modifications + 1,
        what=kind,
        amount=amount,
        surplus=surplus,
        is_last=is_last,
        reason=wanted.reason,
    )
    case.record(asked, actor=wanted.actor)
    case.put_modification(
        replace(
            case.modifications[asked.modification],
            face=wanted.face or case.payment.face,
            request_scope=wanted.request_scope,
            request_id=wanted.request_id,
            fingerprint=wanted.fingerprint,
            notify_url=wanted.notify_url,
            extra=dict(wanted.extra),
        )
    )
    return case.modifications[asked.modification]


def open_capture_or_void(case: PaymentAggregate) -> Modification | None:
    """The capture or void whose outcome is not known yet."""
    for modification in case.modifications.values():
        if (
            modification.kind in CAPTURE_OR_VOID
            and modification.is_open
            and not modification.surplus
        ):
            return modification
    return None


def ask_capture(
    case: PaymentAggregate, amount: Money | None, wanted: Request, *, is_last: bool, in_parts: bool
) -> Modification:
    """Reserve the right to claim `amount` (None: all that is held).

    Raises: IllegalTransition, AmountTooLarge, UnsupportedOperation, with the reason a face
    shows: not_authorized, authorization_expired, already_voided, already_captured,
    claim_in_progress, capture_amount, capture_once.
    """
    attempt = _claimable(case)
    until = case.payment.authorization_expires_at
    if until is not None and case.now >= until:
        raise IllegalTransition("the reservation has expired", reason="authorization_expired")
    held = case.payment.held
    if case.payment.is_paid and not in_parts:
        raise UnsupportedOperation(
            "this provider claims a reservation once, and it is claimed", reason="capture_once"
        )
    claimed = held if amount is None else amount
    if claimed.currency != held.currency:
        raise AmountTooLarge(f"the payment is in {held.currency}", reason="currency_mismatch")
    if claimed.minor > held.minor:
        raise AmountTooLarge(
            f"{claimed} is more than the {held} that is reserved", reason="capture_amount"
        )
    if not is_last and not in_parts and claimed != held:
        raise UnsupportedOperation(
            "this provider claims a reservation in one part", reason="capture_once"
        )
    last = is_last or claimed == held
    return request(case, ModificationKind.CAPTURE, attempt, claimed, wanted, is_last=last)


def ask_void(case: PaymentAggregate, wanted: Request, *, rest: bool = False) -> Modification:
    """Reserve the right to let go of all that is held. `rest`: also after a part was captured.

    Raises: as `ask_capture`.
    """
    attempt = _claimable(case)
    if case.payment.is_paid and not rest:
        raise IllegalTransition(
            "a part was captured: what is left is let go by a last capture, and money that was"
            " taken is refunded",
            reason="already_captured",
        )
    return request(case, ModificationKind.VOID, attempt, case.payment.held, wanted)


def _claimable(case: PaymentAggregate) -> Attempt:
    payment, attempt = case.payment, case.holder
    if payment.status is _S.CANCELED and payment.released_minor:
        raise IllegalTransition("the reservation was let go", reason="already_voided")
    if payment.status is _S.EXPIRED and payment.released_minor:
        raise IllegalTransition("the reservation has expired", reason="authorization_expired")
    if open_capture_or_void(case) is not None:
        raise IllegalTransition(
            "another capture or void is on its way; ask again when it has ended",
            reason="claim_in_progress",
        )
    if payment.is_paid and payment.held.minor == 0:
        raise IllegalTransition("it was captured already", reason="already_captured")
    if attempt is None or not (payment.status is _S.AUTHORIZED or payment.is_paid):
        raise IllegalTransition(
            f"nothing is reserved: the payment is {payment.status}", reason="not_authorized"
        )
    return attempt


def captured(
    case: PaymentAggregate,
    modification: Modification,
    *,
    reference: str,
    fee: Money | None,
    actor: str,
    by: str,
) -> None:
    """The provider has claimed the modification's amount: it is the merchant's."""
    attempt, amount = case.attempts[modification.attempt_id], modification.amount
    if case.payment.held.minor < amount.minor:
        _captured_too_late(case, modification, reference, actor, by)
        return
    charge = case.fee_of(FeeKind.PAYMENT, attempt, amount, fee)
    case.record(
        facts.CaptureCompleted(
            modification=modification.id,
            amount=amount,
            reference=reference,
            fee=charge.fee,
            expected_fee_minor=charge.expected_minor,
            fee_known=charge.known,
        ),
        actor=actor,
        by=by,
    )
    if modification.is_last and case.payment.held.minor:
        _release(
            case, attempt, PaymentEvent.RELEASE, actor=actor, by=by, modification=modification.id
        )
    case.announce("payment.paid", about=case.modifications[modification.id])


def found(
    case: PaymentAggregate,
    kind: ModificationKind,
    attempt: Attempt,
    amount: Money,
    reference: str,
    actor: str,
    by: str,
    *,
    is_last: bool = True,
) -> Modification:
    """A capture or refund that nobody asked us for is at the provider, called `reference` there."""
    made = facts.FoundAtProvider(
        modification=new_id(case, kind),
        attempt=attempt.id,
        number=case.payment.modifications + 1,
        what=kind,
        amount=amount,
        reference=reference,
        surplus=attempt.surplus,
        is_last=is_last,
    )
    case.record(made, actor=actor, by=by)
    return case.modifications[made.modification]


def _captured_too_late(
    case: PaymentAggregate, modification: Modification, reference: str, actor: str, by: str
) -> None:
    """A capture that had been refused was done after all, when the rest had been let go: the
    money is there and nobody owes it."""
    if case.payment.status not in ENDED:
        unbooked = facts.CaptureUnbooked(modification=modification.id, reference=reference)
        case.record(unbooked, actor=actor, by=by)
        return
    unowed = facts.CaptureUnowed(
        modification=modification.id, amount=modification.amount, reference=reference
    )
    case.record(unowed, actor=actor, by=by)
    case.announce("payment.surplus", about=case.modifications[modification.id])


def voided(
    case: PaymentAggregate, modification: Modification, *, reference: str, actor: str, by: str
) -> None:
    """The provider has let go of what was reserved."""
    if modification.surplus:
        late = facts.LateReservationReleased(modification=modification.id, reference=reference)
        case.record(late, actor=actor, by=by)
        return
    attempt, paid = case.attempts[modification.attempt_id], case.payment.is_paid
    held = case.payment.held.minor > 0
    event = PaymentEvent.RELEASE if paid or not held else PaymentEvent.CANCEL
    _release(
        case,
        attempt,
        event,
        actor=actor,
        by=by,
        modification=modification.id,
        reference=reference,
        void=True,
    )
    if held and not paid:
        case.announce_end()


def let_go(
    case: PaymentAggregate,
    event: PaymentEvent,
    *,
    actor: str,
    by: str,
    modification: str = "",
    code: str = "",
    provider_code: str = "",
) -> None:
    """Nothing is reserved any more: `event` is CANCEL by us, or EXPIRE by the provider's clock.

    What was captured of it stays captured.
    """
    attempt = case.holder
    if attempt is None or case.payment.held.minor == 0:
        return
    paid = case.payment.is_paid
    _release(
        case,
        attempt,
        PaymentEvent.RELEASE if paid else event,
        actor=actor,
        by=by,
        modification=modification,
        code=code,
        provider_code=provider_code,
    )
    if not paid:
        case.announce_end()


def lapsed(
    case: PaymentAggregate,
    code: str,
    *,
    actor: str,
    by: str,
    modification: str = "",
    provider_code: str = "",
) -> None:
    """The provider says, in its refusal, that nothing is reserved any more: so it is."""
    event = LAPSES.get(code)
    if code == "already_captured" and case.payment.is_paid:
        event = PaymentEvent.RELEASE  # a part is ours, and the provider holds nothing beside it
    if event is not None and open_capture_or_void(case) is None:
        let_go(
            case,
            event,
            actor=actor,
            by=by,
            modification=modification,
            code=code,
            provider_code=provider_code,
        )


def _release(
    case: PaymentAggregate,
    attempt: Attempt,
    event: PaymentEvent,
    *,
    actor: str,
    by: str,
    modification: str = "",
    reference: str = "",
    code: str = "",
    provider_code: str = "",
    void: bool = False,
) -> None:
    if event is PaymentEvent.RELEASE and not can(case.payment.status, event):
        event = PaymentEvent.NOTE
    case.record(
        facts.ReservationReleased(
            how=event,
            released=case.payment.held,
            attempt=attempt.id,
            modification=modification,
            reference=reference,
            code=code,
            provider_code=provider_code,
            void=void,
        ),
        actor=actor,
        by=by,
    )
