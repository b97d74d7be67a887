"""End an order before it is paid; one whose outcome nobody knows ends when it is known."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from kassa.base.domain.errors import IllegalTransition, InProgress
from kassa.base.domain.lifecycle import ENDED, OrderStatus
from kassa.base.usecases.core import Core
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.orders.domain.orders import Order
from kassa.orders.store import terminations
from kassa.orders.store.terminations import Termination
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.find_payments import payments_of_order

_log = structlog.get_logger("kassa.payments")
_PAUSE = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Ended:
    """`requested`: an attempt is open, so the order ends only if that brings no money."""

    order: Order
    payments: list[Payment]
    requested: bool


async def terminate_order(core: Core, company_id: str, order_id: str, *, actor: str) -> Ended:
    """End the order, or ask for its end while an attempt at it is open.

    Raises: NotFound; IllegalTransition when it is paid or its money reserved (reason order_paid)
    or it has expired (order_inactive).
    """
    order, payments = await _read(core, company_id, order_id)
    if order.status is OrderStatus.CANCELED:
        return Ended(order, payments, False)
    if order.status is OrderStatus.EXPIRED:
        raise IllegalTransition("the order has expired", reason="order_inactive")
    if has_money(payments):
        raise _paid()
    open_ones = [payment for payment in payments if payment.status not in ENDED]
    payment = (open_ones or payments)[-1]
    requested = False
    try:
        await cancel_payment(core, company_id, payment.id, actor=actor)
    except InProgress:
        async with core.db.connection() as connection:
            await terminations.add(
                connection, company_id, order_id, payment_id=payment.id, actor=actor
            )
        requested = True
    except IllegalTransition as error:
        raise (_paid() if error.reason == "payment_paid" else error) from None
    order, payments = await _read(core, company_id, order_id)
    return Ended(order, payments, requested and order.status is OrderStatus.ACTIVE)


async def _read(core: Core, company_id: str, order_id: str) -> tuple[Order, list[Payment]]:
    views = await payments_of_order(core, company_id, order_id)
    return views[0].order, [view.payment for view in views]


def has_money(payments: Sequence[Payment]) -> bool:
    """Whether money was reserved or taken for the order; surplus is not for it."""
    return any(payment.authorized.minor and not payment.surplus for payment in payments)


def _paid() -> IllegalTransition:
    return IllegalTransition(
        "the order has its money: void or refund it instead", reason="order_paid"
    )


async def is_terminating(core: Core, order: Order) -> bool:
    """Whether the order's end was asked for and has not come yet."""
    if order.status is not OrderStatus.ACTIVE:
        return False
    async with core.db.connection() as connection:
        return await terminations.exists(connection, order.company_id, order.id)


async def pursue_terminations(core: Core, limit: int = 100) -> int:
    """Try to end the orders whose end was asked for; returns how many are decided."""
    async with core.db.connection() as connection:
        due = await terminations.lease(connection, limit, _PAUSE, live=core.policy.live)
    return sum(await asyncio.gather(*(_pursue(core, one) for one in due)))


async def _pursue(core: Core, wanted: Termination) -> bool:
    try:
        await cancel_payment(core, wanted.company_id, wanted.payment_id, actor=wanted.actor)
    except InProgress:
        return False
    except IllegalTransition:
        pass  # it is paid after all, or what is reserved cannot be let go: that is its end
    except Exception:  # noqa: BLE001 - one order's trouble is not the others'
        _log.exception("termination failed", order=wanted.order_id)
        return False
    async with core.db.connection() as connection:
        await terminations.remove(connection, wanted.company_id, wanted.order_id)
    return True
