"""Test and live are two sides of a company, and nothing of one is ever met on the other."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from tests.shop import CARDS, Scripted, Shop

from kassa.base.domain.errors import (
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    UnsupportedOperation,
)
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.checkout.usecases.cashier_session import PaymentWay, open_session, way_of
from kassa.connectors.sandbox import signing
from kassa.identity.domain.principals import Company, Mode
from kassa.identity.usecases import companies
from kassa.identity.usecases.authenticate import authenticate_api_key, authenticate_client
from kassa.identity.usecases.companies import NewCompany, add_company, find_side, give_sandbox
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.find_payments import get_payment
from kassa.providers.domain.providers import AccountStatus, ProviderAccount
from kassa.providers.usecases.provider_accounts import list_accounts
from kassa.routing.usecases.route_rules import set_rules
from kassa.routing.usecases.routing import NUMBER, TOKEN, RoutingRequest, choose, look_at_all
from kassa.webhooks_in.usecases.receive import receive_notification

pytestmark = pytest.mark.anyio


def named(mode: Mode = Mode.TEST, **changes: Any) -> NewCompany:
    members: dict[str, Any] = {
        "id": "cmp_tea",
        "business_id": "biz_tea",
        "name": "Tea",
        "currency": "CNY",
        "mode": mode,
    }
    return NewCompany(**{**members, **changes})


@pytest.fixture
def installation(core: Core) -> Core:
    """One that may take real money."""
    core.policy = replace(core.policy, live=True)
    return core


@pytest.fixture
async def live(shop: Shop, installation: Core) -> Shop:
    """The live side of the shop."""
    side = await add_company(installation, named(Mode.LIVE, id="cmp_shop"))
    return replace(shop, company=side, connections=[])


async def test_both_sides_have_one_name_and_nothing_else_in_common(installation: Core) -> None:
    test = await add_company(installation, named(sandbox=True))
    live = await add_company(installation, named(Mode.LIVE, name="ignored", business_id="x"))

    assert (test.id, live.id) == ("cmp_tea", "cmp_tea:live")
    assert test.public_id == live.public_id == "cmp_tea"
    assert (live.name, live.business_id) == ("Tea", "biz_tea")
    assert test.number != live.number
    assert (test.sandbox, live.sandbox) == (True, False)
    assert await add_company(installation, named(Mode.LIVE)) == live


async def test_a_side_is_found_by_its_id_or_by_its_mode(installation: Core) -> None:
    live = await add_company(installation, named(Mode.LIVE))
    with pytest.raises(NotFound, match="no test side"):
        await find_side(installation, "cmp_tea", Mode.TEST)
    test = await add_company(installation, named())

    assert await find_side(installation, "cmp_tea") == test
    assert await find_side(installation, "cmp_tea", Mode.LIVE) == live
    assert await find_side(installation, "cmp_tea:live") == live
    assert await find_side(installation, "cmp_tea:live", Mode.LIVE) == live
    with pytest.raises(InvalidRequest, match="not a test side"):
        await find_side(installation, "cmp_tea:live", Mode.TEST)
    with pytest.raises(NotFound):
        await find_side(installation, "cmp_nobody", Mode.LIVE)


async def test_no_live_side_without_real_money_and_no_sandbox_on_one(core: Core) -> None:
    with pytest.raises(InvalidRequest, match="no real money"):
        await add_company(core, named(Mode.LIVE))
    core.policy = replace(core.policy, live=True)
    with pytest.raises(InvalidRequest, match="for test sides"):
        await add_company(core, named(Mode.LIVE, sandbox=True))
    side = await add_company(core, named(Mode.LIVE))
    with pytest.raises(InvalidRequest, match="for test sides"):
        await give_sandbox(core, side.id)


async def test_the_database_itself_keeps_the_sides_apart(live: Shop, owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    put = (
        "insert into provider_account (company_id, name, connector, mode, settings, sealed,"
        " key_version) values ($1, $2, 'stripe', $3, '{}', '', 1)"
    )
    key = "insert into company_key values ($1, 1, 1, '')"
    try:
        for company in ("cmp_shop", "cmp_shop:live"):
            await connection.execute(key, company)
        for company, mode in (("cmp_shop", "live"), ("cmp_shop:live", "test")):
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await connection.execute(put, company, f"a{mode}", mode)
        for change in ("mode = 'test'", "public_id = 'other'", "sandbox = true", "number = 99"):
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(f"update company set {change} where id = 'cmp_shop:live'")
    finally:
        await connection.close()


async def test_a_key_says_its_mode_and_opens_that_side_alone(live: Shop, shop: Shop) -> None:
    core = live.core
    await companies.put_api_key(core, shop.company, "sk_test_k1_secret")
    await companies.put_api_key(core, live.company, "sk_live_k1_secret")
    await companies.put_api_key(core, shop.company, "sk_old_secret")

    assert (await authenticate_api_key(core, "sk_test_k1_secret")).company == shop.company
    assert (await authenticate_api_key(core, "sk_live_k1_secret")).company == live.company
    assert (await authenticate_api_key(core, "sk_old_secret")).company == shop.company
    with pytest.raises(Unauthenticated):
        await authenticate_api_key(core, "sk_live_k1_other")
    for side, secret in ((shop, "sk_live_k2_s"), (live, "sk_test_k2_s")):
        with pytest.raises(InvalidRequest, match="begins with"):
            await companies.put_api_key(core, side.company, secret)


async def test_a_live_credential_is_refused_where_no_real_money_moves(live: Shop) -> None:
    core = live.core
    await companies.put_api_key(core, live.company, "sk_live_k1_secret")
    await companies.put_orders_client(core, live.company, "client_live_1", "secret")
    made = await live.create()
    await authenticate_api_key(core, "sk_live_k1_secret")
    core.policy = replace(core.policy, live=False)

    for asked in (
        authenticate_api_key(core, "sk_live_k1_secret"),  # also from the memory of a second
        authenticate_client(core, "client_live_1", "secret"),
    ):
        with pytest.raises(PermissionDenied, match="moves no real money"):
            await asked
    with pytest.raises(Unauthenticated):  # nobody learns of it who has not got the secret
        await authenticate_api_key(core, "sk_live_k1_wrong")
    with pytest.raises(NotFound):
        await open_session(core, made.order.session_token)


async def test_what_is_on_one_side_is_not_there_on_the_other(live: Shop, shop: Shop) -> None:
    real, trial = await live.payment(), await shop.payment()

    for side, payment in ((shop, real), (live, trial)):
        with pytest.raises(NotFound) as theirs:
            await get_payment(live.core, side.company.id, payment.id)
        with pytest.raises(NotFound) as nobodys:
            await get_payment(live.core, side.company.id, "py_01k3z8m4q5v7x9y2a4b6c8d0ef")
        assert str(theirs.value) == str(nobodys.value)


def _question(company: Company, **changes: Any) -> RoutingRequest:
    members: dict[str, Any] = {
        "company_id": company.id,
        "method": Method.CREDIT_CARD,
        "amount": Money(10_000, "CNY"),
        "takes": NUMBER,
    }
    return RoutingRequest(**{**members, **changes})


async def by_the_cashier(shop: Shop) -> None:
    session = await open_session(shop.core, (await shop.create()).order.session_token)
    assert PaymentWay.CREDIT_CARD not in session.ways
    assert not session.sandbox
    await way_of(shop.core, session, PaymentWay.CREDIT_CARD, card_digits=CARDS["paid"])


async def by_a_route(shop: Shop) -> None:
    looked = await look_at_all(shop.core, _question(shop.company))
    assert "sandbox" not in [one.name for one in looked]
    await choose(shop.core, _question(shop.company))


async def by_a_token_of_the_sandbox(shop: Shop) -> None:
    await choose(shop.core, _question(shop.company, takes=TOKEN, maker="sandbox"))


async def by_naming_the_account(shop: Shop) -> None:
    await choose(shop.core, _question(shop.company, account="sandbox"))


async def by_force(shop: Shop) -> None:
    await shop.submit(await shop.payment())


async def by_falling_back(shop: Shop) -> None:
    _account(shop, "real", Mode.LIVE)
    await shop.submit(await shop.payment(), connector="real", fallbacks=("sandbox",))


def _account(shop: Shop, name: str, mode: Mode, company_id: str = "") -> Scripted:
    played = Scripted()
    shop.core.connectors[name] = played
    shop.core.accounts[name] = ProviderAccount(
        company_id=company_id,
        name=name,
        connector="sandbox",
        mode=mode,
        status=AccountStatus.ACTIVE,
    )
    return played


ROADS = [
    by_the_cashier,
    by_a_route,
    by_a_token_of_the_sandbox,
    by_naming_the_account,
    by_force,
    by_falling_back,
]


@pytest.mark.parametrize("road", ROADS)
async def test_no_road_leads_a_live_order_to_the_sandbox(
    live: Shop, road: Callable[[Shop], Awaitable[None]]
) -> None:
    with pytest.raises(UnsupportedOperation):
        await road(live)

    assert not live.books.exist()


@pytest.mark.parametrize("road", ROADS)
async def test_no_road_leads_to_the_sandbox_who_was_not_given_it(
    core: Core, owner_url: str, road: Callable[[Shop], Awaitable[None]]
) -> None:
    plain = Shop(core, await add_company(core, named()), owner_url)

    with pytest.raises(UnsupportedOperation):
        await road(plain)

    assert not plain.books.exist()


async def test_the_sandbox_is_given_and_taken_away_within_a_second(
    core: Core, owner_url: str
) -> None:
    plain = Shop(core, await add_company(core, named()), owner_url)
    await give_sandbox(core, plain.company.id)
    core.gatherers.clear()  # as a second later

    assert (await choose(core, _question(plain.company))).accounts == ("sandbox",)
    await give_sandbox(core, plain.company.id, given=False)
    core.gatherers.clear()
    with pytest.raises(UnsupportedOperation):
        await choose(core, _question(plain.company))


async def test_no_account_of_one_mode_takes_a_payment_of_the_other(live: Shop, shop: Shop) -> None:
    core = live.core
    for name, mode, owner in (
        ("everybodys", Mode.TEST, ""),
        ("mine", Mode.TEST, shop.company.id),
        ("real", Mode.LIVE, ""),
    ):
        _account(shop, name, mode, owner)

    assert [one.name for one in await look_at_all(core, _question(live.company))] == ["real"]
    assert {one.name for one in await look_at_all(core, _question(shop.company))} == {
        *("sandbox", "everybodys", "mine"),
        "alipay",
    }
    assert [one.account.name for one in await list_accounts(core, live.company.id)] == ["real"]
    for side, account in ((live, "mine"), (live, "everybodys"), (shop, "real")):
        with pytest.raises(InvalidRequest, match="no account"):
            await set_rules(core, side.company.id, [{"name": "x", "use": [account]}], actor="test")
        with pytest.raises(UnsupportedOperation):
            await side.submit(await side.payment(), connector=account)


async def test_a_test_accounts_news_does_not_reach_a_live_payment(live: Shop) -> None:
    played = _account(live, "real", Mode.LIVE)
    payment = await live.submit(await live.payment(), connector="real")
    key = (await live.attempts(payment))[0]["id"]
    assert played.charged == [key]
    books = live.books
    forged = _news_of_the_sandbox(live.core, key)

    answer = await receive_notification(live.core, "sandbox", *forged)

    assert (answer.status, answer.outcome) == (200, "foreign")
    assert not books.exist()
    assert await live.sql("select 1 from provider_news") == []


def _news_of_the_sandbox(core: Core, key: str) -> tuple[dict[str, str], bytes]:
    """A letter that the sandbox itself could have signed, about somebody else's charge."""
    charge = {
        "id": "evt_1",
        "type": "charge.captured",
        "key": key,
        "reference": "sbx_" + "0" * 32,
        "state": "captured",
        "amount": "100.00",
        "currency": "CNY",
        "fee": "",
        "reason": "",
        "message": "",
        "reserved_until": "",
    }
    body = json.dumps(charge).encode()
    secret: bytes = core.connectors["sandbox"]._secret  # type: ignore[attr-defined]
    return {signing.HEADER: signing.sign(secret, body, at=int(time.time()))}, body
