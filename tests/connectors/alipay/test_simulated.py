"""The connector against the simulated Alipay, which shares no code with it: and its faults."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.connectors.alipay.conftest import KeyPair
from tests.connectors.reports.samples import good, read
from tests.simulator.letterbox import letterbox

from kassa.base.domain.money import Money
from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    ChargeEvent,
    ChargeRequest,
    Declined,
    Done,
    InDoubt,
    ModificationEvent,
    ModificationRequest,
    Pending,
    Refused,
    Report,
    Unknown,
)
from kassa.connectors.catalog import kind_of
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Tools
from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator, running

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
APP, SELLER = "2021000000000001", "2088102116773000"
PRICE = Money(100_012, "CNY")


@pytest.fixture
async def simulator(tmp_path: Path, ours: KeyPair, alipays: KeyPair) -> AsyncIterator[Simulator]:
    merchant = Merchant(
        provider="alipay",
        name="Lantern Tea",
        credentials={
            "app_id": APP,
            "seller_id": SELLER,
            "app_public_key": ours.public_pem,
            "private_key": alipays.private_pem,
        },
    )
    async with running(tmp_path, merchants=[merchant], start=NOW) as made:
        yield made


@pytest.fixture
async def alipay(
    simulator: Simulator, ours: KeyPair, alipays: KeyPair
) -> AsyncIterator[AlipayConnector]:
    settings = {
        "app_id": APP,
        "private_key": ours.private_pem,
        "alipay_public_key": alipays.public_pem,
        "seller_id": SELLER,
        "base_url": f"{simulator.url}/alipay/gateway.do",
    }
    http = ProviderHttp(total_seconds=5)
    made = kind_of("alipay").make(settings, Tools(http=http, clock=lambda: NOW, base_url=""))
    assert isinstance(made, AlipayConnector)
    yield made
    await made.close()


def a_request(**changes: Any) -> ChargeRequest:
    plain: dict[str, Any] = {
        "key": "at1_key",
        "amount": PRICE,
        "order_id": "order_1",
        "subject": "Tea",
        "description": "",
        "instrument": "",
        "return_url": "",
        "notify_url": "",
        "expires_at": NOW + timedelta(hours=1),
        "now": NOW,
    }
    return ChargeRequest(**{**plain, **changes})


def a_refund(minor: int = 30_000, **changes: Any) -> ModificationRequest:
    plain: dict[str, Any] = {
        "key": "re1_01kbrefund",
        "charge_key": "at1_key",
        "charge_reference": "",
        "amount": Money(minor, "CNY"),
        "charge_amount": PRICE,
        "reason": "",
        "notify_url": "",
        "now": NOW,
    }
    return ModificationRequest(**{**plain, **changes})


async def opened(alipay: AlipayConnector, simulator: Simulator, **changes: Any) -> str:
    """A payer opens the address; gives Alipay's number of the trade."""
    begun = await alipay.charge(a_request(**changes))
    assert isinstance(begun, ActionNeeded)
    async with aiohttp.ClientSession() as browser, browser.get(begun.url) as page:
        assert page.status == 200
    found = await alipay.query(changes.get("key", "at1_key"))
    assert isinstance(found, Pending)
    return found.reference


async def paid(alipay: AlipayConnector, simulator: Simulator, **changes: Any) -> str:
    trade = await opened(alipay, simulator, **changes)
    simulator.act("alipay", trade, "pay")
    return trade


async def test_the_credentials_are_right(alipay: AlipayConnector) -> None:
    assert await alipay.probe() == ""


@pytest.mark.parametrize("wrong", ["private_key", "app_id"])
async def test_wrong_credentials_are_named(
    simulator: Simulator, ours: KeyPair, alipays: KeyPair, wrong: str
) -> None:
    settings = {
        "app_id": APP,
        "private_key": ours.private_pem,
        "alipay_public_key": alipays.public_pem,
        "base_url": f"{simulator.url}/alipay/gateway.do",
        wrong: alipays.private_pem if wrong == "private_key" else "2021000000000009",
    }
    tools = Tools(http=ProviderHttp(), clock=lambda: NOW, base_url="")
    stranger = kind_of("alipay").make(settings, tools)
    assert isinstance(stranger, AlipayConnector)

    assert wrong in await stranger.probe()
    await stranger.close()


