"""What Razorpay has on record: payments, and those that refunds of that time are of.

Source: https://razorpay.com/docs/api/payments/fetch-all-payments/ and
https://razorpay.com/docs/api/refunds/fetch-all/
"""

from datetime import datetime
from typing import Final

from kassa.base.domain.money import Money
from kassa.connectors.base import InDoubt, NotSent
from kassa.connectors.listing import ListedCharge, Listing
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
from kassa.connectors.razorpay.links import NOTE

_PAGE_SIZE: Final = 100
_PAYMENTS, _REFUNDS = "payments", "refunds"


async def page_of(
    api: RazorpayApi, since: datetime, until: datetime, after: str
) -> Listing | NotSent | InDoubt:
    """`after`: "list:how many of it were read", or ""."""
    name, _, read = (after or _PAYMENTS).partition(":")
    skip = int(read or 0)
    reply = await api.get(
        name,
        count=_PAGE_SIZE,
        skip=skip,
        **{"from": int(since.timestamp()), "to": int(until.timestamp()) - 1},
    )
    if not isinstance(reply, RazorpayAnswer):
        return _unsaid(reply)
    found = items(reply.fields)
    if found is None:
        return InDoubt(reason="Razorpay's list cannot be read")
    charges, odd = [], []
    for one in found:
        payment = one
        if name == _REFUNDS:
            answer = await api.get(_PAYMENTS, word(one, "payment_id") or "none")
            if not isinstance(answer, RazorpayAnswer):
                if isinstance(answer, RazorpayRefusal):
                    odd.append(f"the payment of refund {word(one, 'id')} is not shown")
                    continue
                return answer
            payment = answer.fields
        listed = _listed(payment)
        if isinstance(listed, str):
            odd.append(listed)
        elif listed is not None:
            charges.append(listed)
    end = f"{name}:{skip + len(found)}" if len(found) == _PAGE_SIZE else ""
    if not end and name == _PAYMENTS:
        end = _REFUNDS
    return Listing(charges=tuple(charges), after=end, odd=tuple(odd))


def _unsaid(reply: RazorpayRefusal | NotSent | InDoubt) -> NotSent | InDoubt:
    if isinstance(reply, RazorpayRefusal):
        return InDoubt(reason=f"Razorpay does not list: {reply.description}")
    return reply


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
