"""Kinds of facts about bank transfers of another amount than was asked for; they are named in
`facts`."""

from dataclasses import dataclass
from typing import ClassVar

from kassa.base.domain.money import Money
from kassa.payments.domain.fact import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReceived(Fact):
    """A transfer brought a part of what is owed: it stays unapplied until the rest comes."""

    kind: ClassVar[str] = "transfer_received"
    attempt: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReversed(Fact):
    """Of what had come in part, the bank sent this much back."""

    kind: ClassVar[str] = "transfer_reversed"
    attempt: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOverpaid(Fact):
    """A transfer brought this much more than was owed: it has to go back."""

    kind: ClassVar[str] = "transfer_overpaid"
    attempt: str
    amount: Money
