"""The payment and its attempts: what one payer owes for one order, and each try to collect it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from kassa.base.domain.copying import replace
from kassa.base.domain.lifecycle import (
    FUNDS_MOVED,
    OPEN,
    UNDECIDED,
    AttemptStatus,
    PaymentStatus,
    next_attempt_status,
)
from kassa.base.domain.money import Money
from kassa.base.domain.query_schedule import next_question, next_question_ever
from kassa.orders.domain.orders import Module


class Method(StrEnum):
    """How a payer pays; an open set on the wire, this one inside."""

    CREDIT_CARD = "credit_card"
    WALLET = "wallet"
    ALIPAY = "alipay"
    EWALLET = "ewallet"  # a wallet that somebody else runs
    UPI = "upi"
    NET_BANKING = "net_banking"
    BANK_TRANSFER = "bank_transfer"
    CASH = "cash"
    CHECK = "check"


class CaptureMethod(StrEnum):
    """When reserved funds are claimed."""

    AUTOMATIC = "automatic"  # at once, with the charge
    MANUAL = "manual"  # only when the merchant says so


OFFLINE = frozenset({Method.CASH, Method.CHECK, Method.BANK_TRANSFER})
"""Methods whose money comes past us, over the counter or to the bank: recorded by staff, never
sent to a provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment. `version` counts its changes; event number n made version n.

    `number`: the small integer alias that the checkout face shows, when it has one.
    `surplus`: its captured money was not owed by anybody (it came late, or the order was paid).
    `surplus_amount`: everything this payment's attempts brought in that must go back;
    `surplus_returned_minor` of it went back, `surplus_reserved_minor` is on its way.
    `authorized` = `captured` + `released_minor` + what is still reserved at the provider.
    `refund_reserved`: in refunds whose outcome is open; `disputed_minor`: taken back by banks.
    `double_paid_minor`: what left twice, by a refund and by a dispute.
    `settled_minor`: how much of `captured` a settlement report has confirmed.
    `unapplied_minor`: what came of it by bank transfer while more is owed: nobody's yet.
    `fee`: what the provider charges for this payment, refunds and disputes included;
    `expected_fee_minor` by the fee schedule; `fee_known`: the charge's is the provider's figure.
    `authorization_expires_at`: when the provider lets go of what is reserved.
    `modifications`, `disputes`: how many there are.
    `request_scope`, `request_id`, `notify_*` and `face` are its order's, kept once, there.
    `payer`: the customer who opened it, or whom the request named.
    `instrument`: what paid it, masked: a card's last digits, a wallet user.
    `retry_allowed`: whether another attempt may follow a failed one (not where F is for ever).
    """

    company_id: str
    id: str
    order_id: str
    business_id: str
    amount: Money
    status: PaymentStatus
    method: Method | None
    module: Module
    authorized: Money
    captured: Money
    refunded: Money
    refund_reserved: Money
    fee: Money
    surplus: bool = False
    surplus_amount: Money
    released_minor: int = 0
    surplus_returned_minor: int = 0
    surplus_reserved_minor: int = 0
    disputed_minor: int = 0
    double_paid_minor: int = 0
    settled_minor: int = 0
    unapplied_minor: int = 0
    expected_fee_minor: int = 0
    fee_known: bool = False
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    authorization_expires_at: datetime | None = None
    modifications: int = 0
    disputes: int = 0
    retry_allowed: bool = True
    payer: str = ""
    subject: str = ""
    description: str = ""
    number: int | None = None
    face: str
    request_scope: str = ""
    request_id: str | None = None
    notify_kind: str = ""
    notify_url: str = ""
    connector: str = ""
    provider_reference: str = ""
    instrument: str = ""
    redirect_url: str = ""
    redirect_expires_at: datetime | None = None
    failure_code: str = ""
    failure_message: str = ""
    created_at: datetime
    updated_at: datetime
    captured_at: datetime | None = None
    expires_at: datetime
    version: int = 1
    extra: dict[str, Any] = field(default_factory=dict)
    """What faces and use cases keep of what was asked; no rule reads it. Account numbers in it are
    masked, but the one that a transfer is to be paid to."""

    @property
    def is_open(self) -> bool:
        """Whether a payer may choose how to pay it now."""
        return self.status in OPEN or (self.status is PaymentStatus.FAILED and self.retry_allowed)

    @property
    def is_paid(self) -> bool:
        return self.status in FUNDS_MOVED

    @property
    def held(self) -> Money:
        """What is reserved and neither claimed nor let go."""
        held = self.authorized.minor - self.captured.minor - self.released_minor
        return Money(0 if self.surplus else held, self.amount.currency)

    @property
    def refundable(self) -> Money:
        """What a merchant may still give back; surplus goes back on its own."""
        left = 0 if self.surplus else max(0, self.captured.minor - self.gone_minor)
        return Money(left, self.amount.currency)

    @property
    def gone_minor(self) -> int:
        """What left the merchant again, or may be leaving, by refunds and disputes."""
        return self.refunded.minor + self.refund_reserved.minor + self.disputed_minor

    def recounted(self) -> "Payment":
        """With `double_paid_minor` as the other figures say. Only a dispute makes it grow, or a
        refund at the provider of what a bank had taken back."""
        twice = max(0, self.gone_minor - self.captured.minor)
        return replace(self, double_paid_minor=twice + max(0, -self.surplus_left.minor))

    @property
    def unapplied(self) -> Money:
        return Money(self.unapplied_minor, self.amount.currency)

    @property
    def missing(self) -> Money:
        """What has to come yet, by transfer, for it to be paid."""
        return self.amount - self.unapplied

    @property
    def surplus_left(self) -> Money:
        """Surplus that nothing is giving back yet; below zero what has left twice of it."""
        gone = self.surplus_returned_minor + self.surplus_reserved_minor
        return Money(self.surplus_amount.minor - gone, self.amount.currency)

    @property
    def earned_minor(self) -> int:
        """What was captured for the merchant: not what nobody owed."""
        return 0 if self.surplus else self.captured.minor

    @property
    def handed_back_minor(self) -> int:
        """Refunds, and whatever of the surplus went back by them or by banks."""
        return self.refunded.minor + self.surplus_returned_minor

    @property
    def away_minor(self) -> int:
        """What is not there any more of what was captured, by refunds and by banks; of a payment
        that nobody owed, what went back of it in either way."""
        surplus = self.surplus_returned_minor if self.surplus else 0
        return self.refunded.minor + self.disputed_minor + surplus


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Which payments of a list are wanted; what is empty or None narrows nothing."""

    order_ids: Sequence[str] = ()
    statuses: Sequence[PaymentStatus] = ()
    business_ids: Sequence[str] = ()
    created_from: datetime | None = None
    created_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to collect at one provider. `id` is the reference the provider hears.

    `surplus`: its money was not owed by anybody. `undecided_since`: since when nobody knows what
    became of it, where that is not since it was made; the schedule of questions begins there.
    """

    company_id: str
    id: str
    payment_id: str
    number: int
    connector: str
    method: Method
    status: AttemptStatus
    amount: Money
    surplus: bool = False
    instrument: str = ""
    provider_reference: str = ""
    failure_code: str = ""
    failure_message: str = ""
    query_count: int = 0
    next_query_at: datetime | None = None
    last_query_at: datetime | None = None
    undecided_since: datetime | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def is_transfer(self) -> bool:
        """Whether only a bank's statement tells what became of it."""
        return self.method is Method.BANK_TRANSFER

    def next_query(self, now: datetime) -> datetime | None:
        """When to ask the provider again. What is undecided always has a next time; for what was
        left behind it is None once the schedule is through."""
        plan = next_question_ever if self.status in UNDECIDED else next_question
        return plan(self.undecided_since or self.created_at, now, self.id)

    def become(self, status: AttemptStatus) -> "Attempt":
        """This attempt in another status.

        Raises: IllegalTransition.
        """
        return replace(self, status=next_attempt_status(self.status, status))
