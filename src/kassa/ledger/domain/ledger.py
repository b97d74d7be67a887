"""Double entry: which postings each movement of money makes; every posting sums to zero.

Amounts are signed minor units: debits positive, credits negative.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kassa.base.domain.money import CurrencyMismatch, Money


class PostingKind(StrEnum):
    AUTHORIZE = "authorize"  # a payer's funds were reserved for the merchant
    RELEASE = "release"  # what was reserved and not claimed was let go
    RECEIPT = "receipt"  # a part of an expected transfer came
    RECEIPT_REVERSAL = "receipt_reversal"  # and went back, before the rest came
    CAPTURE = "capture"  # a payer's money became the merchant's
    REFUND = "refund"  # the merchant's money went back to the payer
    REFUND_REVERSAL = "refund_reversal"  # and came back: nobody could take it
    SURPLUS = "surplus"  # money that nobody owed arrived and must go back
    SURPLUS_RETURN = "surplus_return"  # and went back
    SURPLUS_RETURN_REVERSAL = "surplus_return_reversal"  # and came back likewise
    FEE = "fee"  # what a provider keeps for its work: expected, or its own figure
    FEE_ADJUSTMENT = "fee_adjustment"  # from the expected fee to the provider's own figure
    DISPUTE = "dispute"  # a bank took money back
    DISPUTE_REVERSAL = "dispute_reversal"  # and returned it: the dispute was won
    CHARGE_RETURN = "charge_return"  # a bank returned the charge itself, and nobody disputes it
    PAYOUT = "payout"  # a provider paid out to the bank
    PAYOUT_RETURN = "payout_return"  # the bank sent a payout back
    TRANSFER = "transfer"  # the bank's statement has a transfer that was recorded by hand
    EXCHANGE = "exchange"  # a provider settles in another currency than the payer paid in
    ADJUSTMENT = "adjustment"  # a difference that reconciliation found, put right by a person
    TOP_UP = "top_up"  # a wallet user's balance grew


@dataclass(frozen=True, slots=True)
class Entry:
    """One leg: `minor` is positive for a debit of `account`, negative for a credit."""

    account: str
    minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One movement of money, in one currency. `payment_id` is empty where no payment moved.

    `cause`: the attempt, modification, dispute, settlement or break that it is booked for.
    """

    company_id: str
    id: str
    kind: PostingKind
    currency: str
    entries: tuple[Entry, ...]
    payment_id: str
    cause: str = ""
    at: datetime

    def __post_init__(self) -> None:
        if sum(entry.minor for entry in self.entries) != 0 or len(self.entries) < 2:
            raise ValueError(f"unbalanced posting {self.kind}: {self.entries}")
        for entry in self.entries:
            if entry.currency != self.currency:
                raise CurrencyMismatch(f"a {self.kind} in {self.currency} moves {entry}")


def provider_account(connector: str) -> str:
    """What a provider has collected for us and still owes (an asset)."""
    return f"provider:{connector}"


def merchant_account(business_id: str) -> str:
    """What we owe a business for its captured payments (a liability)."""
    return f"merchant:{business_id}"


def wallet_account(user_id: str) -> str:
    """A wallet user's balance (a liability: credits make it grow)."""
    return f"wallet:{user_id}"


def reserved_account(connector: str) -> str:
    """What a provider has reserved on payers' cards for us: a claim, not money (an asset)."""
    return f"reserved:{connector}"


def held_account(business_id: str) -> str:
    """What is reserved for a business and not yet claimed (a liability)."""
    return f"held:{business_id}"


CASH_ACCOUNT = "cash"  # coins, notes and checks at the counter (an asset)
TRANSIT_ACCOUNT = "transit"  # bank transfers that no statement has confirmed yet (an asset)
BANK_ACCOUNT = "bank"  # what providers have paid out, and transfers brought (an asset)
SURPLUS_ACCOUNT = "surplus"  # money to be given back (a liability)
UNAPPLIED_ACCOUNT = "unapplied"  # what transfers brought of payments not yet paid (a liability)
FEE_INCOME_ACCOUNT = "fee_income"  # what this gateway's own wallet and counter charge (income)
FEE_EXPENSE_ACCOUNT = "fee_expense"  # fees on money that no merchant got (an expense)
SUSPENSE_ACCOUNT = "suspense"  # differences that reconciliation found and nobody explained yet
EXCHANGE_ACCOUNT = "exchange"  # what providers changed: out of one currency, into another
FUNDING_ACCOUNT = "wallet_funding"  # where topped-up balances came from (an asset)


