"""What is done to a charge after it was made: captures, voids and refunds, one life for all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kassa.base.domain.copying import replace
from kassa.base.domain.lifecycle import (
    PENDING,
    ModificationKind,
    ModificationStatus,
    next_modification_status,
)
from kassa.base.domain.money import Money
from kassa.base.domain.query_schedule import next_question_ever
from kassa.payments.domain.payments import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Modification:
    """One capture, void or refund. `id` is the reference the provider hears.

    `attempt_id`: the charge it changes. `number`: 1 for the first of its payment.
    `surplus`: it gives back, or lets go of, what nobody owed. `is_last`: after this capture,
    what is still reserved is let go. `request_id` within `request_scope`: the caller's own id
    of it, and `fingerprint` what was asked under that. `fee_minor`: what the provider charged.
    `undecided_since`: as in Attempt. `notify_url`: where its own outcome is told, beside the
    payment's address; "" for nowhere.
    """

    company_id: str
    id: str
    payment_id: str
    attempt_id: str
    number: int
    kind: ModificationKind
    status: ModificationStatus
    amount: Money
    connector: str
    surplus: bool = False
    is_last: bool = True
    reason: str = ""
    actor: str
    face: str = ""
    request_scope: str = ""
    request_id: str | None = None
    fingerprint: str = ""
    notify_url: str = ""
    provider_reference: str = ""
    fee_minor: int = 0
    failure_code: str = ""
    failure_message: str = ""
    query_count: int = 0
    next_query_at: datetime | None = None
    last_query_at: datetime | None = None
    undecided_since: datetime | None = None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    """What a face keeps to show again; no rule reads it."""

    @property
    def is_made_there(self) -> bool:
        """Whether somebody made it at the provider, and not by us: the provider does not know it
        by our reference."""
        return self.request_scope == made_there(self.connector)

    @property
    def is_asked_about(self) -> bool:
        """Whether its provider may tell more of it: its outcome, or that it came back."""
        return self.is_open or (
            self.status is ModificationStatus.SUCCEEDED and self.next_query_at is not None
        )

    @property
    def is_open(self) -> bool:
        return self.status in PENDING

    def next_query(self, now: datetime) -> datetime:
        """When to go on with it, or ask the provider again; while it is open that never ends."""
        return next_question_ever(self.undecided_since or self.created_at, now, self.id)

    def become(self, status: ModificationStatus) -> "Modification":
        """This modification in another status.

        Raises: IllegalTransition.
        """
        return replace(self, status=next_modification_status(self.status, status))


def is_reserved_surplus(attempt: Attempt, modifications: Mapping[str, Modification]) -> bool:
    """Whether the attempt had only reserved what nobody owed: no money came by that alone."""
    return attempt.surplus and any(
        item.surplus and item.kind is ModificationKind.VOID and item.attempt_id == attempt.id
        for item in modifications.values()
    )


def claimed_surplus(attempt: Attempt, modifications: Mapping[str, Modification]) -> int:
    """How much of such a reservation was captured at the provider, in minor units."""
    return sum(
        item.amount.minor
        for item in modifications.values()
        if item.surplus
        and item.kind is ModificationKind.CAPTURE
        and item.attempt_id == attempt.id
        and item.status is ModificationStatus.SUCCEEDED
    )


def went_back(attempt: Attempt, modifications: Mapping[str, Modification]) -> Money:
    """What was given back of this charge, or may be on its way."""
    minor = sum(
        item.amount.minor
        for item in modifications.values()
        if item.kind is ModificationKind.REFUND
        and item.attempt_id == attempt.id
        and item.status is not ModificationStatus.FAILED
    )
    return Money(minor, attempt.amount.currency)


def made_there(connector: str) -> str:
    """The scope of changes that were made at the provider: the request id in it is the provider's
    own name of the change, so that none is booked twice."""
    return f"at:{connector}"
