"""What a provider's or a bank's report says, line by line, whatever format it came in."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kassa.base.domain.money import Money


class LineKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"  # a bank took money back
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
    occurred_at: datetime | None = None
    raw: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line that could not be understood: kept aside, and the import goes on."""

    number: int
    reason: str
    raw: dict[str, str] = field(default_factory=dict)
