"""What a dispute does to the money: withdrawn by the bank, and returned if it is won."""

from datetime import datetime

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import (
    DECIDED,
    DISPUTE_TRANSITIONS,
    NOT_LOST,
    DisputeStage,
    DisputeStatus,
    ModificationKind,
    ModificationStatus,
)
from kassa.base.domain.money import Money
from kassa.fees.domain.fees import FeeKind
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.disputes import STAGES, Dispute, DisputeEffect
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt


def dispute(
    case: PaymentAggregate,
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
        old = Dispute(
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
        )
    elif (old.stage, old.status) == (stage, status):
        return old
    elif STAGES.index(stage) < STAGES.index(old.stage) or (
        status is not old.status and status not in DISPUTE_TRANSITIONS[old.status]
    ):
        late = facts.DisputeEventLate(dispute=old.id, said=f"{stage} {status}")
        case.record(late, actor=actor)
        return old
    _move(case, old, attempt, status, stage, respond_by, fee, actor)
    return case.disputes[old.id]


def _move(
    case: PaymentAggregate,
    old: Dispute,
    attempt: Attempt,
    status: DisputeStatus,
    stage: DisputeStage,
    respond_by: datetime | None,
    fee: Money | None,
    actor: str,
) -> None:
    """Bring the books to where the dispute is: withdrawn, or with us.

    A refund that was not sent yet is called off when the bank takes the money; what has been
    refunded already has left twice, and is counted so.
    """
    gone = stage is not DisputeStage.INQUIRY and status not in NOT_LOST
    effect, unsent, twice = DisputeEffect.NONE, [], 0
    if gone and not old.withdrawn:
        effect, unsent = DisputeEffect.WITHDRAWN, _unsent_refunds(case)
        freed = sum(item.amount.minor for item in unsent)
        payment = case.payment
        left = max(0, payment.captured.minor - payment.gone_minor + freed)
        twice = max(0, old.amount.minor - (0 if payment.surplus else left))
    elif not gone and old.withdrawn:
        effect = DisputeEffect.RETURNED
    expected = 0
    if fee is not None and fee.minor > old.fee.minor:
        more = fee - old.fee
        expected = case.fee_of(FeeKind.DISPUTE, attempt, old.amount, more).expected_minor
    case.record(
        facts.DisputeMoved(
            dispute=old.id,
            attempt=attempt.id,
            number=old.number,
            stage=stage,
            status=status,
            amount=old.amount,
            effect=effect,
            reference=old.provider_reference,
            reason=old.reason,
            respond_by=respond_by or old.respond_by,
            fee=fee if fee != old.fee else None,
            expected_fee_minor=expected,
            left_twice_minor=twice,
            called_off=tuple(item.id for item in unsent),
        ),
        actor=actor,
    )
    case.announce(_word(case.disputes[old.id]))


def _unsent_refunds(case: PaymentAggregate) -> list[Modification]:
    return [
        item
        for item in case.modifications.values()
        if item.kind is ModificationKind.REFUND
        and not item.surplus
        and item.status is ModificationStatus.REQUESTED
    ]


def _word(found: Dispute) -> str:
    if found.status in DECIDED:
        return f"payment.dispute_{found.status}"
    return "payment.disputed"
