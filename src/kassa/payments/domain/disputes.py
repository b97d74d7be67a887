"""Disputes: a payer's bank takes money back, and what becomes of that."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money

STAGES = list(DisputeStage)


class DisputeEffect(StrEnum):
    """What a step of a dispute does to the money."""

    WITHDRAWN = "withdrawn"
    RETURNED = "returned"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """One dispute of one payment; `provider_reference` names it at the provider.

    `withdrawn`: the money and the fee have left the provider account (from a chargeback on,
    until it is won). `double_paid_minor`: how much of it had been refunded before.
    `respond_by`: until when evidence may be sent.
    """

    company_id: str
    id: str
    payment_id: str
    attempt_id: str
    number: int
    connector: str
    provider_reference: str
    stage: DisputeStage
    status: DisputeStatus
    reason: str
    amount: Money
    fee: Money
    withdrawn: bool = False
    double_paid_minor: int = 0
    respond_by: datetime | None = None
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
