"""What became of a charge: by its link, or by its order, and what payers tried there.

Source: https://www.cashfree.com/docs/api-reference/payments/latest/payment-links/get and
…/payments/get-for-order
"""

from kassa.connectors.base import (
    Authorized,
    Captured,
    Declined,
    InDoubt,
    KnownCharge,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)
from kassa.connectors.cashfree import links
from kassa.connectors.cashfree.api import (
    CashfreeAnswer,
    CashfreeApi,
    CashfreeRefusal,
    Entity,
    money,
    number_word,
    objects,
    word,
)
from kassa.connectors.cashfree.payments import Told, tries_told
from kassa.connectors.tries import weightiest


async def find(api: CashfreeApi, key: str, known: KnownCharge) -> Outcome:
    """By our key alone, which is a link's id or an order's."""
    reply = await api.get("links", key)
    if isinstance(reply, CashfreeRefusal) and reply.not_found:
        return await _by_order(api, key, known)
    if isinstance(reply, CashfreeRefusal):
        return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
    if not isinstance(reply, CashfreeAnswer):
        return reply
    link = reply.fields
    if word(link, "link_id") != key:
        return InDoubt(reason="Cashfree answered about another link")
    return await _link_told(api, link, key, known)


async def _link_told(api: CashfreeApi, link: Entity, key: str, known: KnownCharge) -> Outcome:
    status = word(link, "link_status")
    if status == "ACTIVE":
        return links.link_address(link, known.amount)
    told = await _tries_of_link(api, key)
    if isinstance(told, Captured | Authorized | Pending | InDoubt | NotSent):
        return told
    if status != "PAID" and status not in links.OVER:
        return InDoubt(reason="Cashfree sent an unknown link status")
    if status == "PAID":
        return InDoubt(reason="Cashfree's link is paid, and its payment is not shown")
    return links.over_told(status, number_word(link, "cf_link_id"))


async def _tries_of_link(api: CashfreeApi, key: str) -> Told | NotSent | None:
    """The weightiest of what payers did at the orders that Cashfree made of the link."""
    orders = await _orders_of_link(api, key)
    if not isinstance(orders, list):
        return orders
    told = [await _tries_of_order(api, word(order, "order_id")) for order in orders]
    return weightiest([one for one in told if one is not None])


async def _tries_of_order(api: CashfreeApi, order_id: str) -> Told | NotSent | None:
    payments = await payments_of(api, order_id) if order_id else None
    if payments is None or isinstance(payments, Unknown):
        return InDoubt(reason="Cashfree does not show a link's order")
    return tries_told(payments) if isinstance(payments, list) else payments


async def _orders_of_link(api: CashfreeApi, key: str) -> list[Entity] | NotSent | InDoubt:
    reply = await api.get("links", key, "orders", status="ALL")
    if isinstance(reply, CashfreeRefusal):
        if reply.not_found:
            return []
        return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
    if not isinstance(reply, CashfreeAnswer):
        return reply
    found = objects(reply.value)
    if found is None:
        return InDoubt(reason="Cashfree's list of orders cannot be read")
    return found


async def payments_of(
    api: CashfreeApi, order_id: str
) -> list[Entity] | NotSent | InDoubt | Unknown:
    """All tries at an order; one that cannot be read, or is of another, is empty."""
    reply = await api.get("orders", order_id, "payments")
    if isinstance(reply, CashfreeRefusal):
        if reply.not_found:
            return Unknown(reason="Cashfree knows no such order")
        return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
    if not isinstance(reply, CashfreeAnswer):
        return reply
    found = objects(reply.value)
    if found is None:
        return InDoubt(reason="Cashfree's list of payments cannot be read")
    return [one if word(one, "order_id") == order_id else {} for one in found]


async def _by_order(api: CashfreeApi, key: str, known: KnownCharge) -> Outcome:
    reply = await api.get("orders", key)
    if isinstance(reply, CashfreeRefusal):
        if reply.not_found:
            return Unknown(reason="Cashfree has no link and no order under this key")
        return InDoubt(reason=f"Cashfree refused the question: {reply.code}")
    if not isinstance(reply, CashfreeAnswer):
        return reply
    order = reply.fields
    asked = money(order, "order_amount", "order_currency")
    if word(order, "order_id") != key or asked is None:
        return InDoubt(reason="Cashfree answered about another order")
    if known.amount is not None and asked != known.amount:
        return InDoubt(reason="Cashfree's order is not for the amount that was asked")
    payments = await payments_of(api, key)
    if not isinstance(payments, list):
        return payments
    return _order_told(order, tries_told(payments))


async def paid_order(api: CashfreeApi, key: str) -> str | NotSent | InDoubt:
    """The id of the order that was paid: our key, or the one that Cashfree made of a link."""
    orders = await _orders_of_link(api, key)
    if not isinstance(orders, list):
        return orders
    named = [one for one in orders if word(one, "order_id")]
    paid = [word(one, "order_id") for one in named if word(one, "order_status") == "PAID"]
    if len(paid) > 1:
        return InDoubt(reason="Cashfree's link was paid more than once")
    if not paid and orders:
        return InDoubt(reason="Cashfree does not say which order of the link was paid")
    return paid[0] if paid else key


def _order_told(order: Entity, told: Told | None) -> Outcome:
    """An order of ours; a payer who failed once has no address to try again."""
    status = word(order, "order_status")
    if isinstance(told, Captured | Authorized | Pending | InDoubt):
        return told
    match status, told:
        case "ACTIVE" | "TERMINATION_REQUESTED", None:
            return Pending(reference="")
        case (("ACTIVE" | "TERMINATION_REQUESTED" | "PAID"), Declined()):
            return told
        case (("EXPIRED" | "TERMINATED"), None):
            return links.over_told(status, number_word(order, "cf_order_id"))
        case (("EXPIRED" | "TERMINATED"), Declined()):
            return told
        case "PAID", None:
            return InDoubt(reason="Cashfree's order is paid, and its payment is not shown")
        case _:
            return InDoubt(reason="Cashfree sent an unknown order status")
