"""Closing a trade, and asking whether the credentials are right."""

import socket
from typing import Any

import pytest
from tests.connectors.alipay.conftest import Gateway, KeyPair, connected
from tests.connectors.loopback import listening, never_answers

from kassa.base.domain.money import Money
from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.base import (
    Captured,
    Closer,
    Declined,
    InDoubt,
    NotSent,
    Outcome,
    Pending,
    Probe,
    Unknown,
)

pytestmark = pytest.mark.anyio

TRADE = "2026112222001473037000000001"
CLOSE, QUERY = "alipay.trade.close", "alipay.trade.query"
CLOSED = {"code": "10000", "msg": "Success", "out_trade_no": "at_key", "trade_no": TRADE}
PAID = {**CLOSED, "total_amount": "1000.12", "trade_status": "TRADE_SUCCESS"}
NO_TRADE = {"code": "40004", "msg": "Business Failed", "sub_code": "ACQ.TRADE_NOT_EXIST"}


async def test_a_trade_that_waited_is_closed(alipay: AlipayConnector, gateway: Gateway) -> None:
    gateway.answer = CLOSED

    outcome = await alipay.close_charge("at_key")

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.reference) == ("closed", TRADE)
    assert [(form["method"], form["biz_content"]) for form in gateway.forms] == [
        (CLOSE, '{"out_trade_no":"at_key"}')
    ]
    assert isinstance(alipay, Closer)


@pytest.mark.parametrize("word", ["ACQ.TRADE_NOT_EXIST", "aop.ACQ.TRADE_NOT_EXIST"])
async def test_a_trade_that_nobody_opened_is_unknown(
    alipay: AlipayConnector, gateway: Gateway, word: str
) -> None:
    gateway.answer = {"code": "40004", "sub_code": word}

    assert isinstance(await alipay.close_charge("at_key"), Unknown)


@pytest.mark.parametrize(
    "word",
    ["ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"],
)
@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (PAID, Captured(reference=TRADE, amount=Money(100012, "CNY"))),
        ({**PAID, "trade_status": "WAIT_BUYER_PAY"}, Pending(reference=TRADE)),
        ({"code": "20000", "sub_code": "isp.unknow-error"}, None),
    ],
    ids=["paid", "waits", "unknown"],
)
async def test_a_trade_that_cannot_be_closed_is_asked_about(
    alipay: AlipayConnector,
    gateway: Gateway,
    word: str,
    found: dict[str, Any],
    outcome: Outcome | None,
) -> None:
    # Taking the refusal for "closed" would let a paid order go unpaid. Seen to fail so.
    gateway.answers = {CLOSE: {"code": "40004", "sub_code": word}, QUERY: found}

    told = await alipay.close_charge("at_key")

    assert isinstance(told, InDoubt) if outcome is None else told == outcome
    assert [form["method"] for form in gateway.forms] == [CLOSE, QUERY]


@pytest.mark.parametrize(
    "answer",
    [
        {"code": "20000", "sub_code": "isp.unknow-error"},
        {"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"},
        {"code": "40004", "sub_code": "ACQ.SOMETHING_NEW"},
        {**CLOSED, "out_trade_no": "at_other"},
        {**CLOSED, "code": "10003"},
        {},
    ],
    ids=str,
)
async def test_what_is_no_clear_answer_leaves_it_in_doubt(
    alipay: AlipayConnector, gateway: Gateway, answer: dict[str, Any]
) -> None:
    gateway.answer = answer

    assert isinstance(await alipay.close_charge("at_key"), InDoubt)


async def test_what_alipay_did_not_sign_closes_nothing(
    alipay: AlipayConnector, gateway: Gateway, ours: KeyPair
) -> None:
    gateway.answer, gateway.signing = CLOSED, ours

    assert isinstance(await alipay.close_charge("at_key"), InDoubt)


async def test_silence_leaves_it_in_doubt(ours: KeyPair, alipays: KeyPair) -> None:
    async with (
        listening(never_answers) as port,
        connected(ours, alipays, port, total_seconds=0.3) as alipay,
    ):
        assert await alipay.close_charge("at_key") == InDoubt(reason="timed out")


async def test_a_signed_no_proves_the_credentials(
    alipay: AlipayConnector, gateway: Gateway
) -> None:
    gateway.answer = NO_TRADE

    assert await alipay.probe() == ""
    assert [form["method"] for form in gateway.forms] == [QUERY]
    assert isinstance(alipay, Probe)


@pytest.mark.parametrize(
    ("answer", "signs", "said"),
    [
        ({"code": "40002", "sub_code": "isv.invalid-app-id"}, False, "app_id"),
        ({"code": "40002", "sub_code": "isv.invalid-signature"}, True, "private_key"),
        ({"code": "40002", "sub_code": "isv.invalid-signature"}, False, "private_key"),
        ({"code": "20000", "sub_code": "isp.unknow-error"}, True, "20000 isp.unknow-error"),
        (PAID, True, "10000"),
        (NO_TRADE, False, "alipay_public_key"),
    ],
)
async def test_wrong_credentials_are_named_in_a_sentence(
    alipay: AlipayConnector, gateway: Gateway, answer: dict[str, Any], signs: bool, said: str
) -> None:
    gateway.answer, gateway.signs = answer, signs

    assert said in await alipay.probe()


async def test_a_key_that_is_not_ours_at_alipay_is_named(
    gateway: Gateway, alipays: KeyPair
) -> None:
    async with connected(alipays, alipays, gateway.port) as stranger:
        assert "private_key" in await stranger.probe()


async def test_an_answer_signed_by_another_key_is_no_proof(
    alipay: AlipayConnector, gateway: Gateway, ours: KeyPair
) -> None:
    gateway.answer, gateway.signing = NO_TRADE, ours

    assert "alipay_public_key" in await alipay.probe()


async def test_a_gateway_that_is_not_there_is_named(ours: KeyPair, alipays: KeyPair) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with connected(ours, alipays, unused.getsockname()[1]) as alipay:
            assert "base_url" in await alipay.probe()
            assert isinstance(await alipay.close_charge("at_key"), NotSent)
