"""Somebody else's lock makes only those wait who want the same; others do not even notice."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import pytest
from tests.modifying import REFUND, modify
from tests.shop import Shop

from kassa.base.domain.errors import InProgress
from kassa.base.usecases import batch
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.payment_numbers import next_payment_number

pytestmark = pytest.mark.anyio

_SOON = 3.0  # on a busy machine; every one of these took the lock's whole time before
_SEVEN = 7


@asynccontextmanager
async def held(owner_url: str, statement: str, *values: Any) -> AsyncIterator[None]:
    """A stray transaction that has done this and does not end."""
    stray = await asyncpg.connect(owner_url)
    await stray.execute("begin")
    await stray.execute(statement, *values)
    try:
        yield
    finally:
        await stray.close()


@contextmanager
def soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < _SOON


async def ends(*work: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*work, return_exceptions=True)


def lock_of(payment: Payment) -> tuple[str, str]:
    return "select from orders where id = $1 for update", payment.order_id


async def test_seven_who_want_a_locked_order_make_nobody_else_wait(
    shop: Shop, owner_url: str
) -> None:
    users = [await shop.user(1_000_000) for _ in range(5)]
    stuck, *others = [await shop.payment() for _ in range(21)]
    async with held(owner_url, *lock_of(stuck)):
        waiting = [asyncio.create_task(shop.wallet(stuck, users[0])) for _ in range(_SEVEN)]
        await asyncio.sleep(0.1)
        with soon():
            paid = await ends(*(shop.wallet(one, users[n % 5]) for n, one in enumerate(others)))
        assert not any(task.done() for task in waiting)

    assert all(one.is_paid for one in paid)
    assert all(one.is_paid for one in await ends(*waiting))
    assert await shop.faults() == []


@pytest.mark.parametrize("held_row", ["order", "balance"])
async def test_no_backend_waits_for_an_order_or_a_balance_that_somebody_holds(
    shop: Shop, owner_url: str, held_row: str
) -> None:
    """Whatever waits for a lock holds a connection, and its whole batch."""
    payment, user = await shop.payment(), await shop.user(1_000_000)
    balance = "select from wallet_balance where account = $1 for update", f"wallet:{user}"
    lock = lock_of(payment) if held_row == "order" else balance
    waits = (
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    async with held(owner_url, *lock):
        waiting = asyncio.create_task(shop.wallet(payment, user))
        seen = []
        for _ in range(20):
            await asyncio.sleep(0.02)
            seen.append((await shop.sql(waits))[0][0])
        assert not waiting.done()

    assert (await waiting).is_paid
    assert set(seen) == {0}


async def test_who_waits_for_too_long_is_told_to_come_again(
    shop: Shop, owner_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_PATIENCE", 0.3)
    payment, user = await shop.payment(), await shop.user(1_000_000)

    async with held(owner_url, *lock_of(payment)):
        with pytest.raises(InProgress), soon():
            await shop.wallet(payment, user)

    assert (await shop.wallet(payment, user)).is_paid


async def test_a_locked_balance_makes_only_its_own_user_wait(shop: Shop, owner_url: str) -> None:
    poor, rich = await shop.user(1_000_000), await shop.user(1_000_000)
    payments = [await shop.payment() for _ in range(8)]
    balance = "select from wallet_balance where account = $1 for update"
    async with held(owner_url, balance, f"wallet:{poor}"):
        waiting = asyncio.create_task(shop.wallet(payments[0], poor))
        with soon():
            paid = await ends(*(shop.wallet(one, rich) for one in payments[1:]))
        assert not waiting.done()

    assert all(one.is_paid for one in paid)
    assert (await waiting).is_paid
    assert await shop.faults() == []


async def test_an_order_that_an_open_transaction_inserts_makes_only_its_own_creator_wait(
    shop: Shop, owner_url: str
) -> None:
    known = await shop.payment()
    again = (
        "insert into orders select (json_populate_record(null::orders,"
        ' (row_to_json(o)::jsonb || \'{"id": "stuck", "session_token": "s-stuck"}\')::json)).*'
        " from orders o where id = $1"
    )
    async with held(owner_url, again, known.order_id):
        waiting = [asyncio.create_task(shop.create(order_id="stuck")) for _ in range(_SEVEN)]
        await asyncio.sleep(0)
        with soon():
            made = await ends(*(shop.create() for _ in range(20)))
            more = [await shop.create() for _ in range(5)]
        assert not any(task.done() for task in waiting)

    assert not any(isinstance(one, Exception) for one in (*made, *more))
    assert len({one.order.id for one in await ends(*waiting)}) == 1


async def test_a_locked_counter_makes_only_its_own_company_wait(shop: Shop, owner_url: str) -> None:
    other = await shop.other_company()
    await next_payment_number(shop.core, shop.company.id)
    counter = "select from counter where company_id = $1 for update"
    async with held(owner_url, counter, shop.company.id):
        waiting = [
            asyncio.create_task(next_payment_number(shop.core, shop.company.id)) for _ in range(20)
        ]
        with soon():
            assert [await next_payment_number(shop.core, other.id) for _ in range(4)] == [
                1, 2, 3, 4
            ]  # fmt: skip

    assert sorted(await ends(*waiting)) == list(range(2, 22))


async def test_money_goes_back_into_a_wallet_whose_balance_was_locked(
    shop: Shop, owner_url: str
) -> None:
    user, other = await shop.user(1_000_000), await shop.user(1_000_000)
    paid, unpaid = await shop.payment(), await shop.payment()
    await shop.wallet(paid, user)
    before = await shop.balance(user)
    balance = "select from wallet_balance where account = $1 for update"
    async with held(owner_url, balance, f"wallet:{user}"):
        refunding = asyncio.create_task(modify(shop, paid, REFUND))
        with soon():
            assert (await shop.wallet(unpaid, other)).is_paid

    await refunding
    assert await shop.balance(user) == before + paid.amount.minor
    assert await shop.faults() == []
