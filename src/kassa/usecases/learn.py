"""What a provider's answer means for a payment: the one place that reads outcomes."""

from dataclasses import replace
from typing import Any, assert_never

from kassa.connectors.base import (
    ActionNeeded,
    AddressSigner,
    Authorized,
    Captured,
    Connector,
    Declined,
    InDoubt,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)
from kassa.domain.case import Case
from kassa.domain.claims import authorize, lapsed
from kassa.domain.lifecycle import (
    ATTEMPT_TRANSITIONS,
    UNDECIDED,
    AttemptStatus,
    PaymentEvent,
    PaymentStatus,
    can,
)
from kassa.domain.money import LARGEST
from kassa.domain.payments import Attempt, CaptureMethod
from kassa.domain.questions import SILENCE

_S = PaymentStatus
_MISMATCH = "amount_mismatch"


def learn(
    case: Case, attempt: Attempt, outcome: Outcome, *, connector: Connector, actor: str, how: str
) -> None:
    """Take what `outcome` says into the case. The same news twice changes nothing.

    `how`: charge, query or notification; it becomes part of the evidence.
    """
    evidence: dict[str, Any] = {"attempt": attempt.id, "by": how}
    match outcome:
        case Captured():
            _captured(case, attempt, outcome, actor, evidence)
        case Authorized():
            _authorized(case, attempt, outcome, actor, evidence)
        case ActionNeeded():
            _action_needed(case, attempt, outcome, actor, evidence)
        case Pending(reference=reference):
            _accepted(case, attempt, reference, actor, evidence)
        case Declined():
            _declined(case, attempt, outcome, actor, evidence)
        case NotSent(reason=reason):
            _not_sent(case, attempt, actor, {**evidence, "reason": reason}, how)
        case InDoubt(reason=reason):
            _in_doubt(case, attempt, actor, {**evidence, "reason": reason}, how)
        case Unknown(reason=reason):
            _unknown(case, attempt, connector, actor, {**evidence, "reason": reason})
        case _:
            assert_never(outcome)


def _captured(
    case: Case, attempt: Attempt, outcome: Captured, actor: str, evidence: dict[str, Any]
) -> None:
    if attempt.status is AttemptStatus.SUCCEEDED:
        return
    if outcome.fee is not None and abs(outcome.fee.minor) > LARGEST:
        told = {**evidence, "reason": "fee beyond belief", "provider_says": f"fee {outcome.fee}"}
        _other_amount(case, attempt, actor, told)
        return
    if outcome.amount != attempt.amount:
        # Somebody's money is there, but not this amount: shown to people, never booked by guess.
        told = {**evidence, "reason": "amount mismatch", "provider_says": str(outcome.amount)}
        _other_amount(case, attempt, actor, told)
        return
    case.capture(
        attempt,
        reference=outcome.reference,
        fee=outcome.fee,
        actor=actor,
        evidence={**evidence, "reference": outcome.reference},
    )


def _authorized(
    case: Case, attempt: Attempt, outcome: Authorized, actor: str, evidence: dict[str, Any]
) -> None:
    if attempt.status is AttemptStatus.SUCCEEDED:
        return
    if outcome.amount != attempt.amount:
        told = {**evidence, "reason": "amount mismatch", "provider_says": str(outcome.amount)}
        _other_amount(case, attempt, actor, told)
        return
    if case.payment.capture_method is CaptureMethod.AUTOMATIC:
        # The provider claims it by itself a moment later: until then it has accepted it.
        _accepted(case, attempt, outcome.reference, actor, evidence)
        return
    authorize(
        case,
        attempt,
        reference=outcome.reference,
        expires_at=outcome.expires_at,
        actor=actor,
        evidence={**evidence, "reference": outcome.reference},
    )


def _other_amount(case: Case, attempt: Attempt, actor: str, evidence: dict[str, Any]) -> None:
    """It stays in doubt; an attempt that is over already is marked, once."""
    if attempt.status in UNDECIDED:
        _in_doubt(case, attempt, actor, evidence, "charge")
    elif attempt.failure_code != _MISMATCH:
        words = f"the provider says {evidence['provider_says']}"
        case.put_attempt(replace(attempt, failure_code=_MISMATCH, failure_message=words))
        case.move(PaymentEvent.NOTE, actor=actor, evidence=evidence)


def _action_needed(
    case: Case, attempt: Attempt, outcome: ActionNeeded, actor: str, evidence: dict[str, Any]
) -> None:
    _ask_again(case, attempt, outcome.reference)
    if case.payment.status is _S.PROCESSING and attempt.status in UNDECIDED:
        case.move(
            PaymentEvent.ACTION_NEEDED,
            actor=actor,
            evidence=evidence,
            redirect_url=outcome.url,
            redirect_expires_at=outcome.expires_at,
        )


