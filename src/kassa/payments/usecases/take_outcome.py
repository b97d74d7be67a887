"""What a provider's answer means for a payment: the one place that reads outcomes."""

from dataclasses import replace
from typing import assert_never

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import (
    ATTEMPT_TRANSITIONS,
    CLOSED,
    FUNDS_SECURED,
    UNDECIDED,
    AttemptStatus,
    ModificationKind,
    PaymentEvent,
    PaymentStatus,
    can,
)
from kassa.base.domain.money import LARGEST, Money
from kassa.base.domain.query_schedule import SILENCE, ask_soon
from kassa.connectors.base import (
    ActionNeeded,
    AddressSigner,
    Authorized,
    Captured,
    Capturer,
    Connector,
    Declined,
    FailedLater,
    InDoubt,
    NotSent,
    Outcome,
    Pending,
    RefundSource,
    Unknown,
)
from kassa.disputes.domain.disputing import NOT_CAPTURED
from kassa.disputes.domain.returning import charge_returned
from kassa.modifications.domain.captured_there import claimed_there
from kassa.modifications.domain.captures import authorize, lapsed
from kassa.modifications.domain.refunds import refund_found
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.evolution_of_charges import MISMATCH
from kassa.payments.domain.modifications import went_back
from kassa.payments.domain.payments import Attempt, CaptureMethod

_S = PaymentStatus
_REFUND = ModificationKind.REFUND
REFUND_OPEN = "refund_in_progress"
"""Reason of an IllegalTransition: a refund of ours, that is on its way, may be what is told of."""


def take_outcome(
    case: PaymentAggregate,
    attempt: Attempt,
    outcome: Outcome,
    *,
    connector: Connector,
    actor: str,
    how: str,
) -> None:
    """Take what `outcome` says into the case. The same news twice changes nothing.

    `how`: charge, query or notification; it becomes part of the evidence.
    """
    match outcome:
        case Captured():
            captured(case, attempt, outcome, actor, how, connector)
        case Authorized():
            _authorized(case, attempt, outcome, actor, how)
        case ActionNeeded():
            _action_needed(case, attempt, outcome, actor, how)
        case Pending(reference=reference):
            _accepted(case, attempt, reference, actor, how)
        case Declined():
            _declined(case, attempt, outcome, actor, how)
            if not attempt.provider_reference:  # else that may be of one of several tries
                _keep_name(case, attempt, outcome.reference)
        case FailedLater():
            _failed_later(case, attempt, outcome, actor, how)
        case NotSent(reason=reason):
            _not_sent(case, attempt, actor, reason, how)
        case InDoubt(reason=reason):
            _in_doubt(case, attempt, actor, reason, how)
        case Unknown(reason=reason):
            _unknown(case, attempt, connector, actor, reason, how)
        case _:
            assert_never(outcome)


def captured(
    case: PaymentAggregate,
    attempt: Attempt,
    outcome: Captured,
    actor: str,
    how: str,
    connector: Connector | None = None,
) -> None:
    """The money is there, says who has it."""
    if attempt.status is AttemptStatus.SUCCEEDED:
        in_parts = connector.captures_in_parts if isinstance(connector, Capturer) else False
        before = case.came(attempt)
        claimed_there(
            case,
            attempt,
            outcome.amount,
            reference=outcome.reference,
            fee=outcome.fee,
            is_last=not in_parts,
            actor=actor,
            by=how,
        )
        paid = case.attempts[attempt.id]
        if not before and case.came(paid):  # of two that the payer reserved it may be the other
            _keep_name(case, attempt, outcome.reference)
        if connector is not None:
            _more_went_back(case, case.attempts[attempt.id], outcome, connector, actor, how)
        return
    if outcome.fee is not None and abs(outcome.fee.minor) > LARGEST:
        _other_amount(case, attempt, actor, how, "fee beyond belief", f"fee {outcome.fee}")
        return
    if outcome.amount != attempt.amount and not _goes_back(case, attempt, outcome.amount):
        # Somebody's money is there, but not this amount: shown to people, never booked by guess.
        _other_amount(case, attempt, actor, how, "amount mismatch", str(outcome.amount))
        return
    case.capture(
        attempt,
        reference=outcome.reference,
        fee=case.own_fee(outcome.fee, attempt),
        actor=actor,
        by=how,
        amount=outcome.amount,
    )
    if connector is not None:
        paid = case.attempts[attempt.id]
        _more_went_back(case, paid, outcome, connector, actor, how, is_new=True)


