"""Ending an order: at once where nothing is under way, else when it is known what came of it."""

import pytest
from tests.shop import Scripted, Shop

from kassa import app
from kassa.base.domain.errors import IllegalTransition, NotFound
from kassa.base.domain.lifecycle import OrderStatus, PaymentStatus
from kassa.connectors.base import Captured, Declined, InDoubt
from kassa.orders.usecases.terminate_order import (
    Ended,
    is_terminating,
    pursue_terminations,
    terminate_order,
)
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import take_news
from kassa.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def end(shop: Shop, payment: Payment) -> Ended:
    return await terminate_order(
        shop.core, payment.company_id, payment.order_id, actor="test:merchant"
    )


async def in_doubt(shop: Shop) -> Payment:
    """A payment whose provider has not answered."""
    silent = InDoubt(reason="no answer")
    return await shop.play(await shop.payment(), Scripted(silent, queries=(silent,) * 5))


async def learned(shop: Shop, payment: Payment, outcome: object) -> None:
    [row] = await shop.attempts(payment)
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, payment.company_id, row["id"])
    assert attempt is not None
    await take_news(shop.core, attempt, outcome, actor="provider:scripted", how="notification")
    await shop.sql("update orders_termination set next_at = now()")


async def test_an_unpaid_order_ends_at_once_and_for_everybody_who_asks(shop: Shop) -> None:
    payment = await shop.payment()

    first, again = await end(shop, payment), await end(shop, payment)

    assert (first.order.status, first.requested) == (OrderStatus.CANCELED, False)
    assert again == first


async def test_one_whose_attempt_is_open_ends_once_that_was_declined(shop: Shop) -> None:
    payment = await in_doubt(shop)

    asked, again = await end(shop, payment), await end(shop, payment)
    early = await pursue_terminations(shop.core)
    open_yet = await is_terminating(shop.core, asked.order)
    await learned(shop, payment, Declined(code="card_declined", message="No."))
    late = await pursue_terminations(shop.core)
    ended = await end(shop, payment)

    assert asked.requested
    assert again.requested
    assert (early, open_yet, late) == (0, True, 1)
    assert ended.order.status is OrderStatus.CANCELED
    assert not await is_terminating(shop.core, asked.order)


async def test_one_whose_open_attempt_was_paid_is_paid(shop: Shop) -> None:
    payment = await in_doubt(shop)
    await end(shop, payment)

    await learned(shop, payment, Captured(reference="r", amount=payment.amount))
    decided = await pursue_terminations(shop.core)

    assert decided == 1
    with pytest.raises(IllegalTransition) as refused:
        await end(shop, payment)
    assert refused.value.reason == "order_paid"
    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED


@pytest.mark.parametrize("how", list(CaptureMethod))
async def test_one_that_has_its_money_does_not_end(shop: Shop, how: CaptureMethod) -> None:
    payment = await shop.submit(await shop.payment(capture_method=how))

    with pytest.raises(IllegalTransition) as refused:
        await end(shop, payment)

    assert refused.value.reason == "order_paid"
    assert await shop.read(payment) == payment


async def test_one_that_is_not_there_does_not_end(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await terminate_order(shop.core, shop.company.id, "nothing", actor="test")


async def test_the_worker_pursues_what_was_asked_for(settings: Settings) -> None:
    assert pursue_terminations in [chore.run for chore in app.chores(settings)]
