"""Refunds and questions about them, with a server on the loopback that answers as Alipay does."""

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.connectors.alipay.conftest import Gateway, KeyPair, connected
from tests.connectors.loopback import answering, listening, never_answers

from kassa.base.domain.money import Money
from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.base import (
    Capturer,
    Declined,
    Done,
    InDoubt,
    ModificationRequest,
    NotSent,
    Refunder,
    Unknown,
)

pytestmark = pytest.mark.anyio

REFUND = "alipay.trade.refund"
QUERY = "alipay.trade.fastpay.refund.query"
TRADE = "2026112222001473037000000001"
REFUNDED = {
    "code": "10000",
    "msg": "Success",
    "buyer_logon_id": "tes***@example.com",
    "fund_change": "Y",
    "gmt_refund_pay": "2026-11-22 10:00:00",
    "out_trade_no": "at_key",
    "refund_fee": "300.00",
    "send_back_fee": "0.00",
    "trade_no": TRADE,
}
FOUND = {
    "code": "10000",
    "msg": "Success",
    "out_request_no": "mo_key",
    "out_trade_no": "at_key",
    "refund_amount": "300.00",
    "refund_status": "REFUND_SUCCESS",
    "total_amount": "1000.12",
    "trade_no": TRADE,
}
ABSENT = {"code": "10000", "msg": "Success"}
DONE = Done(reference=TRADE, amount=Money(30000, "CNY"))

Requesting = Callable[..., ModificationRequest]


@pytest.fixture(autouse=True)
def answers(gateway: Gateway) -> None:
    gateway.answers = {REFUND: REFUNDED, QUERY: FOUND}


@pytest.fixture
def requesting() -> Requesting:
    def build(**changes: object) -> ModificationRequest:
        fields: dict[str, object] = {
            "key": "mo_key",
            "charge_key": "at_key",
            "charge_reference": TRADE,
            "amount": Money(30000, "CNY"),
            "charge_amount": Money(100012, "CNY"),
            "reason": "",
            "notify_url": "https://pay.test/providers/alipay",
            "now": datetime(2026, 11, 22, 2, 0, tzinfo=UTC),
        }
        return ModificationRequest(**(fields | changes))  # type: ignore[arg-type]

    return build


def refusal(word: str) -> dict[str, str]:
    return {"code": "40004", "msg": "Business Failed", "sub_code": word, "refund_fee": "0.00"}


async def test_it_gives_back_and_does_not_reserve(alipay: AlipayConnector) -> None:
    assert isinstance(alipay, Refunder)
    assert not isinstance(alipay, Capturer)


async def test_a_refund_is_signed_and_carries_our_key(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting
) -> None:
    await alipay.refund(requesting(reason="tea & milk = 太苦了\n"))

    (form,) = gateway.forms
    assert json.loads(form["biz_content"]) == {
        "out_trade_no": "at_key",
        "trade_no": TRADE,
        "refund_amount": "300.00",
        "out_request_no": "mo_key",
        "refund_reason": "tea milk 太苦了",
    }
    assert (form["method"], form["timestamp"]) == (REFUND, "2026-11-22 10:00:00")
    assert "notify_url" not in form


async def test_a_trade_whose_number_is_unknown_is_named_by_our_key_alone(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting
) -> None:
    assert await alipay.refund(requesting(charge_reference="")) == DONE

    assert json.loads(gateway.forms[0]["biz_content"]) == {
        "out_trade_no": "at_key",
        "refund_amount": "300.00",
        "out_request_no": "mo_key",
    }


async def test_a_question_names_trade_and_refund(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting
) -> None:
    assert await alipay.query_modification(requesting()) == DONE

    (form,) = gateway.forms
    assert form["method"] == QUERY
    assert json.loads(form["biz_content"]) == {
        "out_trade_no": "at_key",
        "trade_no": TRADE,
        "out_request_no": "mo_key",
    }