async def test_a_payer_opens_the_address_and_pays(
    alipay: AlipayConnector, simulator: Simulator
) -> None:
    assert isinstance(await alipay.query("at1_key"), Unknown)
    trade = await opened(alipay, simulator)

    simulator.act("alipay", trade, "pay")

    assert await alipay.query("at1_key") == Captured(reference=trade, amount=PRICE)
    assert await alipay.close_charge("at1_key") == Captured(reference=trade, amount=PRICE)


async def test_an_order_string_pays_in_the_app(
    alipay: AlipayConnector, simulator: Simulator
) -> None:
    begun = await alipay.charge(a_request(instrument="app"))
    assert isinstance(begun, ActionNeeded)

    async with (
        aiohttp.ClientSession() as phone,
        phone.post(f"{simulator.url}/alipay/app", data=begun.url.encode()) as answer,
    ):
        assert answer.status == 200

    assert isinstance(await alipay.query("at1_key"), Captured | Pending)


async def test_a_trade_that_waits_is_closed(alipay: AlipayConnector, simulator: Simulator) -> None:
    await opened(alipay, simulator)

    assert isinstance(await alipay.close_charge("at1_key"), Declined)
    assert isinstance(await alipay.query("at1_key"), Declined)
    assert isinstance(await alipay.close_charge("at1_none"), Unknown)


async def test_refunds_go_back(alipay: AlipayConnector, simulator: Simulator) -> None:
    trade = await paid(alipay, simulator)

    done = await alipay.refund(a_refund())

    assert done == Done(reference=trade, amount=Money(30_000, "CNY"))
    assert await alipay.query_modification(a_refund()) == done
    simulator.advance(timedelta(minutes=1))
    assert isinstance(await alipay.refund(a_refund(100_000, key="re1_more")), Declined)
    assert simulator.money("alipay")["CNY"]["refunded_minor"] == 30_000


@pytest.mark.parametrize("fault", ["reset_after", "garbage", "error_500_after"])
async def test_a_refund_whose_answer_is_lost_is_found_again(
    alipay: AlipayConnector, simulator: Simulator, fault: str
) -> None:
    await paid(alipay, simulator)
    rule = {"provider": "alipay", "operation": "refund", "fault": fault, "first": 1}
    simulator.set_faults([rule])

    assert isinstance(await alipay.refund(a_refund()), InDoubt)

    assert isinstance(await alipay.query_modification(a_refund()), Done)
    assert simulator.money("alipay")["CNY"]["refunded_minor"] == 30_000


@pytest.mark.parametrize("fault", ["wrong_amount", "garbage", "reset_before", "error_500"])
async def test_a_distorted_answer_is_never_taken_for_the_payment(
    alipay: AlipayConnector, simulator: Simulator, fault: str
) -> None:
    await paid(alipay, simulator)
    simulator.set_faults([{"provider": "alipay", "operation": "query", "fault": fault}])

    found = await alipay.query("at1_key")

    assert isinstance(found, InDoubt | Captured)
    assert not (isinstance(found, Captured) and found.amount == PRICE)


async def test_the_bill_of_a_day_has_the_payment_and_its_refund(
    alipay: AlipayConnector, simulator: Simulator
) -> None:
    assert isinstance(await alipay.report(date(2026, 11, 22)), Unknown)
    await paid(alipay, simulator)
    await alipay.refund(a_refund())
    simulator.advance(timedelta(days=1))

    report = await alipay.report(date(2026, 11, 22))

    assert isinstance(report, Report)
    lines = good(read(report.content, report.format))
    assert [(line.our_reference, line.amount.minor) for line in lines] == [
        ("at1_key", 100_012),
        ("re1_01kbrefund", -30_000),
    ]


async def test_its_letters_are_news_and_forged_ones_are_not(
    alipay: AlipayConnector, simulator: Simulator
) -> None:
    rule = {"provider": "alipay", "operation": "letter", "fault": "forged"}
    simulator.set_faults([rule])
    async with letterbox(AlipayConnector.acknowledgement[1]) as box:
        trade = await paid(alipay, simulator, notify_url=box.url)
        await alipay.refund(a_refund())
        await simulator.post_letters()
        heard = [alipay.parse_notification({}, body) for _, body in box.letters]

    charges = {(one.key, one.outcome) for one in heard if isinstance(one, ChargeEvent)}
    assert charges == {("at1_key", Captured(reference=trade, amount=PRICE))}
    refunds = {(one.key, one.outcome) for one in heard if isinstance(one, ModificationEvent)}
    assert refunds == {("re1_01kbrefund", Pending(reference=trade))}
    assert any(isinstance(one, Refused) for one in heard)
