"""What lists tell of a payment: so little that a page of hundreds makes nothing nobody reads."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.orders.domain.orders import Module
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Method
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack


class Summary(NamedTuple):
    """A payment with who it is for and what became of its money, in minor units of `currency`; the
    words are those of Payment.

    `modifications`, `disputes`: how many there are. From `with_money_afterwards` only: `refunds`
    that are done, oldest first; `surplus_fee_minor`, what the provider kept of money that nobody
    owed; and `taken`, what banks have of it.
    """

    company_id: str
    id: str
    business_id: str
    order_id: str
    customer_id: str
    customer_name: str
    method: Method | None
    status: PaymentStatus
    module: Module
    currency: str
    amount_minor: int
    captured_minor: int
    fee_minor: int
    refunded_minor: int
    disputed_minor: int
    surplus: bool
    surplus_minor: int
    surplus_returned_minor: int
    unapplied_minor: int
    modifications: int
    disputes: int
    created_at: datetime
    updated_at: datetime
    personal: str = ""
    personal_key: str = ""
    refunds: Sequence[Modification] = ()
    surplus_fee_minor: int = 0
    taken: TakenBack = NOTHING_TAKEN

    @property
    def earned_minor(self) -> int:
        """What was captured for the merchant: not what nobody owed."""
        return 0 if self.surplus else self.captured_minor

    @property
    def handed_back_minor(self) -> int:
        """Refunds, and whatever of the surplus went back by them or by banks."""
        return self.refunded_minor + self.surplus_returned_minor

    @property
    def back_minor(self) -> int:
        """What refunds gave the payer back of this payment; of money that nobody owed only where
        all of it was that: else it is some other charge's."""
        return self.returned_minor if self.surplus else self.refunded_minor

    @property
    def returned_minor(self) -> int:
        """What refunds gave back, also of what nobody owed."""
        return sum(one.amount.minor for one in self.refunds) if self.refunds else 0

    @property
    def by_banks_minor(self) -> int:
        """What banks took back, also of what nobody owed."""
        return self.disputed_minor + self.handed_back_minor - self.returned_minor

    @property
    def net_minor(self) -> int:
        """What the payment comes to in its settlements; below zero where more left than came."""
        came = self.earned_minor + self.surplus_minor
        went = self.handed_back_minor + self.disputed_minor
        return came - went - self.fee_minor - self.surplus_fee_minor
