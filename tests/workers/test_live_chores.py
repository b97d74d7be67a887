"""Nothing is done behind the scenes for a live side where no real money is moved."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.shop import Shop

from kassa.identity.domain.principals import Mode
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.modifications.store import modifications
from kassa.orders.store import orders, terminations
from kassa.payments.domain.payments import CaptureMethod
from kassa.webhooks_out.store import deliveries
from kassa.webhooks_out.store.deliveries import DeliveryPlaces
from kassa.workers.rounds import standard_chores

pytestmark = pytest.mark.anyio
_NOW = timedelta(0)
Find = Callable[[Shop, bool], Awaitable[set[str]]]


async def letters(shop: Shop, live: bool) -> set[str]:
    await shop.wallet(
        await shop.payment(notify_url="https://shop.example/hook"), await shop.user(10_000)
    )
    async with shop.core.db.connection() as connection:
        found = await deliveries.lease(connection, _NOW, DeliveryPlaces(free=50, live=live))
    return {one.announcement.company_id for one in found}


async def expiries(shop: Shop, live: bool) -> set[str]:
    await shop.expire(await shop.payment())
    async with shop.core.db.connection() as connection:
        return {company for company, _ in await orders.due(connection, 50, live=live)}


async def releases(shop: Shop, live: bool) -> set[str]:
    payment = await shop.payment(capture_method=CaptureMethod.MANUAL)
    await shop.wallet(payment, await shop.user(10_000))
    async with shop.core.db.connection() as connection:
        found = await modifications.to_release(connection, timedelta(days=99), 50, live=live)
    return {company for company, _ in found}


async def surplus(shop: Shop, live: bool) -> set[str]:
    payment = await shop.wallet(await shop.payment(), await shop.user(10_000))
    await shop.sql("update payment set surplus_minor = 1 where id = $1", payment.id)
    await shop.sql("update attempt set surplus = true where payment_id = $1", payment.id)
    async with shop.core.db.connection() as connection:
        return {one for one, _ in await modifications.with_surplus(connection, 50, live=live)}


async def endings(shop: Shop, live: bool) -> set[str]:
    payment = await shop.payment()
    async with shop.core.db.connection() as connection:
        await terminations.add(
            connection,
            payment.company_id,
            payment.order_id,
            payment_id=payment.id,
            actor="test",
        )
        await connection.execute("update orders_termination set next_at = now()")
        found = await terminations.lease(connection, 50, _NOW, live=live)
    return {one.company_id for one in found}


@pytest.fixture
async def live(shop: Shop) -> Shop:
    """The live side of the shop."""
    shop.core.policy = replace(shop.core.policy, live=True)
    new = NewCompany(
        id="cmp_shop", business_id="biz", name="A Shop", currency="CNY", mode=Mode.LIVE
    )
    return replace(shop, company=await add_company(shop.core, new), connections=[])


@pytest.mark.parametrize("find", [letters, expiries, releases, surplus, endings])
async def test_what_is_due_on_a_live_side_waits(shop: Shop, live: Shop, find: Find) -> None:
    assert await find(live, False) == set()
    assert await find(shop, False) == {"cmp_shop"}
    assert await find(live, True) >= {"cmp_shop:live"}


async def test_the_worker_of_an_installation_without_real_money_leaves_it_alone(
    shop: Shop, live: Shop
) -> None:
    mine, real = [await side.payment() for side in (shop, live)]
    await shop.expire(mine)
    await live.expire(real)
    for side in (shop, live):
        told = await side.payment(notify_url="https://127.0.0.1/hook")
        await side.wallet(told, await side.user(10_000))
    shop.core.policy = replace(shop.core.policy, live=False)

    for chore in standard_chores():
        await chore.run(shop.core)
        if chore.finish is not None:
            await chore.finish()

    assert await shop.order_status(mine) == "expired"
    assert await shop.order_status(real) == "active"
    letters_tried = await shop.sql("select company_id from announcement where tries > 0")
    assert {row["company_id"] for row in letters_tried} == {"cmp_shop"}
