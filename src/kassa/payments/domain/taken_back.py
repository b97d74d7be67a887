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
    payment's is not booked, so nobody knows what of the payment is left. `unowed`: likewise of
    money that nobody owed: it was to go back, and by that it has."""

    amounts: tuple[tuple[Taking, Money], ...] = ()
    unowed: tuple[tuple[Taking, Money], ...] = ()

    @property
    def together(self) -> "TakenBack":
        """The same without a difference whether it was owed."""
        return TakenBack((*self.amounts, *self.unowed)) if self.unowed else self

    def own(self, payment: Payment) -> "TakenBack":
        """What to tell with this payment; of money that nobody owed only where all of it was."""
        return self.together if payment.surplus else self

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

    def of_surplus(self, payment: Payment) -> Money:
        """What is booked as taken by banks of money that nobody owed."""
        currency = payment.amount.currency
        return Money(
            sum(amount.minor for _, amount in self.unowed if amount.currency == currency), currency
        )

    def refunded_of(self, payment: Payment) -> Money:
        """What refunds gave the payer back of this payment; of money that nobody owed only where
        all of it was that: else it is some other charge's."""
        surplus = payment.surplus_returned_minor - self.of_surplus(payment).minor
        return Money(
            payment.refunded.minor + (surplus if payment.surplus else 0), payment.amount.currency
        )

    def all_refunded_of(self, payment: Payment) -> Money:
        """All that refunds gave the payer back: what banks took is not in it."""
        everything = Money(payment.handed_back_minor, payment.amount.currency)
        return everything - self.of_surplus(payment)


NOTHING_TAKEN = TakenBack()


def taken_back(disputes: Iterable[Dispute], attempts: Iterable[Attempt]) -> TakenBack:
    """What these disputes and returns of one payment come to."""
    surplus = {one.id for one in attempts if one.surplus}
    found = list(disputes)
    return TakenBack(
        _sums(one for one in found if one.attempt_id not in surplus),
        _sums(one for one in found if one.attempt_id in surplus),
    )


def _sums(disputes: Iterable[Dispute]) -> tuple[tuple[Taking, Money], ...]:
    sums: dict[tuple[Taking, str], int] = {}
    for one in disputes:
        for amount in (one.taken, *one.abroad):
            if amount.minor:
                key = _taking(one), amount.currency
                sums[key] = sums.get(key, 0) + amount.minor
    found = [(taking, Money(minor, currency)) for (taking, currency), minor in sums.items()]
    order = list(Taking)
    return tuple(sorted(found, key=lambda one: (order.index(one[0]), one[1].currency)))


def _taking(one: Dispute) -> Taking:
    if one.is_return:
        return Taking.CHARGE_RETURNED
    # Won, and the money not back yet, or not all of it: the bank still has it.
    return Taking.DISPUTED if one.is_open or one.status in NOT_LOST else Taking.DISPUTE_LOST
