"""Letters that never come, of what no question tells: the provider's own lists have it.

`kassa compare` has to name each charge that differs, with both figures, and nothing else; and what
the worker's looks at the account do not book is a break in the end.
"""

from collections.abc import Mapping
from datetime import timedelta

from tests.oracle import figures
from tests.oracle.figures import FEE, Figures
from tests.oracle.world import World

from kassa.connectors.base import DisputeEvent
from kassa.connectors.listing import Lister
from kassa.modifications.usecases.look_again import look_again
from kassa.reconciliation.usecases.watch_accounts import watch_accounts

UNLISTED = {"razorpay": {"disputed"}}
"""What a list does not say."""
_YEARS = timedelta(days=400)
LOOKS = 3
"""The first asks, the second opens what stays; what that brings may differ again."""

Seen = tuple[str, str, str, int, int]


def is_listed(world: World, event: object) -> bool:
    """Whether the provider's list makes the letter good that says `event`."""
    if isinstance(event, DisputeEvent) and "disputed" in UNLISTED.get(world.plug.name, ()):
        return False
    return isinstance(world.connector, Lister)


async def unlike(world: World, differing: Mapping[str, tuple[Figures, Figures]]) -> str:
    """How what our comparison finds is another than what differs; "" where it is just that."""
    said = await world.compared()
    if said.waiting or said.unanswered:
        return ""
    known = {one.key: one for one in await figures.charges(world)}
    # A dispute in another currency that was heard of is a person's work, and no difference.
    heard = {
        payment
        for payment, found in (await figures.work(world)).items()
        if any(one.startswith("currency:") for one in found)
    }
    own = world.plug.amount.currency
    unsaid = {FEE, *UNLISTED.get(world.plug.name, set())}
    expected: set[Seen] = set()
    over: set[Seen] = set()  # before anybody heard of it: the same money, told or not
    for key, (there, here) in differing.items():
        seen = over if not here and figures.comes_to_nothing(there) else expected
        payment = known[key].payment if key in known else ""
        for what, currency in there.keys() | here.keys():
            place = what, currency
            told = what not in unsaid and (currency == own or payment not in heard)
            if told and there[place] != here[place]:
                seen.add((payment, what, currency, here[place], there[place]))
    found = {
        (one.payment_id, one.figure.value, one.currency, one.ours, one.theirs)
        for one in said.found
        if one.currency == own or one.payment_id not in heard
    }
    return "" if expected <= found <= expected | over else f"found {found}, expected {expected}"


async def looks(world: World) -> None:
    """The worker looks at the account again and again, and asks."""
    for _ in range(LOOKS):
        await watch_accounts(world.core, timedelta(0), back=_YEARS, ahead=_YEARS)
        await world.all_due()
        await look_again(world.core)
