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
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack
from kassa.payments.usecases.find_taken_back import find_taken_back

_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
_HIGHEST = "z"  # above every id of a payment
_ID_EARLIER = 60_000  # milliseconds: by so much two machines' clocks may differ
_BEFOREHAND = timedelta(seconds=2)  # so far a clock that times payments may be ahead of another
_LINKS_OF_A_CHANGE = 8  # links that are read for each payment wanted
_FEWEST_LINKS = 500
_MOST_LOOKS = 40
# seconds, not money
_GLANCE = 0.005
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class View:
    """A payment with the order it is for.

    From `with_money_afterwards` only: `refunds` that are done, oldest first;
    `surplus_fee_minor`, what the provider kept of money that nobody owed; and `taken`, what banks
    have of it.
    """

    payment: Payment
    order: Order
    refunds: Sequence[Modification] = ()
    surplus_fee_minor: int = 0
    taken: TakenBack = NOTHING_TAKEN

    @property
    def returned_minor(self) -> int:
        """What refunds gave back, also of what nobody owed."""
        return sum(one.amount.minor for one in self.refunds)

    @property
    def disputed_minor(self) -> int:
        """What banks took back, also of what nobody owed."""
        payment = self.payment
        return payment.disputed_minor + payment.handed_back_minor - self.returned_minor

    @property
    def net_minor(self) -> int:
        """What the payment comes to in its settlements; below zero where more left than came."""
        payment = self.payment
        came = payment.earned_minor + payment.surplus_amount.minor
        went = payment.handed_back_minor + payment.disputed_minor
        return came - went - payment.fee.minor - self.surplus_fee_minor


@dataclass(frozen=True, slots=True)
class Changes:
    """`place`: to pass as `after` next time. `complete_until`: whatever was stored by then has been
    told up to here; None where there is more to read at once."""

    views: list[View]
    place: int
    complete_until: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: the id to pass as `before` for the page after this one; None at the end."""

    views: list[View]
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
    async with core.db.connection() as connection:
        if wanted is None:
            rows = await orders.page(
                connection, company_id, order_ids, before=before, limit=limit + 1
            )
        else:
            rows = await orders.page_narrowed(
                connection,
                company_id,
                replace(wanted, order_ids=order_ids),
                before=_HIGHEST if before is None else before,
                since=_lowest(wanted.created_from),
                limit=limit + 1,
            )
    views = [View(*row) for row in rows[:limit]]
    return Page(views, views[-1].payment.id if len(rows) > limit else None)


def _lowest(moment: datetime | None) -> str:
    """Below the ids of what was made from that moment on: an id is made later than its order."""
    if moment is None:
        return ""
    return lowest_id("py", max(0, int(moment.timestamp() * 1000) - _ID_EARLIER))


async def changes_since(core: Core, company_id: str, moment: datetime) -> int:
    """Where to begin with `list_changes` so that nothing is passed over that came to be seen at
    `moment` or later."""
    async with core.db.connection() as connection:
        return await orders.links_before(
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
            [head, *links] = await orders.changes(
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
        found = await orders.by_payment(connection, [(company_id, name) for name in ids])
    views = [View(*found[company_id, name]) for name in ids if (company_id, name) in found]
    return Changes(views, place, complete_until)


async def with_money_afterwards(core: Core, views: Sequence[View]) -> list[View]:
    """The same views, of one company, with what went back and what that and the surplus cost.

    Only where there is something to be read; most pages have nothing.
    """
    changed = [view.payment for view in views if view.payment.modifications]
    unowed = [view.payment.id for view in views if view.payment.surplus_amount.minor]
    disputed = [view.payment for view in views if view.payment.disputes]
    if not changed and not unowed and not disputed:
        return list(views)
    company_id = views[0].payment.company_id
    async with core.db.connection() as connection:
        returns = await modifications.refunds_done(connection, company_id, [p.id for p in changed])
        kept = await modifications.surplus_fees(connection, company_id, unowed)
    taken = await find_taken_back(core, disputed, unowed=True)
    refunds: dict[str, list[Modification]] = {}
    for refund in returns:
        refunds.setdefault(refund.payment_id, []).append(refund)
    return [
        replace(
            view,
            refunds=refunds.get(view.payment.id, ()),
            surplus_fee_minor=kept.get(view.payment.id, 0),
            taken=taken.get(view.payment.id, NOTHING_TAKEN),
        )
        for view in views
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


async def _in_the_making(core: Core, company_id: str) -> Making:
    async with core.db.connection() as connection:
        return await in_the_making(connection, company_id)


def _refuse_unprintable(text: str, what: str) -> None:
    """PostgreSQL text cannot hold NUL or lone surrogates, so nothing is stored under such an id."""
    if "\x00" in text or not text.isprintable():
        raise NotFound(f"no such {what}")