@pytest.mark.parametrize("total", ["300.00", "300", "300.01", "1000.12"])
async def test_the_sum_of_all_refunds_may_be_more_than_this_one(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting, total: str
) -> None:
    gateway.answers[REFUND] = {**REFUNDED, "refund_fee": total}

    assert await alipay.refund(requesting()) == DONE
    assert len(gateway.forms) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"fund_change": "N"},  # a repeat, or not yet: the query tells
        {"fund_change": "y"},
        {"fund_change": ""},
        {"fund_change": None},
        {"fund_change": ["Y"]},
        {"refund_fee": "299.99"},
        {"refund_fee": "1000.13"},
        {"refund_fee": "0.00"},
        {"refund_fee": "-300.00"},
        {"refund_fee": "300.001"},
        {"refund_fee": "NaN"},
        {"refund_fee": None},
        {"out_trade_no": "at_other"},
        {"out_trade_no": None},
        {"trade_no": "2026112222001473037000000002"},
        {"trade_no": ""},
        {"code": "10003"},
        {"code": 20000, "sub_code": "isp.unknow-error"},
        {"code": "20000", "sub_code": "aop.unknow-error"},
        {"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"},
        {"code": "40004", "sub_code": "aop.ACQ.SYSTEM_ERROR"},
        {"code": "40004", "sub_code": "ACQ.DISCORDANT_REPEAT_REQUEST"},
        {"code": "40004", "sub_code": "ACQ.SOMETHING_NEW"},
        {"code": "40004"},
        {"code": "40005", "sub_code": "isv.app-call-limited"},
        {"code": "40006", "sub_code": "isv.insufficient-isv-permissions"},
        {"code": "20000", "sub_code": "ACQ.SELLER_BALANCE_NOT_ENOUGH"},
    ],
    ids=str,
)
async def test_whatever_is_no_clear_answer_to_a_refund_stays_in_doubt(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting, change: dict[str, Any]
) -> None:
    gateway.answers[REFUND] = {**REFUNDED, **change}

    assert isinstance(await alipay.refund(requesting()), InDoubt)
    assert len(gateway.forms) == 1


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("ACQ.SELLER_BALANCE_NOT_ENOUGH", "balance_too_low"),
        ("aop.ACQ.SELLER_BALANCE_NOT_ENOUGH", "balance_too_low"),
        ("ACQ.REASON_TRADE_BEEN_FREEZEN", "charge_frozen"),
        ("ACQ.TRADE_NOT_EXIST", "charge_not_found"),
        ("ACQ.TRADE_HAS_FINISHED", "refund_too_late"),
        ("ACQ.TRADE_HAS_CLOSE", "charge_closed"),
        ("ACQ.TRADE_STATUS_ERROR", "charge_not_refundable"),
        ("ACQ.TRADE_NOT_ALLOW_REFUND", "charge_not_refundable"),
        ("ACQ.NOT_ALLOW_PARTIAL_REFUND", "partial_refund_not_allowed"),
        ("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "partial_refund_not_allowed"),
        ("ACQ.REASON_TRADE_REFUND_FEE_ERR", "amount_too_large"),
        ("ACQ.REFUND_FEE_ERROR", "amount_too_large"),
        ("ACQ.INVALID_PARAMETER", "request_refused"),
    ],
)
@pytest.mark.parametrize("absent", [ABSENT, refusal("ACQ.TRADE_NOT_EXIST")], ids=["none", "trade"])
async def test_a_refused_refund_that_was_never_made_is_declined(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting, word: str, code: str,
    absent: dict[str, str],
) -> None:  # fmt: skip
    gateway.answers = {REFUND: refusal(word), QUERY: absent}

    outcome = await alipay.refund(requesting())

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.provider_code) == (code, word.removeprefix("aop."))
    assert outcome.message


@pytest.mark.parametrize(
    "word", ["ACQ.TRADE_HAS_CLOSE", "ACQ.REASON_TRADE_REFUND_FEE_ERR", "ACQ.TRADE_STATUS_ERROR"]
)
async def test_a_repeat_that_is_refused_because_the_first_was_made_is_done(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting, word: str
) -> None:
    # The guard of the money: a decline sets the amount free to be refunded a second time.
    # Taking the refusal for the last word was seen to make this test fail.
    gateway.answers[REFUND] = refusal(word)

    assert await alipay.refund(requesting()) == DONE
    assert [form["method"] for form in gateway.forms] == [REFUND, QUERY]


async def test_a_refusal_that_cannot_be_checked_stays_in_doubt(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting
) -> None:
    gateway.answers = {
        REFUND: refusal("ACQ.TRADE_HAS_CLOSE"),
        QUERY: {"code": "20000", "sub_code": "isp.unknow-error"},
    }

    assert isinstance(await alipay.refund(requesting()), InDoubt)


@pytest.mark.parametrize(
    "answer",
    [
        ABSENT,
        {**ABSENT, "refund_status": ""},
        {**ABSENT, "refund_status": None},
        {**ABSENT, "out_trade_no": "at_key", "out_request_no": "mo_key", "trade_no": TRADE},
        {"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST"},
        {"code": "40004", "sub_code": "aop.ACQ.TRADE_NOT_EXIST"},
    ],
    ids=str,
)
async def test_a_refund_that_alipay_has_not_made_is_unknown(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting, answer: dict[str, Any]
) -> None:
    gateway.answers[QUERY] = answer

    assert isinstance(await alipay.query_modification(requesting()), Unknown)


