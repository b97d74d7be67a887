"""One entry of a payment's history: which fact, when, by whom, and on what evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kassa.base.domain.lifecycle import PaymentEvent, PaymentStatus
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.facts_written import written


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """As the database has it, of this release or an older one."""

    company_id: str
    payment_id: str
    seq: int
    event: PaymentEvent
    from_status: PaymentStatus | None
    to_status: PaymentStatus
    actor: str
    evidence: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEvent:
    """`seq` is the version of the payment that it made.

    `by`: how it became known: charge, query, notification, ledger, clock, … `answer`: the kept
    answer of a provider that decided it. `news`: the notification that told of it. `kept`: its
    evidence as the database has it, which the chain covers; None until it has been written.
    """

    company_id: str
    payment_id: str
    seq: int
    from_status: PaymentStatus | None
    to_status: PaymentStatus
    actor: str
    at: datetime
    fact: Fact
    by: str = ""
    answer: str = ""
    news: str = ""
    kept: Mapping[str, Any] | None = None

    @property
    def event(self) -> PaymentEvent:
        """The row of the transition table that it took."""
        return self.fact.move

    @property
    def evidence(self) -> dict[str, Any]:
        """The fact with what it rests on, as it is kept."""
        return self.told if self.kept is None else dict(self.kept)

    @property
    def told(self) -> dict[str, Any]:
        """The same as this release writes it, whichever release has written it."""
        said = written(self.fact)
        for name in PROVENANCE:
            if value := getattr(self, name):
                said[name] = value
        return said


PROVENANCE = ("by", "answer", "news")
"""What an event rests on; no fact has a member of such a name."""
