"""What payers' banks have of a payment, as those who were paid have to hear it.

A payment that was captured stays captured, whatever its bank takes afterwards. So its status alone
does not say where its money is; this does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kassa.base.domain.lifecycle import NOT_LOST
from kassa.base.domain.money import Money
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.payments import Attempt, Payment


class Taking(StrEnum):
    """How a bank has it; of several the last one here is what the whole is called."""

    DISPUTED = "disputed"  # it holds the money until the dispute is decided
    DISPUTE_LOST = "dispute_lost"  # for good
    CHARGE_RETURNED = "charge_returned"  # for good: the charge itself came back


@dataclass(frozen=True, slots=True)
class TakenBack:
    """`amounts`: by how they are held, one for each currency. What is in another currency than the
    payment's is not booked, so nobody knows what of the payment is left."""

    amounts: tuple[tuple[Taking, Money], ...] = ()

    @property
    def taking(self) -> Taking | None:
        """What to call it in one word; None where no bank has anything."""
        if not self.amounts:
            return None
        held = {taking for taking, _ in self.amounts}
        return next((taking for taking in reversed(Taking) if taking in held), None)

    @property
    def is_final(self) -> bool:
        """Whether some of it is away for good."""
        return self.taking not in (None, Taking.DISPUTED)

    def leaves_nothing(self, payment: Payment) -> bool:
        """Whether no money of the payment is certainly there, because a bank has it."""
        currency = payment.amount.currency
        abroad = any(amount.currency != currency for _, amount in self.amounts)
        left = payment.captured.minor - payment.refunded.minor - payment.disputed_minor
        return bool(self.amounts) and (abroad or left <= 0)


NOTHING_TAKEN = TakenBack()


def taken_back(
    disputes: Iterable[Dispute], attempts: Iterable[Attempt], *, unowed: bool = False
) -> TakenBack:
    """What these disputes and returns of one payment come to; of money that nobody owed only where
    that is asked for: it was to go back."""
    surplus = {one.id for one in attempts if one.surplus}
    sums: dict[tuple[Taking, str], int] = {}
    for one in disputes:
        if one.attempt_id in surplus and not unowed:
            continue
        for amount in (one.taken, *one.abroad):
            if amount.minor:
                key = _taking(one), amount.currency
                sums[key] = sums.get(key, 0) + amount.minor
    found = [(taking, Money(minor, currency)) for (taking, currency), minor in sums.items()]
    order = list(Taking)
    return TakenBack(tuple(sorted(found, key=lambda one: (order.index(one[0]), one[1].currency))))


def _taking(one: Dispute) -> Taking:
    if one.is_return:
        return Taking.CHARGE_RETURNED
    # Won, and the money not back yet, or not all of it: the bank still has it.
    return Taking.DISPUTED if one.is_open or one.status in NOT_LOST else Taking.DISPUTE_LOST