def move(debit: str, credit: str, amount: Money) -> tuple[Entry, Entry]:
    """The two legs that move `amount` from `credit` to `debit`."""
    currency = amount.currency
    return Entry(debit, amount.minor, currency), Entry(credit, -amount.minor, currency)


def balance_changes(postings: Sequence[Posting]) -> dict[tuple[str, str, str], int]:
    """By (company, account, currency): how much each wallet balance grows, in minor units."""
    changes: dict[tuple[str, str, str], int] = defaultdict(int)
    for posting in postings:
        for entry in posting.entries:
            if entry.account.startswith("wallet:"):
                changes[posting.company_id, entry.account, posting.currency] -= entry.minor
    return dict(changes)


def wallet_spending(postings: Sequence[Posting]) -> dict[tuple[str, str, str], int]:
    """By (company, account, currency): how much users spent or had reserved, in minor units."""
    spent: dict[tuple[str, str, str], int] = defaultdict(int)
    for posting in postings:
        if posting.kind in (PostingKind.CAPTURE, PostingKind.AUTHORIZE):
            for entry in posting.entries:
                if entry.account.startswith("wallet:") and entry.minor > 0:
                    spent[posting.company_id, entry.account, posting.currency] += entry.minor
    return dict(spent)


@dataclass(frozen=True, slots=True)
class Flow:
    """One way that money goes: a posting of `kind` may debit and credit accounts of these classes.

    An account's class is its name before the colon.
    """

    kind: PostingKind
    debit: str
    credit: str


_K = PostingKind
ADJUSTABLE = (
    "provider",
    "merchant",
    "cash",
    "transit",
    "bank",
    "surplus",
    "unapplied",
    "fee_income",
    "fee_expense",
    "suspense",
)
"""Between any two of these a person may put a difference right."""

