"""Alipay's refunds and bills, as its documentation has them."""

import csv
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from tests.simulator.alipay_shop import Shop, merchant
from tests.simulator.letterbox import letterbox

from kassa_simulator.running import running

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # in China
REFUND, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
QUERY, BILL = "alipay.trade.query", "alipay.data.dataservice.bill.downloadurl.query"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """With one paid trade T1 of 88.80."""
    async with (
        letterbox(b"success") as box,
        aiohttp.ClientSession() as session,
        running(tmp_path, merchants=[merchant()], start=NOON) as simulator,
    ):
        shop = Shop(simulator, session, box)
        await shop.paid("T1")
        yield shop


async def test_partial_refunds_add_up_and_the_last_closes_the_trade(shop: Shop) -> None:
    first = await shop.ask(REFUND, out_trade_no="T1", refund_amount="8.80", out_request_no="R1")
    between = await shop.ask(QUERY, out_trade_no="T1")
    last = await shop.ask(REFUND, out_trade_no="T1", refund_amount="80.00", out_request_no="R2")
    after = await shop.ask(QUERY, out_trade_no="T1")

    assert (first["fund_change"], first["refund_fee"]) == ("Y", "8.80")
    assert between["trade_status"] == "TRADE_SUCCESS"
    assert (last["fund_change"], last["refund_fee"]) == ("Y", "88.80")
    assert after["trade_status"] == "TRADE_CLOSED"
    assert after["send_pay_date"] == "2026-11-22 12:00:00"
    assert shop.simulator.money("alipay")["CNY"]["refunded_minor"] == 8880


async def test_a_repeat_moves_no_money_even_after_the_trade_is_closed(shop: Shop) -> None:
    refund = {"out_trade_no": "T1", "refund_amount": "88.80", "out_request_no": "R1"}
    await shop.ask(REFUND, **refund)

    again = await shop.ask(REFUND, **refund)
    assert (again["code"], again["fund_change"], again["refund_fee"]) == ("10000", "N", "88.80")
    assert shop.simulator.money("alipay")["CNY"]["refunded_minor"] == 8880


async def test_a_request_number_with_another_amount_is_discordant(shop: Shop) -> None:
    await shop.ask(REFUND, out_trade_no="T1", refund_amount="1.00", out_request_no="R1")

    other = await shop.ask(REFUND, out_trade_no="T1", refund_amount="2.00", out_request_no="R1")
    assert (other["code"], other["sub_code"]) == ("40004", "ACQ.DISCORDANT_REPEAT_REQUEST")


@pytest.mark.parametrize(
    ("more", "sub_code"),
    [
        ({"refund_amount": "88.81", "out_request_no": "R1"}, "REFUND_AMT_NOT_EQUAL_TOTAL"),
        ({"refund_amount": "1.00"}, "INVALID_PARAMETER"),  # in part, without a number
        ({"refund_amount": "0.00", "out_request_no": "R1"}, "INVALID_PARAMETER"),
        ({"refund_amount": "1.001", "out_request_no": "R1"}, "INVALID_PARAMETER"),
        ({"refund_amount": "1", "out_request_no": "R1", "out_trade_no": "T9"}, "TRADE_NOT_EXIST"),
    ],
)
async def test_what_cannot_be_refunded_is_refused(
    shop: Shop, more: dict[str, str], sub_code: str
) -> None:
    answer = await shop.ask(REFUND, **{"out_trade_no": "T1", **more})

    assert (answer["code"], answer["sub_code"]) == ("40004", f"ACQ.{sub_code}")
    assert shop.simulator.money("alipay")["CNY"]["refunded_minor"] == 0


async def test_a_trade_that_was_given_back_wholly_is_closed_for_refunds(shop: Shop) -> None:
    await shop.ask(REFUND, out_trade_no="T1", refund_amount="88.80")

    more = await shop.ask(REFUND, out_trade_no="T1", refund_amount="0.01", out_request_no="R2")
    assert more["sub_code"] == "ACQ.TRADE_HAS_CLOSE"


async def test_an_unpaid_trade_and_an_old_one_cannot_be_refunded(shop: Shop) -> None:
    await shop.opened("T2")
    unpaid = await shop.ask(REFUND, out_trade_no="T2", refund_amount="88.80")
    shop.simulator.advance(timedelta(days=365))

    old = await shop.ask(REFUND, out_trade_no="T1", refund_amount="88.80")
    assert unpaid["sub_code"] == "ACQ.TRADE_STATUS_ERROR"
    assert old["sub_code"] == "ACQ.TRADE_HAS_FINISHED"
    assert (await shop.ask(QUERY, out_trade_no="T1"))["trade_status"] == "TRADE_FINISHED"


