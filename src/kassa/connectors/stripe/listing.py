"""What Stripe has on record: charges, and those that refunds and disputes of that time are of.

Source: https://docs.stripe.com/api/charges/list and https://docs.stripe.com/api/disputes/object
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import stripe

from kassa.base.domain.money import Money
from kassa.connectors.base import InDoubt, NotSent
from kassa.connectors.listing import ListedCharge, ListedDispute, Listing
from kassa.connectors.stripe.intents import RETURNED
from kassa.connectors.stripe.objects import KEY, Garbled, Thing
from kassa.connectors.stripe.transport import StripeRefusal, ask

_PAGE_SIZE: Final = 100
_LISTS: Final = ("charges", "refunds", "disputes")
_MOST_DISPUTES: Final = 100  # of one charge: as many as Stripe lists at once


async def page_of(
    client: stripe.StripeClient, since: datetime, until: datetime, after: str
) -> Listing | NotSent | InDoubt:
    """`after`: "list:id of the last that was read", or ""."""
    name, _, last = (after or _LISTS[0]).partition(":")
    parameters: dict[str, Any] = {
        "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
        "limit": _PAGE_SIZE,
    }
    if last:
        parameters["starting_after"] = last
    if name != "charges":
        parameters["expand"] = ["data.charge"]
    v1 = client.v1
    asked: dict[str, Callable[[Any], Awaitable[Any]]] = {
        "charges": v1.charges.list_async,
        "refunds": v1.refunds.list_async,
        "disputes": v1.disputes.list_async,
    }
    said = await ask(asked[name](parameters))
    if not isinstance(said, Thing):
        return InDoubt(reason=said.reason) if isinstance(said, StripeRefusal) else said
    try:
        found = said.things("data")
        more = said.flag("has_more") and bool(found)
        end = f"{name}:{found[-1].word('id')}" if more else _next(name)
    except Garbled as error:
        return InDoubt(reason=f"Stripe's list cannot be read: {error}")
    charges, odd = [], []
    for one in found:
        try:
            charge = one if name == "charges" else one.thing("charge")
            listed = await _listed(client, charge, by_dispute=name == "disputes")
        except Garbled as error:
            odd.append(f"{name}: {error}")
            continue
        if isinstance(listed, NotSent | InDoubt):
            return listed
        if listed is not None:
            charges.append(listed)
    return Listing(charges=tuple(charges), after=end, odd=tuple(odd))


def _next(name: str) -> str:
    place = _LISTS.index(name) + 1
    return _LISTS[place] if place < len(_LISTS) else ""


async def _listed(
    client: stripe.StripeClient, charge: Thing | None, *, by_dispute: bool
) -> ListedCharge | NotSent | InDoubt | None:
    """None for one that took nothing, or had to give all of it up and gave nothing back beside.
    `by_dispute`: it was found by one. Raises: Garbled."""
    if charge is None:
        raise Garbled("it does not show its charge")
    whole, captured = charge.money("amount"), charge.money("amount_captured")
    back = charge.money("amount_refunded").minor
    returned = "" if charge.flag("paid") else charge.id_of(RETURNED)
    if returned and back:
        gone = await ask(client.v1.balance_transactions.retrieve_async(returned))
        if not isinstance(gone, Thing):
            return InDoubt(reason=gone.reason) if isinstance(gone, StripeRefusal) else gone
        if (amount := gone.money("amount")).currency != captured.currency:
            return None  # it was settled in another: a report tells of it
        captured = -amount
    elif charge.flag("paid"):
        # What was let go when a part was captured counts as refunded there.
        back -= (whole - captured).minor
    else:
        return None
    if captured.minor == 0:
        return None
    held = {captured.currency: 0}
    disputes: tuple[ListedDispute, ...] = ()
    if by_dispute or charge.flag("disputed"):
        told = await _held(client, charge)
        if isinstance(told, NotSent | InDoubt):
            return told
        held |= told[0]
        disputes = told[1]
    if returned:  # whatever disputes had not taken
        held[captured.currency] = captured.minor
    disputed, *abroad = (Money(max(minor, 0), currency) for currency, minor in held.items())
    return ListedCharge(
        key=charge.noted(KEY),
        reference=charge.id_of("payment_intent") or charge.word("id"),
        captured=captured,
        refunded=Money(max(back, 0), captured.currency),
        disputed=disputed,
        disputed_abroad=tuple(abroad),
        disputes=disputes,
    )


async def _held(
    client: stripe.StripeClient, charge: Thing
) -> tuple[dict[str, int], tuple[ListedDispute, ...]] | NotSent | InDoubt:
    """What banks hold of it by the bookings of its disputes, in minor units of each currency that
    they are in; and the disputes. Raises: Garbled."""
    said = await ask(
        client.v1.disputes.list_async({"charge": charge.word("id"), "limit": _MOST_DISPUTES})
    )
    if not isinstance(said, Thing):
        return InDoubt(reason=said.reason) if isinstance(said, StripeRefusal) else said
    held: dict[str, int] = {}
    disputes = []
    for dispute in said.things("data"):
        name, amount = dispute.word("id"), dispute.money("amount")
        disputes.append(ListedDispute(reference=name, amount=amount))
        for booking in dispute.things("balance_transactions"):
            gone = booking.money("amount")
            held[gone.currency] = held.get(gone.currency, 0) - gone.minor
    return held, tuple(disputes)
