"""From the expected fee to the provider's own figure: one posting for the difference."""

from dataclasses import replace
from typing import Any

from kassa.domain import ledger
from kassa.domain.case import Case
from kassa.domain.disputes import Dispute
from kassa.domain.errors import InvalidRequest, NotFound
from kassa.domain.ledger import PostingKind
from kassa.domain.lifecycle import ModificationKind
from kassa.domain.modifications import Modification
from kassa.domain.money import Money
from kassa.domain.payments import Attempt


def learn_fee(
    case: Case, cause: str, booked: Money, actual: Money, *, actor: str, evidence: dict[str, Any]
) -> Money:
    """The provider's figure for the attempt, modification or dispute `cause`; what it adds.

    `booked`: what the ledger holds for `cause` so far. `expected_fee_minor` stays as it was: the
    difference is what the schedule got wrong. The same figure again changes nothing.
    Raises: NotFound, InvalidRequest.
    """
    attempt, item = _found(case, cause)
    if actual.currency != booked.currency:
        raise InvalidRequest(
            f"the fee is booked in {booked.currency}, the report says {actual}",
            reason="currency_mismatch",
        )
    if isinstance(item, Dispute) and actual.minor < 0:
        raise InvalidRequest(f"the fee of a dispute is not negative, got {actual}")
    surplus = item.surplus if isinstance(item, Modification) else attempt.surplus
    # It is the fee of the charge itself that a payment shows as known.
    of_charge = not surplus and not isinstance(item, Dispute)
    if isinstance(item, Modification) and item.kind is not ModificationKind.CAPTURE:
        of_charge = False
    more = actual - booked
    if not more.minor and (case.payment.fee_known or not of_charge):
        return more
    told = {**evidence, "cause": cause, "booked": str(booked), "fee": str(actual)}
    case.note(
        "fee known",
        actor=actor,
        evidence=told,
        fee_known=of_charge or case.payment.fee_known,
        fee=case.payment.fee if surplus else case.payment.fee + more,
    )
    if isinstance(item, Modification):
        case.put_modification(replace(item, fee_minor=actual.minor))
    if isinstance(item, Dispute):
        case.put_dispute(replace(item, fee=actual))
    if more.minor:
        payer = ledger.merchant_account(case.payment.business_id)
        if surplus:
            payer = ledger.FEE_EXPENSE_ACCOUNT
        entries = ledger.move(payer, case.fee_payee(attempt), more)
        case.post(PostingKind.FEE_ADJUSTMENT, entries, cause)
    return more


def _found(case: Case, cause: str) -> tuple[Attempt, Attempt | Modification | Dispute]:
    """What `cause` is, and the attempt at whose provider it happened."""
    item = case.attempts.get(cause) or case.modifications.get(cause) or case.disputes.get(cause)
    if item is None:
        raise NotFound(f"payment {case.payment.id} has no charge, change or dispute {cause!r}")
    attempt = item if isinstance(item, Attempt) else case.attempts[item.attempt_id]
    return attempt, item
