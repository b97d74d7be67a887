"""Alipay's gateway: signatures, cashier, trades, notifications; as its documentation has them."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest
from cryptography.exceptions import InvalidSignature
from tests.simulator.alipay_shop import APP_ID, SELLER_ID, Shop, merchant, verified_fields, verify
from tests.simulator.browser import Browser
from tests.simulator.letterbox import letterbox

from kassa_simulator import rsa
from kassa_simulator.alipay.wire import letter_text, request_text
from kassa_simulator.running import running

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # in China
QUERY, CLOSE = "alipay.trade.query", "alipay.trade.close"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with (
        letterbox(b"success") as box,
        aiohttp.ClientSession() as session,
        running(tmp_path, merchants=[merchant()], start=NOON) as simulator,
    ):
        yield Shop(simulator, session, box)


async def test_a_trade_exists_only_once_the_payer_opened_the_cashier(shop: Shop) -> None:
    before = await shop.ask(QUERY, out_trade_no="T1")
    await shop.opened("T1")

    assert (before["code"], before["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")
    after = await shop.ask(QUERY, out_trade_no="T1")
    assert (after["code"], after["trade_status"]) == ("10000", "WAIT_BUYER_PAY")
    assert after["total_amount"] == "88.80"
    assert after["trade_no"].startswith("20261122")
    assert "send_pay_date" not in after


@pytest.mark.parametrize("way", ["page", "wap"])
async def test_after_paying_the_browser_comes_back_with_signed_words(shop: Shop, way: str) -> None:
    cashier = await shop.opened("T1", way)
    back = await Browser(shop.session).press(cashier, "pay")

    address = urlsplit(back.headers["location"])
    shop_address = f"{address.scheme}://{address.netloc}{address.path}"
    assert shop_address == "https://shop.example/return"
    fields = verified_fields(address.query.removeprefix("order=7&"))
    assert fields["method"] == f"alipay.trade.{way}.pay.return"
    assert (fields["app_id"], fields["seller_id"]) == (APP_ID, SELLER_ID)
    assert (fields["out_trade_no"], fields["total_amount"]) == ("T1", "88.80")
    assert fields["timestamp"] == "2026-11-22 12:00:00"
    assert "trade_status" not in fields
    assert (await shop.ask(QUERY, out_trade_no="T1"))["trade_status"] == "TRADE_SUCCESS"
    assert shop.simulator.money("alipay")["CNY"]["charged_minor"] == 8880


async def test_an_order_can_be_posted_as_a_form(shop: Shop) -> None:
    page = await Browser(shop.session).post(shop.gateway, shop.order("T1"))

    assert "/alipay/cashier/" in page.headers["location"]


async def test_the_cashier_shows_the_order_in_two_languages(shop: Shop) -> None:
    page = await shop.opened("T1", subject="<b>tea</b>")

    assert "CNY 88.80" in page.text
    assert "&lt;b&gt;tea" in page.text
    assert "Pay" in page.text
    assert "付款" in page.text


async def test_a_payment_is_notified_of_and_signed_without_empty_values(shop: Shop) -> None:
    await shop.paid("T1", passback_params="a%3D1")

    (told,) = await shop.told()
    assert told["trade_status"] == "TRADE_SUCCESS"
    assert told["notify_type"] == "trade_status_sync"
    assert (told["out_trade_no"], told["total_amount"]) == ("T1", "88.80")
    assert (told["app_id"], told["seller_id"]) == (APP_ID, SELLER_ID)
    assert (told["subject"], told["passback_params"]) == ("龙井 100 g", "a%3D1")
    assert told["gmt_payment"] == "2026-11-22 12:00:00"
    assert "" not in told.values()


async def test_a_notification_is_sent_again_until_it_is_answered_with_success(shop: Shop) -> None:
    shop.letterbox.answer = b"success\n"
    await shop.paid("T1")
    await shop.told()

    shop.letterbox.answer = b"success"
    shop.simulator.advance(timedelta(days=1))
    first, second = await shop.told()
    shop.simulator.advance(timedelta(days=1))
    assert len(await shop.told()) == 2
    assert first == second


async def test_a_forged_notification_does_not_verify(shop: Shop) -> None:
    shop.simulator.set_faults([{"provider": "alipay", "operation": "letter", "fault": "forged"}])
    await shop.paid("T1")

    with pytest.raises(InvalidSignature):
        await shop.told()
    assert len(shop.letterbox.letters) == 2


@pytest.mark.parametrize("name", ["biz_content", "timestamp", "notify_url", "sign"])
async def test_a_request_changed_after_signing_is_refused_with_a_signature(
    shop: Shop, name: str
) -> None:
    shop.changed = {name: "x"}

    answer = await shop.ask(QUERY, out_trade_no="T1")
    assert (answer["code"], answer["sub_code"]) == ("40002", "isv.invalid-signature")


async def test_an_unknown_app_is_refused_without_a_signature(shop: Shop) -> None:
    shop.changed = {"app_id": "2021000000000009"}

    text = await shop.raw(shop.signed(QUERY, {"out_trade_no": "T1"}))
    answer = json.loads(text)
    assert list(answer) == ["alipay_trade_query_response"]
    assert answer["alipay_trade_query_response"]["sub_code"] == "isv.invalid-app-id"


@pytest.mark.parametrize(
    ("changed", "code", "sub_code"),
    [
        ({"sign": ""}, "40001", "isv.missing-signature"),
        ({"sign_type": "RSA"}, "40002", "isv.invalid-signature-type"),
        ({"sign_type": ""}, "40001", "isv.missing-signature-type"),
    ],
)
async def test_each_missing_piece_has_its_own_word(
    shop: Shop, changed: dict[str, str], code: str, sub_code: str
) -> None:
    shop.changed = changed

    answer = await shop.ask(QUERY, out_trade_no="T1")
    assert (answer["code"], answer["sub_code"]) == (code, sub_code)


async def test_an_unknown_method_is_an_error_response(shop: Shop) -> None:
    text = await shop.raw(shop.signed("alipay.trade.steal", {}))

    content, _, sign = text.removeprefix('{"error_response":').rpartition(',"sign":')
    verify(content, json.loads(sign.removesuffix("}")))
    assert json.loads(content)["sub_code"] == "isv.invalid-method"


@pytest.mark.parametrize(
    "wrong",
    [
        {"out_trade_no": "with-hyphen"},
        {"total_amount": "1.001"},
        {"total_amount": "0"},
        {"total_amount": "1e3"},
        {"total_amount": "100000000.01"},
        {"subject": ""},
        {"product_code": "QUICK_WAP_PAY"},
        {"timeout_express": "1.5h"},
        {"timeout_express": "16d"},
        {"time_expire": "2026-11-22"},
    ],
)
async def test_a_wrong_order_shows_a_page_in_gbk_and_makes_no_trade(
    shop: Shop, wrong: dict[str, str]
) -> None:
    page = await shop.opened("T1", **wrong)

    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=gbk"
    assert "ACQ.INVALID_PARAMETER" in page.text
    assert (await shop.ask(QUERY, out_trade_no="T1"))["sub_code"] == "ACQ.TRADE_NOT_EXIST"


async def test_an_order_opened_again_is_the_same_trade_unless_its_content_changed(
    shop: Shop,
) -> None:
    first, second = await shop.opened("T1"), await shop.opened("T1")
    other = await shop.opened("T1", total_amount="88.81")
    await shop.paid("T1")
    after = await shop.opened("T1")

    assert first.address == second.address
    assert "ACQ.CONTEXT_INCONSISTENT" in other.text
    assert "ACQ.TRADE_HAS_SUCCESS" in after.text
    assert shop.simulator.money("alipay")["CNY"]["charges"] == 1


@pytest.mark.parametrize(
    "lifetime",
    [{"timeout_express": "15m"}, {"timeout_express": "3d", "time_expire": "2026-11-22 12:15:00"}],
)
async def test_an_unpaid_trade_is_closed_when_its_time_is_over(
    shop: Shop, lifetime: dict[str, str]
) -> None:
    cashier = await shop.opened("T1", **lifetime)
    shop.simulator.advance(timedelta(minutes=14, seconds=59))
    assert (await shop.ask(QUERY, out_trade_no="T1"))["trade_status"] == "WAIT_BUYER_PAY"

    shop.simulator.advance(timedelta(seconds=1))
    page = await Browser(shop.session).press(cashier, "pay")
    assert "closed unpaid" in page.text
    assert (await shop.ask(QUERY, out_trade_no="T1"))["trade_status"] == "TRADE_CLOSED"
    assert shop.simulator.money("alipay") == {}
    (told,) = await shop.told()
    assert (told["trade_status"], told["gmt_close"]) == ("TRADE_CLOSED", "2026-11-22 12:15:00")


async def test_an_order_whose_time_was_over_before_it_was_opened_makes_no_trade(
    shop: Shop,
) -> None:
    page = await shop.opened("T1", time_expire="2026-11-22 11:59:59")

    assert "ACQ.TRADE_HAS_CLOSE" in page.text
    assert (await shop.ask(QUERY, out_trade_no="T1"))["sub_code"] == "ACQ.TRADE_NOT_EXIST"


async def test_a_payer_who_declines_closes_the_trade(shop: Shop) -> None:
    page = await Browser(shop.session).press(await shop.opened("T1"), "decline")

    assert page.status == 200
    answer = await shop.ask(QUERY, out_trade_no="T1")
    assert answer["trade_status"] == "TRADE_CLOSED"
    assert "send_pay_date" not in answer


async def test_only_a_trade_that_waits_can_be_closed(shop: Shop) -> None:
    await shop.opened("T1")
    await shop.paid("T2")

    closed = await shop.ask(CLOSE, out_trade_no="T1")
    again = await shop.ask(CLOSE, out_trade_no="T1")
    paid = await shop.ask(CLOSE, out_trade_no="T2")
    unknown = await shop.ask(CLOSE, out_trade_no="T3")
    assert (closed["code"], closed["out_trade_no"]) == ("10000", "T1")
    assert again["sub_code"] == paid["sub_code"] == "ACQ.TRADE_STATUS_ERROR"
    assert unknown["sub_code"] == "ACQ.TRADE_NOT_EXIST"


async def test_trade_no_counts_before_out_trade_no(shop: Shop) -> None:
    await shop.opened("T1")
    trade_no = (await shop.ask(QUERY, out_trade_no="T1"))["trade_no"]

    assert (await shop.ask(QUERY, trade_no=trade_no, out_trade_no="T9"))["out_trade_no"] == "T1"


@pytest.mark.parametrize(("query", "status"), [("?pay=1", "9000"), ("", "6001")])
async def test_a_phone_makes_the_trade_and_pays_or_not(shop: Shop, query: str, status: str) -> None:
    address = f"{shop.simulator.url}/alipay/app{query}"
    async with shop.session.post(address, data=urlencode(shop.order("T1", "app"))) as answer:
        told = await answer.json()

    paid = status == "9000"
    trade = await shop.ask(QUERY, out_trade_no="T1")
    assert told["resultStatus"] == status
    assert trade["trade_status"] == ("TRADE_SUCCESS" if paid else "WAIT_BUYER_PAY")
    if paid:
        result = json.loads(told["result"])
        assert result["alipay_trade_app_pay_response"]["trade_no"] == trade["trade_no"]


async def test_faults_of_the_menu_are_validly_signed(shop: Shop) -> None:
    await shop.paid("T1")
    rule = {"provider": "alipay", "operation": "query", "first": 1}

    shop.simulator.set_faults([{**rule, "first": 9, "fault": "wrong_amount"}])
    wrong = await shop.ask(QUERY, out_trade_no="T1")
    shop.simulator.set_faults([{**rule, "first": 9, "fault": "not_found"}])
    unknown = await shop.ask(QUERY, out_trade_no="T1")
    assert wrong["total_amount"] == "89.80"
    assert unknown["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_a_public_example_of_a_request_and_of_a_notification_verify() -> None:
    examples = json.loads((Path(__file__).parent / "alipay_signed.json").read_text())
    order = dict(parse_qsl(examples["order"]))
    told = dict(parse_qsl(examples["notification"]))

    signed = base64.b64decode(order["sign"])
    assert rsa.genuine(examples["merchant_public_key"], request_text(order), signed)
    assert not rsa.genuine(examples["merchant_public_key"], letter_text(order), signed)
    signed = base64.b64decode(told["sign"])
    assert rsa.genuine(examples["alipay_public_key"], letter_text(told), signed)
    assert not rsa.genuine(examples["alipay_public_key"], request_text(told), signed)
