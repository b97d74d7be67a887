"""What every kind of fact has; the kinds themselves are in `facts`."""

from dataclasses import dataclass
from typing import ClassVar

from kassa.base.domain.lifecycle import PaymentEvent

IN_ROW = {"kept": False}
"""A member that its row keeps, and the event does not: long, or a person's own text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """`kind`, `version`: how it is named where it is kept; a changed meaning is a new version.

    `transition`: what it does to the payment's status, by the table in `lifecycle`.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    transition: ClassVar[PaymentEvent] = PaymentEvent.NOTE

    @property
    def move(self) -> PaymentEvent:
        """The row of the transition table that it takes."""
        return self.transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark(Fact):
    """Something worth keeping that changes nothing. What an older release wrote and nobody can
    read any more is told as one."""

    kind: ClassVar[str] = "remark"
    text: str = ""
