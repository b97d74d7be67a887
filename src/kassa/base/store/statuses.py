"""The statuses of base/domain/lifecycle.py as SQL: made once, at the start, never from outside.

Text and not parameters, because the planner takes a partial index only where it can read that the
query asks for nothing else.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from kassa.base.domain import lifecycle
from kassa.base.domain.lifecycle import (
    AgreementStatus,
    AttemptStatus,
    BreakStatus,
    CompanyStatus,
    CredentialStatus,
    DisputeKind,
    DisputeStage,
    DisputeStatus,
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PayeeStatus,
    PaymentEvent,
    PaymentStatus,
    PayoutStatus,
    SettlementStatus,
    StaffStatus,
    WalletUserStatus,
)

NOUNS: Mapping[str, type[StrEnum]] = {
    "order": OrderStatus,
    "payment": PaymentStatus,
    "attempt": AttemptStatus,
    "modification": ModificationStatus,
    "modification_kind": ModificationKind,
    "dispute": DisputeStatus,
    "dispute_stage": DisputeStage,
    "dispute_kind": DisputeKind,
    "settlement": SettlementStatus,
    "payout": PayoutStatus,
    "company": CompanyStatus,
    "credential": CredentialStatus,
    "payee": PayeeStatus,
    "wallet_user": WalletUserStatus,
    "staff": StaffStatus,
    "agreement": AgreementStatus,
    "break": BreakStatus,
}


def one(word: StrEnum) -> str:
    """`'captured'`."""
    return f"'{word.value}'"


def any_of(words: Collection[StrEnum]) -> str:
    """`('captured', 'settled')`, in the order of their enumeration."""
    kind = type(next(iter(words)))
    return f"({', '.join(one(word) for word in kind if word in words)})"


def _places() -> dict[str, str]:
    nouns = {kind: noun for noun, kind in NOUNS.items()}
    found = {f"{noun}.{word}": one(word) for noun, kind in NOUNS.items() for word in kind}
    found |= {f"event.{word}": one(word) for word in PaymentEvent}
    for name, words in vars(lifecycle).items():
        if isinstance(words, frozenset) and name.isupper() and not name.startswith("_"):
            found[f"{nouns[type(next(iter(words)))]}.{name.lower()}"] = any_of(words)
    return found


PLACES: Mapping[str, str] = _places()
"""What stands for `{payment.captured}`, or `{attempt.undecided}`, in a statement, and for
`{event.cancel}`, which the timeline has."""


def facts() -> Mapping[str, str]:
    """What stands for `{fact.order_canceled}`. Few statements name facts, of which there are many,
    and which take their time to import."""
    from kassa.payments.domain.facts import KINDS  # noqa: PLC0415

    return {f"fact.{fact.kind}": f"'{fact.kind}'" for fact in KINDS}
