"""Sound books are called sound, and every planted lie is found and named."""

import asyncio
from typing import Any

import pytest
from tests.shop import Scripted, Shop

from kassa.base.domain.money import Money
from kassa.connectors.base import ActionNeeded, Captured, InDoubt
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.proof.store.checks import Check, prepare
from kassa.proof.store.checks_house import HOUSE_CHECKS
from kassa.proof.usecases.verify import Progress, verify_books

pytestmark = pytest.mark.anyio


async def a_busy_day(shop: Shop) -> dict[str, Payment]:
    """Payments in every state that there is, made by every way there is."""
    user = await shop.user(25_000)
    made = await asyncio.gather(*(shop.payment() for _ in range(9)))
    redirect = ActionNeeded(reference="r", url="https://provider.example/")
    cash = Recording(
        company_id=shop.company.id, payment_id=made[1].id, method=Method.CASH, actor="clerk"
    )
    day = {
        "card": await shop.submit(made[0]),
        "cash": await record_payment(shop.core, cash),
        "wallet": await shop.wallet(made[2], user),
        "declined": await shop.submit(made[3], "declined"),
        "doubt": await shop.play(made[4], Scripted(InDoubt(reason="no answer"))),
        "redirect": await shop.play(made[5], Scripted(redirect)),
        "second try": await shop.submit(await shop.submit(made[6], "declined")),
        "expired": made[7],
        "open": made[8],
        "other currency": await shop.submit(await shop.payment(amount=Money(7, "KWD"))),
        "other company": await shop.payment(company=await shop.other_company()),
    }
    await shop.expire(day["expired"])
    await expire_orders(shop.core)
    return day


async def test_the_books_of_a_busy_day_are_sound(shop: Shop) -> None:
    await a_busy_day(shop)
    heard: list[Progress] = []

    proof = await verify_books(shop.core, progress=heard.append)

    assert proof.violations == ()
    assert {one.check for one in heard} == {name for name, _ in proof.checks}
    assert proof.counts["orders"] == proof.counts["payments"] == 11
    assert proof.counts["postings"] * 2 == proof.counts["entries"] > 12
    assert proof.counts["events"] > 20


async def test_books_under_load_are_sound_at_every_moment(shop: Shop) -> None:
    user = await shop.user(300_000)

    async def trade() -> None:
        payments = await asyncio.gather(*(shop.payment() for _ in range(20)))
        await asyncio.gather(
            *(shop.submit(one) for one in payments[:10]),
            *(shop.wallet(one, user) for one in payments[10:]),
        )

    trading = asyncio.gather(*(trade() for _ in range(4)))
    while not trading.done():
        assert await shop.faults() == []
    await trading

    booked = await shop.sql("select kind from posting where kind <> 'fee'")
    assert len(booked) == 1 + 40 + 30
    assert await shop.balance(user) == 0


TABLES = ("entry", "posting", "payment_event", "attempt", "payment", "orders", "wallet_balance")


async def test_a_lie_is_shown_with_its_object_and_what_was_found(shop: Shop) -> None:
    payment = await shop.submit(await shop.payment())
    await shop.sql("alter table entry disable trigger user")
    await shop.sql(
        "update entry set amount_minor = amount_minor - 1"
        " where leg = 1 and account = 'provider:sandbox'"
    )

    violations = (await verify_books(shop.core)).violations

    by_check = {one.check: one for one in violations}
    assert by_check["postings balance"].found == "sums to -1 over 2 legs"
    assert by_check["settlement lines equal the ledger"].found.startswith("leg 1: line of 10000")
    assert by_check["the books sum to zero"].object_id == "CNY"
    assert all(one.company_id == "cmp_shop" for one in violations)
    assert payment.id not in {one.object_id for one in violations}  # its credit is untouched


async def test_verifying_changes_nothing(shop: Shop) -> None:
    async def everything() -> list[Any]:
        return [await shop.sql(f"select * from {table} order by 1, 2, 3") for table in TABLES]

    await a_busy_day(shop)
    before = await everything()

    await verify_books(shop.core)

    assert await everything() == before


async def test_an_answer_that_decided_must_be_there_as_it_was_given(shop: Shop) -> None:
    payment = await shop.payment()
    doubt = InDoubt(reason="cut off")
    paid = Captured(reference="late 1", amount=payment.amount)
    await shop.play(payment, Scripted(doubt, queries=(paid,)))
    await shop.age(payment, "1 hour")
    await shop.sync(payment)
    assert (await verify_books(shop.core)).violations == ()

    for statement, said in (
        ("update provider_answer set at = '2020-01-01', birth = null", "was given 2020-01-01"),
        ("delete from provider_answer", "is gone"),
    ):
        await shop.sql("alter table provider_answer disable trigger user")
        await shop.sql(statement)
        found = [
            one
            for one in (await verify_books(shop.core)).violations
            if one.check == "what decided is still there"
        ]
        assert [one.object_id for one in found] == [payment.id]
        assert said in found[0].found


async def test_a_table_that_is_none_any_more_is_a_finding_and_no_crash(shop: Shop) -> None:
    await shop.sql("alter table fee_rule rename to fee_rule_gone")
    await shop.sql("create view fee_rule as select * from fee_rule_gone")

    found = {(one.check, one.object_id) for one in (await verify_books(shop.core)).violations}

    assert ("nothing stands between the tables and who reads them", "fee_rule") in found


async def test_what_an_extension_brought_is_nobodys_lie(shop: Shop) -> None:
    await shop.sql("create extension citext")
    await shop.sql("create view its_statistics as select 1 as calls")
    await shop.sql("alter extension citext add view its_statistics")

    assert (await verify_books(shop.core)).violations == ()


@pytest.mark.parametrize("check", HOUSE_CHECKS, ids=lambda check: check.title)
async def test_what_is_asked_of_all_rows_is_not_asked_of_each(shop: Shop, check: Check) -> None:
    """With nested loops off, as in a proof, a question for each row reads all tables again."""
    async with shop.core.db.transaction(long=True) as connection:
        await prepare(connection)
        question = check.of_one.text.partition("\n")[2].replace("$1", "'c'")
        plan = await connection.fetch(f"explain {question}")

    assert not [line for (line,) in plan if "SubPlan" in line]
