"""What several tries at one charge come to, where a provider lists them."""

from collections.abc import Iterable
from typing import TypeVar

from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    InDoubt,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)

Told = TypeVar("Told", bound=Outcome)
_WEIGHT = {
    kind: place
    for place, kind in enumerate(
        (Captured, Authorized, InDoubt, NotSent, ActionNeeded, Pending, Unknown, Declined)
    )
}


def weightiest(told: Iterable[Told]) -> Told | None:
    """The one that decides, of equals the first; None where there was no try.

    Certain money comes first, whatever stands beside it. What nobody can read, or could not be
    asked for, outweighs all else: there may be money in it.
    """
    return min(told, key=lambda one: _WEIGHT[type(one)], default=None)
