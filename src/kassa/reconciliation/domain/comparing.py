"""A provider's own figures beside ours: what differs, and what kind of work that is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kassa.base.domain.lifecycle import BreakClass


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
    payment's charges."""

    payment_id: str
    reference: str
    figure: Figure
    problem: BreakClass
    currency: str
    ours: int
    theirs: int


@dataclass(slots=True)
class Theirs:
    """What a provider said of one payment's charges. `unsaid`: figures that it does not tell."""

    references: set[str] = field(default_factory=set)
    amounts: Amounts = field(default_factory=dict)
    unsaid: set[Figure] = field(default_factory=set)

    def add(self, figure: Figure, currency: str, minor: int | None) -> None:
        if minor is None:
            self.unsaid.add(figure)
            return
        place = figure, currency
        self.amounts[place] = self.amounts.get(place, 0) + minor


def differences(payment_id: str, ours: Amounts, theirs: Theirs) -> Iterator[Difference]:
    """A figure that the provider does not tell differs from nothing."""
    name = " ".join(sorted(theirs.references))
    for figure, currency in sorted({*ours, *theirs.amounts}):
        place = figure, currency
        mine, there = ours.get(place, 0), theirs.amounts.get(place, 0)
        if mine == there or figure in theirs.unsaid:
            continue
        yield Difference(
            payment_id=payment_id,
            reference=name,
            figure=figure,
            problem=_problem(figure, mine, there),
            currency=currency,
            ours=mine,
            theirs=there,
        )


def _problem(figure: Figure, ours: int, theirs: int) -> BreakClass:
    if figure is Figure.CAPTURED and ours == 0:
        return BreakClass.MISSING_OURS
    if figure is Figure.CAPTURED and theirs == 0:
        return BreakClass.MISSING_THEIRS
    return PROBLEM[figure]
