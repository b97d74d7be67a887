"""End what nobody paid in time, by the database's clock."""

from dataclasses import replace

from kassa.domain.case import Case
from kassa.domain.errors import IllegalTransition
from kassa.domain.lifecycle import ENDED, OPEN, OrderStatus, PaymentEvent
from kassa.store import orders
from kassa.usecases.change_payment import Change, Purse, change_payment
from kassa.usecases.core import Core
from kassa.usecases.find_payments import payments_of_order
from kassa.usecases.sync_payment import sync_payment

_ACTOR = "worker:expiry"


async def expire_orders(core: Core, limit: int = 200) -> int:
    """Expire due orders and their open payments; returns how many orders ended.

    A payment at a provider is asked about first. One whose outcome is unknown stays, and so does
    its order: money that may be there never reads as not there.
    """
    async with core.db.connection() as connection:
        due = await orders.due(connection, limit)
    ended = 0
    for company_id, order_id in due:
        for view in await payments_of_order(core, company_id, order_id):
            payment = view.payment
            if payment.connector and payment.status not in ENDED:
                await sync_payment(core, company_id, payment.id, actor=_ACTOR)
            change = Change(company_id=company_id, payment_id=payment.id, decide=_expire)
            case = await change_payment(core, change)
            ended += case.order.status is OrderStatus.EXPIRED
    return ended


def _expire(case: Case, _: Purse | None) -> None:
    if case.order.status is not OrderStatus.ACTIVE or case.now < case.order.expires_at:
        return
    if case.payment.status in OPEN:
        try:
            case.close(PaymentEvent.EXPIRE, actor=_ACTOR, evidence={"by": "clock"})
        except IllegalTransition:
            return
    elif case.payment.status in ENDED and not case.order_paid:
        case.order = replace(case.order, status=OrderStatus.EXPIRED, updated_at=case.now)
        case.order_changed = True