def _more_went_back(
    case: PaymentAggregate,
    attempt: Attempt,
    outcome: Captured,
    connector: Connector,
    actor: str,
    how: str,
    *,
    is_new: bool = False,
) -> None:
    """The provider says that more of it was refunded than we know of. Where it lists refunds it is
    asked again for them; else it is one refund of what is more, by the sum that tells of it.

    While a refund of ours is on its way, that may be the one: a question is asked again later, and
    only a notification may not be told again. `is_new`: its money was not known before.
    Raises: AmountTooLarge, of what does not fit; IllegalTransition, of a notification that waits.
    """
    told, before = outcome.refunded, went_back(attempt, case.modifications)
    if told is None or told.currency != before.currency or told.minor <= before.minor:
        return
    if isinstance(connector, RefundSource):
        if how == "notification" or is_new:  # else that is what is being done
            case.put_attempt(replace(attempt, next_query_at=case.now))
        return
    if any(one.is_open and one.kind is _REFUND for one in case.modifications.values()):
        if how == "notification":
            raise IllegalTransition("a refund of ours is on its way", reason=REFUND_OPEN)
        case.put_attempt(replace(attempt, next_query_at=ask_soon(case.now, case.now)))
        return
    refund_found(
        case,
        attempt,
        told - before,
        reference=f"{outcome.reference}/{told.minor}",
        fee=None,
        actor=actor,
        by=how,
    )


def _goes_back(case: PaymentAggregate, attempt: Attempt, came: Money) -> bool:
    """Whether nobody owes this money, so that all of it goes back, however much it is."""
    return (
        not case.is_owed and came.currency == attempt.amount.currency and 0 < came.minor <= LARGEST
    )


def _authorized(
    case: PaymentAggregate, attempt: Attempt, outcome: Authorized, actor: str, how: str
) -> None:
    if attempt.status is AttemptStatus.SUCCEEDED:
        return
    if outcome.amount != attempt.amount and not _goes_back(case, attempt, outcome.amount):
        _other_amount(case, attempt, actor, how, "amount mismatch", str(outcome.amount))
        return
    if case.payment.capture_method is CaptureMethod.AUTOMATIC:
        # The provider claims it by itself a moment later: until then it has accepted it.
        _accepted(case, attempt, outcome.reference, actor, how)
        return
    authorize(
        case,
        attempt,
        reference=outcome.reference,
        expires_at=outcome.expires_at,
        actor=actor,
        by=how,
        amount=outcome.amount,
    )


def _other_amount(
    case: PaymentAggregate, attempt: Attempt, actor: str, how: str, reason: str, said: str
) -> None:
    """It stays in doubt; an attempt that is over already is marked, once."""
    if attempt.status in UNDECIDED:
        if attempt.status is AttemptStatus.DISPATCHED:
            doubted = facts.AttemptDoubted(attempt=attempt.id, reason=reason, provider_says=said)
            case.record(doubted, actor=actor, by=how)
        else:
            _ask_again_later(case, attempt)
    elif attempt.failure_code != MISMATCH:
        differs = facts.AmountDiffers(attempt=attempt.id, reason=reason, provider_says=said)
        case.record(differs, actor=actor, by=how)


def _action_needed(
    case: PaymentAggregate, attempt: Attempt, outcome: ActionNeeded, actor: str, how: str
) -> None:
    _ask_again(case, attempt, outcome.reference, actor, how)
    if case.payment.status is _S.PROCESSING and attempt.status in UNDECIDED:
        needed = facts.ActionRequired(
            attempt=attempt.id, url=outcome.url, expires_at=outcome.expires_at
        )
        case.record(needed, actor=actor, by=how)


def _accepted(
    case: PaymentAggregate, attempt: Attempt, reference: str, actor: str, how: str
) -> None:
    """The provider has it and will decide later: a known wait, which is not a doubt."""
    if case.payment.status is _S.AUTHORIZED and attempt.status is AttemptStatus.SUCCEEDED:
        # Some providers say no more when a reservation was captured in their own pages.
        if how == "notification":
            case.put_attempt(replace(attempt, next_query_at=case.now))
        return
    was_open = attempt.status in UNDECIDED
    news = reference and reference != case.payment.provider_reference
    if was_open and news and case.payment.status is _S.PROCESSING:
        accepted = facts.AttemptAccepted(attempt=attempt.id, reference=reference)
        case.record(accepted, actor=actor, by=how)
    else:
        _ask_again(case, attempt, reference, actor, how)


def _ask_again(
    case: PaymentAggregate, attempt: Attempt, reference: str, actor: str, how: str
) -> None:
    """The provider has it and has not decided: known to exist, so no longer in doubt. Where other
    money has decided the payment meanwhile, it is closed soon."""
    if attempt.status in UNDECIDED:
        case.put_attempt(
            replace(
                attempt.become(AttemptStatus.DISPATCHED),
                provider_reference=reference or attempt.provider_reference,
                next_query_at=attempt.next_query(case.now),
            )
        )
        if case.payment.status in FUNDS_SECURED | CLOSED:
            case.record(facts.AttemptLeft(attempt=attempt.id), actor=actor, by=how)
    elif reference and not attempt.provider_reference:  # left while it was being sent
        case.put_attempt(replace(attempt, provider_reference=reference))


