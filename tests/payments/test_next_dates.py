"""Nothing waits for ever: what is undecided has a next date, whoever dies wherever."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import asyncpg
import pytest
from tests.modifying import REFUND, Obedient, modify
from tests.shop import Scripted, Shop
from tests.telling import Silent

from kassa.base.domain.errors import AmbiguousCommit, KassaError
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.query_schedule import FURTHEST, next_question_ever
from kassa.base.usecases.backoff import Backoff
from kassa.checkout.usecases.open_payment import open_payment, redirect
from kassa.connectors.base import AddressSigner, InDoubt, Unknown
from kassa.identity.domain.principals import Principal
from kassa.orders.usecases import expire_orders as expiry
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.poll_payments import poll_payments

pytestmark = pytest.mark.anyio
NO_TRADE = Unknown(reason="no such trade")


class Signing(Scripted):
    """It signs addresses and is told nothing; asked, it knows no trade."""

    signs_addresses = True


def customer(shop: Shop) -> Principal:
    return Principal(
        company=shop.company,
        business_id=shop.company.business_id,
        kind="customer",
        credential="key",
        name="alice",
        roles=frozenset({"CUSTOMER"}),
    )


async def opened(shop: Shop) -> Payment:
    return await open_payment(
        shop.core, customer(shop), order_id="order-1", subject="tea", description="d"
    )


async def dead_after(shop: Shop, monkeypatch: Any, commits: int, work: Any) -> None:
    """Do `work`, whose connection breaks at every COMMIT after the first `commits` ones."""
    real, left = shop.core.db.transaction, [commits]

    def transaction(**how: Any) -> Any:
        if left[0] == 0:
            raise AmbiguousCommit("the connection broke")
        left[0] -= 1
        return real(**how)

    with monkeypatch.context() as patched:
        patched.setattr(type(shop.core.db), "transaction", lambda _, **how: transaction(**how))
        with pytest.raises(KassaError):
            await work
    await asyncio.sleep(0)


@pytest.mark.parametrize("commits", [1, 2])
async def test_an_address_that_nobody_was_given_leaves_the_payment_payable(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    payment = await shop.payment(order_id="order-1", customer_id="alice")
    await dead_after(shop, monkeypatch, commits, opened(shop))
    real = shop.core.connectors["alipay"]
    shop.core.connectors["alipay"] = Signing(queries=(NO_TRADE,) * 5)
    for _ in range(2):
        await shop.age(payment, "40 seconds")
        await poll_payments(shop.core)

    assert (await shop.read(payment)).status is PaymentStatus.CREATED
    assert {one["status"] for one in await shop.attempts(payment)} <= {"abandoned"}
    shop.core.connectors["alipay"] = real
    again = await opened(shop)
    assert again.status is PaymentStatus.REQUIRES_ACTION
    assert again.redirect_url
    by_card = await shop.submit(again)
    assert by_card.status is PaymentStatus.CAPTURED
    assert await shop.faults() == []


async def test_while_an_address_may_still_be_signed_no_answer_gives_it_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await shop.payment(order_id="order-1", customer_id="alice")
    await dead_after(shop, monkeypatch, 1, redirect(shop.core, payment, actor="payer"))
    shop.core.connectors["alipay"] = Signing(queries=(NO_TRADE,) * 5)

    await shop.age(payment, "10 seconds")
    await shop.sync(payment)

    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING


async def test_an_address_that_somebody_was_given_is_not_given_up(shop: Shop) -> None:
    payment = await shop.payment(order_id="order-1", customer_id="alice")
    await opened(shop)
    shop.core.connectors["alipay"] = Signing(queries=(NO_TRADE,) * 5)

    await shop.age(payment, "2 days")
    await poll_payments(shop.core)

    assert (await shop.read(payment)).status is PaymentStatus.REQUIRES_ACTION
    assert [one["status"] for one in await shop.attempts(payment)] == ["dispatched"]


async def test_what_was_sent_stays_in_doubt_whatever_the_provider_does_not_know(
    shop: Shop,
) -> None:
    payment = await shop.payment()
    await shop.play(payment, Silent(InDoubt(reason="silence"), queries=(NO_TRADE,) * 9))

    await shop.age(payment, "400 days")
    await poll_payments(shop.core)

    [attempt] = await shop.attempts(payment)
    assert attempt["status"] == "in_doubt"
    assert attempt["next_query_at"] - datetime.now(UTC) < FURTHEST


async def test_the_database_takes_no_undecided_row_without_a_date(shop: Shop) -> None:
    paid = await shop.play(
        await shop.payment(notify_url="https://shop.example/"),
        Obedient(InDoubt(reason="silence")),
    )
    await modify(shop, paid, REFUND)
    payment = await shop.payment()
    await shop.play(payment, Silent(InDoubt(reason="silence")))

    for statement, constraint in (
        (
            "update attempt set next_query_at = null where status = 'in_doubt'",
            "attempt_has_next_date",
        ),
        (
            "update attempt set next_query_at = 'infinity' where status = 'in_doubt'",
            "attempt_has_next_date",
        ),
        ("update modification set next_query_at = null", "modification_has_next_date"),
        ("update announcement set next_at = 'infinity'", "announcement_has_next_date"),
        (
            "insert into orders_termination select company_id, order_id, id, 'a', 0, 'infinity',"
            " now() from payment limit 1",
            "orders_termination_has_next_date",
        ),
        (
            "insert into provider_news (company_id, account, dedupe_key, body)"
            " values ('c', 'a', 'k', '')",
            "provider_news_has_next_date",
        ),
        ("update orders set expires_at = 'infinity'", "orders_ends"),
        (
            "update payment set authorized_minor = amount_minor where status = 'processing'",
            "payment_reservation_ends",
        ),
    ):
        with pytest.raises(asyncpg.CheckViolationError) as caught:
            await shop.sql(statement)
        assert caught.value.constraint_name == constraint
    assert await shop.faults() == []


async def test_verify_finds_what_would_be_asked_about_absurdly_late(shop: Shop) -> None:
    payment = await shop.payment()
    await shop.play(payment, Silent(InDoubt(reason="silence")))
    await shop.sql("update attempt set next_query_at = now() + interval '300 years'")

    [fault] = await shop.faults()

    assert fault.startswith("what is undecided has a next date: at")


async def test_an_order_that_fails_to_end_holds_up_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = [await shop.payment(order_id=name) for name in ("bad", "good")]
    await shop.expire(bad, "2 minutes")
    await shop.expire(good)
    real = expiry._ask_and_end

    async def ask_and_end(core: Any, payment: Payment) -> bool:
        if payment.order_id == "bad":
            raise RuntimeError("a row that nobody can read")
        return await real(core, payment)

    monkeypatch.setattr(expiry, "_ask_and_end", ask_and_end)
    for _ in range(2):
        await expire_orders(shop.core, 1)

    assert await shop.order_status(good) == "expired"
    assert await shop.order_status(bad) == "active"


def test_what_fails_again_and_again_rests_longer_each_time() -> None:
    now = [0.0]
    resting = Backoff(clock=lambda: now[0])

    resting.failed("a")
    now[0] = 11
    assert resting.keys() == []
    resting.failed("a")
    now[0] = 22
    assert resting.keys() == ["a"]
    resting.went_on(["a"])
    assert resting.keys() == []


def test_after_the_schedule_there_is_a_question_every_week_for_ever() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    for days in (31, 40, 400, 4_000):
        for number in range(50):
            now = since + timedelta(days=days)
            assert timedelta(0) < next_question_ever(since, now, f"at{number}") - now < FURTHEST


async def test_only_a_provider_that_is_told_nothing_signs_addresses(shop: Shop) -> None:
    signers = [name for name, one in shop.core.connectors.items() if isinstance(one, AddressSigner)]

    assert signers == ["alipay"]


async def test_rows_of_an_earlier_version_get_their_dates_when_it_is_migrated(shop: Shop) -> None:
    payment = await shop.payment()
    await shop.play(payment, Silent(InDoubt(reason="silence")))
    script = files("kassa.base.store").joinpath("migrations/0011_next_dates.sql").read_text()
    for table, constraint in re.findall(r"alter table (\w+) add constraint (\w+)", script):
        await shop.sql(f"alter table {table} drop constraint {constraint}")
    await shop.sql("update attempt set next_query_at = null")
    await shop.sql(
        "insert into provider_news (company_id, account, dedupe_key, body) values ('c','a','k','')"
    )

    await shop.connections[0].execute(script)

    [attempt] = await shop.attempts(payment)
    assert abs(attempt["next_query_at"] - datetime.now(UTC)) < timedelta(minutes=11)
    assert await shop.faults() == []
