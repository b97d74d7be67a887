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
    occurred_at: datetime | None = None
    raw: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line that could not be understood: kept aside, and the import goes on."""

    number: int
    reason: str
    raw: dict[str, str] = field(default_factory=dict)


class BreakClass(StrEnum):
    """What is wrong between a report and our books."""

    MISSING_OURS = "missing_ours"  # they report what we do not know
    MISSING_THEIRS = "missing_theirs"  # we booked what they never reported
    AMOUNT = "amount"
    CURRENCY = "currency"
    STATUS = "status"  # they say paid, we say otherwise
    DUPLICATE = "duplicate"  # the same movement reported twice
    FEE = "fee"  # the fee is not what was expected
    LATE = "late"  # reported long after it happened
    REFUND_MISSING = "refund_missing"  # they report a refund that we do not know
    WRONG_ACCOUNT = "wrong_account"  # it belongs to another provider account
    TEST_IN_LIVE = "test_in_live"  # a sandbox movement in a live report, or the reverse
    UNREADABLE = "unreadable"
    DOUBLE_PAID = "double_paid"  # refunded, and taken back by a bank as well
    SURPLUS_STUCK = "surplus_stuck"  # money that nobody owed, and that cannot be given back
    UNDECIDED = "undecided"  # the provider has not said what became of it for a week
    UNKNOWN_NEWS = "unknown_news"  # a provider told of a charge or refund that nobody can find
