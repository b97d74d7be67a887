"""The wallet's captures, voids and refunds, as its documentation has them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.simulator.letterbox import letterbox
from tests.simulator.wallet_shop import AUTHORIZE, TIME, Shop, code_of, merchant

from kassa_simulator.running import running

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
ACK = b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}'


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """With one payment P1 of 2000 pesos."""
    async with (
        letterbox(ACK) as box,
        aiohttp.ClientSession() as session,
        running(tmp_path, merchants=[merchant()], start=NOON) as simulator,
    ):
        shop = Shop(simulator, session, box)
        await shop.agreed("P1")
        yield shop


async def _refund(shop: Shop, key: str, value: str, **more: Any) -> dict[str, Any]:
    return await shop.ask(
        "refund",
        **{
            "refundRequestId": key,
            "paymentId": shop.charge("P1").id,
            "refundAmount": {"currency": "CLP", "value": value},
            **more,
        },
    )


async def test_refunds_are_limited_to_what_was_paid_and_a_failed_one_stays_failed(
    shop: Shop,
) -> None:
    first = await _refund(shop, "R1", "1500")
    too_much = await _refund(shop, "R2", "501")
    rest = await _refund(shop, "R3", "500")
    again = await _refund(shop, "R2", "501")

    assert code_of(first) == code_of(rest) == ("S", "SUCCESS")
    assert first["refundTime"] == TIME
    assert code_of(too_much) == code_of(again) == ("F", "REFUND_AMOUNT_EXCEED")
    assert shop.simulator.money("wallet")["CLP"]["refunded_minor"] == 2000


async def test_a_repeated_refund_gives_the_same_result_and_moves_money_once(shop: Shop) -> None:
    first = await _refund(shop, "R1", "500")
    again = await shop.ask(
        "refundApply",
        refundRequestId="R1",
        paymentRequestId="P1",
        refundAmount={"currency": "CLP", "value": "500"},
    )
    other = await _refund(shop, "R1", "501")

    assert first == again
    assert code_of(other) == ("F", "REPEAT_REQ_INCONSISTENT")
    assert shop.simulator.money("wallet")["CLP"]["refunded_minor"] == 500


async def test_what_cannot_be_refunded_is_refused(shop: Shop) -> None:
    await shop.pay("P2")
    unpaid = await _refund(shop, "R1", "1", paymentId=shop.charge("P2").id)
    currency = await _refund(shop, "R2", "1", refundAmount={"currency": "USD", "value": "1"})
    unknown = await _refund(shop, "R3", "1", paymentId="1")
    shop.simulator.advance(timedelta(days=365))

    late = await _refund(shop, "R4", "1")
    assert code_of(unpaid) == ("F", "ORDER_STATUS_INVALID")
    assert code_of(currency) == ("F", "CURRENCY_NOT_SUPPORT")
    assert code_of(unknown) == ("F", "ORDER_NOT_EXIST")
    assert code_of(late) == ("F", "REFUND_WINDOW_EXCEED")


async def test_a_refund_can_be_asked_about(shop: Shop) -> None:
    made = await _refund(shop, "R1", "500", refundReason="cold tea")
    await _refund(shop, "R2", "5000")

    told = await shop.ask("inquiryRefund", refundId=made["refundId"])
    assert (told["refundStatus"], told["refundRequestId"]) == ("SUCCESS", "R1")
    assert told["refundAmount"] == {"currency": "CLP", "value": "500"}
    assert told["refundReason"] == "cold tea"
    failed = await shop.ask("inquiryRefund", refundRequestId="R2")
    assert (failed["refundStatus"], failed["refundFailReason"]) == ("FAIL", "REFUND_AMOUNT_EXCEED")
    unknown = await shop.ask("inquiryRefund", refundRequestId="R3")
    assert code_of(unknown) == ("F", "REFUND_NOT_EXIST")
    payment = await shop.ask("inquiryPayment", paymentRequestId="P1")
    listed = [
        (item["transactionType"], item["transactionStatus"]) for item in payment["transactions"]
    ]
    assert listed == [("REFUND", "SUCCESS"), ("REFUND", "FAIL")]


async def test_a_refund_is_notified_of_where_an_address_was_given(shop: Shop) -> None:
    await _refund(shop, "R1", "500", refundNotifyUrl=shop.letterbox.url)

    _, told = await shop.told()
    assert (told["refundRequestId"], told["refundStatus"]) == ("R1", "SUCCESS")


async def test_an_authorised_payment_is_captured_once_and_the_rest_released(shop: Shop) -> None:
    held = await shop.agreed("P2", productCode=AUTHORIZE)
    before = await shop.status("P2")
    capture = {
        "captureRequestId": "C1",
        "paymentId": held["paymentId"],
        "captureAmount": {"currency": "CLP", "value": "1200"},
    }
    first, again = await shop.ask("capture", **capture), await shop.ask("capture", **capture)
    more = await shop.ask("capture", **{**capture, "captureRequestId": "C2"})

    assert (before, await shop.status("P2")) == ("AUTH_SUCCESS", "SUCCESS")
    assert first == again
    assert first["captureAmount"] == {"currency": "CLP", "value": "1200"}
    assert code_of(more) == ("F", "ORDER_STATUS_INVALID")
    assert shop.simulator.money("wallet")["CLP"]["charged_minor"] == 2000 + 1200


async def test_captures_in_parts_are_limited_to_what_is_held(shop: Shop) -> None:
    held = await shop.agreed("P2", productCode=AUTHORIZE)
    part = {"paymentId": held["paymentId"], "captureAmount": {"currency": "CLP", "value": "1200"}}

    first = await shop.ask("capture", captureRequestId="C1", isLastCapture=False, **part)
    second = await shop.ask("capture", captureRequestId="C2", **part)
    direct = await shop.ask("capture", captureRequestId="C3", paymentId=shop.charge("P1").id)
    assert code_of(first) == ("S", "SUCCESS")
    assert code_of(second) == ("F", "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT")
    assert code_of(direct) == ("F", "AUTH_NOT_FOUND")


async def test_a_hold_can_be_voided_and_lapses_by_itself(shop: Shop) -> None:
    voided = await shop.agreed("P2", productCode=AUTHORIZE)
    lapsed = await shop.agreed("P3", productCode=AUTHORIZE)
    void = {"voidRequestId": "V1", "paymentId": voided["paymentId"]}
    first, again = await shop.ask("void", **void), await shop.ask("void", **void)
    shop.simulator.advance(timedelta(days=7))

    after_void = await shop.ask("capture", captureRequestId="C2", paymentId=voided["paymentId"])
    after_week = await shop.ask("capture", captureRequestId="C3", paymentId=lapsed["paymentId"])
    assert code_of(first) == ("S", "SUCCESS")
    assert first["voidId"] == again["voidId"]
    assert await shop.status("P2") == "CANCELLED"
    assert code_of(after_void) == ("F", "AUTH_CANCELLED")
    assert code_of(after_week) == ("F", "AUTH_EXPIRED")
