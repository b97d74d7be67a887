"""Reserved funds: held for the merchant, claimed in one or more parts, or let go."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kassa.domain import ledger
from kassa.domain.case import Case
from kassa.domain.errors import AmountTooLarge, IllegalTransition, UnsupportedOperation
from kassa.domain.fees import FeeKind
from kassa.domain.ledger import PostingKind
from kassa.domain.lifecycle import (
    CLAIMS,
    ENDED,
    AttemptStatus,
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PaymentEvent,
    PaymentStatus,
    can,
)
from kassa.domain.modifications import Modification
from kassa.domain.money import Money
from kassa.domain.payments import Attempt, Method

_S = PaymentStatus
PREFIX = {
    ModificationKind.CAPTURE: "ca",
    ModificationKind.VOID: "vo",
    ModificationKind.REFUND: "re",
}
"""Before the company's number, in the id that a provider hears."""

LAPSES = {
    "authorization_expired": PaymentEvent.EXPIRE,
    "already_voided": PaymentEvent.CANCEL,
    "voided": PaymentEvent.CANCEL,
}
"""Codes of a refusal that say that a reservation is over, and how it ended."""

RESERVED_FOR = timedelta(days=7)
"""For so long a reservation counts on whose end its provider says nothing: none is without one."""


def _reserve_account(case: Case, attempt: Attempt) -> str:
    """Where reserved funds stand: a wallet's own balance, or a claim on the provider."""
    if attempt.method is Method.WALLET:
        return ledger.wallet_account(attempt.instrument)
    return ledger.reserved_account(attempt.connector)


def authorize(
    case: Case,
    attempt: Attempt,
    *,
    reference: str,
    expires_at: datetime | None,
    actor: str,
    evidence: Any,
) -> None:
    """The attempt's funds are reserved for the merchant.

    A reservation that comes when nothing is owed any more is let go again, at once.
    """
    if attempt.status is AttemptStatus.SUCCEEDED:
        return
    owed = (
        can(case.payment.status, PaymentEvent.AUTHORIZE)
        and not case.payment.is_paid
        and not case.order_paid
        and case.order.status is OrderStatus.ACTIVE
    )
    succeeded = attempt.become(
        AttemptStatus.SUCCEEDED,
        provider_reference=reference,
        next_query_at=None,
        surplus=not owed,
    )
    case.put_attempt(succeeded)
    if not owed:
        case.note("reserved too late", actor=actor, evidence=evidence)
        _ask_to_let_go(case, case.attempts[attempt.id], actor)
        return
    amount = attempt.amount
    case.move(
        PaymentEvent.AUTHORIZE,
        actor=actor,
        evidence=evidence,
        method=attempt.method,
        connector=attempt.connector,
        instrument=attempt.instrument,
        authorized=amount,
        authorization_expires_at=expires_at or case.now + RESERVED_FOR,
        provider_reference=reference,
        redirect_url="",
        redirect_expires_at=None,
        failure_code="",
        failure_message="",
    )
    held = ledger.held_account(case.payment.business_id)
    entries = ledger.move(_reserve_account(case, attempt), held, amount)
    case.post(PostingKind.AUTHORIZE, entries, attempt.id)
    case.announce("payment.authorized")


def _ask_to_let_go(case: Case, attempt: Attempt, actor: str) -> None:
    """Ask for a void that a worker will send."""
    modification = new_modification(
        case, ModificationKind.VOID, attempt, attempt.amount, actor=actor
    )
    keep_modification(case, replace(modification, surplus=True))


def new_modification(
    case: Case, kind: ModificationKind, attempt: Attempt, amount: Money, *, actor: str
) -> Modification:
    return Modification(
        company_id=case.payment.company_id,
        id=case.new_id(f"{PREFIX[kind]}{case.order.org_number}"),
        payment_id=case.payment.id,
        attempt_id=attempt.id,
        number=case.payment.modifications + 1,
        kind=kind,
        status=ModificationStatus.REQUESTED,
        amount=amount,
        connector=attempt.connector,
        actor=actor,
        face=case.payment.face,
        next_query_at=case.now,
        created_at=case.now,
        updated_at=case.now,
    )


def keep_modification(case: Case, modification: Modification) -> None:
    """Keep it, and count it: the count is what makes the next reader look for it."""
    case.put_modification(modification)
    case.payment = replace(case.payment, modifications=modification.number)


def open_claim(case: Case) -> Modification | None:
    """The capture or void whose outcome is not known yet."""
    for modification in case.modifications.values():
        if modification.kind in CLAIMS and modification.is_open and not modification.surplus:
            return modification
    return None


