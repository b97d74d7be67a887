"""Razorpay's disputes: what their words mean, and what has left for one.

Source: https://razorpay.com/docs/api/disputes/entity/
"""

from typing import Final

from kassa.base.domain.lifecycle import DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.razorpay.api import Entity, money, word

_STATUS: Final = {
    "open": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    "closed": DisputeStatus.CLOSED,
}
UNDECIDED: Final = frozenset({DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW})


def status_of(dispute: Entity) -> DisputeStatus | None:
    """None for a word that is not known."""
    return _STATUS.get(word(dispute, "status"))


def is_deducted(dispute: Entity) -> bool:
    """Of some accounts Razorpay deducts at once, of others what is lost."""
    deducted = money(dispute, "amount_deducted")
    return deducted is not None and deducted.minor > 0


def taken_by(dispute: Entity, status: DisputeStatus, amount: Money) -> Money:
    """What has left for it by now; of a lost one that names nothing, all of it."""
    deducted = money(dispute, "amount_deducted") or Money(0, amount.currency)
    if status is DisputeStatus.LOST:
        return deducted if deducted.minor > 0 else amount
    return deducted if status in UNDECIDED else Money(0, amount.currency)
