"""Whose an order is: what the merchant said when it was made, and what a customer can prove."""

from kassa.identity.domain.principals import Principal
from kassa.orders.domain.orders import Order

EVERY_ORDER = "*"
"""Among the orders of a customer's token: whichever nobody else has opened."""


def may_open(order: Order, who: Principal, *, named: str, by_session: bool) -> bool:
    """Whether an order that no customer has opened yet is `who`'s to open.

    `named`: the id that the merchant gave its customer, "" where none was given. `by_session`:
    whether they showed the order's session, which nobody can guess. The merchant's word in a
    token that it signed for this customer comes first, then the id, then the e-mail address. An
    order id alone never opens anything, because it can be guessed.
    """
    if who.orders & {EVERY_ORDER, order.id}:
        return True
    if named:
        return named == (who.customer_id or who.name)
    if who.email and who.email.casefold() == order.customer.email.casefold():
        return True
    return by_session
