"""What the business face tells of payments, summed up, is what the settlement pays out."""

from dataclasses import replace
from typing import Any

import pytest
from tests.modifying import CAPTURE, REFUND, Obedient, modify, reserved
from tests.shop import Shop
from tests.sums import minor, told

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, Declined, DisputeEvent, Pending
from kassa.disputes.usecases.disputes import take_dispute_news
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import Payment
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import take_news
from kassa.settlement.usecases.settlements import close_settlements

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def the_attempt(shop: Shop, payment: Payment) -> Any:
    key = (await shop.attempts(payment))[0]["id"]
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, payment.company_id, key)
    assert attempt is not None
    return attempt


async def captured_in_part(shop: Shop) -> Payment:
    """80.00 were reserved, 55.00 claimed, the rest let go."""
    payment = await reserved(shop, Obedient(), amount=Money(8_000, "CNY"))
    await modify(shop, payment, CAPTURE, 5_500)
    return payment


async def lost(shop: Shop, status: DisputeStatus = DisputeStatus.LOST) -> Payment:
    """The bank took 100.00 and the provider 15.00 for it."""
    payment = await shop.play(await shop.payment(), Obedient())
    news = DisputeEvent(
        dedupe_key="d",
        key="",
        reference=f"dp of {payment.id}",
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount=payment.amount,
        fee=Money(1_500, "CNY"),
        reason="fraudulent",
        respond_by=None,
    )
    for one in (news, replace(news, status=status)):
        await take_dispute_news(shop.core, await the_attempt(shop, payment), one, actor="test")
    return payment


async def came_too_late(shop: Shop) -> Payment:
    """The order had ended; the provider kept 0.30 of what came all the same."""
    provider = Obedient()
    provider.answers = [Pending(reference="p")]
    payment = await shop.play(await shop.payment(), provider)
    attempt = await the_attempt(shop, payment)
    declined = Declined(code="late", message="Too late.")
    await take_news(shop.core, attempt, declined, actor="test", how="query")
    await shop.expire(payment)
    await expire_orders(shop.core)
    money = Captured(reference="late", amount=payment.amount, fee=Money(30, "CNY"))
    await take_news(shop.core, attempt, money, actor="test", how="query")
    return payment


async def the_face(shop: Shop, payment: Payment) -> dict[str, Any]:
    [found] = [one for one in await told(shop) if one["id"] == payment.id]
    return {
        name: minor(value) if name.endswith(("Amount", "Fee")) or name == "amount" else value
        for name, value in found.items()
    }


async def test_the_face_adds_up_to_the_settlement(shop: Shop) -> None:
    await captured_in_part(shop)
    await lost(shop)
    refunded = await shop.play(await shop.payment(), Obedient())
    await modify(shop, refunded, REFUND, 2_500)
    await shop.play(await shop.payment(amount=Money(514, "CNY")), Obedient())
    late = await came_too_late(shop)
    first = await close_settlements(shop.core, shop.company.id)
    assert [sum(minor(one["netAmount"]) for one in await told(shop))] == [
        one.net.minor for one in first
    ]
    await return_overpayments(shop.core)

    [second] = await close_settlements(shop.core, shop.company.id)

    assert sum(minor(one["netAmount"]) for one in await told(shop)) == sum(
        one.sums.total for one in (*first, second)
    )
    assert (await the_face(shop, late))["netAmount"] == -30


async def test_a_part_that_was_captured_is_told_beside_the_amount(shop: Shop) -> None:
    face = await the_face(shop, await captured_in_part(shop))

    assert (face["status"], face["amount"]) == ("PAID", 8_000)
    assert (face["capturedAmount"], face["netAmount"]) == (5_500, 5_500)


async def test_a_lost_dispute_is_told_and_a_won_one_is_over(shop: Shop) -> None:
    face = await the_face(shop, await lost(shop))
    assert (face["status"], face["refundAmount"], face["refunds"]) == ("PAID", 0, [])
    assert (face["capturedAmount"], face["disputedAmount"]) == (10_000, 10_000)
    assert (face["processingFee"], face["netAmount"]) == (1_500, -1_500)

    face = await the_face(shop, await lost(shop, DisputeStatus.WON))
    assert (face["disputedAmount"], face["netAmount"]) == (0, 8_500)


async def test_each_refund_that_is_done_is_told(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())
    first = await modify(shop, payment, REFUND, 1_000, reason="service_issue")
    second = await modify(shop, payment, REFUND, 500)

    face = await the_face(shop, payment)

    said = [(one["id"], minor(one["amount"]), one["reason"]) for one in face["refunds"]]
    assert said == [
        (first.modification.id, 1_000, "service_issue"),
        (second.modification.id, 500, ""),
    ]
    assert {one["paymentId"] for one in face["refunds"]} == {payment.id}
    assert {one["staffId"] for one in face["refunds"]} == {""}
    assert (face["refundAmount"], face["returnedAmount"], face["netAmount"]) == (
        1_500,
        1_500,
        8_500,
    )


async def test_money_that_nobody_owed_is_told_apart_from_what_was_earned(shop: Shop) -> None:
    payment = await came_too_late(shop)
    face = await the_face(shop, payment)
    assert (face["capturedAmount"], face["overpaidAmount"], face["overpaidFee"]) == (0, 10_000, 30)
    assert (face["returnedAmount"], face["netAmount"]) == (0, 9_970)

    await return_overpayments(shop.core)

    face = await the_face(shop, payment)
    assert (face["returnedAmount"], face["refunds"][0]["reason"]) == (10_000, "overpaid")
    assert face["netAmount"] == -30