@pytest.mark.parametrize(
    "change",
    [
        {"refund_status": "REFUND_PROCESSING"},
        {"refund_status": "refund_success"},
        {"refund_status": ["REFUND_SUCCESS"]},
        {"refund_status": None},  # and yet an amount
        {"refund_amount": "299.99"},
        {"refund_amount": "1000.12"},
        {"refund_amount": "300.001"},
        {"refund_amount": None},
        {"out_request_no": "mo_other"},
        {"out_request_no": None},
        {"out_trade_no": "at_other"},
        {"trade_no": "2026112222001473037000000002"},
        {"trade_no": None},
        {"code": "10003"},
        {"code": "20000", "sub_code": "isp.unknow-error"},
        {"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"},
        {"code": "40004", "sub_code": "ACQ.INVALID_PARAMETER"},
        {"code": "40006", "sub_code": "isv.insufficient-isv-permissions"},
    ],
    ids=str,
)
async def test_whatever_is_no_clear_answer_to_a_question_stays_in_doubt(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting, change: dict[str, Any]
) -> None:
    gateway.answers[QUERY] = {**FOUND, **change}

    assert isinstance(await alipay.query_modification(requesting()), InDoubt)


async def test_amounts_written_as_numbers_are_read_digit_by_digit(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting
) -> None:
    gateway.answers[QUERY] = {**FOUND, "refund_amount": 300}
    assert await alipay.query_modification(requesting()) == DONE

    gateway.answers[QUERY] = {**FOUND, "refund_amount": 300.1}
    other = await alipay.query_modification(requesting(amount=Money(30010, "CNY")))
    assert other == Done(reference=TRADE, amount=Money(30010, "CNY"))


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (Money(100, "USD"), "currency_unsupported"),
        (Money(0, "CNY"), "amount_out_of_range"),
        (Money(-1, "CNY"), "amount_out_of_range"),
    ],
)
async def test_what_alipay_cannot_refund_is_not_sent(
    alipay: AlipayConnector, gateway: Gateway, requesting: Requesting, amount: Money, code: str
) -> None:
    outcome = await alipay.refund(requesting(amount=amount))

    assert isinstance(outcome, Declined)
    assert outcome.code == code
    assert gateway.forms == []


@pytest.mark.parametrize("key", ["", "mo-1", "m" * 65, "退"])
async def test_a_key_that_alipay_cannot_hold_is_a_bug(
    alipay: AlipayConnector, requesting: Requesting, key: str
) -> None:
    with pytest.raises(ValueError, match="64 letters"):
        await alipay.refund(requesting(key=key))


@pytest.mark.parametrize("forged", [True, False], ids=["forged", "unsigned"])
async def test_what_alipay_did_not_sign_stays_in_doubt(
    alipay: AlipayConnector, gateway: Gateway, ours: KeyPair, requesting: Requesting, forged: bool
) -> None:
    gateway.signs = forged
    gateway.signing = ours

    assert isinstance(await alipay.refund(requesting()), InDoubt)
    assert isinstance(await alipay.query_modification(requesting()), InDoubt)


async def test_silence_leaves_it_in_doubt(
    ours: KeyPair, alipays: KeyPair, requesting: Requesting
) -> None:
    async with (
        listening(never_answers) as port,
        connected(ours, alipays, port, total_seconds=0.3) as alipay,
    ):
        assert await alipay.refund(requesting()) == InDoubt(reason="timed out")


async def test_a_broken_gateway_leaves_it_in_doubt(
    ours: KeyPair, alipays: KeyPair, requesting: Requesting
) -> None:
    words = b"HTTP/1.1 502 Bad\r\nContent-Length: 2\r\n\r\n{}"
    async with listening(answering(words)) as port, connected(ours, alipays, port) as alipay:
        assert isinstance(await alipay.refund(requesting()), InDoubt)


async def test_a_gateway_that_is_not_there_was_not_asked(
    ours: KeyPair, alipays: KeyPair, requesting: Requesting
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with connected(ours, alipays, unused.getsockname()[1]) as alipay:
            assert isinstance(await alipay.refund(requesting()), NotSent)
            assert isinstance(await alipay.query_modification(requesting()), NotSent)
