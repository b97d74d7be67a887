"""What the list of sown bugs about money needs: tests that no other file has."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.modifying import CAPTURE, REFUND, modify, soon
from tests.shop import Shop

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus
from kassa.connectors.base import Authorized
from kassa.modifications.usecases.modify_payment import sync_modification
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import CaptureMethod
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import take_news

pytestmark = pytest.mark.anyio


async def test_a_day_has_a_limit(shop: Shop) -> None:
    user = await shop.user(100_000)
    shop.core.policy = replace(shop.core.policy, wallet_daily_limit_minor=15_000)

    first = await shop.wallet(await shop.payment(), user)
    second = await shop.wallet(await shop.payment(), user)

    assert (first.status, second.status) == (PaymentStatus.CAPTURED, PaymentStatus.FAILED)
    assert second.failure_code == "amount_exceeds_daily_limit"
    assert await shop.balance(user) == 90_000


@pytest.mark.parametrize("minor", [-1, 0, -(2**63)])
async def test_what_is_no_amount_is_never_given_back(shop: Shop, minor: int) -> None:
    payment = await shop.submit(await shop.payment())

    with pytest.raises(InvalidRequest):
        await modify(shop, payment, REFUND, minor)

    assert await shop.sql("select 1 from modification") == []
    assert (await shop.read(payment)).refunded.minor == 0


async def test_a_refund_that_was_lost_on_its_way_keeps_its_reservation(shop: Shop) -> None:
    payment = await shop.submit(await shop.payment(), "refund_never_arrived")
    asked = (await modify(shop, payment, REFUND, 7_000)).modification
    left = []
    for _ in range(3):  # the provider is asked, knows nothing, and is sent it once more
        left.append((await shop.read(payment)).refundable.minor)
        await soon(shop, payment)
        asked = await sync_modification(shop.core, asked, actor="test")

    assert left == [3_000, 3_000, 3_000]
    assert asked.status is ModificationStatus.SUCCEEDED
    assert [one.units for one in shop.books.refunds_of(asked.id)] == [7_000]


async def test_an_order_whose_money_is_in_doubt_stays_open(shop: Shop) -> None:
    payment = await shop.submit(await shop.payment(), "lost")  # the provider knows nothing of it
    await shop.expire(payment)

    assert await expire_orders(shop.core) == 0

    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING
    assert await shop.order_status(payment) == "active"


async def test_a_late_reservation_that_is_let_go_bars_no_capture(shop: Shop) -> None:
    # Guard: modification_one_claim speaks of what the payment holds, not of late reservations.
    payment = await shop.submit(
        await shop.payment(capture_method=CaptureMethod.MANUAL), "action_needed"
    )
    (left,) = await shop.attempts(payment)
    await shop.submit(payment, "paid")
    now = datetime.now(UTC)
    shop.books.decide(left["provider_reference"], approve=True, now=now)
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, payment.company_id, left["id"])
    assert attempt is not None
    late = Authorized(reference="late", amount=payment.amount, expires_at=None)
    await take_news(shop.core, attempt, late, actor="test", how="notification")

    captured = await modify(shop, payment, CAPTURE, 4_000)

    assert captured.modification.status is ModificationStatus.SUCCEEDED
    assert (await shop.read(payment)).captured.minor == 4_000
