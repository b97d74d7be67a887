"""What became of a charge: by its payment link, or by its order, and what payers tried there.

Source: https://razorpay.com/docs/api/payments/payment-links/fetch-all-standard/ and
https://razorpay.com/docs/api/orders/fetch-payments/
"""

from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    InDoubt,
    KnownCharge,
    ModificationOutcome,
    ModificationRequest,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)
from kassa.connectors.razorpay import links, orders
from kassa.connectors.razorpay.api import (
    Entity,
    RazorpayApi,
    RazorpayRefusal,
    found_in,
    items,
    word,
)
from kassa.connectors.razorpay.payments import Told, payment_told, tries_told
from kassa.connectors.tries import weightiest

_MOST_ORDERS = 100  # in one answer
_NO_ORDER = InDoubt(reason="Razorpay's order cannot be read")


async def find(api: RazorpayApi, key: str, known: KnownCharge) -> Outcome:
    """By our key alone: a link has it as reference_id, an order as its receipt."""
    if known.reference.startswith("order_"):
        return await by_orders(api, key, known)
    reply = await api.get("payment_links", reference_id=key)
    found = found_in(reply, "payment_links", "reference_id", key)
    if not isinstance(found, list):
        return found
    if not found:
        return await by_orders(api, key, known)
    found = [one for one in found if one]
    if not found:
        return InDoubt(reason="Razorpay's list cannot be read")
    if len(found) > 1:
        return InDoubt(reason="Razorpay has several links under one reference")
    return await link_told(api, found[0], known)


async def link_told(api: RazorpayApi, link: Entity, known: KnownCharge) -> Outcome:
    """A link of ours, as its payers' tries decide; by its own status where nobody tried."""
    status = word(link, "status")
    told = await _tries_of(api, link)
    if isinstance(told, Captured | Authorized | Pending | InDoubt | NotSent):
        return told
    if status not in ("created", "paid", *links.OVER):
        return InDoubt(reason="Razorpay sent an unknown link status")
    if status == "paid":
        return InDoubt(reason="Razorpay's link is paid, and its payment is not shown")
    if status == "created":
        return links.link_address(link, known.amount)
    return links.over_told(link)


async def _tries_of(api: RazorpayApi, link: Entity) -> Told | NotSent | None:
    """What payers have done at a link: by its order, else by the payments that it lists."""
    if order_id := word(link, "order_id"):
        return await _tries_at(api, order_id)
    listed = items(link, "payments") or ()
    return weightiest([await _try_of(api, word(paid, "payment_id")) for paid in listed])


async def _try_of(api: RazorpayApi, payment_id: str) -> Told | NotSent:
    hidden = InDoubt(reason="Razorpay does not show a link's payment")
    if not payment_id:
        return hidden
    reply = await api.get("payments", payment_id)
    if isinstance(reply, NotSent | InDoubt):
        return reply
    if isinstance(reply, RazorpayRefusal) or word(reply.fields, "id") != payment_id:
        return hidden
    return payment_told(reply.fields)


async def _tries_at(api: RazorpayApi, order_id: str) -> Told | NotSent | None:
    reply = await api.get("orders", order_id, "payments")
    found = found_in(reply, "items", "order_id", order_id)
    if isinstance(found, Unknown):
        return None
    return tries_told(found) if isinstance(found, list) else found


async def by_orders(api: RazorpayApi, key: str, known: KnownCharge) -> Outcome:
    """By the orders of this receipt, of which there may be several."""
    reply = await api.get("orders", receipt=key, count=_MOST_ORDERS)
    found = found_in(reply, "items", "receipt", key)
    if not isinstance(found, list):
        return found
    if not found:
        return Unknown(reason="Razorpay has no link and no order under this reference")
    told = [await _order_told(api, order, known) for order in found]
    lapsed = next((one for one in told if isinstance(one, Declined)), None)
    decides = weightiest(reversed(told)) or _NO_ORDER
    # Where money was reserved and went back, the payer had been sent to that one.
    return lapsed if lapsed is not None and isinstance(decides, ActionNeeded) else decides


async def _order_told(api: RazorpayApi, order: Entity, known: KnownCharge) -> Outcome:
    if not order:
        return _NO_ORDER
    told = await _tries_at(api, word(order, "id"))
    failed = isinstance(told, Declined) and told.code != "authorization_expired"
    if told is None or failed:  # the payer may try again
        return orders.told_address(order, known.amount)
    return told


async def payment_of(api: RazorpayApi, request: ModificationRequest) -> str | ModificationOutcome:
    """The payment's id: what the charge came to, or by asking for it under our key."""
    if request.charge_reference.startswith("pay_"):
        return request.charge_reference
    known = KnownCharge(reference=request.charge_reference, amount=request.charge_amount)
    there = await find(api, request.charge_key, known)
    match there:
        case Captured(reference=reference) | Authorized(reference=reference):
            return reference
        case NotSent() | InDoubt():
            return there
        case _:
            return InDoubt(reason="Razorpay shows no payment of this charge")
