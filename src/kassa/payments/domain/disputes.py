"""Disputes: a payer's bank takes money back, and what becomes of that.

What a provider's notifications say of one is kept, and the dispute is what they come to in the
provider's own order: in whatever order they came, and however often.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from kassa.base.domain.lifecycle import DECIDED, NOT_LOST, DisputeKind, DisputeStage, DisputeStatus
from kassa.base.domain.money import Money

_S, _D = DisputeStage, DisputeStatus


class DisputeEffect(StrEnum):
    """What a step of a dispute does to the money."""

    WITHDRAWN = "withdrawn"  # it has left, or more of it
    RETURNED = "returned"  # it is back, or a part of it
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """One dispute of one payment; `provider_reference` names it at the provider.

    `kind`: a RETURN is what a charge that its bank returned has taken. It has no stages: its row
    reads as lost, for nobody decides on it any more.

    `amount`: what it is about, in the currency that the provider tells it in. `taken`: what has
    left the provider account for it by now, and `fee` what is charged for it, as booked: in the
    payment's currency. `double_paid_minor`: how much of it had been refunded before.
    `respond_by`: until when evidence may be sent. `said`: what the provider's notifications said,
    see Told. `tells_taken`: they say themselves what has left; else its stage and status do.
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
    taken: Money
    withdrawn: bool = False
    double_paid_minor: int = 0
    respond_by: datetime | None = None
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    tells_taken: bool = False
    said: dict[str, Any] = field(default_factory=dict)
    kind: DisputeKind = DisputeKind.DISPUTE

    @property
    def is_return(self) -> bool:
        return self.kind is DisputeKind.RETURN

    @property
    def is_open(self) -> bool:
        """Whether somebody has yet to decide on it."""
        return self.status not in DECIDED

    @property
    def named_there(self) -> str:
        """What the provider calls it. Of a return that a release before 0.5 wrote, the charge."""
        return self.provider_reference.removesuffix(RETURN_MARK)

    @property
    def abroad(self) -> tuple[Money, ...]:
        """What has left for it in other currencies than the payment's, and so is not booked."""
        told, own = read_told(self.said), self.taken.currency
        if told.movements is not None:
            taken = _sums(-one.amount for one in told.movements.values())
        else:
            here = [one for one in told.tellings if one.place == (self.stage, self.status)]
            newest = max(here, key=lambda one: one.at, default=None)
            taken = {} if newest is None else _claimed(newest)
        if not taken and self.stage is not _S.INQUIRY and self.status not in NOT_LOST:
            taken = _sums([self.amount])  # claimed, and nobody says what was booked for it
        away = [(minor, other) for other, minor in taken.items() if other != own and minor > 0]
        return tuple(Money(minor, other) for minor, other in away)


RETURN_MARK = "/failed_later"
"""Behind a charge's name: what releases before 0.5 called the dispute that its return was kept as.
The seal of such a row has it in it, so it stays there."""


@dataclass(frozen=True, slots=True)
class BookedByHand:
    """What a person has made of the break of a dispute in another currency: whether it is open, and
    how much of the merchant's they booked as taken, in the payment's currency."""

    dispute_id: str
    is_open: bool
    minor: int


class Place(NamedTuple):
    """Where a dispute stands."""

    stage: DisputeStage
    status: DisputeStatus


