"""Canceling: what is unpaid ends for good, what is reserved is let go, what is unknown is left."""

import asyncio
from collections import Counter

import pytest
from tests.modifying import CAPTURE, Obedient, modify, reserved, soon
from tests.shop import Scripted, Shop, outcome_of, paid

from kassa import assembly
from kassa.base.domain.errors import IllegalTransition, InProgress, NotFound
from kassa.base.domain.lifecycle import OrderStatus, PaymentStatus
from kassa.base.usecases.core import Core
from kassa.connectors.base import ActionNeeded, Captured, Declined, InDoubt, Pending
from kassa.modifications.usecases.cancel_payment import Canceled, cancel_payment
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import take_news
from kassa.settings import Settings

pytestmark = pytest.mark.anyio
S = PaymentStatus


async def cancel(shop: Shop, payment: Payment, core: Core | None = None) -> Canceled:
    return await cancel_payment(
        core or shop.core, payment.company_id, payment.id, actor="test:cancel"
    )


async def test_an_unpaid_payment_and_its_order_end_and_stay_so(shop: Shop) -> None:
    payment = await shop.payment()

    first = await cancel(shop, payment)
    again = await cancel(shop, payment)

    assert (first.payment.status, first.order.status) == (S.CANCELED, OrderStatus.CANCELED)
    assert again == first
    assert await shop.timeline(payment) == ["create created", "cancel canceled"]
    with pytest.raises(IllegalTransition):
        await shop.submit(payment)
    assert await shop.faults() == []


async def test_a_failed_payment_cannot_be_tried_again_once_it_is_canceled(shop: Shop) -> None:
    payment = await shop.submit(await shop.payment(), "declined")
    assert payment.is_open

    first = await cancel(shop, payment)
    again = await cancel(shop, payment)

    assert (first.payment.status, first.order.status) == (S.FAILED, OrderStatus.CANCELED)
    assert again == first
    with pytest.raises(IllegalTransition):
        await shop.submit(payment)
    assert await shop.faults() == []


async def test_money_that_comes_after_the_cancel_goes_back_and_the_cancel_stands(
    shop: Shop,
) -> None:
    provider = Obedient()
    provider.answers = [ActionNeeded(reference="r", url="https://bank.example", expires_at=None)]
    provider.answers_to_queries = [Pending(reference="r")]
    payment = await shop.play(await shop.payment(), provider)
    first = await cancel(shop, payment)
    [row] = await shop.attempts(payment)
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, payment.company_id, row["id"])
    assert attempt is not None

    late = Captured(reference="late", amount=payment.amount)
    now = await take_news(shop.core, attempt, late, actor="test", how="notification")
    again = await cancel(shop, payment)
    await return_overpayments(shop.core)

    assert now.surplus
    assert again.at == first.at
    assert (await shop.read(payment)).surplus_returned_minor == payment.amount.minor
    assert await shop.order_status(payment) == "canceled"


async def test_nobody_knows_so_nothing_is_canceled(shop: Shop) -> None:
    provider = Scripted(
        InDoubt(reason="silence"),
        queries=(InDoubt(reason="silence"), Declined(code="no", message="No.")),
    )
    payment = await shop.play(await shop.payment(), provider)

    with pytest.raises(InProgress) as caught:
        await cancel(shop, payment)

    assert caught.value.reason == "outcome_unknown"
    assert len(provider.queried) == 1  # it was asked, once
    assert (await shop.read(payment)).status is S.PROCESSING
    await shop.age(payment, "1 hour")
    done = await cancel(shop, payment)
    assert (done.payment.status, done.order.status) == (S.FAILED, OrderStatus.CANCELED)


async def test_a_payment_on_its_way_to_the_provider_is_not_canceled(shop: Shop) -> None:
    called, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: object) -> object:
        called.set()
        await go_on.wait()
        return paid(request)  # type: ignore[arg-type]

    provider = Scripted(slow, queries=(InDoubt(reason="silence"),))
    payment = await shop.payment()
    paying = asyncio.create_task(shop.play(payment, provider))
    await called.wait()

    with pytest.raises(InProgress):
        await cancel(shop, payment)
    go_on.set()

    assert (await paying).status is S.CAPTURED
    with pytest.raises(IllegalTransition, match="refund"):
        await cancel(shop, payment)


async def test_a_reservation_whose_void_is_not_answered_is_not_yet_canceled(shop: Shop) -> None:
    provider = Obedient(InDoubt(reason="silence"))
    payment = await reserved(shop, provider)

    for _ in range(2):
        with pytest.raises(InProgress):
            await cancel(shop, payment)
    voids = await shop.sql("select id from modification where payment_id = $1", payment.id)
    assert len(voids) == 1
    provider.says_to_queries = [Declined(code="never_came", message="It never came.")]
    await soon(shop, payment)
    await pursue_modifications(shop.core)

    assert (await cancel(shop, payment)).payment.status is S.CANCELED


async def test_a_provider_that_will_not_let_go_is_told_as_such(shop: Shop) -> None:
    provider = Obedient(Declined(code="no", message="We keep it."))
    payment = await reserved(shop, provider)

    with pytest.raises(IllegalTransition, match="We keep it") as caught:
        await cancel(shop, payment)

    assert caught.value.reason == "void_refused"
    assert (await shop.read(payment)).status is S.AUTHORIZED
    assert (await cancel(shop, payment)).payment.status is S.CANCELED  # a second try is another


async def test_of_cancels_and_wallet_payments_in_two_processes_exactly_one_wins(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    # Guard: both judge the status under the order's lock.
    user = await shop.user(10**7)
    made = [await shop.payment(retry_allowed=False) for _ in range(40)]

    async with assembly.open_core(settings, database_url) as other:
        work = [
            asyncio.gather(
                cancel(shop, one, shop.core if n % 2 else other),
                shop.wallet(one, user, core=other if n % 2 else shop.core),
                return_exceptions=True,
            )
            for n, one in enumerate(made)
        ]
        outcomes = Counter(
            tuple(outcome_of(answer) for answer in pair) for pair in await asyncio.gather(*work)
        )

    assert set(outcomes) <= {
        ("Canceled", "order_closed"),
        ("Canceled", "payment_closed"),
        ("payment_paid", "captured"),
    }
    won = outcomes["payment_paid", "captured"]
    assert await shop.balance(user) == 10**7 - won * 10_000
    assert await shop.faults() == []


async def test_of_a_cancel_and_a_capture_of_one_reservation_exactly_one_wins(shop: Shop) -> None:
    user = await shop.user(10**6)
    holds = [
        await shop.wallet(await shop.payment(capture_method=CaptureMethod.MANUAL), user)
        for _ in range(20)
    ]

    pairs = await asyncio.gather(
        *(
            asyncio.gather(cancel(shop, one), modify(shop, one, CAPTURE), return_exceptions=True)
            for one in holds
        )
    )

    outcomes = Counter(tuple(outcome_of(answer) for answer in pair) for pair in pairs)
    assert set(outcomes) <= {("Canceled", "already_voided"), ("payment_paid", "ModifiedPayment")}
    won = outcomes["payment_paid", "ModifiedPayment"]
    assert await shop.balance(user) == 10**6 - won * 10_000
    assert await shop.faults() == []


async def test_what_is_not_there_cannot_be_canceled(shop: Shop) -> None:
    for payment_id in ("py_unknown", "py\x00", ""):
        with pytest.raises(NotFound):
            await cancel_payment(shop.core, shop.company.id, payment_id, actor="test")
