"""A charge that came back after it was captured: a debit that the payer's bank did not honour.

It takes money as a lost dispute does, and is none: nobody contests it, nobody can answer, and it
counts in no ratio of disputes.
"""

from kassa.base.domain.money import Money
from kassa.disputes.domain.disputing import left_twice, unsent_refunds
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import Attempt


def charge_returned(
    case: PaymentAggregate,
    attempt: Attempt,
    *,
    reference: str,
    code: str,
    message: str,
    provider_code: str,
    actor: str,
    by: str,
) -> None:
    """The payer's bank has returned the charge: what disputes have not taken of it is gone. Told
    again, nothing changes.

    `reference`: the provider's own name of the return; "" where it has none, and is called as the
    charge.
    """
    of_it = [one for one in case.disputes.values() if one.attempt_id == attempt.id]
    gone = sum(one.taken.minor for one in of_it)
    left = Money(case.came(attempt) - gone, attempt.amount.currency)
    if left.minor <= 0 or any(one.is_return for one in of_it):
        return
    unsent = unsent_refunds(case, attempt)
    returned = facts.ChargeReturned(
        dispute=case.new_id("dp"),
        attempt=attempt.id,
        number=case.payment.disputes + 1,
        amount=left,
        reference=reference or attempt.provider_reference or attempt.id,
        code=code,
        message=message,
        provider_code=provider_code,
        left_twice_minor=left_twice(case, attempt, left, Money(0, left.currency), unsent),
        called_off=tuple(item.id for item in unsent),
    )
    case.record(returned, actor=actor, by=by)
    case.announce("payment.returned", about=case.disputes[returned.dispute])
