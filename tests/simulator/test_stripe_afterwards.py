"""Stripe's own library takes the simulator for Stripe: sessions, refunds, disputes, payouts."""

from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import stripe
from tests.simulator.conftest import Heard, Shop

from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio


async def a_session(shop: Shop, **more: Any) -> Any:
    tea = {"currency": "usd", "unit_amount": 450, "product_data": {"name": "Tea"}}
    content = {
        "mode": "payment",
        "line_items": [{"quantity": 2, "price_data": tea}],
        "payment_intent_data": {"metadata": {"kassa_attempt": "att_1"}},
        "client_reference_id": "order_1",
        "success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/cart",
        **more,
    }
    return await shop(lambda v1: v1.checkout.sessions.create(content))


async def press(url: str, action: str) -> tuple[int, str]:
    """What the button on the page leads to: the status, and where."""
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(url, data={"action": action}, allow_redirects=False) as gone,
    ):
        return gone.status, gone.headers.get("location", "")


async def test_a_session_is_paid_on_its_page(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    session = await a_session(shop)
    assert (session.status, session.payment_intent, session.amount_total) == ("open", None, 900)
    nobody = await shop(lambda v1: v1.payment_intents.list())
    assert nobody.data == []

    status, location = await press(session.url, "pay")

    assert (status, location) == (303, f"https://shop.example/done?session={session.id}")
    paid = await shop(
        lambda v1: v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    )
    assert (paid.status, paid.payment_status) == ("complete", "paid")
    assert paid.payment_intent.metadata.kassa_attempt == "att_1"
    assert paid.payment_intent.amount_received == 900
    of_intent = await shop(
        lambda v1: v1.checkout.sessions.list({"payment_intent": paid.payment_intent.id})
    )
    assert [each.id for each in of_intent.data] == [session.id]
    await simulator.post_letters()
    assert "checkout.session.completed" in heard.events


async def test_a_declined_payer_may_try_again_and_pays_once(
    shop: Shop, simulator: Simulator
) -> None:
    session = await a_session(shop)

    assert (await press(session.url, "decline"))[0] == 200
    assert (await shop(lambda v1: v1.checkout.sessions.retrieve(session.id))).status == "open"
    for _ in range(2):
        await press(session.url, "pay")

    assert simulator.money("stripe")["USD"]["charges"] == 1


async def test_nobody_pays_a_session_that_was_closed_or_is_over(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    closed, over = await a_session(shop), await a_session(shop)
    paid = await a_session(shop)
    await press(paid.url, "pay")

    gone = await shop(lambda v1: v1.checkout.sessions.expire(closed.id))
    simulator.advance(timedelta(hours=25))
    for session in (closed, over):
        assert (await press(session.url, "pay"))[0] == 200

    assert (gone.status, gone.url) == ("expired", None)
    assert (await shop(lambda v1: v1.checkout.sessions.retrieve(over.id))).status == "expired"
    assert simulator.money("stripe")["USD"]["charges"] == 1
    with pytest.raises(stripe.InvalidRequestError):
        await shop(lambda v1: v1.checkout.sessions.expire(paid.id))
    await simulator.post_letters()
    assert heard.events.count("checkout.session.expired") == 2


async def test_a_session_may_only_reserve(shop: Shop, simulator: Simulator) -> None:
    session = await a_session(shop, payment_intent_data={"capture_method": "manual"})

    await press(session.url, "pay")

    assert simulator.money("stripe") == {}
    done = await shop(lambda v1: v1.checkout.sessions.retrieve(session.id))
    assert (done.status, done.payment_status) == ("complete", "unpaid")
    taken = await shop(lambda v1: v1.payment_intents.capture(done.payment_intent))
    assert taken.amount_received == 900


async def test_refunds_never_exceed_what_was_taken(shop: Shop, simulator: Simulator) -> None:
    intent = await shop.pay()

    part = await shop(
        lambda v1: v1.refunds.create(
            {"payment_intent": intent.id, "amount": 1000, "metadata": {"kassa_attempt": "ref_1"}}
        )
    )
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        await shop(lambda v1: v1.refunds.create({"payment_intent": intent.id, "amount": 100}))
    rest = await shop(lambda v1: v1.refunds.create({"payment_intent": intent.id}))
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        await shop(lambda v1: v1.refunds.create({"payment_intent": intent.id}))

    assert (part.status, rest.amount) == ("succeeded", 99)
    assert "greater than unrefunded amount" in str(too_much.value)
    assert nothing_left.value.code == "charge_already_refunded"
    assert simulator.money("stripe")["USD"]["refunded_minor"] == 1099
    listed = await shop(lambda v1: v1.refunds.list({"payment_intent": intent.id}))
    assert [each.id for each in listed.data] == [rest.id, part.id]
    assert (await shop(lambda v1: v1.refunds.retrieve(part.id))).amount == 1000


@pytest.mark.parametrize(("verdict", "disputed"), [("won", 0), ("lost", 1099)])
async def test_a_dispute_takes_the_money_until_it_is_decided(
    shop: Shop, simulator: Simulator, heard: Heard, verdict: str, disputed: int
) -> None:
    intent = await shop.pay(payment_method="pm_card_createDispute")
    assert simulator.money("stripe")["USD"]["disputed_minor"] == 1099
    opened = await shop(lambda v1: v1.disputes.list({"payment_intent": intent.id}))
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop(lambda v1: v1.refunds.create({"payment_intent": intent.id}))
    assert caught.value.code == "charge_disputed"

    evidence = {"uncategorized_text": "winning_evidence" if verdict == "won" else "losing_evidence"}
    await shop(lambda v1: v1.disputes.update(opened.data[0].id, {"evidence": evidence}))

    closed = await shop(lambda v1: v1.disputes.retrieve(opened.data[0].id))
    assert closed.status == verdict
    assert simulator.money("stripe")["USD"]["disputed_minor"] == disputed
    await simulator.post_letters()
    told = [event for event in heard.events if event.startswith("charge.dispute.")]
    assert told[0] == "charge.dispute.created"
    assert told[-1] == "charge.dispute.closed"
    assert "charge.dispute.updated" in told


async def test_a_day_is_paid_out_and_the_payout_says_of_what(
    shop: Shop, simulator: Simulator
) -> None:
    intent = await shop.pay()
    await shop(lambda v1: v1.refunds.create({"payment_intent": intent.id, "amount": 99}))
    assert (await shop(lambda v1: v1.payouts.list())).data == []

    simulator.advance(timedelta(days=1))

    (payout,) = (await shop(lambda v1: v1.payouts.list())).data
    assert payout.amount == 1099 - 62 - 99
    entries = await shop(lambda v1: v1.balance_transactions.list({"payout": payout.id}))
    assert sorted((each.type, each.net) for each in entries.data) == [
        ("charge", 1037),
        ("payout", -938),
        ("refund", -99),
    ]
