"""A provider's own figures beside ours: what differs, and what kind of work that is."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum

from kassa.base.domain.lifecycle import BreakClass
from kassa.base.domain.money import Money


class Figure(StrEnum):
    """What is compared of a payment at one account."""

    CAPTURED = "captured"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


PROBLEM: Mapping[Figure, BreakClass] = {
    Figure.CAPTURED: BreakClass.AMOUNT,
    Figure.REFUNDED: BreakClass.REFUND_MISSING,
    Figure.DISPUTED: BreakClass.STATUS,
}

Amounts = dict[tuple[Figure, str], int]
"""By figure and currency, in minor units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`ours`, `theirs`: minor units of `currency`. `payment_id`: "" for a charge under a reference
    like ours of which nothing is known here. `reference`: what the provider calls it, or all of a
    payment's charges; or a dispute, where nothing is known here of that."""

    payment_id: str
    reference: str
    figure: Figure
    problem: BreakClass
    currency: str
    ours: int
    theirs: int


@dataclass(slots=True)
class Theirs:
    """What a provider said of one charge of `payment_id`. `unsaid`: figures that it does not tell.
    `disputes`: what it calls them, and what is asked for in each.
    `gone`: it has none of our money: DISPUTED where a bank took it back, CAPTURED where it says no
    more than that."""

    payment_id: str
    references: set[str] = field(default_factory=set)
    amounts: Amounts = field(default_factory=dict)
    unsaid: set[Figure] = field(default_factory=set)
    gone: Figure | None = None
    disputes: dict[str, Money] = field(default_factory=dict)

    def add(self, figure: Figure, currency: str, minor: int | None) -> None:
        if minor is None:
            self.unsaid.add(figure)
            return
        place = figure, currency
        self.amounts[place] = self.amounts.get(place, 0) + minor


def differences(ours: Amounts, theirs: Theirs) -> Iterator[Difference]:
    """A figure that the provider does not tell differs from nothing."""
    there = theirs.amounts
    if theirs.gone:  # what it says of refunds all the same counts
        there = {**_nothing_left(ours, theirs.gone), **theirs.amounts}
    unsaid = frozenset[Figure]() if theirs.gone else theirs.unsaid
    name = " ".join(sorted(theirs.references))
    for figure, currency in sorted({*ours, *there}):
        place = figure, currency
        mine, its = ours.get(place, 0), there.get(place, 0)
        if mine == its or figure in unsaid:
            continue
        yield Difference(
            payment_id=theirs.payment_id,
            reference=name,
            figure=figure,
            problem=_problem(figure, mine, its),
            currency=currency,
            ours=mine,
            theirs=its,
        )


def unheard(
    theirs: Theirs, known: AbstractSet[str], told: Sequence[Difference]
) -> Iterator[Difference]:
    """Disputes of which nothing is known here, whether they moved money or not: somebody may have
    to answer them. Where the disputed money differs (`told`), that has said it."""
    differs = {one.currency for one in told if one.figure is Figure.DISPUTED}
    for reference, amount in sorted(theirs.disputes.items()):
        if reference not in known and amount.currency not in differs:
            yield Difference(
                payment_id=theirs.payment_id,
                reference=reference,
                figure=Figure.DISPUTED,
                problem=PROBLEM[Figure.DISPUTED],
                currency=amount.currency,
                ours=0,
                theirs=amount.minor,
            )


def _nothing_left(ours: Amounts, gone: Figure) -> Amounts:
    """What our books would have to say. Of a charge that its bank took back, all that was captured,
    whatever was refunded of it as well; else no more than what has left them already."""
    there = dict(ours)
    for (figure, currency), captured in ours.items():
        if figure is not Figure.CAPTURED:
            continue
        if gone is Figure.DISPUTED:
            there[gone, currency] = captured
        else:
            places = ((Figure.REFUNDED, currency), (Figure.DISPUTED, currency))
            there[gone, currency] = min(captured, sum(ours.get(place, 0) for place in places))
    return there


def _problem(figure: Figure, ours: int, theirs: int) -> BreakClass:
    if figure is Figure.CAPTURED and ours == 0:
        return BreakClass.MISSING_OURS
    if figure is Figure.CAPTURED and theirs == 0:
        return BreakClass.MISSING_THEIRS
    return PROBLEM[figure]
