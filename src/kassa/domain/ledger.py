"""Double entry: which postings each movement of money makes; every posting sums to zero.

Amounts are signed minor units: debits positive, credits negative.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kassa.domain.money import Money


class PostingKind(StrEnum):
    CAPTURE = "capture"  # a payer's money became the merchant's
    SURPLUS = "surplus"  # money that nobody owed arrived and must go back
    TOP_UP = "top_up"  # a wallet user's balance grew


@dataclass(frozen=True, slots=True)
class Entry:
    """One leg: `minor` is positive for a debit of `account`, negative for a credit."""

    account: str
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One movement of money, in one currency. `payment_id` is empty where no payment moved."""

    company_id: str
    id: str
    kind: PostingKind
    currency: str
    entries: tuple[Entry, ...]
    payment_id: str
    at: datetime

    def __post_init__(self) -> None:
        if sum(entry.minor for entry in self.entries) != 0 or len(self.entries) < 2:
            raise ValueError(f"unbalanced posting {self.kind}: {self.entries}")


def provider_account(connector: str) -> str:
    """What a provider has collected for us and still owes (an asset)."""
    return f"provider:{connector}"


def merchant_account(business_id: str) -> str:
    """What we owe a business for its captured payments (a liability)."""
    return f"merchant:{business_id}"


def wallet_account(user_id: str) -> str:
    """A wallet user's balance (a liability: credits make it grow)."""
    return f"wallet:{user_id}"


CASH_ACCOUNT = "cash"  # coins, notes and checks at the counter (an asset)
SURPLUS_ACCOUNT = "surplus"  # money to be given back (a liability)
FUNDING_ACCOUNT = "wallet_funding"  # where topped-up balances came from (an asset)


def move(debit: str, credit: str, amount: Money) -> tuple[Entry, Entry]:
    """The two legs that move `amount` from `credit` to `debit`."""
    return Entry(debit, amount.minor), Entry(credit, -amount.minor)


def balance_changes(postings: Sequence[Posting]) -> dict[tuple[str, str, str], int]:
    """By (company, account, currency): how much each wallet balance grows, in minor units."""
    changes: dict[tuple[str, str, str], int] = defaultdict(int)
    for posting in postings:
        for entry in posting.entries:
            if entry.account.startswith("wallet:"):
                changes[posting.company_id, entry.account, posting.currency] -= entry.minor
    return dict(changes)
