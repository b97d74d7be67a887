"""Find payments and orders; somebody else's and no such thing are one answer."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from kassa.base.domain.errors import InvalidRequest, KassaError, NotFound
from kassa.base.usecases.batch import batched
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import lowest_id, moment_of
from kassa.modifications.store import modifications
from kassa.orders.domain.orders import Order
from kassa.orders.store import orders
from kassa.orders.store.making import WINDOW, Making, in_the_making
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Payment, PaymentFilter
from kassa.payments.domain.summaries import Summary
from kassa.payments.domain.taken_back import NOTHING_TAKEN
from kassa.payments.store import summaries
from kassa.payments.store.payments import taken_back_of

_ALL = PaymentFilter()
_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
_HIGHEST = "z"  # above every id of a payment
_APART = 60_000  # milliseconds: by so much a payment's clock may have differed from its id's
_BEFOREHAND = timedelta(seconds=2)  # so far a clock that times payments may be ahead of another
_LINKS_OF_A_CHANGE = 8  # links that are read for each payment wanted
_FEWEST_LINKS = 500
_MOST_LOOKS = 40
# seconds, not money
_GLANCE = 0.005
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class View:
    """A payment with the order it is for."""

    payment: Payment
    order: Order


@dataclass(frozen=True, slots=True)
class Changes:
    """`place`: to pass as `after` next time. `complete_until`: whatever was stored by then has been
    told up to here; None where there is more to read at once."""

    payments: list[Summary]
    place: int
    complete_until: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: the id to pass as `before` for the page after this one; None at the end."""

    payments: list[Summary]
    next: str | None


async def get_payments(core: Core, keys: Sequence[tuple[str, str]]) -> list[View | KassaError]:
    """(company, payment id)s to views, each in its place."""
    async with core.db.connection() as connection:
        found = await orders.by_payment(connection, list(dict.fromkeys(keys)))
    missing = NotFound("no such payment")
    return [View(*found[key]) if key in found else missing for key in keys]


_get_payment = batched(get_payments)


async def get_payment(core: Core, company_id: str, payment_id: str) -> View:
    """Raises: NotFound."""
    _refuse_unprintable(payment_id, "payment")
    return await _get_payment(core, (company_id, payment_id))


async def get_summaries(core: Core, keys: Sequence[tuple[str, str]]) -> list[Summary | KassaError]:
    """As `get_payments`, of each as much as lists tell."""
    async with core.db.connection() as connection:
        rows = await summaries.of_payments(connection, list(dict.fromkeys(keys)))
    found = {(one.company_id, one.id): one for one in rows}
    missing = NotFound("no such payment")
    return [found.get(key, missing) for key in keys]


_get_summary = batched(get_summaries)


async def get_summary(core: Core, company_id: str, payment_id: str) -> Summary:
    """As `get_payment`. Raises: NotFound."""
    _refuse_unprintable(payment_id, "payment")
    return await _get_summary(core, (company_id, payment_id))


async def payments_of_order(core: Core, company_id: str, order_id: str) -> list[View]:
    """The order's payments, oldest first; there is always one.

    Raises: NotFound.
    """
    _refuse_unprintable(order_id, "order")
    async with core.db.connection() as connection:
        found = await orders.by_order(connection, [(company_id, order_id)])
    views = [View(*pair) for pair in found.get((company_id, order_id), [])]
    if not views:
        raise NotFound(f"no such order: {order_id!r}")
    return views


async def find_by_number(core: Core, company_id: str, number: int) -> View:
    """By the small integer that the checkout face shows.

    Raises: NotFound.
    """
    if 0 < number < 2**63:
        async with core.db.connection() as connection:
            if found := await orders.by_number(connection, company_id, number):
                return View(*found)
    raise NotFound("no such payment")


async def find_by_request(core: Core, company_id: str, scope: str, request_id: str) -> View:
    """By the caller's idempotency key.

    Raises: NotFound.
    """
    _refuse_unprintable(request_id, "payment")
    key = (company_id, scope, request_id)
    async with core.db.connection() as connection:
        found = await orders.by_request(connection, [key])
    if key not in found:
        raise NotFound("no such payment")
    return View(*found[key])


async def list_payments(
    core: Core,
    company_id: str,
    *,
    order_ids: Sequence[str] = (),
    wanted: PaymentFilter | None = None,
    before: str | None = None,
    limit: int,
) -> Page:
    """The company's payments, newest first; of `order_ids` only, when any are given, or what else
    is `wanted`.

    Nothing appears later below what a list had: whoever looks for what is new reads until there is
    what they had seen before.
    """
    if any("\x00" in order_id for order_id in order_ids) or "\x00" in (before or ""):
        return Page([], None)
    if before is None and not order_ids:
        before = await _whole_until(core, company_id)
    narrowed = replace(wanted or _ALL, order_ids=order_ids)
    since, until = _ids_within(narrowed)
    async with core.db.connection() as connection:
        found = await summaries.page(
            connection,
            company_id,
            narrowed,
            before=until if before is None else min(before, until),
            since=since,
            limit=limit + 1,
        )
    return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)


