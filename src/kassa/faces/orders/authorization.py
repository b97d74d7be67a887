"""How a payment's reservation stands, and what was last done to it, in the seed's words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from kassa.base.domain.lifecycle import (
    CAPTURE_OR_VOID,
    ENDED,
    FUNDS_MOVED,
    ModificationStatus,
    PaymentStatus,
)
from kassa.faces.edge import utc_text
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import CaptureMethod, Payment

_S, _M = PaymentStatus, ModificationStatus

AUTHORIZATION: Mapping[PaymentStatus, tuple[str, str]] = {
    _S.CREATED: ("", ""),
    _S.REQUIRES_ACTION: ("", ""),
    _S.PROCESSING: ("capture", "pending"),
    _S.AUTHORIZED: ("authorize", "success"),
    _S.CAPTURED: ("capture", "success"),
    _S.SETTLED: ("capture", "success"),
    _S.CANCELED: ("", ""),
    _S.FAILED: ("capture", "failed"),
    _S.EXPIRED: ("", ""),
}
"""action and status where no capture or void was asked for: empty where no provider is, or has
been, asked to act."""

CLAIM_STATUS: Mapping[ModificationStatus, str] = {
    _M.REQUESTED: "pending",
    _M.PROCESSING: "pending",
    _M.SUCCEEDED: "success",
    _M.FAILED: "failed",
}
"""status of a capture or void."""


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """A time that has not come is null; text that there is none of is empty."""

    action: str
    status: str
    captured_amount: Decimal
    start_time: str | None
    end_time: str | None
    approve_by: str
    action_reference: str
    action_time: str | None


def last_claim(payment: Payment, modifications: Sequence[Modification]) -> Modification | None:
    """The newest capture or void that was asked for.

    `modifications`: of any payments, oldest first.
    """
    for item in reversed(modifications):
        if item.payment_id == payment.id and item.kind in CAPTURE_OR_VOID and not item.surplus:
            return item
    return None


def write_authorization(payment: Payment, claim: Modification | None) -> Authorization:
    """`claim`: the capture or void to tell of, if there is one."""
    action, status = _words(payment, claim)
    reference, acted_at = payment.provider_reference, ended_at(payment) if action else None
    if claim is not None:
        reference = claim.provider_reference or claim.id
        acted_at = claim.completed_at or claim.created_at
    return Authorization(
        action=action,
        status=status,
        captured_amount=payment.captured.major,
        start_time=utc_text(payment.created_at) if action else None,
        end_time=optional(_end(payment, claim)) if action else None,
        approve_by=utc_text(payment.authorization_expires_at or payment.expires_at),
        action_reference=reference,
        action_time=optional(acted_at),
    )


def _words(payment: Payment, claim: Modification | None) -> tuple[str, str]:
    if claim is not None:
        return claim.kind.value, CLAIM_STATUS[claim.status]
    if payment.released_minor and payment.status in ENDED:
        return "void", "success"
    action, status = AUTHORIZATION[payment.status]
    manual = payment.capture_method is CaptureMethod.MANUAL
    if action and manual and payment.status not in FUNDS_MOVED:
        action = "authorize"
    return action, status


def _end(payment: Payment, claim: Modification | None) -> datetime | None:
    """When the reservation ended; while it lasts, when it will."""
    if payment.held.minor:
        return payment.authorization_expires_at
    if claim is not None and claim.status is _M.SUCCEEDED:
        return claim.completed_at
    return ended_at(payment)


def ended_at(payment: Payment) -> datetime | None:
    """When it was decided; for what ended without funds, that was its last change."""
    if payment.captured_at is not None:
        return payment.captured_at
    return payment.updated_at if payment.status in ENDED else None


def optional(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)
