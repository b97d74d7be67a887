"""Giving money back: reserved before the provider is called, booked when it is done."""

from kassa.base.domain.copying import replace
from kassa.base.domain.errors import AmountTooLarge, IllegalTransition
from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus
from kassa.base.domain.money import Money
from kassa.fees.domain.fees import FeeKind
from kassa.modifications.domain import captures
from kassa.modifications.domain.captures import Request, lapsed, request
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import Charge, PaymentAggregate
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt
from kassa.payments.domain.receipts import returnable

OF_A_REFUND = ".refund"
"""Behind a face's name: the kind of a letter about one refund."""


def ask_refund(case: PaymentAggregate, amount: Money | None, wanted: Request) -> Modification:
    """Reserve `amount` (None: all that is left) of what was captured, to give it back.

    Raises: IllegalTransition (not_paid, surplus, nothing_left), AmountTooLarge
    (refund_amount, currency_mismatch).
    """
    payment, attempt = case.payment, case.holder
    if payment.surplus:
        raise IllegalTransition("surplus money goes back to the payer by itself", reason="surplus")
    if attempt is None or not payment.is_paid:
        # Also while its outcome is unknown: money that may not be there is not given back.
        raise IllegalTransition(
            f"nothing to give back: the payment is {payment.status}", reason="not_paid"
        )
    if amount is not None and amount.currency != payment.amount.currency:
        said = f"the payment is in {payment.amount.currency}"
        raise AmountTooLarge(said, reason="currency_mismatch")
    left = _left(case)
    asked = left if amount is None else amount
    if left.minor == 0:
        taken = Money(payment.disputed_minor, left.currency)
        bank = f": the payer's bank has {taken} of it" if taken.minor else ""
        raise AmountTooLarge(f"nothing is left to give back{bank}", reason="refund_amount")
    if asked.minor > left.minor:
        raise AmountTooLarge(
            f"{asked} is more than the {left} that can still be given back",
            reason="refund_amount",
        )
    return request(case, ModificationKind.REFUND, attempt, asked, wanted)


def _left(case: PaymentAggregate) -> Money:
    """What may certainly still be given back. What a dispute has taken in another currency is not
    booked: how much that leaves, nobody knows before a person has said so.

    Raises: AmountTooLarge.
    """
    left = case.payment.refundable
    for one in case.disputes.values():
        if not one.abroad or case.attempts[one.attempt_id].surplus:
            continue
        by_hand = case.by_hand.get(one.id)
        if one.is_open or by_hand is None or by_hand.is_open:
            taken = " and ".join(str(amount) for amount in one.abroad)
            until = "the dispute is decided" if one.is_open else "what that is here is booked"
            raise AmountTooLarge(
                f"the payer's bank has taken {taken} for a dispute, and how much of the payment"
                f" that leaves is not known until {until}",
                reason="refund_amount",
            )
        left = Money(max(0, left.minor - by_hand.minor), left.currency)
    return left


def ask_overpayment_return(
    case: PaymentAggregate, attempt_id: str, wanted: Request
) -> Modification:
    """Reserve what is left of what the attempt brought in although nobody owed it, to give it back.

    Raises: IllegalTransition.
    """
    attempt = case.attempts[attempt_id]
    amount = returnable(case, attempt)
    if not amount.minor:
        raise IllegalTransition("there is no surplus left to give back", reason="nothing_left")
    owed = replace(wanted, reason="the money was not owed")
    return request(case, ModificationKind.REFUND, attempt, amount, owed, surplus=True)


