"""Businesses of a company: kept under their ids, named in requests, unknown ones refused."""

import pytest
from tests.shop import Shop

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.identity.domain.principals import Business, Principal
from kassa.identity.usecases.businesses import (
    add_business,
    find_business,
    known_business,
    known_businesses,
    list_businesses,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
STATION = Business("biz_station", "The Shop at the Station")


def asking(shop: Shop) -> Principal:
    company = shop.company
    return Principal(
        company=company, business_id=company.business_id, kind="api_key", credential="k"
    )


async def test_a_business_is_kept_and_listed_behind_the_companys_own(shop: Shop) -> None:
    await add_business(shop.core, shop.company, STATION)
    other = await shop.other_company()

    assert await list_businesses(shop.core, shop.company) == [
        Business("biz_shop", "A Shop"),
        STATION,
    ]
    assert await list_businesses(shop.core, other) == [Business("biz_2", "Another")]
    assert await find_business(shop.core, other, "biz_station") is None


async def test_the_same_id_again_is_another_name(shop: Shop) -> None:
    await add_business(shop.core, shop.company, STATION)
    await add_business(shop.core, shop.company, Business("biz_station", " Station "))

    found = await find_business(shop.core, shop.company, "biz_station")

    assert found == Business("biz_station", "Station")


@pytest.mark.parametrize(
    "wrong",
    [
        Business("", "x"),
        Business("a b", "x"),
        Business("b" * 65, "x"),
        Business("biz_1", " "),
        Business("biz_1", "x\x00"),
        Business("biz_1", "x" * 201),
        Business("biz_shop", "Not the company"),
    ],
)
async def test_what_cannot_be_one_is_refused(shop: Shop, wrong: Business) -> None:
    with pytest.raises(InvalidRequest):
        await add_business(shop.core, shop.company, wrong)


async def test_an_unknown_business_is_refused_by_the_name_it_came_in(shop: Shop) -> None:
    await known_business(shop.core, asking(shop), "biz_shop")
    for unknown in ("biz_2", "biz_station", "\x00", "b" * 100):
        with pytest.raises(InvalidRequest) as caught:
            await known_business(shop.core, asking(shop), unknown, field="businessId")
        assert (caught.value.field, caught.value.reason) == ("businessId", "business_unknown")


async def test_several_are_all_known_or_all_refused(shop: Shop) -> None:
    await add_business(shop.core, shop.company, STATION)
    other = await shop.other_company()
    await add_business(shop.core, other, Business("biz_theirs", "Theirs"))

    await known_businesses(shop.core, asking(shop), ["biz_shop", "biz_station"], field="ids")
    for unknown in ("biz_theirs", "biz_2", "\x00", "b" * 100):
        with pytest.raises(InvalidRequest) as caught:
            await known_businesses(
                shop.core, asking(shop), ["biz_shop", "biz_station", unknown], field="ids"
            )
        assert (caught.value.field, caught.value.reason) == ("ids", "business_unknown")


async def test_each_business_has_its_own_ledger(shop: Shop) -> None:
    await add_business(shop.core, shop.company, STATION)
    payment = await shop.payment(business_id="biz_station", amount=Money(500, "CNY"))
    await shop.submit(payment)

    rows = await shop.sql("select account from entry where amount_minor < 0")

    assert "merchant:biz_station" in {row["account"] for row in rows}
