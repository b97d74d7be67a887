"""The wallet's payments, signatures and notifications, as its documentation has them."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from tests.simulator.browser import Browser
from tests.simulator.letterbox import key_pair, letterbox
from tests.simulator.wallet_shop import AGREEMENT, CLIENT_ID, TIME, Shop, code_of, merchant

from kassa_simulator import rsa
from kassa_simulator.running import running
from kassa_simulator.wallet.wire import signature_in, signed_text

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # where the wallet is
ACK = b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}'


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with (
        letterbox(ACK) as box,
        aiohttp.ClientSession() as session,
        running(tmp_path, merchants=[merchant()], start=NOON) as simulator,
    ):
        yield Shop(simulator, session, box)


async def test_a_cashier_payment_is_accepted_and_paid_only_in_the_cashier(shop: Shop) -> None:
    answer = await shop.pay("P1")
    form = answer["redirectActionForm"]
    before = await shop.status("P1")
    browser = Browser(shop.session)
    await browser.press(await browser.open(form["redirectionUrl"]), "pay")

    assert code_of(answer) == ("S", "SUCCESS")
    assert form == {
        "method": "GET",
        "redirectionUrl": form["redirectUrl"],
        "redirectUrl": form["redirectUrl"],
    }
    assert "paymentTime" not in answer
    assert (before, await shop.status("P1")) == ("PROCESSING", "SUCCESS")
    assert shop.simulator.money("wallet")["CLP"]["charged_minor"] == 2000


async def test_the_cashier_sends_the_browser_back_where_the_shop_said(shop: Shop) -> None:
    answer = await shop.pay("P1", paymentRedirectUrl="https://shop.example/back?o=1")
    browser = Browser(shop.session)
    page = await browser.open(answer["redirectActionForm"]["redirectionUrl"])

    assert "CLP 2000" in page.text
    back = await browser.press(page, "decline")
    assert back.headers["location"] == "https://shop.example/back?o=1"
    assert await shop.status("P1") == "FAIL"


async def test_an_agreement_charges_at_once(shop: Shop) -> None:
    answer = await shop.agreed("P1")

    assert code_of(answer) == ("S", "SUCCESS")
    assert answer["paymentTime"] == TIME
    assert "redirectActionForm" not in answer
    assert await shop.status("P1") == "SUCCESS"


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("280000000000000001", ("F", "USER_BALANCE_NOT_ENOUGH")),
        ("280000000000000002", ("F", "USER_STATUS_ABNORMAL")),
        ("990000000000001234", ("F", "USER_NOT_EXIST")),
    ],
)
async def test_a_user_who_cannot_pay_is_a_final_failure(
    shop: Shop, code: str, result: tuple[str, str]
) -> None:
    answer = await shop.agreed("P1", code)
    again = await shop.agreed("P1", code)

    assert code_of(answer) == code_of(again) == result
    assert await shop.status("P1") == "FAIL"
    assert shop.simulator.money("wallet") == {}


async def test_an_unknown_outcome_stays_unknown_until_it_is_decided(shop: Shop) -> None:
    answer = await shop.agreed("P1", "280000000000000009")
    before = await shop.status("P1")
    shop.simulator.act("wallet", shop.charge("P1").id, "pay")
    after = await shop.agreed("P1", "280000000000000009")

    assert (code_of(answer), before) == (("U", "UNKNOWN_EXCEPTION"), "PROCESSING")
    assert code_of(after) == ("S", "SUCCESS")
    assert shop.simulator.money("wallet")["CLP"]["charges"] == 1


async def test_a_repeat_gives_the_same_payment_and_charges_once(shop: Shop) -> None:
    first, again = await shop.pay("P1"), await shop.pay("P1")
    shop.simulator.act("wallet", first["paymentId"], "pay")
    paid = await shop.pay("P1")

    assert code_of(again) == ("S", "REPEAT_REQUEST")
    message = "repeat order create request, merchantTransId = P1"
    assert again["result"]["resultMessage"] == message
    assert again["redirectActionForm"] == first["redirectActionForm"]
    assert code_of(paid) == ("S", "SUCCESS")
    assert (paid["paymentId"], paid["paymentTime"]) == (first["paymentId"], TIME)
    assert shop.simulator.money("wallet")["CLP"]["charges"] == 1


async def test_a_repeat_with_another_amount_is_inconsistent(shop: Shop) -> None:
    await shop.pay("P1")

    other = await shop.pay("P1", paymentAmount={"currency": "CLP", "value": "2001"})
    assert code_of(other) == ("F", "REPEAT_REQ_INCONSISTENT")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"paymentRequestId": ""}, "PARAM_ILLEGAL"),
        ({"paymentRequestId": "x" * 65}, "PARAM_ILLEGAL"),
        ({"paymentRequestId": "\ud800"}, "PARAM_ILLEGAL"),
        ({"productCode": "1"}, "PARAM_ILLEGAL"),
        ({"productCode": AGREEMENT}, "PARAM_ILLEGAL"),
        ({"order": None}, "PARAM_ILLEGAL"),
        ({"paymentAmount": {"currency": "CLP", "value": "0"}}, "PARAM_ILLEGAL"),
        ({"paymentAmount": {"currency": "CLP", "value": "20.00"}}, "PARAM_ILLEGAL"),
        ({"paymentAmount": {"currency": "peso", "value": "20"}}, "PARAM_ILLEGAL"),
        ({"paymentExpiryTime": "tomorrow"}, "PARAM_ILLEGAL"),
        ({"refundRequestId": "R1"}, "FUNCTION_NOT_MATCH"),
        (
            {"paymentAmount": {"currency": "CLP", "value": "1000000000001"}},
            "PAYMENT_AMOUNT_EXCEED_LIMIT",
        ),
    ],
)
async def test_a_wrong_order_fails(shop: Shop, wrong: dict[str, Any], code: str) -> None:
    assert code_of(await shop.pay("P1", **wrong)) == ("F", code)


async def test_an_amount_may_be_a_number(shop: Shop) -> None:
    answer = await shop.pay("P1", paymentAmount={"currency": "CLP", "value": 2000})

    told = await shop.ask("inquiryPayment", paymentId=answer["paymentId"])
    assert told["paymentAmount"] == {"currency": "CLP", "value": "2000"}


async def test_an_order_expires(shop: Shop) -> None:
    await shop.pay("P1", paymentExpiryTime="2026-11-22T12:05:00+08:00")
    shop.simulator.advance(timedelta(minutes=5))

    told = await shop.ask("inquiryPayment", paymentRequestId="P1")
    assert (told["paymentStatus"], told["paymentFailReason"]) == ("FAIL", "The order expired.")
    assert code_of(await shop.pay("P1", paymentExpiryTime="2026-11-22T12:05:00+08:00"))[0] == "F"


async def test_cancelling_closes_an_unpaid_order_and_refuses_a_paid_one(shop: Shop) -> None:
    await shop.pay("P1")
    await shop.agreed("P2")

    cancelled = await shop.ask("cancel", paymentRequestId="P1")
    again = await shop.ask("cancelPayment", paymentRequestId="P1")
    paid = await shop.ask("cancel", paymentRequestId="P2")
    unknown = await shop.ask("cancel", paymentRequestId="P3")
    assert code_of(cancelled) == code_of(again) == ("S", "SUCCESS")
    assert cancelled["cancelTime"] == again["cancelTime"] == TIME
    assert await shop.status("P1") == "CANCELLED"
    assert code_of(paid) == ("F", "ORDER_STATUS_INVALID")
    assert code_of(unknown) == ("F", "ORDER_NOT_EXIST")


async def test_a_notification_is_signed_and_holds_every_spelling_of_the_outcome(
    shop: Shop,
) -> None:
    await shop.agreed("P1")

    (told,) = await shop.told()
    assert told == {
        "paymentId": shop.charge("P1").id,
        "paymentRequestId": "P1",
        "paymentAmount": {"currency": "CLP", "value": "2000"},
        "paymentCreateTime": TIME,
        "paymentTime": TIME,
        "paymentStatus": "SUCCESS",
        "paymentResult": {
            "resultStatus": "S",
            "resultCode": "SUCCESS",
            "resultMessage": "Success",
        },
    }


@pytest.mark.parametrize("deaf", [b"", b"success", b'{"result":{"resultStatus":"F"}}', b"[1]"])
async def test_a_notification_is_sent_again_until_the_answer_is_s(shop: Shop, deaf: bytes) -> None:
    shop.letterbox.answer = deaf
    await shop.agreed("P1")
    await shop.told()

    shop.letterbox.answer = ACK
    shop.simulator.advance(timedelta(days=1))
    first, second = await shop.told()
    shop.simulator.advance(timedelta(days=1))
    assert len(await shop.told()) == 2
    assert first == second


async def test_a_forged_notification_does_not_verify(shop: Shop) -> None:
    shop.simulator.set_faults([{"provider": "wallet", "operation": "letter", "fault": "forged"}])
    await shop.agreed("P1")

    with pytest.raises(InvalidSignature):
        await shop.told()
    assert len(shop.letterbox.letters) == 2


def _signed(body: bytes, path: str = "/wallet/v1/payments/inquiryPayment") -> bytes:
    content = f"POST {path}\n{CLIENT_ID}.{TIME}.".encode() + body
    return key_pair("wallet shop").key.sign(content, PKCS1v15(), SHA256())


@pytest.mark.parametrize("spelling", ["percent", "lower", "raw", "url-safe"])
async def test_a_signature_is_taken_in_every_spelling_in_use(shop: Shop, spelling: str) -> None:
    body = b'{"paymentId":"1"}'
    plain = base64.b64encode(_signed(body)).decode()
    spelled = {
        "percent": quote(plain, safe=""),
        "lower": quote(plain, safe="").replace("%2B", "%2b").replace("%3D", "%3d"),
        "raw": plain,
        "url-safe": plain.replace("+", "-").replace("/", "_").rstrip("="),
    }

    _, answer = await shop.post("inquiryPayment", body, spelled[spelling])
    assert code_of(json.loads(answer)) == ("F", "ORDER_NOT_EXIST")


@pytest.mark.parametrize(
    "signed",
    [
        _signed(b'{"paymentId": "1"}'),
        _signed(b'{"paymentId":"1"}\n'),
        _signed(b'{"paymentId":"1"}', "http://127.0.0.1/wallet/v1/payments/inquiryPayment"),
        _signed(b'{"paymentId":"1"}', "/v1/payments/inquiryPayment"),
        b"",
    ],
)
async def test_a_signature_of_something_else_is_refused(shop: Shop, signed: bytes) -> None:
    encoded = quote(base64.b64encode(signed).decode() or "none", safe="")

    headers, body = await shop.post("inquiryPayment", b'{"paymentId":"1"}', encoded)
    assert code_of(json.loads(body)) == ("F", "INVALID_SIGNATURE")
    assert "signature" in headers


async def test_an_unknown_client_gets_an_unsigned_answer(shop: Shop) -> None:
    shop.changed = {"Client-Id": "5X00000000000009"}

    headers, body = await shop.post("pay", b"{}")
    assert code_of(json.loads(body)) == ("F", "INVALID_CLIENT")
    assert "signature" not in headers


async def test_what_is_no_message_and_no_interface_is_told_so(shop: Shop) -> None:
    _, noise = await shop.post("pay", b"{")
    unknown = await shop.ask("payTwice")

    assert code_of(json.loads(noise)) == ("F", "MSG_PARSE_ERROR")
    assert code_of(unknown) == ("F", "NO_INTERFACE_DEF")


async def test_faults_of_the_menu_are_validly_signed(shop: Shop) -> None:
    await shop.agreed("P1")
    told = {}
    for fault in ("wrong_amount", "wrong_currency", "not_found"):
        shop.simulator.set_faults([{"provider": "wallet", "operation": "query", "fault": fault}])
        told[fault] = await shop.ask("inquiryPayment", paymentRequestId="P1")

    assert told["wrong_amount"]["paymentAmount"] == {"currency": "CLP", "value": "2100"}
    assert told["wrong_currency"]["paymentAmount"] == {"currency": "USD", "value": "2000"}
    assert code_of(told["not_found"]) == ("F", "ORDER_NOT_EXIST")


async def test_the_declining_fault_declines_an_agreement(shop: Shop) -> None:
    shop.simulator.set_faults([{"provider": "wallet", "operation": "charge", "fault": "decline"}])

    assert code_of(await shop.agreed("P1")) == ("F", "USER_BALANCE_NOT_ENOUGH")


def test_a_public_example_of_a_signed_request_verifies() -> None:
    example = json.loads((Path(__file__).parent / "wallet_request.json").read_text())
    content = signed_text(
        example["path"], example["client_id"], example["time"], example["body"].encode()
    )

    signed = signature_in(example["signature"])
    assert rsa.genuine(example["public_key"], content, signed)
    assert not rsa.genuine(example["public_key"], content + b"\n", signed)
