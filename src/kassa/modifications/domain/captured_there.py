"""Reserved funds that were captured at the provider, and not by us."""

from kassa.base.domain.lifecycle import ENDED, ModificationKind, PaymentStatus
from kassa.base.domain.money import Money
from kassa.modifications.domain.captures import captured, found, open_capture_or_void
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.modifications import claimed_surplus, is_reserved_surplus
from kassa.payments.domain.payments import Attempt


def claimed_there(
    case: PaymentAggregate,
    attempt: Attempt,
    told: Money,
    *,
    reference: str,
    fee: Money | None,
    is_last: bool,
    actor: str,
    by: str,
) -> None:
    """The provider says that it has captured `told` in all of what was reserved: what we did not
    capture was captured there. A capture or void of ours that is on its way may be what it tells
    of, so that is waited for.
    """
    payment = case.payment
    if payment.amount.currency != told.currency:
        return
    if attempt.surplus:
        _surplus_claimed(case, attempt, told, reference=reference, fee=fee, actor=actor, by=by)
        return
    if attempt is not case.holder:
        return
    more = Money(told.minor - payment.captured.minor, told.currency)
    was_let_go = payment.status in ENDED and payment.released_minor >= more.minor
    if (
        more.minor <= 0
        or open_capture_or_void(case)
        or not (was_let_go or payment.held.minor >= more.minor)
    ):
        return
    name = f"{reference}/{told.minor}"
    last = is_last or more == payment.held
    made = found(case, ModificationKind.CAPTURE, attempt, more, name, actor, by, is_last=last)
    captured(case, made, reference=reference, fee=fee, actor=actor, by=by)


def _surplus_claimed(
    case: PaymentAggregate,
    attempt: Attempt,
    told: Money,
    *,
    reference: str,
    fee: Money | None,
    actor: str,
    by: str,
) -> None:
    """What was reserved when nothing was owed any more was captured there, instead of being let go
    by us: nobody owes that money, and it goes back."""
    if not is_reserved_surplus(attempt, case.modifications):
        return  # it was paid, and not reserved: it is booked
    before = claimed_surplus(attempt, case.modifications)
    more = Money(told.minor - before, told.currency)
    if more.minor <= 0:
        return
    name = f"{reference}/{told.minor}"
    made = found(case, ModificationKind.CAPTURE, attempt, more, name, actor, by)
    fact: facts.PaidTwice | facts.CaptureUnowed
    if case.payment.is_paid or case.payment.status is PaymentStatus.AUTHORIZED:
        fact = facts.PaidTwice(
            attempt=attempt.id,
            amount=more,
            reference=reference,
            fee=case.own_fee(fee, attempt),
            capture=made.id,
        )
    else:
        fact = facts.CaptureUnowed(modification=made.id, amount=more, reference=reference)
    case.record(fact, actor=actor, by=by)
    case.announce("payment.surplus", about=case.modifications[made.id])
