"""What is asked of the books, and what they answer with."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from kassa.connectors.sandbox.amounts import SandboxAmount
from kassa.connectors.sandbox.cards import MESSAGES, CardAnswer, SandboxState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadRequest(ValueError):
    """A request that this provider cannot even book: nothing exists under its key."""


class KeyReused(Exception):
    """Something else was asked for under this key before; that first request stands."""


class ChangeKind(StrEnum):
    """What can be asked of a charge after it was made."""

    CAPTURE = "capture"  # take what is reserved, or a part of it
    VOID = "void"  # let go of what is reserved and not taken
    REFUND = "refund"  # give back what was taken, or a part of it


class ChangeState(StrEnum):
    """What the provider's books say of such a request."""

    DONE = "done"
    PENDING = "pending"  # decided later, on its own
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a caller sends. `amount`: decimal text; `card`: a number or token, never kept.

    `return_url`, `notify_url`: empty when the caller wants neither. `capture`: False reserves.
    """

    key: str
    amount: str
    currency: str
    card: str
    order_id: str
    subject: str
    return_url: str
    notify_url: str
    expires_at: datetime
    capture: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAsk:
    """A request about the charge under `charge_key`, which is `reference` here if that is said.

    `amount`: decimal text; a void lets go of all that is reserved, whatever it says.
    `is_last`: after this capture, the rest is let go.
    """

    kind: ChangeKind
    key: str
    charge_key: str
    reference: str
    amount: str
    currency: str
    notify_url: str
    is_last: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxCharge:
    """One line of the books. `reason`: why it was declined or voided.

    `fee`: only of a captured one. `reserved`: what can still be captured, until `reserved_until`.
    `refunded`: given back, what is pending not counted. `disputed`: withdrawn, not returned.
    """

    key: str
    reference: str
    order_id: str
    subject: str
    amount: SandboxAmount
    captured: SandboxAmount
    reserved: SandboxAmount
    refunded: SandboxAmount
    disputed: SandboxAmount
    fee: SandboxAmount | None
    card: str
    scenario: str
    answer: CardAnswer
    state: SandboxState
    reason: str
    return_url: str
    created_at: datetime
    expires_at: datetime
    reserved_until: datetime | None

    @property
    def message(self) -> str:
        """The reason in words a payer may read."""
        return MESSAGES.get(self.reason, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxChange:
    """A capture, void or refund. `amount`: as asked; `moved`: as done, and nothing until then."""

    key: str
    reference: str
    kind: ChangeKind
    charge_key: str
    amount: SandboxAmount
    moved: SandboxAmount
    fee: SandboxAmount
    answer: CardAnswer
    state: ChangeState
    reason: str

    @property
    def message(self) -> str:
        """The reason in words a payer may read."""
        return MESSAGES.get(self.reason, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """News to be posted. `tries` counts this try, and is what a report of failure must quote."""

    id: str
    url: str
    body: bytes
    tries: int


@dataclass(frozen=True, slots=True)
class Totals:
    """All that ever moved in one currency. `disputed`: withdrawn and not returned."""

    captured: SandboxAmount
    refunded: SandboxAmount
    disputed: SandboxAmount


def charge_in(row: sqlite3.Row) -> SandboxCharge:
    """The charge that `row` keeps."""
    amount, fee, until = amount_in(row), row["fee_units"], row["releases_at"]
    left = amount.units - row["captured_units"] - row["released_units"]
    return SandboxCharge(
        key=row["key"],
        reference=row["reference"],
        order_id=row["order_id"],
        subject=row["subject"],
        amount=amount,
        captured=amount.of(row["captured_units"]),
        reserved=amount.of(0 if until is None else left),
        refunded=amount.of(row["refunded_units"]),
        disputed=amount.of(row["disputed_units"]),
        fee=None if fee is None else amount.of(fee),
        card=row["card"],
        scenario=row["scenario"],
        answer=CardAnswer(row["answer"]),
        state=SandboxState(row["state"]),
        reason=row["reason"] if row["turns_at"] is None else "",
        return_url=row["return_url"],
        created_at=moment(row["created_at"]),
        expires_at=moment(row["expires_at"]),
        reserved_until=None if until is None else moment(until),
    )


def change_in(row: sqlite3.Row) -> SandboxChange:
    """The capture, void or refund that `row` keeps."""
    amount = amount_in(row)
    return SandboxChange(
        key=row["key"],
        reference=row["reference"],
        kind=ChangeKind(row["kind"]),
        charge_key=row["charge_key"],
        amount=amount,
        moved=amount.of(row["moved_units"]),
        fee=amount.of(row["fee_units"]),
        answer=CardAnswer(row["answer"]),
        state=ChangeState(row["state"]),
        reason=row["reason"] if row["turns_at"] is None else "",
    )


def amount_in(row: sqlite3.Row) -> SandboxAmount:
    """The amount that `row` keeps."""
    return SandboxAmount(row["units"], row["currency"], row["exponent"])


def millis(at: datetime) -> int:
    """A moment as the books keep it."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def moment(at: int) -> datetime:
    """A moment that the books kept."""
    return _EPOCH + timedelta(milliseconds=at)


def stamp(at: int) -> str:
    """The same as RFC 3339 text in UTC, to the second."""
    return moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")
