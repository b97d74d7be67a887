"""Somebody else's and no such thing are one answer; pages neither skip nor repeat."""

import asyncio
from collections.abc import Awaitable

import pytest
from tests.usecases.shop import Shop

from kassa.domain.errors import NotFound
from kassa.usecases.cashier_session import open_session
from kassa.usecases.find_payments import (
    find_by_number,
    find_by_request,
    get_payment,
    list_payments,
    payments_of_order,
)

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
        seen += [view.payment.id for view in page.views]
        await shop.payment()
        if page.next is None:
            break
        before = page.next

    assert seen == sorted(made, reverse=True)


async def test_a_page_of_chosen_orders_holds_only_those(shop: Shop) -> None:
    one, two, _ = [await shop.create(order_id=f"order-{n}") for n in range(3)]
    wanted = ["order-1", "order-0", "order-none", "order-0"]

    page = await list_payments(shop.core, shop.company.id, order_ids=wanted, limit=10)

    assert [view.order.id for view in page.views] == [two.order.id, one.order.id]
    assert page.next is None
    nul = await list_payments(shop.core, shop.company.id, order_ids=["a\x00"], limit=10)
    assert nul.views == []


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
