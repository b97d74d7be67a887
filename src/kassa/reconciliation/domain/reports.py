"""What a provider's or a bank's report says, line by line, whatever format it came in."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from kassa.base.domain.money import Money


class LineKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_REVERSAL = "refund_reversal"  # a refund came back
    DISPUTE = "dispute"  # a bank took money back, or returned the charge
    DISPUTE_REVERSAL = "dispute_reversal"  # and returned it
    FEE = "fee"  # a charge of the provider that belongs to no single movement
    PAYOUT = "payout"  # money that went to, or arrived at, the bank account
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One line. `number`: its place in the file, from 1.

    `our_reference`: what we sent with the operation (an attempt's or a modification's id), or the
    merchant's order id; `provider_reference`: the provider's id of what it did;
    `payout_reference`: the payout that the line is part of, or is. Empty where the file is silent.
    `texts`: whatever else stands in it that may name what it is about, in its own words.
    `account`: whose statement it is, where a file may be of several; `marks`: what the file says to
    tell the line from others of that account, day and amount, where its references do not.
    `presented`: what the payer paid or got back, where that was in another currency than `amount`,
    with the same sign.
    `amount`: gross, seen from the provider account: positive came in, negative went out.
    `fee`: what the provider kept of it, positive. `raw`: the line's own words, for a person.
    """

    number: int
    kind: LineKind
    amount: Money
    fee: Money
    our_reference: str = ""
    provider_reference: str = ""
    payout_reference: str = ""
    texts: tuple[str, ...] = ()
    presented: Money | None = None
    account: str = ""
    marks: tuple[str, ...] = ()
    occurred_at: datetime | None = None
    raw: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The same for the same line in another file, and for lines that nothing tells apart; ""
        where it says too little of itself."""
        names = self.marks or (self.our_reference, self.provider_reference, self.payout_reference)
        if self.occurred_at is None and not any(names):
            return ""
        day = "" if self.occurred_at is None else f"{self.occurred_at:%Y-%m-%d}"
        parts = (self.kind, self.account, day, str(self.amount), str(self.fee), *names)
        return sha256("\x1f".join(parts).encode()).hexdigest()[:40]

    @property
    def is_marked(self) -> bool:
        """Whether more than its day and amount tell it from others."""
        names = self.marks or (self.our_reference, self.provider_reference, self.payout_reference)
        return any(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line that could not be understood: kept aside, and the import goes on.

    `is_pending`: it was understood, and is not booked yet: nothing has moved.
    """

    number: int
    reason: str
    raw: dict[str, str] = field(default_factory=dict)
    is_pending: bool = False
