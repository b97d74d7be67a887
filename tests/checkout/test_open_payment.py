"""A customer's payment: one redirect that is renewed, never a second charge, nobody else's."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.shop import Scripted, Shop, outcome_of

from kassa.base.domain.errors import IllegalTransition, NotFound
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.checkout.usecases.open_payment import get_customer_payment, open_payment, renew_redirect
from kassa.connectors.base import ActionNeeded, ChargeRequest, Declined
from kassa.identity.domain.principals import Principal
from kassa.payments.domain.payments import Payment

pytestmark = pytest.mark.anyio


@pytest.fixture
def alice(shop: Shop) -> Principal:
    return Principal(
        company=shop.company,
        business_id=shop.company.business_id,
        kind="customer",
        credential="key",
        name="alice",
        roles=frozenset({"CUSTOMER"}),
        orders=frozenset({"*"}),
    )


async def opened(shop: Shop, who: Principal, order_id: str, **more: str) -> Payment:
    said = {"subject": "tea", "description": "d", **more}
    return await open_payment(shop.core, who, order_id=order_id, **said)


def the_number(payment: Payment) -> int:
    assert payment.number is not None
    return payment.number


async def test_opening_many_times_at_once_makes_one_attempt_one_number_one_address(
    shop: Shop, alice: Principal
) -> None:
    made = await shop.create(order_id="order-1")

    answers = await asyncio.gather(*(opened(shop, alice, "order-1") for _ in range(10)))
    later = await opened(shop, alice, "order-1")

    assert {(one.id, one.number) for one in [*answers, later]} == {(made.payment.id, later.number)}
    assert later.redirect_url.startswith("https://openapi-sandbox.dl.alipaydev.com/")
    assert later.status is PaymentStatus.REQUIRES_ACTION
    assert len(await shop.attempts(made.payment)) == 1
    assert await shop.faults() == []


@pytest.mark.parametrize(
    ("channel", "begins", "product"),
    [
        ("page", "https://", "FAST_INSTANT_TRADE_PAY"),
        ("wap", "https://", "QUICK_WAP_WAY"),
        ("app", "app_id=", "QUICK_MSECURITY_PAY"),
    ],
)
async def test_each_channel_has_its_own_kind_of_address_also_when_it_is_renewed(
    shop: Shop, alice: Principal, channel: str, begins: str, product: str
) -> None:
    await shop.create(order_id="order-1")

    first = await open_payment(
        shop.core, alice, order_id="order-1", subject="tea", description="d", channel=channel
    )
    again = await renew_redirect(shop.core, alice, the_number(first))

    for payment in (first, again):
        assert payment.redirect_url.startswith(begins)
        assert product in payment.redirect_url


async def test_nobody_elses_payment_can_be_opened_renewed_or_read(
    shop: Shop, alice: Principal
) -> None:
    await shop.create(order_id="order-1")
    payment = await opened(shop, alice, "order-1")
    bob = replace(alice, name="bob")
    stranger = replace(alice, company=await shop.other_company())

    for who in (bob, stranger):
        with pytest.raises(NotFound):
            await opened(shop, who, "order-1")
        for verb in (renew_redirect, get_customer_payment):
            with pytest.raises(NotFound):
                await verb(shop.core, who, the_number(payment))

    assert (await get_customer_payment(shop.core, alice, the_number(payment))).payment == payment


async def test_of_two_customers_at_once_one_gets_the_order(shop: Shop, alice: Principal) -> None:
    await shop.create(order_id="order-1")
    people = [replace(alice, name=name) for name in ("alice", "bob")] * 5

    answers = await asyncio.gather(
        *(opened(shop, who, "order-1") for who in people), return_exceptions=True
    )

    assert sorted(map(outcome_of, answers)) == ["not_found"] * 5 + ["requires_action"] * 5


async def test_renewing_gives_a_fresh_address_under_the_same_attempt(
    shop: Shop, alice: Principal
) -> None:
    await shop.create(order_id="order-1")
    first = await opened(shop, alice, "order-1")
    await asyncio.sleep(1.1)  # the address names the second in which it was made

    renewed = await renew_redirect(shop.core, alice, the_number(first))

    assert renewed.redirect_url != first.redirect_url
    [attempt] = await shop.attempts(first)
    assert attempt["id"] in renewed.redirect_url
    assert await shop.faults() == []


async def test_pressing_the_button_again_and_again_signs_one_address_a_second(
    shop: Shop, alice: Principal
) -> None:
    addresses = [ActionNeeded(reference="", url=f"https://pay.example/{n}") for n in range(9)]
    scripted = Scripted(*addresses)
    shop.core.connectors["alipay"] = scripted  # type: ignore[index]
    await shop.create(order_id="order-1")
    payment = await opened(shop, alice, "order-1")

    for _ in range(5):
        await renew_redirect(shop.core, alice, the_number(payment))
    at_once = len(scripted.charged)
    await asyncio.sleep(1.1)
    await renew_redirect(shop.core, alice, the_number(payment))

    assert (at_once, len(scripted.charged)) == (1, 2)


async def test_however_many_renew_at_once_each_new_address_is_one_entry(
    shop: Shop, alice: Principal
) -> None:
    await shop.create(order_id="order-1")
    payment = await opened(shop, alice, "order-1")
    before = len(await shop.timeline(payment))
    await asyncio.sleep(1.1)

    renewed = await asyncio.gather(
        *(renew_redirect(shop.core, alice, the_number(payment)) for _ in range(10))
    )

    addresses = {one.redirect_url for one in renewed}
    assert len(await shop.timeline(payment)) - before == len(addresses) <= 3


async def test_dying_before_the_address_was_written_down_is_healed_by_asking_again(
    shop: Shop, alice: Principal
) -> None:
    address = ActionNeeded(reference="", url="https://pay.example/1")
    scripted = Scripted(RuntimeError("died here"), address, address)
    shop.core.connectors["alipay"] = scripted  # type: ignore[index]
    await shop.create(order_id="order-1")
    with pytest.raises(RuntimeError):
        await opened(shop, alice, "order-1")

    healed = await opened(shop, alice, "order-1")

    assert (healed.status, healed.redirect_url) == (
        PaymentStatus.REQUIRES_ACTION,
        "https://pay.example/1",
    )
    assert len(await shop.attempts(healed)) == 1
    assert await shop.faults() == []


async def test_dying_before_the_address_was_written_down_is_healed_by_renewing(
    shop: Shop, alice: Principal
) -> None:
    address = ActionNeeded(reference="", url="https://pay.example/1")
    scripted = Scripted(RuntimeError("died here"), address)
    shop.core.connectors["alipay"] = scripted  # type: ignore[index]
    made = await shop.create(order_id="order-1")
    with pytest.raises(RuntimeError):
        await opened(shop, alice, "order-1")

    payment = await shop.read(made.payment)
    healed = await renew_redirect(shop.core, alice, the_number(payment))

    assert healed.redirect_url == "https://pay.example/1"
    assert len(set(scripted.charged)) == 1


async def test_what_has_ended_or_is_paid_gets_no_address(shop: Shop, alice: Principal) -> None:
    late = await shop.create(order_id="late")
    await shop.expire(late.payment)
    await shop.submit((await shop.create(order_id="paid")).payment)

    with pytest.raises(IllegalTransition):
        await opened(shop, alice, "late")
    with pytest.raises(IllegalTransition):
        await opened(shop, alice, "paid")
    with pytest.raises(NotFound):
        await opened(shop, alice, "nothing")


async def test_a_paid_payment_comes_back_as_it_is(shop: Shop, alice: Principal) -> None:
    made = await shop.create(order_id="order-1")
    payment = await opened(shop, alice, "order-1")
    paid = await shop.submit(made.payment)

    assert await renew_redirect(shop.core, alice, the_number(payment)) == paid
    assert await opened(shop, alice, "order-1") == paid
    assert [one["status"] for one in await shop.attempts(paid)] == ["abandoned", "succeeded"]


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"amount": Money(500, "JPY")}, "currency_unsupported"),
        ({"amount": Money(100_000_000_01, "CNY")}, "amount_out_of_range"),
        ({}, "expired"),
    ],
)
async def test_what_alipay_can_never_take_is_tried_and_told_once(
    shop: Shop, alice: Principal, order: dict[str, Any], code: str
) -> None:
    lifetime = timedelta(minutes=1 if code == "expired" else 60)
    ends = datetime.now(UTC) + lifetime
    made = await shop.create(order_id="order-1", expires_at=ends, **order)

    first = await opened(shop, alice, "order-1")
    again = await opened(shop, alice, "order-1")
    renewed = await renew_redirect(shop.core, alice, the_number(first))

    assert (first.status, first.failure_code) == (PaymentStatus.FAILED, code)
    assert first == again == renewed
    assert len(await shop.attempts(first)) == 1
    assert (await shop.timeline(first)).count("decline failed") == 1
    paid = await shop.submit(made.payment)
    assert paid.status is PaymentStatus.CAPTURED


async def test_a_payment_refused_by_a_payer_can_still_get_a_new_address(
    shop: Shop, alice: Principal
) -> None:
    address = ActionNeeded(reference="", url="https://pay.example/1")
    refused = Declined(code="payer_refused", message="no")
    shop.core.connectors["alipay"] = Scripted(refused, address)  # type: ignore[index]
    await shop.create(order_id="order-1")
    failed = await opened(shop, alice, "order-1")

    renewed = await renew_redirect(shop.core, alice, the_number(failed))

    assert failed.status is PaymentStatus.FAILED
    assert renewed.redirect_url == "https://pay.example/1"
    assert len(await shop.attempts(renewed)) == 2


async def test_for_a_code_the_provider_is_asked_for_one_and_renews_it(
    shop: Shop, alice: Principal
) -> None:
    asked: list[str] = []

    class Coding(Scripted):
        async def charge(self, request: ChargeRequest) -> ActionNeeded:
            asked.append(request.instrument)
            return ActionNeeded(reference="", url=f"https://qr.example/{len(asked)}")

    shop.core.connectors["alipay"] = Coding()  # type: ignore[index]
    await shop.create(order_id="order-1")

    first = await opened(shop, alice, "order-1", channel="qr")
    await asyncio.sleep(1.1)
    renewed = await renew_redirect(shop.core, alice, the_number(first))

    assert (first.redirect_url, renewed.redirect_url) == tuple(
        f"https://qr.example/{number}" for number in (1, 2)
    )
    assert asked == ["qr", "qr"]
    assert len(await shop.attempts(first)) == 1