def _accepted(
    case: Case, attempt: Attempt, reference: str, actor: str, evidence: dict[str, Any]
) -> None:
    """The provider has it and will decide later: a known wait, which is not a doubt."""
    was_open = attempt.status in UNDECIDED
    _ask_again(case, attempt, reference)
    news = reference and reference != case.payment.provider_reference
    if was_open and news and case.payment.status is _S.PROCESSING:
        case.move(
            PaymentEvent.NOTE,
            actor=actor,
            evidence={**evidence, "note": "accepted by the provider"},
            provider_reference=reference,
        )


def _ask_again(case: Case, attempt: Attempt, reference: str) -> None:
    """The provider has it and has not decided: known to exist, so no longer in doubt."""
    if attempt.status in UNDECIDED:
        case.put_attempt(
            attempt.become(
                AttemptStatus.DISPATCHED,
                provider_reference=reference or attempt.provider_reference,
                next_query_at=attempt.next_query(case.now),
            )
        )


def _declined(
    case: Case, attempt: Attempt, outcome: Declined, actor: str, evidence: dict[str, Any]
) -> None:
    if attempt.status is AttemptStatus.SUCCEEDED and not attempt.surplus:
        told = {**evidence, "provider_code": outcome.provider_code}
        lapsed(case, outcome.code, actor=actor, evidence=told)
        return
    if AttemptStatus.DECLINED not in ATTEMPT_TRANSITIONS[attempt.status]:
        if attempt.next_query_at is not None:  # it had expired: now no money can come
            case.put_attempt(replace(attempt, next_query_at=None))
        return  # decided already, or the payer had left it: a refusal changes nothing
    told = {**evidence, "provider_code": outcome.provider_code}
    case.decline(attempt, code=outcome.code, message=outcome.message, actor=actor, evidence=told)


def _not_sent(case: Case, attempt: Attempt, actor: str, evidence: dict[str, Any], how: str) -> None:
    if how != "charge":
        _ask_again_later(case, attempt)
        return
    if attempt.status is not AttemptStatus.DISPATCHED:
        return
    case.put_attempt(
        attempt.become(
            AttemptStatus.ABANDONED,
            failure_code="not_sent",
            failure_message=evidence["reason"],
            next_query_at=None,
        )
    )
    if can(case.payment.status, PaymentEvent.NOT_SENT):
        case.move(PaymentEvent.NOT_SENT, actor=actor, evidence=evidence, method=None, connector="")
    else:  # other money has decided the payment meanwhile
        case.move(PaymentEvent.NOTE, actor=actor, evidence={**evidence, "note": "not sent"})


def _in_doubt(case: Case, attempt: Attempt, actor: str, evidence: dict[str, Any], how: str) -> None:
    if attempt.status is AttemptStatus.DISPATCHED and how == "charge":
        doubtful = attempt.become(AttemptStatus.IN_DOUBT, undecided_since=case.now)
        case.put_attempt(replace(doubtful, next_query_at=doubtful.next_query(case.now)))
        case.move(PaymentEvent.NOTE, actor=actor, evidence={**evidence, "note": "in doubt"})
        return
    _ask_again_later(case, attempt)


def _ask_again_later(case: Case, attempt: Attempt) -> None:
    if attempt.status in UNDECIDED:
        case.put_attempt(replace(attempt, next_query_at=attempt.next_query(case.now)))


def _unknown(
    case: Case, attempt: Attempt, connector: Connector, actor: str, evidence: dict[str, Any]
) -> None:
    """Not there (yet). It ends an attempt only where the provider promises that it is final, or
    where nothing was ever sent: an address that was signed, and that nobody was given."""
    if (
        isinstance(connector, AddressSigner)
        and attempt.status is AttemptStatus.DISPATCHED
        and case.payment.status is _S.PROCESSING
        and case.now - attempt.created_at >= SILENCE
    ):
        told = {**evidence, "reason": "the address was given to nobody"}
        _not_sent(case, attempt, actor, told, "charge")
        return
    final_after = connector.not_found_final_after
    if (
        final_after is not None
        and attempt.status in UNDECIDED
        and case.payment.status is not _S.REQUIRES_ACTION
        and case.now - attempt.created_at >= final_after
    ):
        gone = Declined(code="not_received", message="the payment did not reach the provider")
        _declined(case, attempt, gone, actor, evidence)
        return
    _ask_again_later(case, attempt)