# fmt: off
FLOWS: Sequence[Flow] = (
    Flow(_K.AUTHORIZE,        "reserved",       "held"),
    Flow(_K.AUTHORIZE,        "wallet",         "held"),
    Flow(_K.RELEASE,          "held",           "reserved"),
    Flow(_K.RELEASE,          "held",           "wallet"),
    Flow(_K.CAPTURE,          "provider",       "merchant"),
    Flow(_K.CAPTURE,          "wallet",         "merchant"),
    Flow(_K.CAPTURE,          "cash",           "merchant"),
    Flow(_K.CAPTURE,          "transit",        "merchant"),
    Flow(_K.RECEIPT,          "transit",        "unapplied"),
    Flow(_K.RECEIPT_REVERSAL, "unapplied",      "transit"),
    Flow(_K.CAPTURE,          "unapplied",      "merchant"),  # of what had come in part
    Flow(_K.CAPTURE,          "held",           "merchant"),  # of what was reserved,
    Flow(_K.CAPTURE,          "provider",       "reserved"),  # with this in the same posting
    Flow(_K.REFUND,           "merchant",       "provider"),
    Flow(_K.REFUND,           "merchant",       "wallet"),
    Flow(_K.REFUND,           "merchant",       "cash"),
    Flow(_K.REFUND,           "merchant",       "transit"),
    Flow(_K.REFUND_REVERSAL,  "provider",       "merchant"),
    Flow(_K.SURPLUS,          "provider",       "surplus"),
    Flow(_K.SURPLUS,          "wallet",         "surplus"),
    Flow(_K.SURPLUS,          "cash",           "surplus"),
    Flow(_K.SURPLUS,          "transit",        "surplus"),
    Flow(_K.SURPLUS,          "unapplied",      "surplus"),
    Flow(_K.SURPLUS_RETURN,   "surplus",        "provider"),
    Flow(_K.SURPLUS_RETURN,   "surplus",        "wallet"),
    Flow(_K.SURPLUS_RETURN,   "surplus",        "cash"),
    Flow(_K.SURPLUS_RETURN,   "surplus",        "transit"),
    Flow(_K.SURPLUS_RETURN_REVERSAL, "provider", "surplus"),
    Flow(_K.FEE,              "merchant",       "provider"),
    Flow(_K.FEE,              "merchant",       "fee_income"),
    Flow(_K.FEE,              "fee_expense",    "provider"),
    # The provider's own figure is more than what was expected, or less.
    Flow(_K.FEE_ADJUSTMENT,   "merchant",       "provider"),
    Flow(_K.FEE_ADJUSTMENT,   "provider",       "merchant"),
    Flow(_K.FEE_ADJUSTMENT,   "fee_expense",    "provider"),
    Flow(_K.FEE_ADJUSTMENT,   "provider",       "fee_expense"),
    Flow(_K.FEE_ADJUSTMENT,   "merchant",       "bank"),  # what the bank kept of a transfer
    Flow(_K.FEE_ADJUSTMENT,   "bank",           "merchant"),
    Flow(_K.FEE_ADJUSTMENT,   "fee_expense",    "bank"),
    Flow(_K.FEE_ADJUSTMENT,   "bank",           "fee_expense"),
    Flow(_K.DISPUTE,          "merchant",       "provider"),
    Flow(_K.DISPUTE,          "surplus",        "provider"),  # of what nobody owed
    Flow(_K.DISPUTE_REVERSAL, "provider",       "merchant"),
    Flow(_K.DISPUTE_REVERSAL, "provider",       "surplus"),
    Flow(_K.CHARGE_RETURN,    "merchant",       "provider"),
    Flow(_K.CHARGE_RETURN,    "surplus",        "provider"),
    Flow(_K.CHARGE_RETURN,    "merchant",       "transit"),  # the bank reversed a transfer
    Flow(_K.CHARGE_RETURN,    "surplus",        "transit"),
    # The other way round where a provider takes in what a settlement came to below zero.
    Flow(_K.PAYOUT,           "bank",           "provider"),
    Flow(_K.PAYOUT,           "provider",       "bank"),
    Flow(_K.PAYOUT_RETURN,    "provider",       "bank"),
    Flow(_K.PAYOUT_RETURN,    "bank",           "provider"),
    Flow(_K.TRANSFER,         "bank",           "transit"),
    Flow(_K.TRANSFER,         "transit",        "bank"),  # one that was given back
    Flow(_K.EXCHANGE,         "exchange",       "provider"),  # in the payer's currency,
    Flow(_K.EXCHANGE,         "provider",       "exchange"),  # with this in the settlement's
    Flow(_K.TOP_UP,           "wallet_funding", "wallet"),
    *(Flow(_K.ADJUSTMENT, debit, credit) for debit in ADJUSTABLE for credit in ADJUSTABLE),
)
# fmt: on


def account_class(account: str) -> str:
    """What kind of account it is: "merchant" for "merchant:biz_1"."""
    return account.partition(":")[0]


def strays(posting: Posting) -> list[str]:
    """The moves of a posting that FLOWS does not have: its legs come in pairs, a debit and a credit
    of the same amount.

    A posting that goes the known ways has none.
    """
    known = {(flow.debit, flow.credit) for flow in FLOWS if flow.kind is posting.kind}
    wrong = []
    for pair in zip(posting.entries[::2], posting.entries[1::2], strict=False):
        credit, debit = sorted(pair, key=lambda entry: entry.minor)
        way = account_class(debit.account), account_class(credit.account)
        if way not in known or debit.minor <= 0 or debit.minor != -credit.minor:
            wrong.append(f"{posting.kind}: {way[0]} to {way[1]}")
    return wrong if len(posting.entries) % 2 == 0 else [*wrong, f"{posting.kind}: an odd leg"]