def _ids_within(wanted: PaymentFilter) -> tuple[str, str]:
    """What no id of what was made within these moments is below, and what all are below: an id is
    made with its payment, or little later."""
    since, until = "", _HIGHEST
    if wanted.created_from is not None:
        since = lowest_id("py", max(0, _milliseconds(wanted.created_from) - _APART))
    if wanted.created_until is not None:
        until = lowest_id("py", max(0, _milliseconds(wanted.created_until) + _APART))
    return since, until


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


async def changes_since(core: Core, company_id: str, moment: datetime) -> int:
    """Where to begin with `list_changes` so that nothing is passed over that came to be seen at
    `moment` or later."""
    async with core.db.connection() as connection:
        return await summaries.links_before(
            connection, company_id, max(moment, _LONG_AGO) - _BEFOREHAND
        )


async def list_changes(
    core: Core, company_id: str, *, wanted: PaymentFilter, after: int, limit: int
) -> Changes:
    """The payments that changed since, each once, where its last change stands.

    By the chain of history, whose links are made of what is committed, one after the other: so
    nothing appears later before what was read, whatever was committed when. A payment that changes
    meanwhile comes again.

    Raises: InvalidRequest where `after` is a place that the chain has not come to.
    """
    ids: dict[str, int] = {}
    place, complete_until = after, None
    async with core.db.connection() as connection:
        for _ in range(_MOST_LOOKS):
            most = max(_FEWEST_LINKS, limit * _LINKS_OF_A_CHANGE)
            [head, *links] = await summaries.changes(
                connection, company_id, wanted, after=place, most=most
            )
            if place > head.seq:
                raise InvalidRequest("it goes on behind the last change", reason="place_unknown")
            for link in links:
                if len(ids) == limit:
                    break
                place = link.seq
                if link.payment_id is not None:
                    ids[link.payment_id] = link.seq
            else:
                if len(links) < most:
                    complete_until = head.complete_until
            if complete_until or len(ids) == limit:
                break
        rows = await summaries.of_payments(connection, [(company_id, name) for name in ids])
    payments = sorted(rows, key=lambda one: ids[one.id])
    return Changes(payments, place, complete_until)


async def with_money_afterwards(core: Core, shown: Sequence[Summary]) -> Sequence[Summary]:
    """The same payments, of one company, with what went back and what that and the surplus cost.

    Only where there is something to be read; most pages have nothing.
    """
    changed = [one.id for one in shown if one.modifications]
    unowed = [one.id for one in shown if one.surplus_minor]
    disputed = [(one.company_id, one.id) for one in shown if one.disputes]
    if not changed and not unowed and not disputed:
        return shown
    company_id = shown[0].company_id
    async with core.db.connection() as connection:
        returns = await modifications.refunds_done(connection, company_id, changed)
        kept = await modifications.surplus_fees(connection, company_id, unowed)
        taken = await taken_back_of(connection, disputed) if disputed else {}
    refunds: dict[str, list[Modification]] = {}
    for refund in returns:
        refunds.setdefault(refund.payment_id, []).append(refund)
    told = refunds.keys() | kept.keys() | taken.keys()
    return [
        one._replace(
            refunds=refunds.get(one.id, ()),
            surplus_fee_minor=kept.get(one.id, 0),
            taken=taken.get(one.id, NOTHING_TAKEN).together,
        )
        if one.id in told
        else one
        for one in shown
    ]


async def _whole_until(core: Core, company_id: str) -> str:
    """The id below which all payments are there to be seen: just above the newest there was.

    What is being made is waited for; but not for long, and then it and what is newer is left for a
    later list.
    """
    until = time.monotonic() + _PATIENCE
    found = await _in_the_making(core, company_id)
    newest = found.newest
    begun_by = moment_of(newest) + WINDOW  # whatever has an id below the newest
    while found.now <= begun_by and time.monotonic() < until:
        await asyncio.sleep(min((begun_by - found.now + 1) / 1000, _PATIENCE))
        found = await _in_the_making(core, company_id)
    waited_for = found.under_way
    while waited_for and time.monotonic() < until:
        await asyncio.sleep(_GLANCE)
        now = (await _in_the_making(core, company_id)).under_way
        waited_for = {name: now[name] for name in waited_for if name in now}
    if waited_for or found.now <= begun_by:
        oldest = min([found.now, *waited_for.values()])
        return min(lowest_id("py", oldest - WINDOW), newest)
    return f"{newest}z" if newest else ""


async def look_at_making(core: Core, company_ids: Sequence[str]) -> list[Making]:
    """How it stands with each of them. Lists that begin while others look are told together: to
    look costs as much as a page."""
    of = list(dict.fromkeys(company_ids))
    async with core.db.connection() as connection:
        found = dict(zip(of, await in_the_making(connection, of), strict=True))
    return [found[company_id] for company_id in company_ids]


_in_the_making = batched(look_at_making)


def _refuse_unprintable(text: str, what: str) -> None:
    """PostgreSQL text cannot hold NUL or lone surrogates, so nothing is stored under such an id."""
    if "\x00" in text or not text.isprintable():
        raise NotFound(f"no such {what}")
