"""What a bank's statement says came for a payment by transfer, in whatever amount.

What is owed is captured when all of it is there; less waits as unapplied, and more goes back.
"""

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import AttemptStatus
from kassa.base.domain.money import Money
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.modifications import went_back
from kassa.payments.domain.payments import Attempt

_BY = "statement"


def awaited(case: PaymentAggregate, attempt: Attempt) -> Money | None:
    """What this transfer is still to bring, whether or not anybody owes it by now; None where it
    has brought it."""
    if attempt.status in (AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED):
        return None
    return case.payment.missing if case.is_owed else attempt.amount


def receive(case: PaymentAggregate, attempt: Attempt, came: Money, *, actor: str) -> None:
    """`came` arrived for it. It is in the payment's currency, and more than nothing."""
    case.expect_again(actor=actor)
    attempt = case.attempts[attempt.id]
    if attempt.status is AttemptStatus.SUCCEEDED:
        _overpaid(case, attempt, came, actor)
        return
    reference = attempt.provider_reference or attempt.id
    if not case.is_owed:
        case.capture(attempt, reference=reference, fee=None, actor=actor, by=_BY, amount=came)
        return
    missing = case.payment.missing
    if came.minor < missing.minor:
        part = facts.TransferReceived(attempt=attempt.id, amount=came)
        case.record(part, actor=actor, by=_BY)
        case.announce("payment.transfer_received")
        return
    case.capture(
        attempt,
        reference=reference,
        fee=None,
        actor=actor,
        by=_BY,
        amount=case.payment.amount,
    )
    if came.minor > missing.minor:
        _overpaid(case, case.attempts[attempt.id], came - missing, actor)


def _overpaid(case: PaymentAggregate, attempt: Attempt, more: Money, actor: str) -> None:
    case.record(facts.TransferOverpaid(attempt=attempt.id, amount=more), actor=actor, by=_BY)
    case.announce("payment.surplus")


def reversed_part(case: PaymentAggregate, attempt: Attempt, went: Money, *, actor: str) -> bool:
    """The bank has sent back what had come in part; whether that is what it was."""
    if not 0 < went.minor <= case.payment.unapplied_minor:
        return False
    case.record(facts.TransferReversed(attempt=attempt.id, amount=went), actor=actor, by=_BY)
    case.announce("payment.transfer_reversed")
    return True


def accept_short(case: PaymentAggregate, *, actor: str) -> None:
    """What came by transfer is taken for the whole: a person has agreed to it.

    Raises: IllegalTransition.
    """
    part, attempt = case.payment.unapplied, case.transfer
    if not part.minor or attempt is None:
        raise IllegalTransition(
            "nothing has come by transfer that could be taken for the whole", reason="nothing_came"
        )
    case.capture(
        attempt,
        reference=attempt.provider_reference or attempt.id,
        fee=None,
        actor=actor,
        by="recorded",
        amount=part,
    )


def overpaid(case: PaymentAggregate) -> list[Attempt]:
    """The transfers that brought what nobody owes, and that is not on its way back."""
    return [
        one for one in case.attempts.values() if one.is_transfer and returnable(case, one).minor > 0
    ]


def returnable(case: PaymentAggregate, attempt: Attempt) -> Money:
    """What is left of the attempt's money that nobody owed. Of a transfer more may come to it; what
    a provider has goes back at once, or not yet."""
    currency = attempt.amount.currency
    if attempt.status is not AttemptStatus.SUCCEEDED:
        return Money(0, currency)
    unowed = {item.id: item for item in case.modifications.values() if item.surplus}
    gone = went_back(attempt, unowed).minor
    if attempt.surplus:
        came = case.came(attempt)
    else:
        came = attempt.amount.minor - case.payment.captured.minor if attempt.is_transfer else 0
    if gone and not attempt.is_transfer:
        came = 0
    return Money(max(0, min(came - gone, case.payment.surplus_left.minor)), currency)
