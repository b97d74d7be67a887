"""What a query learns, from a server on the loopback that answers as Alipay does."""

import socket
from typing import Any

import pytest
from tests.connectors.alipay.conftest import Gateway, KeyPair, connected
from tests.connectors.loopback import answering, listening, never_answers

from kassa.base.domain.money import Money
from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.base import Captured, Declined, InDoubt, NotSent, Pending, Unknown

pytestmark = pytest.mark.anyio

PAID = {
    "code": "10000",
    "msg": "Success",
    "buyer_logon_id": "tes***@example.com",
    "out_trade_no": "at_key",
    "total_amount": "1000.12",
    "trade_no": "2026112222001473037000000001",
    "trade_status": "TRADE_SUCCESS",
}


@pytest.fixture(autouse=True)
def paid(gateway: Gateway) -> None:
    gateway.answer = PAID


async def test_a_query_is_signed_over_address_and_body(
    alipay: AlipayConnector, gateway: Gateway
) -> None:
    await alipay.query("at_key")

    form = gateway.forms[0]
    form.pop("sign")
    assert form == {
        "app_id": "2021000000000001",
        "biz_content": '{"out_trade_no":"at_key"}',
        "charset": "utf-8",
        "method": "alipay.trade.query",
        "sign_type": "RSA2",
        "timestamp": "2026-11-22 10:00:00",
        "version": "1.0",
    }


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_FINISHED"])
async def test_a_paid_trade_is_captured(
    alipay: AlipayConnector, gateway: Gateway, status: str
) -> None:
    gateway.answer = {**PAID, "trade_status": status}

    assert await alipay.query("at_key") == Captured(
        reference="2026112222001473037000000001", amount=Money(100012, "CNY")
    )


async def test_an_opened_trade_is_pending(alipay: AlipayConnector, gateway: Gateway) -> None:
    gateway.answer = {**PAID, "trade_status": "WAIT_BUYER_PAY"}

    assert await alipay.query("at_key") == Pending(reference="2026112222001473037000000001")


async def test_a_trade_closed_unpaid_is_declined(alipay: AlipayConnector, gateway: Gateway) -> None:
    gateway.answer = {**PAID, "trade_status": "TRADE_CLOSED"}

    outcome = await alipay.query("at_key")

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.provider_code) == ("closed", "TRADE_CLOSED")
    assert outcome.reference == "2026112222001473037000000001"


async def test_a_trade_closed_by_a_refund_does_not_read_as_never_paid(
    alipay: AlipayConnector, gateway: Gateway
) -> None:
    gateway.answer = {
        **PAID,
        "trade_status": "TRADE_CLOSED",
        "send_pay_date": "2026-11-22 10:00:11",
    }

    told = await alipay.query("at_key")
    assert isinstance(told, Captured)
    assert told.refunded == told.amount


@pytest.mark.parametrize("echo", [{}, {"out_trade_no": "at_key"}])
async def test_a_trade_that_does_not_exist_is_unknown(
    alipay: AlipayConnector, gateway: Gateway, echo: dict[str, str]
) -> None:
    gateway.answer = {"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST", "sub_msg": "...", **echo}

    assert isinstance(await alipay.query("at_key"), Unknown)


@pytest.mark.parametrize(
    "answer",
    [
        {"code": "20000", "sub_code": "isp.unknow-error"},
        {"code": "20000", "sub_code": "aop.unknow-error"},
        {"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"},
        {"code": "40004", "sub_code": "aop.ACQ.SYSTEM_ERROR"},
        {"code": "40004", "sub_code": "ACQ.INVALID_PARAMETER"},
        {"code": "40005", "sub_code": "isv.app-call-limited"},
        {"code": "40006", "sub_code": "isv.insufficient-isv-permissions"},
        {"code": "10003"},
        {"code": "10000"},
        {},
        {**PAID, "out_trade_no": "at_other"},
        {**PAID, "trade_status": "TRADE_SOMETHING_NEW"},
        {**PAID, "trade_status": "trade_success"},
        {**PAID, "trade_status": None},
        {**PAID, "trade_status": ["TRADE_SUCCESS"]},
        {**PAID, "trade_no": ""},
        {**PAID, "total_amount": "1000.123"},
        {**PAID, "total_amount": "a lot"},
        {**PAID, "total_amount": None},
        {**PAID, "total_amount": "NaN"},
    ],
    ids=str,
)
async def test_whatever_is_no_clear_answer_stays_in_doubt(
    alipay: AlipayConnector, gateway: Gateway, answer: dict[str, Any]
) -> None:
    gateway.answer = answer

    assert isinstance(await alipay.query("at_key"), InDoubt)


async def test_a_forged_answer_stays_in_doubt(
    alipay: AlipayConnector, gateway: Gateway, ours: KeyPair
) -> None:
    gateway.signing = ours

    assert await alipay.query("at_key") == InDoubt(reason="the answer's signature is wrong")


@pytest.mark.parametrize(
    "answer", [PAID, {"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST"}], ids=["paid", "unknown"]
)
async def test_an_unsigned_answer_stays_in_doubt(
    alipay: AlipayConnector, gateway: Gateway, answer: dict[str, Any]
) -> None:
    gateway.answer, gateway.signs = answer, False

    assert isinstance(await alipay.query("at_key"), InDoubt)


@pytest.mark.parametrize("signs", [True, False])
async def test_a_gateway_error_stays_in_doubt(
    alipay: AlipayConnector, gateway: Gateway, signs: bool
) -> None:
    gateway.node, gateway.signs = "error_response", signs
    gateway.answer = {"code": "40002", "sub_code": "isv.invalid-app-id"}

    outcome = await alipay.query("at_key")

    assert isinstance(outcome, InDoubt)
    assert "40002 isv.invalid-app-id" in outcome.reason


async def test_a_request_signed_with_another_key_stays_in_doubt(
    gateway: Gateway, alipays: KeyPair
) -> None:
    async with connected(alipays, alipays, gateway.port) as stranger:
        outcome = await stranger.query("at_key")

    assert outcome == InDoubt(reason="Alipay answered 40002 isv.invalid-signature")


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"HTTP/1.1 502 Bad\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    ],
    ids=["hangs up", "502", "redirect", "a page"],
)
async def test_a_broken_gateway_leaves_it_in_doubt(
    ours: KeyPair, alipays: KeyPair, words: bytes
) -> None:
    async with listening(answering(words)) as port, connected(ours, alipays, port) as alipay:
        outcome = await alipay.query("at_key")

    assert isinstance(outcome, InDoubt)


async def test_silence_leaves_it_in_doubt(ours: KeyPair, alipays: KeyPair) -> None:
    async with (
        listening(never_answers) as port,
        connected(ours, alipays, port, total_seconds=0.3) as alipay,
    ):
        outcome = await alipay.query("at_key")

    assert outcome == InDoubt(reason="timed out")


async def test_a_gateway_that_is_not_there_was_not_asked(ours: KeyPair, alipays: KeyPair) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with connected(ours, alipays, unused.getsockname()[1]) as alipay:
            outcome = await alipay.query("at_key")

    assert isinstance(outcome, NotSent)