def _declined(
    case: PaymentAggregate, attempt: Attempt, outcome: Declined, actor: str, how: str
) -> None:
    if attempt.status is AttemptStatus.SUCCEEDED and not attempt.surplus:
        lapsed(case, outcome.code, actor=actor, by=how, provider_code=outcome.provider_code)
        return
    if AttemptStatus.DECLINED not in ATTEMPT_TRANSITIONS[attempt.status]:
        if attempt.next_query_at is not None:  # it had expired: now no money can come
            case.put_attempt(replace(attempt, next_query_at=None))
        return  # decided already, or the payer had left it: a refusal changes nothing
    case.decline(
        attempt,
        code=outcome.code,
        message=outcome.message,
        actor=actor,
        by=how,
        provider_code=outcome.provider_code,
    )


def _keep_name(case: PaymentAggregate, attempt: Attempt, reference: str) -> None:
    """Whatever else is told of a charge that is over finds it by what its provider calls it."""
    ended = case.attempts[attempt.id]
    if reference not in ("", ended.provider_reference):
        case.put_attempt(replace(ended, provider_reference=reference))


def _failed_later(
    case: PaymentAggregate, attempt: Attempt, outcome: FailedLater, actor: str, how: str
) -> None:
    """The payer's bank has returned a charge that we have. Where we never had its money it is a
    refusal.

    Raises: IllegalTransition (not_captured) where nobody has told yet that it was captured.
    """
    if attempt.status is not AttemptStatus.SUCCEEDED:
        refusal = Declined(
            code=outcome.code, message=outcome.message, provider_code=outcome.provider_code
        )
        _declined(case, attempt, refusal, actor, how)
        _keep_name(case, attempt, outcome.reference)
        return
    if not case.came(attempt):
        raise IllegalTransition("its money is reserved alone", reason=NOT_CAPTURED)
    charge_returned(
        case,
        attempt,
        reference=outcome.returned_as,
        code=outcome.code,
        message=outcome.message,
        provider_code=outcome.provider_code,
        actor=actor,
        by=how,
    )


def _not_sent(case: PaymentAggregate, attempt: Attempt, actor: str, reason: str, how: str) -> None:
    if how != "charge":
        _ask_again_later(case, attempt)
    elif attempt.status is AttemptStatus.DISPATCHED:
        _never_sent(case, attempt, actor, reason, how)


def _never_sent(
    case: PaymentAggregate, attempt: Attempt, actor: str, reason: str, how: str
) -> None:
    """Unless other money has decided the payment meanwhile, it can be paid anew."""
    decisive = can(case.payment.status, PaymentEvent.NOT_SENT)
    gone = facts.AttemptNotSent(attempt=attempt.id, reason=reason, decisive=decisive)
    case.record(gone, actor=actor, by=how)


def _in_doubt(case: PaymentAggregate, attempt: Attempt, actor: str, reason: str, how: str) -> None:
    if attempt.status is AttemptStatus.DISPATCHED and how == "charge":
        doubted = facts.AttemptDoubted(attempt=attempt.id, reason=reason)
        case.record(doubted, actor=actor, by=how)
        return
    _ask_again_later(case, attempt)


def _ask_again_later(case: PaymentAggregate, attempt: Attempt) -> None:
    if attempt.status in UNDECIDED:
        case.put_attempt(replace(attempt, next_query_at=attempt.next_query(case.now)))


def _unknown(
    case: PaymentAggregate,
    attempt: Attempt,
    connector: Connector,
    actor: str,
    reason: str,
    how: str,
) -> None:
    """Not there (yet). It ends an attempt only where the provider promises that it is final, or
    where nothing was ever sent: an address that was signed, and that nobody was given."""
    if (
        isinstance(connector, AddressSigner)
        and attempt.status is AttemptStatus.DISPATCHED
        and case.payment.status is _S.PROCESSING
        and case.now - attempt.created_at >= SILENCE
    ):
        _never_sent(case, attempt, actor, "the address was given to nobody", how)
        return
    final_after = connector.not_found_final_after
    if (
        final_after is not None
        and attempt.status in UNDECIDED
        and case.payment.status is not _S.REQUIRES_ACTION
        and case.now - attempt.created_at >= final_after
    ):
        gone = Declined(code="not_received", message="the payment did not reach the provider")
        _declined(case, attempt, gone, actor, how)
        return
    _ask_again_later(case, attempt)
