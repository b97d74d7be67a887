"""What nobody paid in time ends by the database's clock; money is never lost from sight."""

import pytest
from tests.shop import Scripted, Shop

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    Declined,
    InDoubt,
    Outcome,
    Pending,
    Unknown,
)
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import Payment
from kassa.payments.store import payments
from kassa.payments.usecases.poll_payments import poll_payments
from kassa.payments.usecases.submit_payment import take_news

pytestmark = pytest.mark.anyio
REDIRECT = ActionNeeded(reference="r", url="https://provider.example/approve")
TAKEN = Captured(reference="r", amount=Money(10_000, "CNY"))
REFUSED = Declined(code="closed", message="It was closed.")


async def a_redirect(shop: Shop, *queries: Outcome) -> Payment:
    """A payment whose payer was sent to the provider's page, and whose order's time is up."""
    payment = await shop.play(
        await shop.payment(notify_url="https://shop.example/news"),
        Scripted(REDIRECT, queries=queries),
    )
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    await shop.expire(payment)
    return payment


async def tell(shop: Shop, payment: Payment, outcome: Outcome) -> Payment:
    """The provider's notification about the payment's first attempt."""
    [row, *_] = await shop.attempts(payment)
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, payment.company_id, row["id"])
    assert attempt is not None
    return await take_news(shop.core, attempt, outcome, actor="provider:x", how="notification")


async def news(shop: Shop) -> list[str]:
    return [row[0] for row in await shop.sql("select event_type from announcement order by id")]


async def test_only_what_is_due_ends(shop: Shop) -> None:
    due, young = await shop.payment(notify_url="https://shop.example/news"), await shop.payment()
    await shop.expire(due)

    assert await expire_orders(shop.core) == 1

    assert (await shop.read(due)).status is PaymentStatus.EXPIRED
    assert await shop.order_status(due) == "expired"
    assert (await shop.read(young)).status is PaymentStatus.CREATED
    assert await shop.timeline(due) == ["create created", "expire expired"]
    assert await news(shop) == ["payment.expired"]
    assert await expire_orders(shop.core) == 0
    assert await shop.faults() == []


async def test_what_is_paid_or_failed_for_good_keeps_its_word(shop: Shop) -> None:
    paid = await shop.submit(await shop.payment())
    failed = await shop.submit(await shop.payment(), "declined")
    for one in (paid, failed):
        await shop.expire(one)

    await expire_orders(shop.core)

    assert (await shop.read(paid)).status is PaymentStatus.CAPTURED
    assert (await shop.read(failed)).status is PaymentStatus.FAILED
    assert [await shop.order_status(one) for one in (paid, failed)] == ["paid", "expired"]
    assert await shop.faults() == []


async def test_in_doubt_nothing_expires_until_the_provider_has_spoken(shop: Shop) -> None:
    payment = await shop.submit(await shop.payment(), "paid_but_silent")
    await shop.expire(payment)

    assert await expire_orders(shop.core) == 0
    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING
    assert await shop.order_status(payment) == "active"
    await shop.sync(payment)

    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED
    assert await shop.order_status(payment) == "paid"
    assert not (await shop.read(payment)).surplus


async def test_another_amount_at_the_provider_keeps_the_order_from_expiring(shop: Shop) -> None:
    payment = await a_redirect(shop)
    await tell(shop, payment, Captured(reference="r", amount=Money(9_999, "CNY")))

    assert await expire_orders(shop.core) == 0

    assert (await shop.read(payment)).status is PaymentStatus.REQUIRES_ACTION
    assert await shop.order_status(payment) == "active"
    assert await shop.faults() == []


async def test_what_waits_for_its_outcome_blocks_no_other_order(shop: Shop) -> None:
    for _ in range(3):
        payment = await shop.submit(await shop.payment(), "paid_but_silent")
        await shop.expire(payment, by="1 day")
    late = await tell(shop, await shop.submit(await shop.payment(), "declined"), TAKEN)
    await shop.expire(late, by="1 day")
    due = await shop.payment()
    await shop.expire(due)

    for _ in range(2):
        await expire_orders(shop.core, limit=1)

    assert (await shop.read(due)).status is PaymentStatus.EXPIRED
    assert await shop.order_status(late) == "expired"
    assert await shop.faults() == []


async def test_who_paid_at_the_last_moment_has_paid(shop: Shop) -> None:
    payment = await a_redirect(shop, TAKEN)

    await expire_orders(shop.core)

    paid = await shop.read(payment)
    assert (paid.status, paid.surplus) == (PaymentStatus.CAPTURED, False)
    assert await shop.order_status(payment) == "paid"
    assert await shop.faults() == []


async def test_money_that_comes_after_the_end_is_shown_booked_and_told(shop: Shop) -> None:
    payment = await a_redirect(shop, Pending(reference="r"))
    await expire_orders(shop.core)
    assert (await shop.read(payment)).status is PaymentStatus.EXPIRED

    late = await tell(shop, payment, TAKEN)

    assert (late.status, late.surplus) == (PaymentStatus.CAPTURED, True)
    assert late.surplus_amount == Money(10_000, "CNY")
    assert await shop.order_status(payment) == "expired"
    entries = await shop.sql("select account, amount_minor from entry order by leg")
    assert [tuple(row) for row in entries] == [("provider:scripted", 10_000), ("surplus", -10_000)]
    assert await news(shop) == ["payment.expired", "payment.surplus"]
    assert await shop.faults() == []


async def test_money_that_comes_after_the_end_is_found_without_a_notification(shop: Shop) -> None:
    silent = (Unknown(reason="not yet"), InDoubt(reason="no answer"), Pending(reference="r"), TAKEN)
    payment = await a_redirect(shop, *silent)
    await expire_orders(shop.core)

    for _ in range(3):
        await shop.age(payment, "1 hour")
        assert await poll_payments(shop.core) == 1
        assert await poll_payments(shop.core) == 0

    late = await shop.read(payment)
    assert (late.status, late.surplus) == (PaymentStatus.CAPTURED, True)
    assert await shop.faults() == []


async def test_an_expired_attempt_is_not_asked_about_once_it_is_refused(shop: Shop) -> None:
    payment = await a_redirect(shop, Pending(reference="r"), REFUSED)
    await expire_orders(shop.core)
    await shop.age(payment, "1 hour")

    await poll_payments(shop.core)

    assert (await shop.read(payment)).status is PaymentStatus.EXPIRED
    assert [one["next_query_at"] for one in await shop.attempts(payment)] == [None]


async def test_an_expired_attempt_is_not_asked_about_for_ever(shop: Shop) -> None:
    payment = await a_redirect(shop, *[Pending(reference="r")] * 60)
    await expire_orders(shop.core)

    for _ in range(30):
        await shop.age(payment, "1 day")
        await poll_payments(shop.core)

    assert [one["next_query_at"] for one in await shop.attempts(payment)] == [None]
    assert await poll_payments(shop.core) == 0


async def test_one_orders_trouble_is_not_the_others(shop: Shop) -> None:
    broken = await shop.play(await shop.payment(), Scripted(REDIRECT))  # has no answer to queries
    due = await shop.payment()
    for one in (broken, due):
        await shop.expire(one)

    assert await expire_orders(shop.core) == 1

    assert (await shop.read(due)).status is PaymentStatus.EXPIRED