@dataclass(frozen=True, slots=True)
class DisputeOrder:
    """What may follow what, at one provider: a later group any earlier one, and within a group
    each the others. At one and the same moment the order of `groups` decides."""

    groups: Sequence[Sequence[Place]]
    _found: Mapping[Place, tuple[int, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        every = [(one, group) for group, its in enumerate(self.groups) for one in its]
        found = {one: (group, rank) for rank, (one, group) in enumerate(every)}
        object.__setattr__(self, "_found", found)

    def rank(self, place: Place) -> int:
        """Its place in the whole order; what the provider does not have comes first."""
        return self._found.get(place, (0, -1))[1]

    def may_follow(self, before: Place, after: Place) -> bool:
        """Whether a dispute that stands at `before` may come to stand at `after`."""
        there, here = self._found.get(after), self._found.get(before)
        return before == after or (there is not None and (here is None or there[0] >= here[0]))


def _by_stage(stage: DisputeStage) -> list[list[Place]]:
    undecided = [Place(stage, _D.NEEDS_RESPONSE), Place(stage, _D.UNDER_REVIEW)]
    closed = [Place(stage, _D.CLOSED)]
    decided = [Place(stage, _D.LOST), Place(stage, _D.WON)]
    if stage is _S.INQUIRY:  # where no money moves, a chargeback that only began is one as well
        return [[*undecided, *closed, *decided]]
    return [undecided, closed, decided]


BY_STAGE = DisputeOrder([group for stage in DisputeStage for group in _by_stage(stage)])
"""Of a provider whose disputes go on from stage to stage, and are decided in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceMovement:
    """What a provider has booked for a dispute under that `id`: `amount` as its balance changed
    (less than zero: it left), and the `fee` that it kept (less than zero: it gave some back)."""

    id: str
    amount: Money
    fee: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What one notification says of a dispute.

    `at`: when that was so by the provider's clock; `is_heard`: the provider does not say, and it
    is when we heard of it. `fee`, `taken`: all by then; None: not told.
    """

    at: datetime
    stage: DisputeStage
    status: DisputeStatus
    amount: Money
    fee: Money | None = None
    taken: Money | None = None
    reason: str = ""
    respond_by: datetime | None = None
    is_heard: bool = False

    @property
    def place(self) -> Place:
        return Place(self.stage, self.status)

    @property
    def has_left(self) -> bool:
        """Whether the money is away, by stage and status alone."""
        return self.stage is not DisputeStage.INQUIRY and self.status not in NOT_LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeStanding:
    """What all the notifications of a dispute come to: `last` says where it stands.

    `taken`, `fee`: by currency, what has left and what is charged; None: nobody has told a fee.
    `parts`: by movement, what left; of a provider that lists them. `odd`: what it cannot
    have come to from where it stood, by the provider's own clock.
    """

    last: Telling
    reason: str
    respond_by: datetime | None
    taken: Mapping[str, int]
    fee: Mapping[str, int] | None
    parts: Mapping[str, Money] | None
    odd: Sequence[Telling]


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that was said of one dispute. It only grows; the same again changes nothing.

    `movements`: by id; None while the provider has listed none, not even an empty list.
    """

    tellings: tuple[Telling, ...] = ()
    movements: Mapping[str, BalanceMovement] | None = None

    def with_telling(self, telling: Telling, movements: Iterable[BalanceMovement] | None) -> "Told":
        known = self.movements
        if movements is not None:
            known = {**{one.id: one for one in movements}, **(known or {})}
        if telling in self.tellings:
            return Told(self.tellings, known)
        return Told((*self.tellings, telling)[-_MOST:], known)

    def standing(self, order: DisputeOrder) -> DisputeStanding:
        """Gone through in the provider's order, not in that of their coming."""
        inline = sorted(self.tellings, key=lambda one: _when(one, order))
        taken, odd = [inline[0]], []
        for one in inline[1:]:
            if order.may_follow(taken[-1].place, one.place):
                taken.append(one)
            elif not one.is_heard:
                odd.append(one)
        last = taken[-1]
        parts = None
        if self.movements is not None:
            parts = {name: -one.amount for name, one in sorted(self.movements.items())}
        return DisputeStanding(
            last=last,
            reason=next((one.reason for one in reversed(taken) if one.reason), ""),
            respond_by=next((one.respond_by for one in reversed(taken) if one.respond_by), None),
            taken=_sums(parts.values()) if parts is not None else _claimed(last),
            fee=self._fee(taken),
            parts=parts,
            odd=odd,
        )

    def _fee(self, taken: Sequence[Telling]) -> Mapping[str, int] | None:
        if self.movements is not None:
            return _sums(one.fee for one in self.movements.values())
        told = next((one.fee for one in reversed(taken) if one.fee is not None), None)
        return None if told is None else _sums([told])

    @property
    def tells_taken(self) -> bool:
        told = any(one.taken is not None for one in self.tellings)
        return self.movements is not None or told

    @property
    def was_charged(self) -> bool:
        """Whether it ever cost anything, given back since or not."""
        fees = [one.fee for one in self.tellings if one.fee is not None]
        fees += [one.fee for one in (self.movements or {}).values()]
        return any(fee.minor > 0 for fee in fees)


_MOST = 200
"""Notifications of one dispute that are kept; the earliest heard go first."""


def _when(telling: Telling, order: DisputeOrder) -> tuple[datetime, int, str]:
    """Where it belongs. What is of one moment and place is told apart by its words, so that the
    order never depends on who came first."""
    return telling.at, order.rank(telling.place), str(_written(telling))


def _claimed(telling: Telling) -> Mapping[str, int]:
    amount = telling.taken
    if amount is None:
        amount = telling.amount if telling.has_left else Money(0, telling.amount.currency)
    return _sums([amount])


def _sums(amounts: Iterable[Money]) -> Mapping[str, int]:
    sums: dict[str, int] = {}
    for one in amounts:
        sums[one.currency] = sums.get(one.currency, 0) + one.minor
    return sums


def write_told(told: Told) -> dict[str, Any]:
    """As it is kept: JSON, with money as "12.34 CNY"."""
    said: dict[str, Any] = {"tellings": [_written(one) for one in told.tellings]}
    if told.movements is not None:
        said["movements"] = {
            one.id: [str(one.amount), str(one.fee)] for one in told.movements.values()
        }
    return said


def read_told(said: Mapping[str, Any]) -> Told:
    """What `write_told` has written."""
    movements = said.get("movements")
    return Told(
        tuple(_read(one) for one in said.get("tellings", ())),
        None
        if movements is None
        else {
            name: BalanceMovement(id=name, amount=Money.parse(amount), fee=Money.parse(fee))
            for name, (amount, fee) in movements.items()
        },
    )


def _written(one: Telling) -> dict[str, str]:
    said = {
        "at": one.at.isoformat(),
        "stage": one.stage.value,
        "status": one.status.value,
        "amount": str(one.amount),
        "fee": "" if one.fee is None else str(one.fee),
        "taken": "" if one.taken is None else str(one.taken),
        "reason": one.reason,
        "respond_by": "" if one.respond_by is None else one.respond_by.isoformat(),
        "is_heard": "yes" if one.is_heard else "",
    }
    return {name: value for name, value in said.items() if value}


def _read(said: Mapping[str, str]) -> Telling:
    respond_by = said.get("respond_by")
    return Telling(
        at=datetime.fromisoformat(said["at"]),
        stage=DisputeStage(said["stage"]),
        status=DisputeStatus(said["status"]),
        amount=Money.parse(said["amount"]),
        fee=Money.parse(said["fee"]) if "fee" in said else None,
        taken=Money.parse(said["taken"]) if "taken" in said else None,
        reason=said.get("reason", ""),
        respond_by=datetime.fromisoformat(respond_by) if respond_by else None,
        is_heard="is_heard" in said,
    )
