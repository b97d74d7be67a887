"""Sound books are called sound, and every planted lie is found and named."""

import asyncio
from typing import Any

import pytest
from tests.usecases.shop import Scripted, Shop

from kassa.connectors.base import ActionNeeded, InDoubt
from kassa.domain.money import Money
from kassa.domain.payments import Method, Payment
from kassa.usecases.expire_orders import expire_orders
from kassa.usecases.record_payment import Recording, record_payment
from kassa.usecases.verify_books import verify_books

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
    heard: list[str] = []

    proof = await verify_books(shop.core, heard.append)

    assert proof.violations == ()
    assert heard == [name for name, _ in proof.checks]
    assert proof.counts["orders"] == proof.counts["payments"] == 11
    assert proof.counts["postings"] * 2 == proof.counts["entries"] == 12
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

    assert (await verify_books(shop.core)).counts["postings"] == 1 + 40 + 30
    assert await shop.balance(user) == 0


LIES: dict[str, tuple[str, str]] = {
    "an entry grew": (
        "postings balance",
        "update entry set amount_minor = amount_minor + 1 where account like 'provider:%'",
    ),
    "an entry is gone": ("postings balance", "delete from entry where leg = 2"),
    "an entry changed its currency": (
        "postings balance",
        "update entry set currency = 'EUR' where leg = 1",
    ),
    "a posting is gone": (
        "payments equal the ledger",
        "with gone as (delete from posting where kind = 'capture' and payment_id = {card}"
        " returning company_id, id) delete from entry e using gone"
        " where e.company_id = gone.company_id and e.posting_id = gone.id",
    ),
    "a posting stands twice": (
        "payments equal the ledger",
        "with more as (insert into posting select company_id, 'twice', kind, currency, payment_id,"
        " at from posting where payment_id = {card} returning company_id)"
        " insert into entry select e.company_id, 'twice', e.leg, e.account, e.currency,"
        " e.amount_minor from entry e join posting p on p.id = e.posting_id"
        " where p.payment_id = {card}",
    ),
    "a payment says it took less": (
        "payments equal the ledger",
        "update payment set captured_minor = 9999 where id = {card}",
    ),
    "money was called surplus": (
        "payments equal the ledger",
        "update payment set surplus = true where id = {card}",
    ),
    "a posting names nobody's payment": (
        "postings belong to payments",
        "update posting set payment_id = 'py_nobody' where payment_id = {card}",
    ),
    "money went to another business": (
        "postings credit whom they should",
        "update entry set account = 'merchant:thief' where account like 'merchant:%'",
    ),
    "surplus went to a business": (
        "postings credit whom they should",
        "update posting set kind = 'surplus' where payment_id = {card}",
    ),
    "an order forgot that it is paid": (
        "orders equal their payments",
        "update orders set status = 'active' where id = (select order_id from payment"
        " where id = {card})",
    ),
    "an order says it is paid": (
        "orders equal their payments",
        "update orders set status = 'paid' where id = (select order_id from payment"
        " where id = {open})",
    ),
    "an order asks for another amount": (
        "orders end with their payments",
        "update orders set amount_minor = 1 where id = (select order_id from payment"
        " where id = {open})",
    ),
    "an order ended while its payment goes on": (
        "orders end with their payments",
        "update orders set status = 'expired' where id = (select order_id from payment"
        " where id = {doubt})",
    ),
    "an order goes on while its payment has ended": (
        "orders end with their payments",
        "update orders set status = 'active' where id = (select order_id from payment"
        " where id = {expired})",
    ),
    "a payment's state was set by hand": (
        "states equal their events",
        "update payment set status = 'processing' where id = {open}",
    ),
    "an event is gone": (
        "states equal their events",
        "delete from payment_event where payment_id = {card} and seq = 2",
    ),
    "the last event is gone": (
        "states equal their events",
        "delete from payment_event where payment_id = {card} and seq = 3",
    ),
    "all events are gone": (
        "states equal their events",
        "delete from payment_event where payment_id = {open}",
    ),
    "an event leads where it cannot": (
        "timelines replay",
        "update payment_event set event = 'cancel' where payment_id = {card} and seq = 3",
    ),
    "an event comes from nowhere": (
        "timelines replay",
        "update payment_event set from_status = 'failed' where payment_id = {card} and seq = 3",
    ),
    "an event nobody knows": (
        "timelines replay",
        "update payment_event set event = 'stolen' where payment_id = {card} and seq = 2",
    ),
    "a state nobody knows": (
        "timelines replay",
        "update payment_event set to_status = 'stolen' where payment_id = {card} and seq = 2",
    ),
    "a balance grew": (
        "wallet balances equal the ledger",
        "update wallet_balance set balance_minor = balance_minor + 1",
    ),
    "a balance is gone": ("wallet balances equal the ledger", "delete from wallet_balance"),
    "a balance from nowhere": (
        "wallet balances equal the ledger",
        "insert into wallet_balance values ('cmp_shop', 'wallet:thief', 'CNY', 1)",
    ),
    "an attempt says it paid": (
        "attempts equal their payment",
        "update attempt set status = 'succeeded' where payment_id = {declined}",
    ),
    "an attempt forgot that it paid": (
        "attempts equal their payment",
        "update attempt set status = 'declined' where payment_id = {card}",
    ),
}


# Children before their parents.
TABLES = ("entry", "posting", "payment_event", "attempt", "payment", "orders", "wallet_balance")


async def send_the_guards_home(shop: Shop) -> None:
    """What a thief with the keys of the database would do first."""
    for table in ("entry", "posting", "payment_event"):
        await shop.sql(f"alter table {table} disable trigger user")


async def restore(shop: Shop) -> None:
    for table in TABLES:
        await shop.sql(f"delete from {table}")
    for table in reversed(TABLES):
        await shop.sql(f"insert into {table} table before.{table}")


async def test_every_planted_lie_is_found_and_named(shop: Shop) -> None:
    day = await a_busy_day(shop)
    names = {name: f"'{payment.id}'" for name, payment in day.items()}
    await send_the_guards_home(shop)
    await shop.sql("create schema before")
    for table in TABLES:
        await shop.sql(f"create table before.{table} as table public.{table}")
    missed = {}

    for lie, (check, statement) in LIES.items():
        done = await shop.connections[0].execute(statement.format(**names))
        assert done.split()[-1] != "0", lie
        found = {violation.check for violation in (await verify_books(shop.core)).violations}
        if check not in found:
            missed[lie] = found
        await restore(shop)

    assert missed == {}
    assert await shop.faults() == []


async def test_a_lie_is_shown_with_its_object_and_what_was_found(shop: Shop) -> None:
    payment = await shop.submit(await shop.payment())
    await send_the_guards_home(shop)
    await shop.sql("update entry set amount_minor = 9999 where leg = 1")

    violations = (await verify_books(shop.core)).violations

    assert [(one.check, one.company_id) for one in violations] == [
        ("postings balance", "cmp_shop"),
        ("payments equal the ledger", "cmp_shop"),
    ]
    assert violations[0].found == "sums to -1 over 2 legs"
    assert violations[1].object_id == payment.id


async def test_verifying_changes_nothing(shop: Shop) -> None:
    async def everything() -> list[Any]:
        return [await shop.sql(f"select * from {table} order by 1, 2, 3") for table in TABLES]

    await a_busy_day(shop)
    before = await everything()

    await verify_books(shop.core)

    assert await everything() == before
