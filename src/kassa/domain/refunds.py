"""Giving money back: reserved before the provider is called, booked when it is done."""

from dataclasses import replace
from typing import Any

from kassa.domain import ledger
from kassa.domain.case import Case
from kassa.domain.claims import (
    finish_modification,
    keep_modification,
    lapsed,
    new_modification,
)
from kassa.domain.errors import AmountTooLarge, IllegalTransition
from kassa.domain.fees import FeeKind
from kassa.domain.ledger import PostingKind
from kassa.domain.lifecycle import ModificationKind, ModificationStatus
from kassa.domain.modifications import Modification
from kassa.domain.money import Money


def ask_refund(
    case: Case, amount: Money | None, *, reason: str, actor: str, **said: Any
) -> Modification:
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
    left = payment.refundable
    wanted = left if amount is None else amount
    if wanted.currency != left.currency:
        raise AmountTooLarge(f"the payment is in {left.currency}", reason="currency_mismatch")
    if left.minor == 0:
        raise AmountTooLarge("nothing is left to give back", reason="refund_amount")
    if wanted.minor > left.minor:
        raise AmountTooLarge(
            f"{wanted} is more than the {left} that can still be given back",
            reason="refund_amount",
        )
    modification = new_modification(case, ModificationKind.REFUND, attempt, wanted, actor=actor)
    modification = replace(modification, reason=reason, **said)
    keep_modification(case, modification)
    case.note(
        "refund requested",
        actor=actor,
        evidence={"modification": modification.id, "amount": str(wanted), "reason": reason},
        refund_reserved=payment.refund_reserved + wanted,
    )
    return case.modifications[modification.id]


def ask_surplus_return(case: Case, attempt_id: str, *, actor: str, **said: Any) -> Modification:
    """Reserve what the attempt brought in although nobody owed it, to give it back, once.

    Raises: IllegalTransition.
    """
    attempt = case.attempts[attempt_id]
    under_way = any(
        item.surplus
        and item.attempt_id == attempt_id
        and item.kind is ModificationKind.REFUND
        and item.status is not ModificationStatus.FAILED
        for item in case.modifications.values()
    )
    left = min(attempt.amount.minor, case.payment.surplus_left.minor)
    if not attempt.surplus or under_way or left == 0:
        raise IllegalTransition("there is no surplus left to give back", reason="nothing_left")
    amount = Money(left, attempt.amount.currency)
    modification = new_modification(case, ModificationKind.REFUND, attempt, amount, actor=actor)
    modification = replace(modification, surplus=True, reason="the money was not owed", **said)
    keep_modification(case, modification)
    case.note(
        "surplus return requested",
        actor=actor,
        evidence={"modification": modification.id, "amount": str(amount)},
        surplus_reserved_minor=case.payment.surplus_reserved_minor + left,
    )
    return case.modifications[modification.id]


def refunded(
    case: Case, modification: Modification, *, reference: str, fee: Money | None, actor: str
) -> None:
    """The provider has given the modification's amount back to the payer."""
    payment, amount = case.payment, modification.amount
    attempt = case.attempts[modification.attempt_id]
    late = modification.status is ModificationStatus.FAILED
    evidence = {"modification": modification.id, "reference": reference, "amount": str(amount)}
    if late and not _fits(case, modification):
        case.note(
            "refunded although it had failed, beyond what is left", actor=actor, evidence=evidence
        )
        return
    finish_modification(case, modification, reference)
    if modification.surplus:
        case.note(
            "surplus returned",
            actor=actor,
            evidence=evidence,
            surplus_returned_minor=payment.surplus_returned_minor + amount.minor,
            surplus_reserved_minor=payment.surplus_reserved_minor - (0 if late else amount.minor),
        )
        entries = ledger.move(ledger.SURPLUS_ACCOUNT, case.source(attempt), amount)
        case.post(PostingKind.SURPLUS_RETURN, entries, modification.id)
        if fee is not None and fee.minor:
            entries = ledger.move(ledger.FEE_EXPENSE_ACCOUNT, case.fee_payee(attempt), fee)
            case.post(PostingKind.FEE, entries, modification.id)
        case.announce("payment.surplus_returned")
        return
    case.note(
        "refunded",
        actor=actor,
        evidence=evidence,
        refunded=payment.refunded + amount,
        refund_reserved=payment.refund_reserved if late else payment.refund_reserved - amount,
    )
    merchant = ledger.merchant_account(payment.business_id)
    entries = ledger.move(merchant, case.source(attempt), amount)
    case.post(PostingKind.REFUND, entries, modification.id)
    booked = case.charge_fee(FeeKind.REFUND, attempt, amount, fee, cause=modification.id)
    case.put_modification(replace(case.modifications[modification.id], fee_minor=booked.minor))
    case.announce("payment.refunded")


def _fits(case: Case, modification: Modification) -> bool:
    left = case.payment.surplus_left if modification.surplus else case.payment.refundable
    return left.minor >= modification.amount.minor


def refused(
    case: Case, modification: Modification, *, code: str, message: str, actor: str, evidence: Any
) -> None:
    """The provider will never do it: what a capture, void or refund had reserved is free again."""
    case.put_modification(
        modification.become(
            ModificationStatus.FAILED,
            failure_code=code,
            failure_message=message,
            next_query_at=None,
            completed_at=case.now,
        )
    )
    payment, amount = case.payment, modification.amount
    told = {**evidence, "modification": modification.id, "code": code}
    if modification.kind is not ModificationKind.REFUND:
        case.note(f"{modification.kind} refused", actor=actor, evidence=told)
        if not modification.surplus:
            lapsed(case, code, actor=actor, evidence=told)
        return
    if modification.surplus:
        case.note(
            "surplus return refused",
            actor=actor,
            evidence=told,
            surplus_reserved_minor=payment.surplus_reserved_minor - amount.minor,
        )
        return
    case.note(
        "refund refused",
        actor=actor,
        evidence=told,
        refund_reserved=payment.refund_reserved - amount,
    )
    case.payment = case.payment.recounted()
    case.announce("payment.refund_failed")
