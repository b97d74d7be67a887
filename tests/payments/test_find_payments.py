"""Somebody else's and no such thing are one answer; pages neither skip nor repeat."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace

import asyncpg
import pytest
from tests.shop import Shop

from kassa import assembly
from kassa.base.domain.errors import NotFound
from kassa.base.usecases.ids import lowest_id, millisecond
from kassa.checkout.usecases.cashier_session import open_session
from kassa.orders.store.making import in_the_making
from kassa.orders.usecases import create_order
from kassa.payments.usecases import find_payments
from kassa.payments.usecases.find_payments import (
    find_by_number,
    find_by_request,
    get_payment,
    list_payments,
    payments_of_order,
)
from kassa.settings import Settings

pytestmark = pytest.mark.anyio


async def words(work: Awaitable[object]) -> str:
    with pytest.raises(NotFound) as caught:
        await work
    return caught.value.message


async def test_another_companys_payment_is_not_told_from_none(shop: Shop) -> None:
    other = await shop.other_company()
    made = await shop.create(order_id="order-1", request_scope="s", request_id="r-1")
    core = shop.core

    for company, order_id, payment_id, request_id in (
        (other.id, "order-1", made.payment.id, "r-1"),
        (shop.company.id, "order-2", "py_none", "r-2"),
        (shop.company.id, "order-1\x00", made.payment.id + "\x00", "r-1\x00"),
        (shop.company.id, "", "", ""),
    ):
        assert await words(get_payment(core, company, payment_id)) == "no such payment"
        assert await words(find_by_request(core, company, "s", request_id)) == "no such payment"
        assert "no such order" in await words(payments_of_order(core, company, order_id))
    assert await words(find_by_request(core, shop.company.id, "t", "r-1")) == "no such payment"


async def test_a_number_nobody_has_is_no_payment(shop: Shop) -> None:
    for number in (0, -1, 1, 2**31, 2**63 - 1, 2**63, 10**30):
        assert await words(find_by_number(shop.core, shop.company.id, number)) == "no such payment"


async def test_a_thousand_eyes_see_the_same_payment_and_the_missing_spoil_nothing(
    shop: Shop,
) -> None:
    payments = [await shop.payment() for _ in range(3)]
    keys = [one.id for one in payments] * 30 + ["py_none"] * 10

    found = await asyncio.gather(
        *(get_payment(shop.core, shop.company.id, key) for key in keys), return_exceptions=True
    )

    assert [getattr(view, "payment", None) for view in found] == payments * 30 + [None] * 10


async def test_pages_show_everything_once_newest_first_while_more_is_made(shop: Shop) -> None:
    made = [(await shop.payment()).id for _ in range(7)]
    await shop.payment(company=await shop.other_company())

    seen: list[str] = []
    before = None
    while True:
        page = await list_payments(shop.core, shop.company.id, before=before, limit=3)
        seen += [one.id for one in page.payments]
        await shop.payment()
        if page.next is None:
            break
        before = page.next

    assert seen == sorted(made, reverse=True)


@pytest.fixture
async def beside(shop: Shop, settings: Settings, database_url: str) -> AsyncIterator[Shop]:
    """The same shop as another process serves it."""
    async with assembly.open_core(settings, database_url) as core:
        yield replace(shop, core=core)


@pytest.fixture
async def slow_order(owner_url: str) -> AsyncIterator[str]:
    """The id of an order whose payment takes most of a second to be stored."""
    owner = await asyncpg.connect(owner_url)
    await owner.execute(
        "create or replace function take_your_time() returns trigger language plpgsql as $$ begin"
        " if new.order_id = 'slow' then perform pg_sleep(0.8); end if; return new; end $$;"
        " create trigger slowly before insert on payment for each row"
        " execute function take_your_time()"
    )
    try:
        yield "slow"
    finally:
        await owner.execute("drop trigger slowly on payment; drop function take_your_time")
        await owner.close()


async def begun(shop: Shop, order_id: str) -> "asyncio.Task[object]":
    """The creation of that order, its payment being made by now."""
    creating = asyncio.create_task(shop.create(order_id=order_id))
    async with asyncio.timeout(5), shop.core.db.connection() as connection:
        while not (await in_the_making(connection, [shop.company.id]))[0].under_way:
            await asyncio.sleep(0.01)
    return creating


async def listed(shop: Shop) -> list[str]:
    page = await list_payments(shop.core, shop.company.id, limit=10)
    return [one.order_id for one in page.payments]


async def test_nothing_appears_later_below_what_a_list_had(
    shop: Shop, beside: Shop, slow_order: str
) -> None:
    creating = await begun(shop, slow_order)
    await beside.create(order_id="fast")

    assert await listed(beside) == ["fast", slow_order]
    await creating


async def test_what_is_being_made_for_too_long_and_what_is_newer_is_left_for_later(
    shop: Shop, beside: Shop, slow_order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_payments, "_PATIENCE", 0.1)
    await shop.create(order_id="old")
    await asyncio.sleep(0.1)
    creating = await begun(shop, slow_order)
    await beside.create(order_id="fast")

    assert await listed(beside) == ["old"]
    await creating
    assert await listed(beside) == ["fast", slow_order, "old"]


async def test_an_id_that_is_late_for_its_statement_is_made_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"py_{lowest_id('', millisecond() - 1000)[1:]}{n:016}" for n in (1, 2)]
    made = iter(ids)
    core = replace(shop.core, new_id=lambda prefix: next(made) if prefix == "py" else "order_1")
    monkeypatch.setattr(create_order, "millisecond", lambda: millisecond() - 1000)

    created = await replace(shop, core=core).create()

    assert created.payment.id == ids[1]
    assert await listed(shop) == [created.order.id]


async def test_other_companies_are_not_waited_for(
    shop: Shop, beside: Shop, slow_order: str
) -> None:
    other = replace(beside, company=await beside.other_company())
    await other.create(order_id="theirs")
    creating = await begun(shop, slow_order)

    assert await asyncio.wait_for(listed(other), 0.5) == ["theirs"]
    assert not creating.done()
    await creating


async def test_what_is_being_made_is_told_of_each_company_that_is_asked_about(
    shop: Shop, beside: Shop, slow_order: str
) -> None:
    other = replace(beside, company=await beside.other_company())
    theirs = await other.payment()
    creating = await begun(shop, slow_order)

    async with shop.core.db.connection() as connection:
        found = await in_the_making(connection, [other.company.id, shop.company.id, "cmp_none"])

    assert [len(one.under_way) for one in found] == [0, 1, 0]
    assert [one.newest for one in found] == [theirs.id, "", ""]
    await creating


async def test_a_page_of_chosen_orders_holds_only_those(shop: Shop) -> None:
    one, two, _ = [await shop.create(order_id=f"order-{n}") for n in range(3)]
    wanted = ["order-1", "order-0", "order-none", "order-0"]

    page = await list_payments(shop.core, shop.company.id, order_ids=wanted, limit=10)

    assert [one.order_id for one in page.payments] == [two.order.id, one.order.id]
    assert page.next is None
    nul = await list_payments(shop.core, shop.company.id, order_ids=["a\x00"], limit=10)
    assert nul.payments == []


async def test_no_made_up_session_opens_a_cashier(shop: Shop) -> None:
    token = (await shop.create()).order.session_token
    assert (await open_session(shop.core, token)).order.session_token == token

    for wrong in (
        token[:-1],
        token + "0",
        token.upper(),
        "",
        "sess_",
        "sess_z",
        "sess_0z" + token[7:],
        "sess_-1z" + token[7:],
        "sess_7fffffffz" + token[7:],
        "sess_ffffffffz" + token[7:],
        "sess_fffffffffz" + token[7:],
        "sess_１z" + token[7:],
        token + "\x00",
        "sess_1z" + "0" * 1000,
    ):
        assert await words(open_session(shop.core, wrong)) == "no such payment page"