def refunded(
    case: PaymentAggregate,
    modification: Modification,
    *,
    reference: str,
    fee: Money | None,
    actor: str,
    by: str,
) -> None:
    """The provider has given the modification's amount back to the payer."""
    attempt, amount = case.attempts[modification.attempt_id], modification.amount
    late = modification.status is ModificationStatus.FAILED
    done: Fact
    if late and not _fits(case, modification):
        done = facts.RefundUnbooked(
            modification=modification.id, amount=amount, reference=reference
        )
        case.record(done, actor=actor, by=by)
        return
    if modification.surplus:
        done = facts.OverpaymentReturned(
            modification=modification.id, amount=amount, reference=reference, fee=fee
        )
        case.record(done, actor=actor, by=by)
        case.announce("payment.surplus_returned", about=case.modifications[modification.id])
        return
    if late and modification.fee_minor:  # it was done before, and came back: its fee is booked
        charge = Charge(None, 0, known=True)
    else:
        charge = case.fee_of(FeeKind.REFUND, attempt, amount, fee)
    done = facts.RefundCompleted(
        modification=modification.id,
        amount=amount,
        reference=reference,
        fee=charge.fee,
        expected_fee_minor=charge.expected_minor,
    )
    case.record(done, actor=actor, by=by)
    _announce(case, modification, "payment.refunded")


def _announce(case: PaymentAggregate, modification: Modification, event_type: str) -> None:
    """To the payment's address, and to the refund's own where there is one."""
    about = case.modifications[modification.id]
    case.announce(event_type, about=about)
    if modification.notify_url:
        kind = f"{modification.face}{OF_A_REFUND}"
        case.announce(event_type, kind=kind, url=modification.notify_url, about=about)


def _fits(case: PaymentAggregate, modification: Modification) -> bool:
    left = case.payment.surplus_left if modification.surplus else case.payment.refundable
    return left.minor >= modification.amount.minor


def refused(
    case: PaymentAggregate,
    modification: Modification,
    *,
    code: str,
    message: str,
    actor: str,
    by: str,
    provider_code: str = "",
) -> None:
    """The provider will never do it: what a capture, void or refund had reserved is free again."""
    case.record(
        facts.ModificationRefused(
            modification=modification.id,
            what=modification.kind,
            surplus=modification.surplus,
            code=code,
            message=message,
            provider_code=provider_code,
        ),
        actor=actor,
        by=by,
    )
    if modification.surplus:
        return
    if modification.kind is ModificationKind.REFUND:
        _announce(case, modification, "payment.refund_failed")
        return
    lapsed(
        case,
        code,
        actor=actor,
        by=by,
        modification=modification.id,
        provider_code=provider_code,
    )


def came_back(
    case: PaymentAggregate,
    modification: Modification,
    *,
    code: str,
    message: str,
    actor: str,
    by: str,
    reference: str = "",
    provider_code: str = "",
) -> None:
    """A refund that was done is not: its money is at the provider again, and may be refunded
    again. Merchants hear of it as of one that was refused."""
    case.record(
        facts.RefundReversed(
            modification=modification.id,
            amount=modification.amount,
            surplus=modification.surplus,
            reference=reference,
            code=code,
            message=message,
            provider_code=provider_code,
        ),
        actor=actor,
        by=by,
    )
    if not modification.surplus:
        _announce(case, modification, "payment.refund_failed")


def refund_found(
    case: PaymentAggregate,
    attempt: Attempt,
    amount: Money,
    *,
    reference: str,
    fee: Money | None,
    actor: str,
    by: str,
) -> None:
    """A refund was made at the provider, where it is called `reference`: it counts as any other.

    What a bank has taken back as well has left twice, and is counted so; but never is more
    refunded than was captured.
    Raises: AmountTooLarge, of what does not fit.
    """
    payment = case.payment
    left = payment.captured.minor - payment.refunded.minor - payment.refund_reserved.minor
    if attempt.surplus:
        left = payment.surplus_left.minor
    if amount.currency != payment.amount.currency:
        raise AmountTooLarge(
            f"the payment is in {payment.amount.currency}", reason="currency_mismatch"
        )
    if not 0 < amount.minor <= left:
        raise AmountTooLarge(
            f"{amount} is more than the {Money(max(left, 0), amount.currency)} that is left",
            reason="refund_amount",
        )
    found = captures.found(case, ModificationKind.REFUND, attempt, amount, reference, actor, by)
    refunded(case, found, reference=reference, fee=fee, actor=actor, by=by)
