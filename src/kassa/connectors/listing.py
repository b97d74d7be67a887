"""What a provider has on record, by whomever it was made: the ability to be asked for lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    InDoubt,
    ModificationEvent,
    ModificationOutcome,
    NotSent,
    Unknown,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDispute:
    """`reference`: the provider's. `amount`: what is disputed, in whatever currency; it may have
    moved nothing yet."""

    reference: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCharge:
    """A charge as its provider has it on record, in the provider's own figures.

    `key`: our reference, "" where it has none of ours; `reference`: the provider's. `captured`:
    what it took and did not have to give up again. `refunded`, `disputed`: what of that has gone
    back by now, by whomever; None where it does not say. `disputed_abroad`: what banks have taken
    for it in other currencies than it was captured in, also where that is nothing any more.
    `disputes`: those that this list shows.
    """

    key: str
    reference: str
    captured: Money
    refunded: Money | None = None
    disputed: Money | None = None
    disputed_abroad: tuple[Money, ...] = ()
    disputes: tuple[ListedDispute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page of what a provider has on record. `after`: where the next begins, "" for the last.
    `odd`: what of it could not be read, in words for a person."""

    charges: tuple[ListedCharge, ...]
    after: str = ""
    odd: tuple[str, ...] = ()


@runtime_checkable
class Lister(Protocol):
    """A provider that lists what it has on record, by whomever it was made."""

    async def list_charges(
        self, since: datetime, until: datetime, after: str = ""
    ) -> Listing | NotSent | InDoubt:
        """Charges that money was taken by, made from `since` until before `until`, and those of
        which something went back in that time; one may come more than once. Moves nothing."""
        ...


def told_of(
    listed: Sequence[ModificationEvent] | NotSent | InDoubt, reference: str
) -> ModificationOutcome:
    """What a list of refunds says of the one that its provider calls `reference`, since it does not
    know that by a key of ours."""
    if isinstance(listed, NotSent | InDoubt):
        return listed
    for one in listed:
        if one.reference == reference:
            return one.outcome
    if any(not one.key and not one.reference for one in listed):
        return InDoubt(reason="the provider lists a refund that cannot be read")
    return Unknown(reason="the provider lists no refund of that name")