def ask_capture(
    case: Case, amount: Money | None, *, is_last: bool, in_parts: bool, actor: str, **said: Any
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
    wanted = held if amount is None else amount
    if wanted.currency != held.currency:
        raise AmountTooLarge(f"the payment is in {held.currency}", reason="currency_mismatch")
    if wanted.minor > held.minor:
        raise AmountTooLarge(
            f"{wanted} is more than the {held} that is reserved", reason="capture_amount"
        )
    if not is_last and not in_parts and wanted != held:
        raise UnsupportedOperation(
            "this provider claims a reservation in one part", reason="capture_once"
        )
    modification = new_modification(case, ModificationKind.CAPTURE, attempt, wanted, actor=actor)
    modification = replace(modification, is_last=is_last or wanted == held, **said)
    keep_modification(case, modification)
    case.note(
        "capture requested",
        actor=actor,
        evidence={"modification": modification.id, "amount": str(wanted)},
    )
    return case.modifications[modification.id]


def ask_void(case: Case, *, actor: str, rest: bool = False, **said: Any) -> Modification:
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
    modification = new_modification(
        case, ModificationKind.VOID, attempt, case.payment.held, actor=actor
    )
    keep_modification(case, replace(modification, **said))
    case.note("void requested", actor=actor, evidence={"modification": modification.id})
    return case.modifications[modification.id]


def _claimable(case: Case) -> Attempt:
    payment, attempt = case.payment, case.holder
    if payment.status is _S.CANCELED and payment.released_minor:
        raise IllegalTransition("the reservation was let go", reason="already_voided")
    if payment.status is _S.EXPIRED and payment.released_minor:
        raise IllegalTransition("the reservation has expired", reason="authorization_expired")
    if open_claim(case) is not None:
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
    case: Case, modification: Modification, *, reference: str, fee: Money | None, actor: str
) -> None:
    """The provider has claimed the modification's amount: it is the merchant's."""
    attempt, payment = case.attempts[modification.attempt_id], case.payment
    amount = modification.amount
    evidence = {"modification": modification.id, "reference": reference}
    finish_modification(case, modification, reference)
    if payment.held.minor < amount.minor:
        _captured_too_late(case, modification, attempt, actor, evidence)
        return
    case.move(
        PaymentEvent.CAPTURE,
        actor=actor,
        evidence=evidence,
        captured=payment.captured + amount,
        captured_at=payment.captured_at or case.now,
    )
    held = ledger.held_account(payment.business_id)
    entries = [*ledger.move(held, ledger.merchant_account(payment.business_id), amount)]
    if attempt.method is not Method.WALLET:
        reserved = ledger.reserved_account(attempt.connector)
        entries += ledger.move(case.source(attempt), reserved, amount)
    case.post(PostingKind.CAPTURE, tuple(entries), modification.id)
    booked = case.charge_fee(FeeKind.PAYMENT, attempt, amount, fee, cause=modification.id)
    case.put_modification(replace(case.modifications[modification.id], fee_minor=booked.minor))
    case.pay_order()
    if modification.is_last and case.payment.held.minor:
        _release(case, attempt, PaymentEvent.RELEASE, actor=actor, evidence=evidence)
    case.announce("payment.paid")


def _captured_too_late(
    case: Case, modification: Modification, attempt: Attempt, actor: str, evidence: Any
) -> None:
    """A capture that had been refused was done after all, when the rest had been let go: the
    money is there and nobody owes it."""
    payment, amount = case.payment, modification.amount
    if payment.status not in ENDED:
        case.note("captured after it was let go", actor=actor, evidence=evidence)
        return
    case.put_attempt(replace(attempt, surplus=True))
    case.move(
        PaymentEvent.CAPTURE,
        actor=actor,
        evidence=evidence,
        captured=amount,
        captured_at=case.now,
        surplus=True,
        surplus_amount=amount,
    )
    entries = ledger.move(case.source(attempt), ledger.SURPLUS_ACCOUNT, amount)
    case.post(PostingKind.SURPLUS, entries, modification.id)
    case.announce("payment.surplus")


def voided(case: Case, modification: Modification, *, reference: str, actor: str) -> None:
    """The provider has let go of what was reserved."""
    finish_modification(case, modification, reference)
    evidence = {"modification": modification.id, "reference": reference}
    if modification.surplus:
        case.note("late reservation let go", actor=actor, evidence=evidence)
        return
    let_go(case, PaymentEvent.CANCEL, actor=actor, evidence=evidence)


def let_go(case: Case, event: PaymentEvent, *, actor: str, evidence: Any) -> None:
    """Nothing is reserved any more: `event` is CANCEL by us, or EXPIRE by the provider's clock.

    What was captured of it stays captured.
    """
    attempt = case.holder
    if attempt is None or case.payment.held.minor == 0:
        return
    paid = case.payment.is_paid
    _release(case, attempt, PaymentEvent.RELEASE if paid else event, actor=actor, evidence=evidence)
    if not paid:
        case.close_order()


def lapsed(case: Case, code: str, *, actor: str, evidence: Any) -> None:
    """The provider says, in its refusal, that nothing is reserved any more: so it is."""
    event = LAPSES.get(code)
    if code == "already_captured" and case.payment.is_paid:
        event = PaymentEvent.RELEASE  # a part is ours, and the provider holds nothing beside it
    if event is not None and open_claim(case) is None:
        let_go(case, event, actor=actor, evidence={**evidence, "code": code})


def _release(
    case: Case, attempt: Attempt, event: PaymentEvent, *, actor: str, evidence: Any
) -> None:
    held = case.payment.held
    if event is PaymentEvent.RELEASE and not can(case.payment.status, event):
        event = PaymentEvent.NOTE
    case.move(
        event,
        actor=actor,
        evidence={**evidence, "released": str(held)},
        released_minor=case.payment.released_minor + held.minor,
    )
    account = ledger.held_account(case.payment.business_id)
    entries = ledger.move(account, _reserve_account(case, attempt), held)
    case.post(PostingKind.RELEASE, entries, evidence.get("modification", attempt.id))


def finish_modification(case: Case, modification: Modification, reference: str) -> None:
    case.put_modification(
        modification.become(
            ModificationStatus.SUCCEEDED,
            provider_reference=reference,
            next_query_at=None,
            completed_at=case.now,
            failure_code="",
            failure_message="",
        )
    )
