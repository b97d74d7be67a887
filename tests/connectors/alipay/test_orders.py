"""The address a payer is sent to: signed here, in Alipay's words, without asking Alipay."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.connectors.alipay.conftest import KeyPair

from kassa.base.domain.money import Money
from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.alipay.rsa2 import request_text
from kassa.connectors.base import ActionNeeded, ChargeRequest, Declined
from kassa.connectors.http import ProviderHttp

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 2, 0, 0, 999_999, tzinfo=UTC)
IN_15_MINUTES = NOW + timedelta(minutes=15)


@pytest.fixture
async def alipay(ours: KeyPair, alipays: KeyPair) -> AsyncIterator[AlipayConnector]:
    connector = AlipayConnector(
        app_id="2021000000000001",
        private_key_pem=ours.private_pem,
        alipay_public_key_pem=alipays.public_pem,
        gateway="https://alipay.example/gateway.do",
        http=ProviderHttp(),
    )
    yield connector
    await connector.close()


def a_request(**changes: Any) -> ChargeRequest:
    plain: dict[str, Any] = {
        "key": "at_01h_key",
        "amount": Money.from_major("1000.12", "CNY"),
        "order_id": "c3beaaf0-ff02-4adf-b37c-ee41dbc20319",
        "subject": "Test Subject",
        "description": "",
        "instrument": "",
        "return_url": "https://shop.example/return",
        "notify_url": "https://shop.example/notify",
        "expires_at": NOW + timedelta(hours=1),
        "now": NOW,
    }
    return ChargeRequest(**{**plain, **changes})


def parameters_of(outcome: object) -> dict[str, str]:
    assert isinstance(outcome, ActionNeeded)
    return dict(parse_qsl(urlsplit(outcome.url).query, strict_parsing=True))


def content_of(outcome: object) -> dict[str, str]:
    content = json.loads(parameters_of(outcome)["biz_content"])
    assert isinstance(content, dict)
    return content


async def test_a_charge_is_a_signed_address_for_the_payer(
    alipay: AlipayConnector, ours: KeyPair
) -> None:
    outcome = await alipay.charge(a_request())

    parameters = parameters_of(outcome)
    assert isinstance(outcome, ActionNeeded)
    assert outcome.url.startswith("https://alipay.example/gateway.do?app_id=2021000000000001&")
    assert outcome.reference == ""
    assert outcome.expires_at == IN_15_MINUTES
    assert ours.verifier.accepts(parameters["sign"], request_text(parameters).encode())
    assert request_text(parameters) == (
        "app_id=2021000000000001"
        '&biz_content={"subject":"Test Subject","out_trade_no":"at_01h_key"'
        ',"total_amount":"1000.12","product_code":"FAST_INSTANT_TRADE_PAY"'
        ',"timeout_express":"15m","time_expire":"2026-11-22 10:15:00"}'
        "&charset=utf-8&method=alipay.trade.page.pay&notify_url=https://shop.example/notify"
        "&return_url=https://shop.example/return&sign_type=RSA2"
        "&timestamp=2026-11-22 10:00:00&version=1.0"
    )


async def test_a_repeat_a_minute_later_is_a_fresh_address_for_the_same_trade(
    alipay: AlipayConnector,
) -> None:
    first = await alipay.charge(a_request())
    second = await alipay.charge(a_request(now=NOW + timedelta(minutes=1)))

    assert parameters_of(second)["timestamp"] == "2026-11-22 10:01:00"
    assert content_of(second)["time_expire"] == "2026-11-22 10:16:00"
    assert content_of(first)["out_trade_no"] == content_of(second)["out_trade_no"]


async def test_a_phone_gets_the_wap_cashier(alipay: AlipayConnector) -> None:
    outcome = await alipay.charge(a_request(instrument="wap"))

    assert parameters_of(outcome)["method"] == "alipay.trade.wap.pay"
    assert content_of(outcome)["product_code"] == "QUICK_WAP_WAY"
    assert content_of(outcome)["quit_url"] == "https://shop.example/return"


async def test_an_app_gets_an_order_string_and_no_address(
    alipay: AlipayConnector, ours: KeyPair
) -> None:
    outcome = await alipay.charge(a_request(instrument="app"))

    assert isinstance(outcome, ActionNeeded)
    assert outcome.url.startswith("app_id=2021000000000001&biz_content=%7B%22subject%22")
    order = dict(parse_qsl(outcome.url, strict_parsing=True))
    assert order["method"] == "alipay.trade.app.pay"
    assert order["notify_url"] == "https://shop.example/notify"
    assert "return_url" not in order
    content = json.loads(order["biz_content"])
    assert content["product_code"] == "QUICK_MSECURITY_PAY"
    assert content["time_expire"] == "2026-11-22 10:15:00"
    assert ours.verifier.accepts(order["sign"], request_text(order).encode())


async def test_what_is_empty_is_neither_signed_nor_sent(alipay: AlipayConnector) -> None:
    outcome = await alipay.charge(a_request(return_url="", notify_url=""))

    assert {"return_url", "notify_url"}.isdisjoint(parameters_of(outcome))


async def test_alipay_closes_before_the_order_does(alipay: AlipayConnector) -> None:
    expires_at = NOW + timedelta(minutes=10)

    outcome = await alipay.charge(a_request(expires_at=expires_at))

    assert isinstance(outcome, ActionNeeded)
    assert outcome.expires_at == expires_at
    assert content_of(outcome)["time_expire"] == "2026-11-22 10:09:30"
    assert content_of(outcome)["timeout_express"] == "9m"


async def test_times_are_chinas_wherever_now_was_read(alipay: AlipayConnector) -> None:
    eve = datetime.fromisoformat("2026-12-31T18:30:00-05:00")

    outcome = await alipay.charge(a_request(now=eve, expires_at=eve + timedelta(days=1)))

    assert parameters_of(outcome)["timestamp"] == "2027-01-01 07:30:00"


@pytest.mark.parametrize("left", [-60, 0, 60, 89])
async def test_too_little_time_left_is_declined(alipay: AlipayConnector, left: int) -> None:
    outcome = await alipay.charge(a_request(expires_at=NOW + timedelta(seconds=left)))

    assert isinstance(outcome, Declined)
    assert outcome.code == "expired"


@pytest.mark.parametrize("currency", ["USD", "CLP", "KWD", "HKD"])
async def test_other_currencies_are_declined(alipay: AlipayConnector, currency: str) -> None:
    outcome = await alipay.charge(a_request(amount=Money(100, currency)))

    assert isinstance(outcome, Declined)
    assert outcome.code == "currency_unsupported"


@pytest.mark.parametrize(
    ("minor", "written"),
    [(1, "0.01"), (10, "0.10"), (100, "1.00"), (100012, "1000.12"), (10**10, "100000000.00")],
)
async def test_amounts_are_yuan_with_two_digits(
    alipay: AlipayConnector, minor: int, written: str
) -> None:
    outcome = await alipay.charge(a_request(amount=Money(minor, "CNY")))

    assert content_of(outcome)["total_amount"] == written


@pytest.mark.parametrize("minor", [0, -1, 10**10 + 1])
async def test_amounts_alipay_does_not_take_are_declined(
    alipay: AlipayConnector, minor: int
) -> None:
    outcome = await alipay.charge(a_request(amount=Money(minor, "CNY")))

    assert isinstance(outcome, Declined)
    assert outcome.code == "amount_out_of_range"


@pytest.mark.parametrize(
    ("subject", "sent"),
    [
        ("Tea & cake = 3/4", "Tea cake 3 4"),
        ("茶 ☕", "茶 ☕"),
        ('quoted " and \\', 'quoted " and \\'),
        ("two\r\nlines\t\x00\x7f end", "two lines end"),
        ("half \ud83d a pair", "half a pair"),
        ("x" * 300, "x" * 256),
        ("", "Order c3beaaf0-ff02-4adf-b37c-ee41dbc20319"),
        (" /&= ", "Order c3beaaf0-ff02-4adf-b37c-ee41dbc20319"),
    ],
)
async def test_the_subject_is_what_alipay_takes(
    alipay: AlipayConnector, ours: KeyPair, subject: str, sent: str
) -> None:
    outcome = await alipay.charge(a_request(subject=subject))

    parameters = parameters_of(outcome)
    assert content_of(outcome)["subject"] == sent
    assert ours.verifier.accepts(parameters["sign"], request_text(parameters).encode())


async def test_the_description_is_sent_up_to_its_limit(alipay: AlipayConnector) -> None:
    outcome = await alipay.charge(a_request(description="d" * 200))

    assert content_of(outcome)["body"] == "d" * 128


async def test_an_address_longer_than_alipay_keeps_is_declined(alipay: AlipayConnector) -> None:
    outcome = await alipay.charge(a_request(return_url="https://shop.example/" + "a" * 250))

    assert isinstance(outcome, Declined)
    assert outcome.code == "address_too_long"


@pytest.mark.parametrize("key", ["", "a-b", "a" * 65, "a b", "a\n"])
async def test_a_key_alipay_cannot_hold_is_a_bug(alipay: AlipayConnector, key: str) -> None:
    with pytest.raises(ValueError, match="a key for Alipay"):
        await alipay.charge(a_request(key=key))


def test_the_same_address_comes_without_a_loop(ours: KeyPair, alipays: KeyPair) -> None:
    connector = AlipayConnector(
        app_id="1",
        private_key_pem=ours.private_pem,
        alipay_public_key_pem=alipays.public_pem,
        gateway="https://alipay.example/gateway.do?proxy=1",
        http=ProviderHttp(),
    )

    outcome = connector.payment_address(a_request())

    assert isinstance(outcome, ActionNeeded)
    assert outcome.url.startswith("https://alipay.example/gateway.do?proxy=1&app_id=1&")
