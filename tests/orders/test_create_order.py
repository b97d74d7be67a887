"""One order per request, whoever asks, however often, from however many processes."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from tests.shop import Shop, outcome_of

from kassa import assembly
from kassa.base.domain.errors import IdempotencyMismatch, InvalidRequest
from kassa.base.domain.money import Money
from kassa.orders.usecases.create_order import CreatedOrder, create_order
from kassa.payments.usecases.find_payments import find_by_request, payments_of_order
from kassa.settings import Settings

pytestmark = pytest.mark.anyio
KEY: dict[str, Any] = {"request_scope": "test", "request_id": "r-1"}


async def rows(shop: Shop) -> int:
    [row] = await shop.sql(
        "select count(distinct o.id) as orders, count(distinct p.id) as payments,"
        " count(e.seq) as events from orders o join payment p on p.order_id = o.id"
        " join payment_event e on e.payment_id = p.id"
    )
    assert row["orders"] == row["payments"] == row["events"]
    return int(row["orders"])


def made(answers: list[CreatedOrder]) -> CreatedOrder:
    """The one order all of them got, said to be new exactly once."""
    assert len({(answer.order.id, answer.payment.id) for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    return answers[0]


async def test_fifty_identical_requests_at_once_make_one_order(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.create(**KEY) for _ in range(50)))

    order = made(answers).order
    assert await rows(shop) == 1
    view = await find_by_request(shop.core, shop.company.id, "test", "r-1")
    assert view.order == order
    assert {answer.order.session_token for answer in answers} == {order.session_token}
    assert await shop.faults() == []


async def test_two_processes_race_for_the_same_requests_and_agree(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    keys = [f"r-{n}" for n in range(20)]

    async with assembly.open_core(settings, database_url) as other:
        wanted = [shop.wanted(request_scope="test", request_id=key) for key in keys]
        asked = [(shop.core, each) for each in wanted] + [(other, each) for each in wanted[::-1]]
        answers = await asyncio.gather(*(create_order(*each) for each in asked))

    for index, key in enumerate(keys):
        pair = [answers[index], answers[len(answers) - 1 - index]]
        assert made(pair).order.request_id == key
    assert await rows(shop) == 20


async def test_the_same_request_after_a_restart_gets_the_same_answer(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    first = await shop.create(**KEY, order_id="order-1")

    async with assembly.open_core(settings, database_url) as restarted:
        again = await create_order(restarted, shop.wanted(**KEY, order_id="order-1"))

    assert again == CreatedOrder(first.order, first.payment, True)


async def test_the_same_request_with_other_content_is_refused_and_stores_nothing(
    shop: Shop,
) -> None:
    first = await shop.create(**KEY)
    others: list[dict[str, Any]] = [
        {"amount": Money(10_001, "CNY")},
        {"amount": Money(10_000, "USD")},
        {"business_id": "biz_other"},
        {"order_id": "another-order"},
        {"customer_id": "somebody"},
        {"customer_phone": "123"},
        {"description": "other words"},
        {"tags": {"a": "b"}},
        {"return_url": "https://shop.example/other"},
        {"notify_url": "https://shop.example/news"},
        {"expires_at": datetime(2099, 1, 1, tzinfo=UTC)},
        {"extra": {"k": "v"}},
        {"face": "wallet"},
    ]

    for other in others:
        with pytest.raises(IdempotencyMismatch, match="'r-1' was used before"):
            await shop.create(**{**KEY, **other})

    assert await rows(shop) == 1
    assert await shop.read(first.payment) == first.payment


async def test_of_different_contents_under_one_request_id_at_once_one_wins(shop: Shop) -> None:
    wanted = [{**KEY, "amount": Money(1000 + n % 5, "CNY")} for n in range(50)]

    answers = await asyncio.gather(
        *(shop.create(**each) for each in wanted), return_exceptions=True
    )

    said = Counter(map(outcome_of, answers))
    assert said == {"CreatedOrder": 10, "idempotency_mismatch": 40}
    good = [answer for answer in answers if isinstance(answer, CreatedOrder)]
    assert made(good).order.amount == Money(1000, "CNY")
    assert await rows(shop) == 1


async def test_the_same_request_id_means_something_else_in_another_scope_or_company(
    shop: Shop,
) -> None:
    other = await shop.other_company()

    answers = [
        await shop.create(**KEY),
        await shop.create(request_scope="other scope", request_id="r-1"),
        await shop.create(**KEY, company=other),
    ]

    assert not any(answer.replayed for answer in answers)
    assert await rows(shop) == 3


async def test_the_merchants_own_order_id_is_a_key_too(shop: Shop) -> None:
    first = await shop.create(order_id="order-1")
    again = await shop.create(order_id="order-1")

    assert again == CreatedOrder(first.order, first.payment, True)
    with pytest.raises(IdempotencyMismatch, match="'order-1' is taken") as caught:
        await shop.create(order_id="order-1", amount=Money(1, "CNY"))
    assert caught.value.reason == "order_id_taken"
    other = await shop.other_company()
    assert not (await shop.create(order_id="order-1", company=other)).replayed


async def test_a_second_key_for_an_order_is_refused_and_stays_free_for_another(shop: Shop) -> None:
    first = await shop.create(**KEY, order_id="order-1")
    other_key = {**KEY, "request_id": "r-2"}

    with pytest.raises(IdempotencyMismatch, match="'order-1' exists under another") as caught:
        await shop.create(**other_key, order_id="order-1")
    another = await shop.create(**other_key, order_id="order-2", amount=Money(1, "CNY"))

    assert caught.value.reason == "order_id_taken"
    assert not another.replayed
    for key in (KEY, {}):
        again = await shop.create(**key, order_id="order-1")
        assert again == CreatedOrder(first.order, first.payment, True)


async def test_customers_known_by_their_id_alone_have_numbers_of_their_own(shop: Shop) -> None:
    ids = ["user-1", "user-2", "user-1", ""]

    numbers = [(await shop.create(customer_id=each)).order.customer.number for each in ids]

    assert numbers[0] == numbers[2]
    assert len(set(numbers)) == 3


async def test_repeats_and_contradictions_within_one_batch_are_judged_like_any_others(
    shop: Shop,
) -> None:
    busy = asyncio.create_task(shop.create())  # the others gather while this one is stored
    await asyncio.sleep(0)
    answers = await asyncio.gather(
        shop.create(**KEY, order_id="order-1"),
        shop.create(**KEY, order_id="order-1"),
        shop.create(**KEY, order_id="order-2"),
        shop.create(request_scope="test", request_id="r-2", order_id="order-1", note="x"),
        shop.create(request_scope="test", request_id="r-3", order_id="order-2"),
        shop.create(),
        shop.create(),
        return_exceptions=True,
    )
    await busy

    assert [outcome_of(answer) for answer in answers] == [
        "CreatedOrder",
        "CreatedOrder",
        "idempotency_mismatch",
        "order_id_taken",
        "CreatedOrder",
        "CreatedOrder",
        "CreatedOrder",
    ]
    assert await rows(shop) == 5


async def test_an_expiry_in_the_past_is_refused_and_does_not_spoil_the_key(shop: Shop) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)

    with pytest.raises(InvalidRequest, match="in the past") as caught:
        await shop.create(**KEY, expires_at=past)

    assert (caught.value.field, caught.value.reason) == ("expires_at", "expiry_invalid")
    assert await rows(shop) == 0
    answers = await asyncio.gather(
        shop.create(**KEY, expires_at=past), shop.create(**KEY), return_exceptions=True
    )
    assert outcome_of(answers[1]) == "CreatedOrder"


async def test_a_repeat_after_the_expiry_gets_the_order_as_it_ended(shop: Shop) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    first = await shop.create(**KEY, expires_at=soon)
    await shop.expire(first.payment, by="2 hours")

    again = await shop.create(**KEY, expires_at=soon)

    assert again.replayed
    assert again.order.id == first.order.id


async def test_the_same_instant_in_another_zone_is_the_same_request(shop: Shop) -> None:
    noon = datetime(2099, 1, 1, 12, tzinfo=UTC)
    await shop.create(**KEY, expires_at=noon)

    again = await shop.create(**KEY, expires_at=noon.astimezone(timezone(timedelta(hours=8))))

    assert again.replayed


async def test_what_cannot_be_an_order_is_refused_before_anything_is_stored(shop: Shop) -> None:
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"amount": Money(0, "CNY")}, "amount_not_positive"),
        ({"amount": Money(-1, "CNY")}, "amount_not_positive"),
        ({"notify_url": "ftp://shop.example"}, "url_refused"),
        ({"notify_url": "http://169.254.169.254/latest"}, "url_refused"),
        ({"return_url": "javascript:alert(1)"}, "return_url_invalid"),
        ({"return_url": "https://shop.example/\r\nset-cookie: a=b"}, "return_url_invalid"),
    ]

    for wrong, reason in wrongs:
        with pytest.raises(InvalidRequest) as caught:
            await shop.create(**{**KEY, **wrong})
        assert caught.value.reason == reason

    assert await rows(shop) == 0


async def test_text_that_no_database_can_keep_is_refused_in_words(shop: Shop) -> None:
    answers = await asyncio.gather(
        shop.create(description="a\x00b"),
        shop.create(tags={"a": "\ud800"}),
        shop.create(extra={"deep": [{"k\x00": 1}]}),
        shop.create(order_id="fine"),
        return_exceptions=True,
    )

    assert [outcome_of(answer) for answer in answers] == [
        "text_invalid",
        "text_invalid",
        "text_invalid",
        "CreatedOrder",
    ]


async def test_every_order_has_its_payment_and_an_address_nobody_can_guess(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.create() for _ in range(30)))

    assert len({answer.order.session_token for answer in answers}) == 30
    for answer in answers:
        [view] = await payments_of_order(shop.core, shop.company.id, answer.order.id)
        assert view.payment == answer.payment
        assert view.payment.amount == view.order.amount
        assert await shop.timeline(view.payment) == ["create created"]
