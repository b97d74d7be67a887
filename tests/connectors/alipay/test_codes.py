"""Paying by a code: ours, which the payer scans, or the payer's own."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.alipay.conftest import Gateway

from kassa.base.domain.money import Money
from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    ChargeRequest,
    Declined,
    InDoubt,
    Pending,
)

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
TRADE = "2026112222001473037000000001"
PRECREATE, PAY, QUERY = "alipay.trade.precreate", "alipay.trade.pay", "alipay.trade.query"
CODE = "280000000000001234"
MADE = {"code": "10000", "out_trade_no": "at_key", "qr_code": "https://qr.alipay.com/bax03"}
PAID = {"code": "10000", "out_trade_no": "at_key", "trade_no": TRADE, "total_amount": "88.00"}
TAKEN = Captured(reference=TRADE, amount=Money(8800, "CNY"))


def charge(instrument: str, **changes: Any) -> ChargeRequest:
    given: dict[str, Any] = {
        "key": "at_key",
        "amount": Money(8800, "CNY"),
        "order_id": "order_1",
        "subject": "茶 ☕",
        "description": "",
        "instrument": instrument,
        "return_url": "https://shop.example/back",
        "notify_url": "https://pay.example/providers/alipay",
        "expires_at": NOW + timedelta(hours=1),
        "now": NOW,
    }
    return ChargeRequest(**{**given, **changes})


def failed(word: str, **more: str) -> dict[str, str]:
    return {"code": "40004", "msg": "Business Failed", "sub_code": f"ACQ.{word}", **more}


async def test_a_code_to_scan_is_where_the_payer_goes(
    alipay: AlipayConnector, gateway: Gateway
) -> None:
    gateway.answer = MADE

    said = await alipay.charge(charge("qr"))

    assert isinstance(said, ActionNeeded)
    assert (said.url, said.reference) == ("https://qr.alipay.com/bax03", "")
    [form] = gateway.forms
    assert form["method"] == PRECREATE
    assert form["notify_url"] == "https://pay.example/providers/alipay"
    asked = json.loads(form["biz_content"])
    assert (asked["out_trade_no"], asked["total_amount"]) == ("at_key", "88.00")
    assert "auth_code" not in asked


async def test_the_payers_own_code_pays_at_once(alipay: AlipayConnector, gateway: Gateway) -> None:
    gateway.answer = PAID

    assert await alipay.charge(charge(CODE)) == TAKEN

    [form] = gateway.forms
    asked = json.loads(form["biz_content"])
    assert form["method"] == PAY
    assert (asked["scene"], asked["auth_code"]) == ("bar_code", CODE)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({**PAID, "code": "10003"}, Pending),
        ({**PAID, "out_trade_no": "other"}, InDoubt),
        ({**PAID, "total_amount": "?"}, InDoubt),
        ({**PAID, "trade_no": ""}, InDoubt),
        (failed("BUYER_BALANCE_NOT_ENOUGH"), Declined),
        (failed("PAYMENT_AUTH_CODE_INVALID"), Declined),
        (failed("SYSTEM_ERROR"), InDoubt),
        (failed("A_WORD_OF_NEXT_YEAR"), InDoubt),
        ({"code": "20000", "sub_code": "aop.unknow-error"}, InDoubt),
        ({"code": "40002", "sub_code": "isv.invalid-signature"}, InDoubt),
    ],
)
async def test_what_a_payment_by_code_comes_to(
    alipay: AlipayConnector, gateway: Gateway, answer: dict[str, str], expected: type
) -> None:
    gateway.answer = answer

    assert isinstance(await alipay.charge(charge(CODE)), expected)
    assert [form["method"] for form in gateway.forms] == [PAY]


@pytest.mark.parametrize("instrument", ["qr", CODE])
async def test_a_repeat_of_what_was_paid_is_told_by_a_query(
    alipay: AlipayConnector, gateway: Gateway, instrument: str
) -> None:
    method = PRECREATE if instrument == "qr" else PAY
    found = {**PAID, "trade_status": "TRADE_SUCCESS"}
    gateway.answers = {method: failed("TRADE_HAS_SUCCESS"), QUERY: found}

    assert await alipay.charge(charge(instrument)) == TAKEN


async def test_a_code_that_is_no_address_is_not_shown(
    alipay: AlipayConnector, gateway: Gateway
) -> None:
    for url in ("", "javascript:1", "weixin://x"):
        gateway.answer = {**MADE, "qr_code": url}

        assert isinstance(await alipay.charge(charge("qr")), InDoubt)


async def test_a_subject_that_is_refused_is_left_out_once(
    alipay: AlipayConnector, gateway: Gateway
) -> None:
    gateway.answer = failed("INVALID_PARAMETER", sub_msg="subject is illegal")

    assert isinstance(await alipay.charge(charge(CODE)), Declined)

    asked = [json.loads(form["biz_content"]) for form in gateway.forms]
    assert [one["subject"] for one in asked] == ["茶 ☕", "Order at_key"]
    assert {one["out_trade_no"] for one in asked} == {"at_key"}


async def test_what_alipay_could_never_take_is_not_asked(
    alipay: AlipayConnector, gateway: Gateway
) -> None:
    said = await alipay.charge(charge("qr", amount=Money(100, "EUR")))

    assert isinstance(said, Declined)
    assert gateway.forms == []
