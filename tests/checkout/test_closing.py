"""Who waits at a provider's page: closed there when time is up, when it is canceled, or left."""

from datetime import timedelta
from typing import Any

import pytest
from tests.shop import Shop
from tests.telling import TAKEN, Telling

from kassa.base.domain.errors import IllegalTransition, ProviderUnavailable
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    ChargeRequest,
    Declined,
    InDoubt,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.store import payments
from kassa.payments.usecases.poll_payments import poll_payments
from kassa.payments.usecases.submit_payment import take_news
from kassa.reconciliation.usecases.stuck_money import report_stuck_money

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
CLOSED = Declined(code="closed", message="It was closed.")
OPEN_STILL = [
    InDoubt(reason="no answer"),
    NotSent(reason="no route"),
    Pending(reference="r"),
    ActionNeeded(reference="r", url="https://provider.example/pay"),
]


class Closing(Telling):
    """Says what it is told when it is to close a charge."""

    def __init__(self, *says: Outcome) -> None:
        super().__init__()
        self.says_to_close = list(says)
        self.asked_to_close: list[str] = []
        self.expires_at: list[Any] = []

    async def charge(self, request: ChargeRequest) -> Outcome:
        self.expires_at.append(request.expires_at)
        return ActionNeeded(reference="r", url="https://provider.example/pay")

    async def close_charge(self, key: str, known: Any = None) -> Outcome:
        self.asked_to_close.append(key)
        return self.says_to_close.pop(0)


async def at_the_page(shop: Shop, provider: Closing) -> Payment:
    payment = await shop.play(await shop.payment(notify_url="https://shop.example/news"), provider)
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    return payment


async def announced(shop: Shop) -> list[str]:
    return [row[0] for row in await shop.sql("select event_type from announcement order by id")]


async def test_the_provider_ends_it_before_we_do(shop: Shop) -> None:
    provider = Closing()

    payment = await at_the_page(shop, provider)

    assert payment.expires_at - provider.expires_at[0] >= timedelta(seconds=30)


async def test_it_is_closed_there_and_then_expires_here(shop: Shop) -> None:
    provider = Closing(CLOSED)
    payment = await at_the_page(shop, provider)
    await shop.expire(payment)

    assert await expire_orders(shop.core) == 1

    assert provider.queried == []
    assert (await shop.read(payment)).status is PaymentStatus.EXPIRED
    assert await announced(shop) == ["payment.expired"]
    [attempt] = await shop.attempts(payment)
    assert provider.asked_to_close == [attempt["id"]]
    assert (attempt["status"], attempt["next_query_at"]) == ("abandoned", None)
    [answer] = await shop.sql("select id from provider_answer")
    [event] = await shop.sql("select evidence from payment_event where event = 'expire'")
    assert answer["id"] in event["evidence"]


async def test_where_nothing_is_there_yet_it_expires_and_is_looked_after(shop: Shop) -> None:
    payment = await at_the_page(shop, Closing(Unknown(reason="the payer never opened it")))
    await shop.expire(payment)

    await expire_orders(shop.core)

    assert (await shop.read(payment)).status is PaymentStatus.EXPIRED
    [attempt] = await shop.attempts(payment)
    assert attempt["next_query_at"] is not None


async def test_what_had_been_paid_before_is_honored(shop: Shop) -> None:
    payment = await at_the_page(shop, Closing(TAKEN))
    await shop.expire(payment)

    await expire_orders(shop.core)

    paid = await shop.read(payment)
    assert (paid.status, paid.surplus) == (PaymentStatus.CAPTURED, False)
    assert await shop.order_status(payment) == "paid"
    assert await announced(shop) == ["payment.paid"]


@pytest.mark.parametrize("said", OPEN_STILL)
async def test_while_nobody_knows_it_stays_and_is_tried_again(shop: Shop, said: Outcome) -> None:
    provider = Closing(said, said, CLOSED)
    payment = await at_the_page(shop, provider)
    await shop.expire(payment)

    for _ in range(5):
        assert await expire_orders(shop.core) == 0
    assert len(provider.asked_to_close) == 1
    assert await announced(shop) == []
    assert await shop.order_status(payment) == "active"
    await shop.age(payment, "1 minute")
    await poll_payments(shop.core)
    assert len(provider.asked_to_close) == 2
    assert (await shop.read(payment)).status is PaymentStatus.REQUIRES_ACTION
    await shop.age(payment, "1 hour")
    await expire_orders(shop.core)

    assert (await shop.read(payment)).status is PaymentStatus.EXPIRED
    assert provider.queried == []


