"""A refund as the orders interface shows it, with the names that Cashfree PG has for it."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from kassa.base.domain.lifecycle import ModificationStatus
from kassa.base.domain.money import Money
from kassa.faces.edge import utc_text
from kassa.faces.orders.authorization import optional
from kassa.faces.orders.changes import REFUND_SCOPE, asked_speed
from kassa.orders.domain.orders import Order
from kassa.payments.domain.modifications import Modification

_M = ModificationStatus
MERCHANT, AUTOMATIC = "MERCHANT_INITIATED", "PAYMENT_AUTO_REFUND"

REFUND_STATUS: Mapping[ModificationStatus, str] = {
    _M.REQUESTED: "PENDING",
    _M.PROCESSING: "PENDING",
    _M.SUCCEEDED: "SUCCESS",
    _M.FAILED: "CANCELLED",
}
"""refund_status: three of the four words that Cashfree's own clients can read."""

ON_HOLD = "ONHOLD"
"""The fourth: the provider moved another amount than it was asked to, and a person has to look."""

NO_INSTANT = "Not offered: it goes at the usual speed"

DESCRIPTION: Mapping[str, str] = {
    "PENDING": "The refund is on its way, or the provider has not said what became of it",
    "SUCCESS": "The money was given back to the payer",
    "CANCELLED": "The refund was refused, and its amount may be refunded anew",
    ON_HOLD: "The provider speaks of another amount; it is being looked into",
}
"""status_description, unless the provider gave a reason."""


class RefundSpeed(msgspec.Struct, frozen=True):
    requested: str
    accepted: str
    processed: str | None
    message: str


class RefundBody(msgspec.Struct, frozen=True, kw_only=True):
    """RefundEntity. Nothing is known of what is null."""

    cf_payment_id: str
    cf_refund_id: str
    order_id: str
    payment_id: str
    refund_id: str
    entity: str
    refund_amount: Decimal
    refund_currency: str
    refund_note: str
    refund_status: str
    refund_arn: str
    refund_charge: Decimal
    status_description: str
    metadata: None
    refund_splits: list[str]
    refund_type: str
    refund_mode: str
    created_at: str
    processed_at: str | None
    refund_speed: RefundSpeed
    charges_currency: str
    forex_conversion_rate: None
    forex_conversion_handling_charge: None
    forex_conversion_handling_tax: None


def write_refund(order: Order, refund: Modification) -> RefundBody:
    """`refund_id`: the merchant's own; ours where another interface, or Kassa, gave it back."""
    status = status_of(refund)
    done = refund.status is _M.SUCCEEDED
    currency = refund.amount.currency
    return RefundBody(
        cf_payment_id=refund.payment_id,
        cf_refund_id=refund.id,
        order_id=order.id,
        payment_id=refund.payment_id,
        refund_id=refund_id_of(refund),
        entity="refund",
        refund_amount=refund.amount.major,
        refund_currency=currency,
        refund_note=refund.reason,
        refund_status=status,
        refund_arn=refund.provider_reference,
        refund_charge=Money(refund.fee_minor, currency).major,
        status_description=refund.failure_message or DESCRIPTION[status],
        metadata=None,
        refund_splits=[],
        refund_type=AUTOMATIC if refund.surplus else MERCHANT,
        refund_mode="STANDARD",
        created_at=utc_text(refund.created_at),
        processed_at=optional(refund.completed_at) if done else None,
        refund_speed=RefundSpeed(
            requested=asked_speed(refund),
            accepted="STANDARD",
            processed="STANDARD" if done else None,
            message="" if asked_speed(refund) == "STANDARD" else NO_INSTANT,
        ),
        charges_currency=currency,
        forex_conversion_rate=None,
        forex_conversion_handling_charge=None,
        forex_conversion_handling_tax=None,
    )


def refund_id_of(refund: Modification) -> str:
    own = refund.request_scope == REFUND_SCOPE and refund.request_id is not None
    return refund.request_id if own and refund.request_id else refund.id


def status_of(refund: Modification) -> str:
    """refund_status."""
    held = refund.is_open and refund.failure_code == "amount_mismatch"
    return ON_HOLD if held else REFUND_STATUS[refund.status]
