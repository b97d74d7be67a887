"""End what nobody paid in time, by the database's clock."""

import asyncio

import structlog

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import ENDED, OPEN, OrderStatus
from kassa.base.usecases.backoff import backoff_of
from kassa.base.usecases.core import Core
from kassa.orders.store import orders
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.sync_payment import sync_payment, waits_to_be_closed

_log = structlog.get_logger("kassa.expiry")
_ACTOR = "worker:expiry"


async def expire_orders(core: Core, limit: int = 200) -> int:
    """Expire due orders and their open payments; returns how many orders ended.

    A payment at a provider is asked about first; one that waits at the page of a provider that
    can close it is closed there, and found paid or expires. One whose outcome is unknown, or that
    could not be closed, stays, and so does its order: money that may be there never reads as not
    there.
    """
    resting = backoff_of(core, "expire")
    async with core.db.connection() as connection:
        due = await orders.due(connection, limit, resting=resting.keys(), live=core.policy.live)
        found = await orders.by_order(connection, due) if due else {}
    ended = await asyncio.gather(
        *(_end(core, payment) for pairs in found.values() for payment, _ in pairs)
    )
    return sum(ended)


async def _end(core: Core, payment: Payment) -> bool:
    resting = backoff_of(core, "expire")
    try:
        done = await _ask_and_end(core, payment)
    except Exception:  # noqa: BLE001 - one payment's trouble is not the others'
        _log.exception("expiry failed", payment=payment.id)
        resting.failed(payment.order_id)
        return False
    resting.went_on([payment.order_id])
    return done


async def _ask_and_end(core: Core, payment: Payment) -> bool:
    if payment.connector and payment.status not in ENDED:
        await sync_payment(core, payment.company_id, payment.id, actor=_ACTOR)

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        if not any(waits_to_be_closed(core, case, one) for one in case.attempts.values()):
            _expire(case)

    change = PaymentChange(company_id=payment.company_id, payment_id=payment.id, decide=decide)
    return (await change_payment(core, change)).order.status is OrderStatus.EXPIRED


def _expire(case: PaymentAggregate) -> None:
    if case.order.status is not OrderStatus.ACTIVE or case.now < case.order.expires_at:
        return
    if case.payment.status in OPEN:
        try:
            case.close(facts.PaymentExpired(), actor=_ACTOR, by="clock")
        except IllegalTransition:
            return
    elif case.payment.status in ENDED or case.payment.surplus:
        case.expire_order(actor=_ACTOR, by="clock")
