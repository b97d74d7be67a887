"""What can happen to a payment: one small class for each kind of fact, and how they are kept.

A fact is decided once, under the lock, and never changes. State and money follow from facts in
`evolution` and nowhere else; words for people are made from them in `narration`. A fact is kept
with its `kind` and `version`; a member that is at its default is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus, ModificationKind, PaymentEvent
from kassa.base.domain.money import Money
from kassa.payments.domain.disputes import DisputeEffect
from kassa.payments.domain.fact import IN_ROW, Fact
from kassa.payments.domain.fact import Remark as Remark  # noqa: PLC0414 - one of the kinds
from kassa.payments.domain.facts_late import (
    ChargeReturned as ChargeReturned,  # noqa: PLC0414 - likewise
)
from kassa.payments.domain.facts_late import (
    FoundAtProvider as FoundAtProvider,  # noqa: PLC0414 - likewise
)
from kassa.payments.domain.facts_late import (
    RefundReversed as RefundReversed,  # noqa: PLC0414 - likewise
)
from kassa.payments.domain.facts_transfers import (
    TransferOverpaid as TransferOverpaid,  # noqa: PLC0414 - likewise
)
from kassa.payments.domain.facts_transfers import (
    TransferReceived as TransferReceived,  # noqa: PLC0414 - likewise
)
from kassa.payments.domain.facts_transfers import (
    TransferReversed as TransferReversed,  # noqa: PLC0414 - likewise
)
from kassa.payments.domain.payments import Method

_E = PaymentEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCreated(Fact):
    kind: ClassVar[str] = "payment_created"
    transition: ClassVar[PaymentEvent] = _E.CREATE
    face: str = ""
    order: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequested(Fact):
    """A merchant's server asked for it in one call, with these members of the payment."""

    kind: ClassVar[str] = "payment_requested"
    method: Method
    payer: str = field(default="", metadata=IN_ROW)
    extra: Mapping[str, Any] | None = field(default=None, metadata=IN_ROW)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOpened(Fact):
    """A customer opened it at the checkout. `number`: the one it is known by there."""

    kind: ClassVar[str] = "payment_opened"
    number: int = 0
    payer: str = field(default="", metadata=IN_ROW)
    subject: str = field(default="", metadata=IN_ROW)
    description: str = field(default="", metadata=IN_ROW)
    extra: Mapping[str, Any] | None = field(default=None, metadata=IN_ROW)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(Fact):
    """One dispatched attempt. `account`: the provider's. `because`: why that one."""

    kind: ClassVar[str] = "attempt_started"
    transition: ClassVar[PaymentEvent] = _E.SUBMIT
    attempt: str
    number: int
    method: Method
    account: str
    amount: Money
    instrument: str = ""
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRerouted(Fact):
    """Refused for the provider's own reasons; `next` is the account that is tried now."""

    kind: ClassVar[str] = "attempt_rerouted"
    transition: ClassVar[PaymentEvent] = _E.REROUTE
    attempt: str
    code: str = ""
    message: str = ""
    provider_code: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptNotSent(Fact):
    """Nothing exists at the provider. `decisive`: no other money has decided the payment."""

    kind: ClassVar[str] = "attempt_not_sent"
    attempt: str
    reason: str = ""
    decisive: bool = True

    @property
    def move(self) -> PaymentEvent:
        return _E.NOT_SENT if self.decisive else _E.NOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptDeclined(Fact):
    """Refused. `decisive`: no other money has decided the payment meanwhile."""

    kind: ClassVar[str] = "attempt_declined"
    attempt: str
    code: str = ""
    message: str = ""
    reason: str = ""
    provider_code: str = ""
    pay_code: str = ""
    decisive: bool = True

    @property
    def move(self) -> PaymentEvent:
        return _E.DECLINE if self.decisive else _E.NOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequired(Fact):
    """The payer must act at the provider's page."""

    kind: ClassVar[str] = "action_required"
    transition: ClassVar[PaymentEvent] = _E.ACTION_NEEDED
    attempt: str
    url: str = field(default="", metadata=IN_ROW)
    expires_at: datetime | None = field(default=None, metadata=IN_ROW)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectRenewed(Fact):
    """A fresh address for the same charge."""

    kind: ClassVar[str] = "redirect_renewed"
    attempt: str
    url: str = field(default="", metadata=IN_ROW)
    expires_at: datetime | None = field(default=None, metadata=IN_ROW)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptAccepted(Fact):
    """The provider has it, under its `reference`, and decides later."""

    kind: ClassVar[str] = "attempt_accepted"
    attempt: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptDoubted(Fact):
    """Nobody knows what became of it."""

    kind: ClassVar[str] = "attempt_doubted"
    attempt: str
    reason: str = ""
    provider_says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLeft(Fact):
    """Other money has decided the payment: what its payer could still pay is closed soon."""

    kind: ClassVar[str] = "attempt_left"
    attempt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountDiffers(Fact):
    """Of an attempt that is over, the provider says another amount: people look at it."""

    kind: ClassVar[str] = "amount_differs"
    attempt: str
    reason: str = ""
    provider_says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorized(Fact):
    """The attempt's funds are reserved, until `expires_at`."""

    kind: ClassVar[str] = "payment_authorized"
    transition: ClassVar[PaymentEvent] = _E.AUTHORIZE
    attempt: str
    amount: Money
    reference: str = ""
    expires_at: datetime | None = None
    pay_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedTooLate(Fact):
    """Reserved when nothing was owed any more; `void`, number `number`, lets it go."""

    kind: ClassVar[str] = "authorized_too_late"
    attempt: str
    void: str
    number: int
    amount: Money
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured(Fact):
    """The attempt's money is there. `surplus`: nobody owed it.

    `fee`: what is booked for it, the provider's own figure where `fee_known`. `applied`: how much
    of it had come in part.
    """

    kind: ClassVar[str] = "payment_captured"
    transition: ClassVar[PaymentEvent] = _E.CAPTURE
    attempt: str
    amount: Money
    reference: str = ""
    fee: Money | None = None
    expected_fee_minor: int = 0
    fee_known: bool = False
    surplus: bool = False
    pay_code: str = ""
    applied: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidTwice(Fact):
    """A second attempt of a paid payment turned out to have been paid too. `capture`: it had only
    reserved its money, and that was captured at the provider by this. `applied`: as in
    PaymentCaptured."""

    kind: ClassVar[str] = "paid_twice"
    attempt: str
    amount: Money
    reference: str = ""
    fee: Money | None = None
    capture: str = ""
    applied: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCanceled(Fact):
    """Somebody ended it before any money moved. `attempt`: whose page was closed for it."""

    kind: ClassVar[str] = "payment_canceled"
    transition: ClassVar[PaymentEvent] = _E.CANCEL
    attempt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentExpired(Fact):
    """Nobody paid in time. `attempt`: whose page was closed for it."""

    kind: ClassVar[str] = "payment_expired"
    transition: ClassVar[PaymentEvent] = _E.EXPIRE
    attempt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCanceled(Fact):
    """Its order was canceled after the payment had failed: nobody tries again."""

    kind: ClassVar[str] = "order_canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModificationRequested(Fact):
    """A capture, void or refund was accepted, and its amount reserved.

    `surplus`: it gives back what nobody owed.
    """

    kind: ClassVar[str] = "modification_requested"
    modification: str
    attempt: str
    number: int
    what: ModificationKind
    amount: Money
    surplus: bool = False
    is_last: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModificationRefused(Fact):
    """The provider will never do it: what it had reserved is free again."""

    kind: ClassVar[str] = "modification_refused"
    modification: str
    what: ModificationKind
    surplus: bool = False
    code: str = ""
    message: str = ""
    provider_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModificationAmountDiffers(Fact):
    """The provider did it in another amount than was asked for: people look at it."""

    kind: ClassVar[str] = "modification_amount_differs"
    modification: str
    provider_says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureCompleted(Fact):
    """A part of what was reserved, or all of it, is the merchant's. Fees as in PaymentCaptured."""

    kind: ClassVar[str] = "capture_completed"
    transition: ClassVar[PaymentEvent] = _E.CAPTURE
    modification: str
    amount: Money
    reference: str = ""
    fee: Money | None = None
    expected_fee_minor: int = 0
    fee_known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureUnowed(Fact):
    """A capture that had been refused was done after all, when the rest had been let go."""

    kind: ClassVar[str] = "capture_unowed"
    transition: ClassVar[PaymentEvent] = _E.CAPTURE
    modification: str
    amount: Money
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureUnbooked(Fact):
    """Likewise, of a payment that has other money: it cannot be booked, and people know of it."""

    kind: ClassVar[str] = "capture_unbooked"
    modification: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationReleased(Fact):
    """What was reserved and not captured is let go, `how` the table has it.

    `modification`: the void, or the last capture, that did it; empty where the provider did.
    `code`: the provider's refusal that told of it. `void`: it is that modification's own end.
    """

    kind: ClassVar[str] = "reservation_released"
    how: PaymentEvent
    released: Money
    attempt: str = ""
    modification: str = ""
    reference: str = ""
    code: str = ""
    provider_code: str = ""
    void: bool = False

    @property
    def move(self) -> PaymentEvent:
        return self.how