async def test_its_schedule_begins_anew_and_in_the_end_it_is_somebodys_work(shop: Shop) -> None:
    provider = Closing(*[InDoubt(reason="no answer")] * 9)
    payment = await at_the_page(shop, provider)
    await shop.age(payment, "30 days")
    await shop.expire(payment)

    await expire_orders(shop.core)

    [row] = await shop.sql("select next_query_at - now() as pause from attempt")
    assert row["pause"] < timedelta(seconds=5)
    assert await report_stuck_money(shop.core) == 0
    await shop.age(payment, "8 days")
    await shop.expire(payment, by="8 days")
    assert await report_stuck_money(shop.core) == 1
    assert (await shop.read(payment)).status is PaymentStatus.REQUIRES_ACTION


async def test_another_amount_found_at_the_close_ends_nothing(shop: Shop) -> None:
    other = Captured(reference="r", amount=Money(9_999, "CNY"))
    payment = await at_the_page(shop, Closing(other))
    await shop.expire(payment)

    for _ in range(3):
        assert await expire_orders(shop.core) == 0

    assert (await shop.read(payment)).status is PaymentStatus.REQUIRES_ACTION
    assert [one["status"] for one in await shop.attempts(payment)] == ["in_doubt"]


async def test_a_cancellation_closes_the_page_first(shop: Shop) -> None:
    provider = Closing(CLOSED)
    payment = await at_the_page(shop, provider)

    canceled = await cancel_payment(shop.core, payment.company_id, payment.id, actor="test")

    assert canceled.payment.status is PaymentStatus.CANCELED
    assert await shop.order_status(payment) == "canceled"
    assert await announced(shop) == ["payment.canceled"]
    [attempt] = await shop.attempts(payment)
    assert provider.asked_to_close == [attempt["id"]]
    assert (attempt["status"], attempt["next_query_at"]) == ("abandoned", None)
    [event] = await shop.sql("select evidence, actor from payment_event where event = 'cancel'")
    [answer] = await shop.sql("select id from provider_answer")
    assert event["actor"] == "test"
    assert answer["id"] in event["evidence"]


async def test_what_was_paid_before_the_cancellation_is_honored(shop: Shop) -> None:
    payment = await at_the_page(shop, Closing(TAKEN))

    with pytest.raises(IllegalTransition) as caught:
        await cancel_payment(shop.core, payment.company_id, payment.id, actor="test")

    assert caught.value.reason == "payment_paid"
    paid = await shop.read(payment)
    assert (paid.status, paid.surplus) == (PaymentStatus.CAPTURED, False)
    assert await announced(shop) == ["payment.paid"]


@pytest.mark.parametrize("said", OPEN_STILL)
async def test_a_page_that_could_not_be_closed_is_closed_after_the_cancellation(
    shop: Shop, said: Outcome
) -> None:
    provider = Closing(said, said, CLOSED)
    payment = await at_the_page(shop, provider)

    canceled = await cancel_payment(shop.core, payment.company_id, payment.id, actor="test")
    assert canceled.payment.status is PaymentStatus.CANCELED
    for _ in range(3):
        await shop.age(payment, "1 minute")
        await poll_payments(shop.core)

    assert len(provider.asked_to_close) == 3
    assert [one["next_query_at"] for one in await shop.attempts(payment)] == [None]
    assert (await shop.read(payment)).status is PaymentStatus.CANCELED