async def test_a_refund_that_was_not_made_has_no_status(shop: Shop) -> None:
    await shop.ask(REFUND, out_trade_no="T1", refund_amount="1.00", out_request_no="R1")

    made = await shop.ask(
        REFUND_QUERY, out_trade_no="T1", out_request_no="R1", query_options=["gmt_refund_pay"]
    )
    other = await shop.ask(REFUND_QUERY, out_trade_no="T1", out_request_no="R2")
    assert (made["refund_status"], made["refund_amount"]) == ("REFUND_SUCCESS", "1.00")
    assert (made["total_amount"], made["gmt_refund_pay"]) == ("88.80", "2026-11-22 12:00:00")
    assert other == {"code": "10000", "msg": "Success"}


async def test_a_whole_refund_without_a_number_is_found_by_the_trades(shop: Shop) -> None:
    await shop.ask(REFUND, out_trade_no="T1", refund_amount="88.80")

    made = await shop.ask(REFUND_QUERY, out_trade_no="T1", out_request_no="T1")
    assert made["refund_status"] == "REFUND_SUCCESS"


async def test_a_refund_is_notified_of(shop: Shop) -> None:
    await shop.ask(REFUND, out_trade_no="T1", refund_amount="8.80", out_request_no="R1")

    _, told = await shop.told()
    assert (told["trade_status"], told["out_biz_no"]) == ("TRADE_SUCCESS", "R1")
    assert (told["refund_fee"], told["gmt_refund"]) == ("8.80", "2026-11-22 12:00:00")


async def _bill(shop: Shop, bill_type: str) -> list[str]:
    answer = await shop.ask(BILL, bill_type=bill_type, bill_date="2026-11-22")
    async with shop.session.get(answer["bill_download_url"]) as file:
        archive = zipfile.ZipFile(io.BytesIO(await file.read()))
    (name,) = archive.namelist()
    return archive.read(name).decode("gb18030").split("\r\n")


async def test_the_bill_of_trades_holds_payments_refunds_and_fees(shop: Shop) -> None:
    await shop.ask(REFUND, out_trade_no="T1", refund_amount="44.40", out_request_no="R1")
    shop.simulator.advance(timedelta(days=1))

    lines = await _bill(shop, "trade")
    table = [line for line in lines if line and not line.startswith("#")]
    paid, refunded = csv.DictReader(table)
    assert paid["业务类型"].strip() == "交易"
    assert (paid["商户订单号"], paid["商家实收（元）"]) == ("T1\t", "88.80\t")
    assert paid["服务费（元）"] == "-0.53\t"
    assert (refunded["业务类型"], refunded["商家实收（元）"]) == ("退款\t", "-44.40\t")
    assert (refunded["退款批次号/请求号"], refunded["服务费（元）"]) == ("R1\t", "0.26\t")
    assert "#交易合计：1笔，商家实收共88.80元，商家优惠共0.00元" in lines


async def test_the_bill_of_the_account_holds_every_movement_and_the_balance(shop: Shop) -> None:
    await shop.ask(REFUND, out_trade_no="T1", refund_amount="44.40", out_request_no="R1")
    shop.simulator.advance(timedelta(days=1))

    lines = await _bill(shop, "signcustomer")
    rows = list(csv.DictReader([line for line in lines if line and not line.startswith("#")]))
    assert [row["业务类型"].strip() for row in rows] == ["在线支付", "收费", "交易退款", "退费"]
    assert rows[-1]["账户余额（元）"].strip() == "44.13"
    assert "#支出合计：2笔，共-44.93元" in lines
    assert "#收入合计：2笔，共89.06元" in lines


async def test_there_is_no_bill_of_a_day_that_is_not_over_or_was_empty(shop: Shop) -> None:
    today = await shop.ask(BILL, bill_type="trade", bill_date="2026-11-22")
    empty = await shop.ask(BILL, bill_type="trade", bill_date="2026-11-21")

    assert (today["code"], today["sub_code"]) == ("40004", "isp.bill_not_exist")
    assert empty["sub_code"] == "isp.bill_not_exist"


async def test_the_address_of_a_bill_is_open_for_half_a_minute(shop: Shop) -> None:
    shop.simulator.advance(timedelta(days=1))
    answer = await shop.ask(BILL, bill_type="trade", bill_date="2026-11-22")
    shop.simulator.advance(timedelta(seconds=30))

    async with shop.session.get(answer["bill_download_url"]) as file:
        assert file.status == 403
