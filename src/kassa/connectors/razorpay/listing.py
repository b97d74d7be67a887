"""What Razorpay has on record: payments, and those that refunds and disputes of that time are of.

Source: https://razorpay.com/docs/api/payments/fetch-all-payments/,
https://razorpay.com/docs/api/refunds/fetch-all/ and
https://razorpay.com/docs/api/disputes/fetch-all/
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from kassa.base.domain.money import Money
from kassa.connectors.base import InDoubt, NotSent
from kassa.connectors.listing import ListedCharge, ListedDispute, Listing
from kassa.connectors.razorpay.api import (
    Entity,
    RazorpayAnswer,
    RazorpayApi,
    RazorpayRefusal,
    entity,
    items,
    money,
    whole,
    word,
)
from kassa.connectors.razorpay.disputes import status_of, taken_by
from kassa.connectors.razorpay.links import NOTE

_PAGE_SIZE: Final = 100
_MOST_PAGES: Final = 100  # of the disputes since the oldest payment that is disputed
_LISTS: Final = ("payments", "refunds", "disputes")


async def page_of(
    api: RazorpayApi, since: datetime, until: datetime, after: str
) -> Listing | NotSent | InDoubt:
    """`after`: "list:how many of it were read", or ""."""
    name, _, read = (after or _LISTS[0]).partition(":")
    skip = int(read or 0)
    span = {"from": int(since.timestamp()), "to": int(until.timestamp()) - 1}
    found = await _page(api, name, skip, span)
    if isinstance(found, NotSent | InDoubt):
        return found
    shown = found if name == "payments" else await _payments_of(api, name, found)
    if isinstance(shown, NotSent | InDoubt):
        return shown
    listed = [one if isinstance(one, str) else _listed(one) for one in shown]
    charges = [one for one in listed if isinstance(one, ListedCharge)]
    odd = [one for one in listed if isinstance(one, str)]
    if name == "disputes" and charges:
        told = await _disputes_of(api, charges, [one for one in shown if not isinstance(one, str)])
        if isinstance(told, NotSent | InDoubt):
            return told
        charges, more = told
        odd += more
    end = f"{name}:{skip + len(found)}" if len(found) == _PAGE_SIZE else _next(name)
    return Listing(charges=tuple(charges), after=end, odd=tuple(odd))


def _next(name: str) -> str:
    place = _LISTS.index(name) + 1
    return _LISTS[place] if place < len(_LISTS) else ""


async def _page(
    api: RazorpayApi, name: str, skip: int, span: Mapping[str, int]
) -> Sequence[Entity] | NotSent | InDoubt:
    reply = await api.get(name, count=_PAGE_SIZE, skip=skip, **span)
    if isinstance(reply, RazorpayRefusal):
        return InDoubt(reason=f"Razorpay does not list: {reply.description}")
    if not isinstance(reply, RazorpayAnswer):
        return reply
    found = items(reply.fields)
    return InDoubt(reason="Razorpay's list cannot be read") if found is None else found


async def _payments_of(
    api: RazorpayApi, name: str, found: Sequence[Entity]
) -> Sequence[Entity | str] | NotSent | InDoubt:
    """The payments that these refunds or disputes are of, each once; words for one that is not
    shown."""
    payments: dict[str, Entity | str] = {}
    for one in found:
        payment_id = word(one, "payment_id") or "none"
        if payment_id in payments:
            continue
        answer = await api.get("payments", payment_id)
        if isinstance(answer, RazorpayAnswer):
            payments[payment_id] = answer.fields
        elif isinstance(answer, RazorpayRefusal):
            said = f"the payment of {name.removesuffix('s')} {word(one, 'id')} is not shown"
            payments[payment_id] = said
        else:
            return answer
    return list(payments.values())


async def _disputes_of(
    api: RazorpayApi, charges: Sequence[ListedCharge], payments: Sequence[Entity]
) -> tuple[list[ListedCharge], list[str]] | NotSent | InDoubt:
    """The charges with all of their disputes, also those that began before the time that is asked
    for: Razorpay lists them by that alone. And what cannot be read."""
    of_charges: dict[str, list[Entity]] = {one.reference: [] for one in charges}
    since = {"from": min(whole(one, "created_at") or 0 for one in payments)}
    for page in range(_MOST_PAGES):
        found = await _page(api, "disputes", page * _PAGE_SIZE, since)
        if isinstance(found, NotSent | InDoubt):
            return found
        for one in found:
            of_charges.get(word(one, "payment_id"), []).append(one)
        if len(found) < _PAGE_SIZE:
            break
    else:
        return InDoubt(reason="Razorpay's list of disputes has no end")
    told = [_with_disputes(one, of_charges[one.reference]) for one in charges]
    return [one for one in told if isinstance(one, ListedCharge)], [
        one for one in told if isinstance(one, str)
    ]


def _with_disputes(charge: ListedCharge, disputes: Sequence[Entity]) -> ListedCharge | str:
    """What has left for them, by currency; words for one that cannot be read."""
    held, told = {charge.captured.currency: 0}, []
    for one in disputes:
        amount, status, name = money(one), status_of(one), word(one, "id")
        if amount is None or status is None or not name:
            return f"dispute {name or 'without an id'} of {charge.reference} cannot be read"
        told.append(ListedDispute(reference=name, amount=amount))
        taken = taken_by(one, status, amount)
        held[taken.currency] = held.get(taken.currency, 0) + taken.minor
    disputed, *abroad = (Money(minor, currency) for currency, minor in held.items())
    return replace(charge, disputed=disputed, disputed_abroad=tuple(abroad), disputes=tuple(told))


def _listed(payment: Entity) -> ListedCharge | str | None:
    """None for one that took nothing; words for one that cannot be read."""
    reference, amount = word(payment, "id"), money(payment)
    back = whole(payment, "amount_refunded")
    if not reference or amount is None or back is None:
        return f"payment {reference or 'without an id'} cannot be read"
    status = word(payment, "status")
    if status not in ("captured", "refunded"):
        return None
    if status == "refunded" and payment.get("captured") is not True:
        return None  # what was reserved went back unclaimed
    return ListedCharge(
        key=word(entity(payment, "notes"), NOTE),
        reference=reference,
        captured=amount,
        refunded=Money(back, amount.currency),
    )
