"""What a dispute does to the money: withdrawn by the bank, and returned if it is won."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from kassa.domain import ledger
from kassa.domain.case import Case
from kassa.domain.disputes import STAGES, Dispute
from kassa.domain.errors import IllegalTransition
from kassa.domain.fees import FeeKind
from kassa.domain.ledger import PostingKind
from kassa.domain.lifecycle import (
    DECIDED,
    DISPUTE_TRANSITIONS,
    NOT_LOST,
    DisputeStage,
    DisputeStatus,
    ModificationKind,
    ModificationStatus,
)
from kassa.domain.money import Money
from kassa.domain.payments import Attempt


def dispute(
    case: Case,
    attempt: Attempt,
    *,
    reference: str,
    stage: DisputeStage,
    status: DisputeStatus,
    amount: Money,
    fee: Money | None,
    reason: str,
    respond_by: datetime | None,
    actor: str,
) -> Dispute:
    """Take in what a provider says of a dispute. The same news twice changes nothing, and news
    from an earlier step is noted only.

    Raises: IllegalTransition for a charge whose money we never had.
    """
    old = next((d for d in case.disputes.values() if d.provider_reference == reference), None)
    if old is None:
        if not case.payment.is_paid or attempt.surplus:
            raise IllegalTransition("no money of ours is in dispute", reason="not_paid")
        old = _opened(case, attempt, reference, stage, status, amount, reason, respond_by, actor)
    elif (old.stage, old.status) == (stage, status):
        return old
    elif STAGES.index(stage) < STAGES.index(old.stage) or (
        status is not old.status and status not in DISPUTE_TRANSITIONS[old.status]
    ):
        told = {"dispute": old.id, "said": f"{stage} {status}"}
        case.note("late news of a dispute", actor=actor, evidence=told)
        return old
    moved = old.become(
        status,
        stage,
        respond_by=respond_by or old.respond_by,
        closed_at=case.now if status in DECIDED else None,
    )
    case.put_dispute(moved)
    _settle_money(case, case.disputes[moved.id], attempt, fee, actor)
    return case.disputes[moved.id]


def _opened(
    case: Case,
    attempt: Attempt,
    reference: str,
    stage: DisputeStage,
    status: DisputeStatus,
    amount: Money,
    reason: str,
    respond_by: datetime | None,
    actor: str,
) -> Dispute:
    opened = Dispute(
        company_id=case.payment.company_id,
        id=case.new_id("dp"),
        payment_id=case.payment.id,
        attempt_id=attempt.id,
        number=case.payment.disputes + 1,
        connector=attempt.connector,
        provider_reference=reference,
        stage=stage,
        status=status,
        reason=reason,
        amount=amount,
        fee=Money(0, amount.currency),
        respond_by=respond_by,
        opened_at=case.now,
        updated_at=case.now,
        closed_at=case.now if status in DECIDED else None,
    )
    case.put_dispute(opened)
    case.payment = replace(case.payment, disputes=opened.number)
    return case.disputes[opened.id]


def _settle_money(
    case: Case, found: Dispute, attempt: Attempt, fee: Money | None, actor: str
) -> None:
    """Bring the books to where the dispute is: withdrawn, or with us."""
    gone = found.stage is not DisputeStage.INQUIRY and found.status not in NOT_LOST
    evidence: dict[str, Any] = {
        "dispute": found.id,
        "stage": found.stage.value,
        "status": found.status.value,
        "amount": str(found.amount),
    }
    if gone and not found.withdrawn:
        _withdraw(case, found, attempt, actor, evidence)
    elif not gone and found.withdrawn:
        _return(case, found, attempt, actor, evidence)
    else:
        case.note(f"dispute {found.status}", actor=actor, evidence=evidence)
    _settle_fee(case, case.disputes[found.id], attempt, fee)
    case.announce(_word(found))


def _settle_fee(case: Case, found: Dispute, attempt: Attempt, fee: Money | None) -> None:
    """`fee`: all that the provider charges by now; some give it back with a dispute that is won."""
    if fee is None or fee == found.fee:
        return
    if fee.minor > found.fee.minor:
        more = fee - found.fee
        case.charge_fee(FeeKind.DISPUTE, attempt, found.amount, more, cause=found.id)
    else:
        back = found.fee - fee
        case.payment = replace(case.payment, fee=case.payment.fee - back)
        merchant = ledger.merchant_account(case.payment.business_id)
        entries = ledger.move(case.fee_payee(attempt), merchant, back)
        case.post(PostingKind.FEE_ADJUSTMENT, entries, found.id)
    case.put_dispute(replace(found, fee=fee))


def _word(found: Dispute) -> str:
    if found.status in DECIDED:
        return f"payment.dispute_{found.status}"
    return "payment.disputed"


def _withdraw(
    case: Case, found: Dispute, attempt: Attempt, actor: str, evidence: dict[str, Any]
) -> None:
    """The bank has taken the money. A refund that was not sent yet is called off; what has been
    refunded already has left twice, and is counted so."""
    for item in list(case.modifications.values()):
        unsent = item.kind is ModificationKind.REFUND and not item.surplus
        if unsent and item.status is ModificationStatus.REQUESTED:
            case.put_modification(
                item.become(
                    ModificationStatus.FAILED,
                    failure_code="disputed",
                    failure_message="the payer's bank has taken the money back meanwhile",
                    next_query_at=None,
                    completed_at=case.now,
                )
            )
            case.payment = replace(
                case.payment, refund_reserved=case.payment.refund_reserved - item.amount
            )
    payment = case.payment
    twice = max(0, found.amount.minor - payment.refundable.minor)
    case.note(
        "disputed",
        actor=actor,
        evidence=evidence | ({"left_twice_minor": twice} if twice else {}),
        disputed_minor=payment.disputed_minor + found.amount.minor,
    )
    case.payment = case.payment.recounted()
    case.put_dispute(replace(found, withdrawn=True, double_paid_minor=twice))
    merchant = ledger.merchant_account(payment.business_id)
    entries = ledger.move(merchant, case.source(attempt), found.amount)
    case.post(PostingKind.DISPUTE, entries, found.id)


def _return(
    case: Case, found: Dispute, attempt: Attempt, actor: str, evidence: dict[str, Any]
) -> None:
    payment = case.payment
    case.note(
        "dispute won" if found.status is DisputeStatus.WON else "dispute closed",
        actor=actor,
        evidence=evidence,
        disputed_minor=payment.disputed_minor - found.amount.minor,
    )
    case.payment = case.payment.recounted()
    case.put_dispute(replace(found, withdrawn=False))
    merchant = ledger.merchant_account(payment.business_id)
    entries = ledger.move(case.source(attempt), merchant, found.amount)
    case.post(PostingKind.DISPUTE_REVERSAL, entries, found.id)