@pytest.mark.parametrize("way", ["card", "unreachable", "wallet"])
async def test_the_page_is_closed_that_a_payer_has_left_for_another_way(
    shop: Shop, way: str
) -> None:
    page = Closing(InDoubt(reason="no answer"), CLOSED)
    payment = await at_the_page(shop, page)
    if way == "card":
        await shop.submit(payment)
    elif way == "wallet":
        await shop.wallet(payment, await shop.user(10_000))
    else:
        shop.core.connectors["out"] = Telling(NotSent(reason="no route"))
        with pytest.raises(ProviderUnavailable):
            await shop.submit(payment, connector="out")
    left, *_ = await shop.attempts(payment)
    assert (left["status"], page.asked_to_close) == ("abandoned", [])

    for _ in range(4):
        await shop.age(payment, "1 minute")
        await poll_payments(shop.core)

    assert page.asked_to_close == [left["id"]] * 2
    status = PaymentStatus.CREATED if way == "unreachable" else PaymentStatus.CAPTURED
    assert (await shop.read(payment)).status is status
    assert (await shop.attempts(payment))[0]["next_query_at"] is None


async def test_what_was_paid_at_a_page_that_was_left_goes_back(shop: Shop) -> None:
    payment = await at_the_page(shop, Closing(TAKEN))
    await shop.submit(payment)
    await shop.age(payment, "1 minute")

    await poll_payments(shop.core)

    paid = await shop.read(payment)
    assert (paid.status, paid.connector) == (PaymentStatus.CAPTURED, "sandbox")
    assert paid.surplus_left == Money(10_000, "CNY")
    assert await return_overpayments(shop.core) == 1


async def test_a_client_who_asks_hears_of_the_way_that_was_chosen_last(shop: Shop) -> None:
    page, chosen = Closing(CLOSED), Telling(Pending(reference="p"), queries=(TAKEN,))
    payment = await at_the_page(shop, page)
    shop.core.connectors["chosen"] = chosen
    await shop.submit(payment, connector="chosen")
    await shop.age(payment, "1 minute")

    assert (await shop.sync(payment)).status is PaymentStatus.CAPTURED

    assert page.asked_to_close == []
    assert await poll_payments(shop.core) == 1  # not twice within moments: it is put off
    assert await poll_payments(shop.core) == 0
    await shop.age(payment, "4 seconds")
    await poll_payments(shop.core)
    assert len(page.asked_to_close) == 1


async def hear(shop: Shop, attempt_id: str, said: Outcome) -> None:
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, shop.company.id, attempt_id)
    assert attempt is not None
    await take_news(shop.core, attempt, said, actor="test", how="notification")


@pytest.mark.parametrize("pages", [2, 3])
@pytest.mark.parametrize("reserved", [False, True])
async def test_paid_at_an_older_page_every_other_page_is_closed(
    shop: Shop, pages: int, reserved: bool
) -> None:
    said = Authorized(reference="r", amount=TAKEN.amount) if reserved else TAKEN
    opened = [Closing(CLOSED) for _ in range(pages)]
    method = CaptureMethod.MANUAL if reserved else CaptureMethod.AUTOMATIC
    payment = await shop.payment(capture_method=method)
    for number, page in enumerate(opened):
        shop.core.connectors[f"page{number}"] = page
        await shop.submit(payment, connector=f"page{number}")
    oldest, *newer = [one["id"] for one in await shop.attempts(payment)]
    await hear(shop, oldest, said)

    for _ in range(pages):
        await shop.age(payment, "1 minute")
        await poll_payments(shop.core)

    paid = await shop.read(payment)
    assert paid.status is (PaymentStatus.AUTHORIZED if reserved else PaymentStatus.CAPTURED)
    assert [page.asked_to_close for page in opened] == [[], *([one] for one in newer)]
    assert [one["next_query_at"] for one in await shop.attempts(payment)] == [None] * pages


async def test_a_page_that_is_made_while_another_is_paid_is_closed_too(shop: Shop) -> None:
    older, newer = Closing(), Closing(CLOSED)
    payment = await at_the_page(shop, older)
    left, *_ = await shop.attempts(payment)

    async def charge(request: ChargeRequest) -> Outcome:
        await hear(shop, left["id"], TAKEN)
        return ActionNeeded(reference="late", url="https://provider.example/late")

    newer.charge = charge  # type: ignore[method-assign]
    shop.core.connectors["newer"] = newer
    await shop.submit(payment, connector="newer")
    assert (await shop.read(payment)).is_paid

    await shop.age(payment, "1 minute")
    await poll_payments(shop.core)

    made = (await shop.attempts(payment))[1]
    assert newer.asked_to_close == [made["id"]]
    assert (made["status"], made["provider_reference"]) == ("abandoned", "late")
