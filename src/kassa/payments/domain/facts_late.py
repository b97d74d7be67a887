"""Kinds of facts about what providers tell late, or did beside us; they are named in `facts`."""

from dataclasses import dataclass
from typing import ClassVar

from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.payments.domain.fact import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReversed(Fact):
    """A refund that was done came back: the payer never got it, and the money is with us again.

    `surplus`: it had given back what nobody owed.
    """

    kind: ClassVar[str] = "refund_reversed"
    modification: str
    amount: Money
    surplus: bool = False
    reference: str = ""
    code: str = ""
    message: str = ""
    provider_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeReturned(Fact):
    """The payer's bank returned the charge itself, after it was captured: nobody disputes it.

    `dispute`: the row that keeps it. `called_off`, `left_twice_minor`: as in DisputeMoved.
    """

    kind: ClassVar[str] = "charge_returned"
    dispute: str
    attempt: str
    number: int
    amount: Money
    reference: str = ""
    code: str = ""
    message: str = ""
    provider_code: str = ""
    left_twice_minor: int = 0
    called_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAtProvider(Fact):
    """A capture or refund of our charge that was made at the provider and not by us; `reference`
    is its name there. Its amount counts as reserved until the fact after this one."""

    kind: ClassVar[str] = "found_at_provider"
    modification: str
    attempt: str
    number: int
    what: ModificationKind
    amount: Money
    reference: str
    surplus: bool = False
    is_last: bool = True
