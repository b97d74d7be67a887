"""The charge under our key: by Stripe's reference, by search, and in the lists, in this order.

Search lags behind by a minute, at times by more, so that a charge whose answer was lost is not
there yet when we ask; the lists have it at once.
Source: https://docs.stripe.com/search#data-freshness
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import stripe

from kassa.connectors.base import InDoubt, KnownCharge, NotSent, Unknown
from kassa.connectors.stripe.intents import EXPANDED, SESSION_EXPANDED
from kassa.connectors.stripe.objects import KEY, Garbled, Thing
from kassa.connectors.stripe.transport import Said, StripeRefusal, ask

_BEFORE = timedelta(minutes=1)  # its clock may be behind ours
_LONGEST = timedelta(hours=25)  # a checkout session lives for a day
_SEARCH_IS_SURE = timedelta(hours=2)  # an hour behind is the worst that Stripe speaks of
_ODD = InDoubt(reason="Stripe lists something that cannot be read")
_PAGE_SIZE = 100
_WITH_MONEY = ("succeeded", "requires_capture")
_MOST_PAGES = 10

Found = Thing | Unknown | NotSent | InDoubt
"""A payment intent or a checkout session, with everything inside; or why there is none."""


async def find(
    client: stripe.StripeClient, key: str, known: KnownCharge, clock: Callable[[], datetime]
) -> Found:
    """Whether it is ours is for the reader of what is found to check."""
    try:
        return await _found(client, key, known, clock)
    except Garbled as error:
        return InDoubt(reason=f"Stripe's list cannot be read: {error}")


async def _found(
    client: stripe.StripeClient, key: str, known: KnownCharge, clock: Callable[[], datetime]
) -> Found:
    if known.reference:
        found = await _by_id(client, known.reference)
        if not isinstance(found, StripeRefusal):
            return found
        if not found.is_missing:
            return InDoubt(reason=found.reason)
    elsewhere = await _by_key(client, key, known, clock)
    if known.reference and isinstance(elsewhere, Unknown):
        # Perhaps the key is of another account by now: no proof that nothing was paid.
        return InDoubt(reason="Stripe does not find what it told us of before")
    return elsewhere


async def _by_key(
    client: stripe.StripeClient, key: str, known: KnownCharge, clock: Callable[[], datetime]
) -> Found:
    searched = await _searched(client, key)
    if isinstance(searched, Thing):
        return _answered(await _by_id(client, searched.word("id")))
    if isinstance(searched, NotSent | InDoubt) and searched != _ODD:
        return searched
    listed = await _listed(client, key, known, clock())
    return _ODD if searched == _ODD and isinstance(listed, Unknown) else listed


async def session_of(client: stripe.StripeClient, intent: str) -> Found:
    """The checkout session that made the payment intent of this id."""
    said = await ask(client.v1.checkout.sessions.list_async({"payment_intent": intent, "limit": 1}))
    if not isinstance(said, Thing):
        return _answered(said)
    try:
        sessions = [one for one in said.things("data") if one.is_named]
        if not sessions or sessions[0].id_of("payment_intent") != intent:
            return InDoubt(reason="Stripe does not say which page the payer is at")
        return _answered(await _by_id(client, sessions[0].word("id")))
    except Garbled as error:
        return InDoubt(reason=f"Stripe's list cannot be read: {error}")


def _answered(said: Said) -> Found:
    return InDoubt(reason=said.reason) if isinstance(said, StripeRefusal) else said


async def _by_id(client: stripe.StripeClient, reference: str) -> Said:
    if reference.startswith("cs_"):
        return await ask(
            client.v1.checkout.sessions.retrieve_async(reference, {"expand": SESSION_EXPANDED})
        )
    return await ask(client.v1.payment_intents.retrieve_async(reference, {"expand": EXPANDED}))


async def _searched(client: stripe.StripeClient, key: str) -> Thing | NotSent | InDoubt | None:
    """None also where Stripe offers no search, as in India: the lists are left then."""
    quoted = key.replace("\\", "\\\\").replace("'", "\\'")
    said = await ask(
        client.v1.payment_intents.search_async(
            {"query": f"metadata['{KEY}']:'{quoted}'", "limit": _PAGE_SIZE}
        )
    )
    if isinstance(said, StripeRefusal):
        return None
    if not isinstance(said, Thing):
        return said
    things = said.things("data")
    return _ours(things, key) or (None if _is_readable(things) else _ODD)


def _is_readable(things: list[Thing]) -> bool:
    return all(one.is_named for one in things)


def _ours(things: list[Thing], key: str) -> Thing | None:
    """The one with our key; of several, one with money before any other."""
    mine = [thing for thing in things if thing.is_named and thing.is_under(key)]
    with_money = [one for one in mine if one.fields.get("status") in _WITH_MONEY]
    return next(iter(with_money or mine), None)


async def _listed(
    client: stripe.StripeClient, key: str, known: KnownCharge, now: datetime
) -> Found:
    asked_at = known.asked_at or now - _LONGEST
    since = int((asked_at - _BEFORE).timestamp())
    complete = readable = True
    for make in (_intents, _sessions):
        found, whole = await _look_through(make(client, since), key)
        if found == _ODD:
            readable = False
        elif found is not None:
            if isinstance(found, Thing):
                return _answered(await _by_id(client, found.word("id")))
            return found
        complete = complete and whole
    if not readable:
        return _ODD
    if complete or now - asked_at > _SEARCH_IS_SURE:
        return Unknown(reason="Stripe knows nothing under this key")
    return InDoubt(reason="Stripe has too much of that time to look through, and searches late")


_Page = Callable[[str], Awaitable[stripe.StripeObject]]


def _intents(client: stripe.StripeClient, since: int) -> _Page:
    def page(after: str) -> Awaitable[stripe.StripeObject]:
        return client.v1.payment_intents.list_async(_window(since, after))

    return page


def _sessions(client: stripe.StripeClient, since: int) -> _Page:
    def page(after: str) -> Awaitable[stripe.StripeObject]:
        return client.v1.checkout.sessions.list_async(_window(since, after))

    return page


def _window(since: int, after: str) -> Any:
    window: dict[str, Any] = {"created": {"gte": since}, "limit": _PAGE_SIZE}
    return {**window, "starting_after": after} if after else window


async def _look_through(page: _Page, key: str) -> tuple[Thing | NotSent | InDoubt | None, bool]:
    """The one with our key, if any, and whether the list was read to its end."""
    after, readable = "", True
    for _ in range(_MOST_PAGES):
        said = await ask(page(after))
        if isinstance(said, StripeRefusal):
            return InDoubt(reason=said.reason), False
        if not isinstance(said, Thing):
            return said, False
        things = said.things("data")
        if (mine := _ours(things, key)) is not None:
            return mine, True
        readable = readable and _is_readable(things)
        named = [one for one in things if one.is_named]
        if not said.flag("has_more") or not named:
            return None if readable else _ODD, True
        after = named[-1].word("id")
    return None if readable else _ODD, False
