"""The connector protocol, and every outcome a provider's answer can have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus, ModificationKind
from kassa.base.domain.money import Money
from kassa.orders.domain.orders import Customer
from kassa.payments.domain.disputes import BalanceMovement, DisputeOrder
from kassa.payments.domain.payments import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """What a provider is asked to collect.

    `key`: our reference, unique for ever; a repeat under it is harmless at the provider.
    `instrument`: what the payer gave (a sandbox card number, a provider's token); never stored.
    Empty: the payer is to be sent to the provider's own page, where it has one.
    `method`: how the payer wants to pay. `customer`: whom the merchant named.
    `return_url`: where the provider sends the payer's browser; it decides nothing.
    `notify_url`: where the provider posts its news.
    `capture`: False only reserves the funds; `Capturer.capture` claims them later.
    """

    key: str
    amount: Money
    order_id: str
    subject: str
    description: str
    instrument: str = field(repr=False)
    return_url: str
    notify_url: str
    expires_at: datetime
    now: datetime
    capture: bool = True
    method: Method = Method.CREDIT_CARD
    customer: Customer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCharge:
    """What we know of a charge beside our key, for providers that cannot find it by that alone.

    `reference`: the provider's own, "" while we have none. `asked_at`: when we first asked.
    """

    reference: str = ""
    amount: Money | None = None
    asked_at: datetime | None = None


NOTHING_KNOWN = KnownCharge()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorized:
    """The funds are reserved for us until `expires_at`, and nothing has moved."""

    reference: str
    amount: Money
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """The funds are ours. `amount` is what the provider says it took.

    `refunded`: how much of that has gone back by now, by whosever hand, where the provider says.
    """

    reference: str
    amount: Money
    fee: Money | None = None
    refunded: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionNeeded:
    """The payer must go to `url`. `expires_at`: when that address stops working, if it does."""

    reference: str
    url: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The provider has it and will decide later: wait for its notification, or query."""

    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """Refused for good. `code`: our lower_snake reason; `message`: fit for a payer to read.

    `soft`: the reason lies with this provider or this moment (no route, a limit, try again), so
    another provider may well accept the same payer; never for stolen cards or missing money.
    """

    code: str
    message: str
    reference: str = ""
    provider_code: str = ""
    soft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Not one byte of the request left this machine: nothing can exist at the provider.

    `passing`: another try a moment later may well get through (a connection was refused).
    """

    reason: str
    passing: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt:
    """We cannot tell whether the provider acted. Ask again; never send again.

    `lost`: the request went out and the connection broke before its answer: that says nothing
    of the provider's health, as a time-out or an error page does.
    """

    reason: str
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Only from `query`: the provider knows nothing under that key, at least not yet."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedLater:
    """The funds were ours, and the payer's bank has taken them back: a debit that was returned.

    Only where the provider says that there was money; else it is Declined. `returned_as`: what the
    provider calls the return, where that has a name of its own.
    """

    code: str
    message: str
    reference: str = ""
    provider_code: str = ""
    returned_as: str = ""


Outcome = (
    Authorized
    | Captured
    | ActionNeeded
    | Pending
    | Declined
    | NotSent
    | InDoubt
    | Unknown
    | FailedLater
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModificationRequest:
    """A capture, void or refund of a charge that was made before.

    `key`: our reference of this modification, unique for ever; a repeat under it is harmless.
    `charge_key`: our reference of the charge; `charge_reference`: the provider's.
    `amount`: how much to claim, let go or give back. `is_last`: of a capture: let go of the rest.
    `reference`: the provider's own of the modification, where that is all it knows it by: it was
    made there, and not by us.
    """

    key: str
    charge_key: str
    charge_reference: str
    amount: Money
    charge_amount: Money
    reason: str
    reference: str = ""
    notify_url: str
    now: datetime
    is_last: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The provider has done it. `amount` is what it says it moved; `fee`: what it keeps for it."""

    reference: str
    amount: Money
    fee: Money | None = None


ModificationOutcome = Done | Pending | Declined | NotSent | InDoubt | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeEvent:
    """A verified notification of a charge. `dedupe_key` is the same however often it comes.

    `key`: our reference, as in ChargeRequest; "" where the provider names only its own,
    `charge_reference`.
    """

    dedupe_key: str
    key: str
    outcome: Outcome
    charge_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModificationEvent:
    """A verified notification of a capture, void or refund. `key`: as in ModificationRequest.

    Of one that has no key of ours, made at the provider by somebody else, `key` is "":
    `reference` is the provider's name of it, `what` its kind, and `charge_key` or
    `charge_reference` name our charge. Of such a one Declined means that it is not done, or not
    any more.
    """

    dedupe_key: str
    key: str
    outcome: ModificationOutcome
    reference: str = ""
    what: ModificationKind = ModificationKind.REFUND
    charge_key: str = ""
    charge_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeEvent:
    """A verified notification that a dispute was opened or has moved on.

    `key`: our reference of the charge, or "" and `charge_reference`, the provider's;
    `reference`: the provider's of the dispute. `fee`: what the provider charges for it so far.
    `told_at`: when it was so by the provider's clock, which decides what is newer; None where it
    does not say. `taken`: what it says has left by then; None: by stage and status it is all of
    `amount`, or nothing. `movements`: what it has booked for it so far, and then nothing else
    decides about money; None where it lists no bookings.
    """

    dedupe_key: str
    key: str
    reference: str
    stage: DisputeStage
    status: DisputeStatus
    amount: Money
    fee: Money | None
    reason: str
    respond_by: datetime | None
    charge_reference: str = ""
    told_at: datetime | None = None
    taken: Money | None = None
    movements: tuple[BalanceMovement, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadEvent:
    """A verified notification in words that are not known: of a newer version, or of next year.

    `key`, `charge_reference`: of our charge, or of a change of it, as far as it names one; that
    is asked about. `for_people`: no question would tell what it told, so a person has to read it.
    """

    dedupe_key: str
    why: str
    key: str = ""
    charge_reference: str = ""
    for_people: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutEvent:
    """A verified notification that a payout did not arrive, or was sent back. `references`: what
    the provider calls it, as in its reports. `reason`: in its words."""

    dedupe_key: str
    references: tuple[str, ...]
    reason: str


AnyNews = ChargeEvent | ModificationEvent | DisputeEvent | UnreadEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class IrrelevantEvent:
    """A genuine notification that changes nothing here; it is acknowledged. `event`: its name."""

    event: str


class ForeignReason(StrEnum):
    """Why a verified notification is not ours."""

    REFERENCE = "reference"  # what it is about was not made here
    ACCOUNT = "account"  # for another account that the same key signs for
    MODE = "mode"  # test, and the account is live; or the other way round
    UNREADABLE = "unreadable"  # in words that are not known, and names nothing of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignEvent:
    """A genuine notification that is not for us; it is acknowledged, and counted. `event`: its
    name."""

    why: ForeignReason
    event: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not a genuine notification: it has no effect. `reason` is for our log only."""

    reason: str


class Connector(Protocol):
    """One provider, translated. It returns values: it holds no database of ours, no clock, no
    retry loop, and raises only for bugs. What else it can do, its class says: see Capturer and
    Refunder."""

    name: ClassVar[str]
    acknowledgement: ClassVar[tuple[str, bytes]]
    """Content type and body that tell this provider its notification arrived."""

    not_found_final_after: ClassVar[timedelta | None]
    """When "no such charge" is proof that none will appear, counted from our call; None: never."""

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Collect the amount at once, under `request.key`."""
        ...

    async def query(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """What became of the charge sent under `key`? Moves nothing."""
        ...

    def parse_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        *,
        target: str = "",
        received_at: datetime | None = None,
    ) -> AnyNews | PayoutEvent | IrrelevantEvent | ForeignEvent | Refused:
        """Verify over the raw bytes, then translate. `headers` has lower-case names.

        Refused says that it was not signed for us: a provider that hears so often enough posts
        nothing more. What is signed and not for us is a ForeignEvent; in words that nobody knows,
        an UnreadEvent.

        `target`: the raw path and query it was posted to. `received_at`: what its own time stamp
        is measured against; None: a stamp is not judged.
        """
        ...

    async def close(self) -> None:
        """Give back sockets and files."""
        ...


@runtime_checkable
class AddressSigner(Protocol):
    """A provider that hears nothing of a charge before its payer comes: `charge` only signs an
    address. While nobody was given that, nothing was sent, and nothing can be there."""

    signs_addresses: ClassVar[bool]
    """Says nothing but that it does."""


@runtime_checkable
class Closer(Protocol):
    """A provider that can be told to let nobody pay a charge any more."""

    async def close_charge(self, key: str, known: KnownCharge = NOTHING_KNOWN) -> Outcome:
        """Close it. Declined: it is closed; Captured, Authorized: it had been paid before;
        Unknown: nothing is there to close; otherwise it stays open, or nobody knows."""
        ...


@runtime_checkable
class DisputeTeller(Protocol):
    """A provider that tells of disputes."""

    dispute_order: ClassVar[DisputeOrder]
    """What may follow what in one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A settlement file as fetched. `format`: one that the report readers know. `time_zone`: of
    times in it that name none."""

    format: str
    name: str
    content: bytes
    time_zone: str = "UTC"


@runtime_checkable
class Reporter(Protocol):
    """A provider from which the settlement report of a day can be fetched."""

    async def report(self, day: date) -> Report | NotSent | InDoubt | Unknown:
        """The report of that day in the provider's own time zone. Unknown: there is none (yet)."""
        ...


@runtime_checkable
class Probe(Protocol):
    """A provider that says whether our credentials are right, without moving anything."""

    async def probe(self) -> str:
        """ "" when they are, else what is wrong, in a sentence without secrets."""
        ...


@runtime_checkable
class ModificationSource(Protocol):
    """A provider that can tell what became of a capture, void or refund."""

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        """What became of the modification sent under `request.key`? Moves nothing.

        `Unknown`: nothing is there under that key, and a repeat of the request is harmless.
        """
        ...


@runtime_checkable
class Capturer(ModificationSource, Protocol):
    """A provider that can reserve funds first and claim them later."""

    captures_in_parts: ClassVar[bool]
    """Whether one reservation can be claimed by several captures."""

    async def capture(self, request: ModificationRequest) -> ModificationOutcome:
        """Claim `request.amount` of what is reserved."""
        ...

    async def void(self, request: ModificationRequest) -> ModificationOutcome:
        """Let go of what is reserved and not claimed."""
        ...


@runtime_checkable
class Refunder(ModificationSource, Protocol):
    """A provider that can give captured money back."""

    async def refund(self, request: ModificationRequest) -> ModificationOutcome:
        """Give back `request.amount`."""
        ...


@runtime_checkable
class LateFailing(Protocol):
    """A provider whose refunds may fail days after they were done."""

    refunds_fail_within: ClassVar[timedelta]
    """So long after it was done a refund is asked about now and then."""


@runtime_checkable
class RefundSource(Protocol):
    """A provider that lists the refunds of a charge, by whomever they were made."""

    async def refunds_of(
        self, key: str, known: KnownCharge
    ) -> Sequence[ModificationEvent] | NotSent | InDoubt:
        """All of them, each as a notification of it would say it. Moves nothing."""