@dataclass(frozen=True, slots=True, kw_only=True)
class LateReservationReleased(Fact):
    """What was reserved when nothing was owed is let go."""

    kind: ClassVar[str] = "late_reservation_released"
    modification: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCompleted(Fact):
    """The payer has it back. Fees as in PaymentCaptured."""

    kind: ClassVar[str] = "refund_completed"
    modification: str
    amount: Money
    reference: str = ""
    fee: Money | None = None
    expected_fee_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OverpaymentReturned(Fact):
    """What nobody owed went back."""

    kind: ClassVar[str] = "surplus_returned"
    modification: str
    amount: Money
    reference: str = ""
    fee: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundUnbooked(Fact):
    """A refund that had failed was done after all, and is more than what is left."""

    kind: ClassVar[str] = "refund_unbooked"
    modification: str
    amount: Money
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeMoved(Fact):
    """A dispute was opened, has gone on, or something else is told of it. `fee`: all that is
    charged for it by now.

    `called_off`: refunds that will not be sent any more. `left_twice_minor`: how much had been
    refunded already. `told_at`: by the provider's clock. `taken`: all that has left by now; before
    0.5 it is not said, and `effect` is of all of `amount`. `parts`: the provider's bookings that
    make up the change. `foreign`: what is in other currencies than the payment, and not booked.
    """

    kind: ClassVar[str] = "dispute_moved"
    dispute: str
    attempt: str
    number: int
    stage: DisputeStage
    status: DisputeStatus
    amount: Money
    effect: DisputeEffect = DisputeEffect.NONE
    reference: str = ""
    reason: str = ""
    respond_by: datetime | None = None
    fee: Money | None = None
    expected_fee_minor: int = 0
    left_twice_minor: int = 0
    called_off: tuple[str, ...] = ()
    told_at: datetime | None = None
    taken: Money | None = None
    parts: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeEventLate(Fact):
    """News of a dispute that does not move it: of an earlier step, or one that cannot follow."""

    kind: ClassVar[str] = "dispute_news_late"
    dispute: str
    said: str = ""
    is_odd: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeNotOurs(Fact):
    """A dispute about money that we never had."""

    kind: ClassVar[str] = "dispute_not_ours"
    reference: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported(Fact):
    """A line of a report, or of a bank's statement, `counted_minor` of the captured money.

    `settles`: by now all of it is reported. `fee`: the provider's figure where it is new; it adds
    `fee_change_minor` to what is booked for `fee_cause`, kept at `fee_account`; `fee_is_ours`: of
    money that nobody owed."""

    kind: ClassVar[str] = "reported"
    report: str = ""
    file: str = ""
    line: int = 0
    amount: str = ""
    settles: bool = False
    counted_minor: int = 0
    fee: str = ""
    fee_change_minor: int = 0
    fee_is_ours: bool = False
    fee_cause: str = ""
    fee_account: str = ""
    fee_known: bool = False

    @property
    def move(self) -> PaymentEvent:
        return _E.SETTLE if self.settles else _E.NOTE


KINDS: Final[tuple[type[Fact], ...]] = tuple(
    found
    for found in list(globals().values())
    if isinstance(found, type) and issubclass(found, Fact) and found is not Fact
)
"""Every kind that is written now."""
