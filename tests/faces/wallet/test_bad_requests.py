"""Bad requests to the wallet: each is answered, signed, over HTTP 200, with exactly its result."""

import json
from typing import Any

import pytest
from tests.faces.wallet.calls import INQUIRY, PAY, Merchant, an_order, code

pytestmark = pytest.mark.anyio

ILLEGAL = "F PARAM_ILLEGAL"
UNREADABLE = "F MSG_PARSE_ERROR"
OTHER_API = "F FUNCTION_NOT_MATCH"


def amount(value: Any, currency: Any = "CLP") -> dict[str, Any]:
    return {"paymentAmount": {"currency": currency, "value": value}}


def order(**members: Any) -> dict[str, Any]:
    return {"order": members}


BAD_MEMBERS: dict[str, tuple[dict[str, Any], str]] = {
    "no product": ({"productCode": None}, OTHER_API),
    "an unknown product": ({"productCode": "51051000101000100008"}, OTHER_API),
    "a product of another version": ({"productCode": "CASHIER_PAYMENT"}, OTHER_API),
    "a product that is a number": ({"productCode": 51051000101000000011}, ILLEGAL),
    "a product too long": ({"productCode": "5" * 33}, ILLEGAL),
    "no request id": ({"paymentRequestId": None}, OTHER_API),
    "an empty request id": ({"paymentRequestId": ""}, ILLEGAL),
    "a request id too long": ({"paymentRequestId": "r" * 65}, ILLEGAL),
    "a request id with a line break": ({"paymentRequestId": "a\nb"}, ILLEGAL),
    "a request id with blanks around": ({"paymentRequestId": " a"}, ILLEGAL),
    "a request id that is a list": ({"paymentRequestId": ["a"]}, ILLEGAL),
    "no amount": ({"paymentAmount": None}, OTHER_API),
    "an amount that is a text": ({"paymentAmount": "2000 CLP"}, ILLEGAL),
    "an amount without value": ({"paymentAmount": {"currency": "CLP"}}, OTHER_API),
    "an amount without currency": ({"paymentAmount": {"value": "1"}}, OTHER_API),
    "nothing to pay": (amount("0"), ILLEGAL),
    "less than nothing": (amount("-1"), ILLEGAL),
    "a point": (amount("20.00"), ILLEGAL),
    "a number with a point": (amount(20.0), ILLEGAL),
    "an exponent": (amount("2e3"), ILLEGAL),
    "a sign": (amount("+2000"), ILLEGAL),
    "blanks": (amount(" 2000"), ILLEGAL),
    "leading zeros": (amount("02000"), ILLEGAL),
    "digits of another script": (amount("٢٠٠٠"), ILLEGAL),
    "seventeen digits": (amount("1" * 17), ILLEGAL),
    "a number of thirty digits": (amount(10**29), ILLEGAL),
    "a boolean": (amount(True), ILLEGAL),
    "an unknown currency": (amount("1", "XYZ"), ILLEGAL),
    "a currency in small letters": (amount("1", "clp"), ILLEGAL),
    "a currency that is a number": (amount("1", 152), ILLEGAL),
    "no order": ({"order": None}, OTHER_API),
    "an order that is a text": ({"order": "shoes"}, ILLEGAL),
    "a description too long": (order(orderDescription="d" * 257), ILLEGAL),
    "a description that is a number": (order(orderDescription=1), ILLEGAL),
    "goods that are a text": (order(goods="shoes"), ILLEGAL),
    "a buyer that is a list": (order(buyer=[]), ILLEGAL),
    "an amount to show that is a list": (order(orderAmount=[]), ILLEGAL),
    "a quantity with a point": (order(goods=[{"goodsQuantity": 1.5}]), ILLEGAL),
    "a number no database can keep": (order(goods={"goodsQuantity": 10**30}), ILLEGAL),
    "a past expiry": ({"paymentExpiryTime": "2020-06-08T12:12:12+08:00"}, ILLEGAL),
    "an expiry without zone": ({"paymentExpiryTime": "2099-06-08T12:12:12"}, ILLEGAL),
    "an expiry that is no date": ({"paymentExpiryTime": "2099-02-30T00:00:00Z"}, ILLEGAL),
    "an expiry that is a number": ({"paymentExpiryTime": 4102444800000}, ILLEGAL),
    "an empty expiry": ({"paymentExpiryTime": ""}, ILLEGAL),
    "a notify address too long": (
        {"paymentNotifyUrl": "https://m.example/" + "n" * 1024},
        ILLEGAL,
    ),
    "a notify address of no web": ({"paymentNotifyUrl": "ftp://m.example/n"}, ILLEGAL),
    "a notify address inside": ({"paymentNotifyUrl": "http://169.254.169.254/"}, ILLEGAL),
    "a notify address that is a word": ({"paymentNotifyUrl": "notify"}, ILLEGAL),
    "a script to return to": ({"paymentRedirectUrl": "javascript:alert(1)"}, ILLEGAL),
    "a way back with a blank": ({"paymentReturnUrl": "https://m.example/a b"}, ILLEGAL),
    "two ways back": (
        {
            "paymentRedirectUrl": "https://m.example/a",
            "paymentReturnUrl": "https://m.example/b",
        },
        ILLEGAL,
    ),
    "an auth code too long": ({"paymentAuthCode": "c" * 129}, ILLEGAL),
    "an auth code that is a number": ({"paymentAuthCode": 1}, ILLEGAL),
    "an agreement without auth code": ({"productCode": "51051000101000100031"}, OTHER_API),
    "an evaluation that is no boolean": (
        {"paymentFactor": {"isPaymentEvaluation": "true"}},
        ILLEGAL,
    ),
    "an authorization by the product of another": (
        {"paymentFactor": {"isAuthorizationPayment": True}},
        OTHER_API,
    ),
    "a factor that nobody knows": ({"paymentFactor": {"isFree": True}}, OTHER_API),
    "a factor that is no boolean": ({"paymentFactor": {"isAgreementPay": "yes"}}, ILLEGAL),
    "factors that are a text": ({"paymentFactor": "isCashierPayment"}, ILLEGAL),
}


async def test_every_bad_member_is_refused_and_nothing_is_made(merchant: Merchant) -> None:
    answers = {}
    for name, (changes, _) in BAD_MEMBERS.items():
        members = an_order() | changes
        answers[name] = code(await merchant.ask(PAY, members))
        found = await merchant.inquire(paymentRequestId=members["paymentRequestId"])
        assert code(found)[0] == "F", name

    assert answers == {name: result for name, (_, result) in BAD_MEMBERS.items()}


GOOD = json.dumps(an_order()).encode()

BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", UNREADABLE),
    "half an object": (GOOD[:-1], UNREADABLE),
    "two objects": (GOOD + GOOD, UNREADABLE),
    "a form": (b"paymentRequestId=1", UNREADABLE),
    "no UTF-8": (b'{"a":"\xff"}', UNREADABLE),
    "UTF-16": (GOOD.decode().encode("utf-16"), UNREADABLE),
    "a member twice": (GOOD[:-1] + b',"productCode":"1"}', UNREADABLE),
    "NaN": (b'{"a":NaN}', UNREADABLE),
    "single quotes": (b"{'a':1}", UNREADABLE),
    "a number of a thousand digits": (b'{"a":' + b"9" * 1000 + b"}", UNREADABLE),
    "a very deep list": (b"[" * 30_000 + b"]" * 30_000, UNREADABLE),
    "forty lists in each other": (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", UNREADABLE),
    "U+0000 in a text": (GOOD[:-1] + rb',"order2":"a\u0000b"}', ILLEGAL),
    "half a character": (GOOD[:-1] + rb',"order2":"\ud800"}', ILLEGAL),
    "half a character in a name": (GOOD[:-1] + rb',"\udc00":1}', ILLEGAL),
    "more than 64 KB": (b'{"a":"' + b"x" * 70_000 + b'"}', UNREADABLE),
    "a list": (b"[]", OTHER_API),
    "a text": (b'"pay"', OTHER_API),
    "null": (b"null", OTHER_API),
    "an empty object": (b"{}", OTHER_API),
    "a refund": (b'{"refundRequestId":"1","paymentId":"py_1"}', OTHER_API),
}


async def test_every_bad_body_is_refused(merchant: Merchant) -> None:
    answers = {name: await merchant.send(PAY, body) for name, (body, _) in BAD_BODIES.items()}

    assert _codes(answers) == {name: result for name, (_, result) in BAD_BODIES.items()}


def _codes(answers: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: code(answer) for name, answer in answers.items()}


BAD_INQUIRIES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing named": ({}, OTHER_API),
    "both null": ({"paymentId": None, "paymentRequestId": None}, OTHER_API),
    "an unknown payment": ({"paymentId": "py_00000000000000000000000000"}, "F ORDER_NOT_EXIST"),
    "an unknown request": ({"paymentRequestId": "never sent"}, "F ORDER_NOT_EXIST"),
    "somebody's number": ({"paymentId": "1"}, "F ORDER_NOT_EXIST"),
    "an id with a line break": ({"paymentId": "py_\n"}, "F ORDER_NOT_EXIST"),
    "an id too long": ({"paymentId": "p" * 65}, ILLEGAL),
    "an empty id": ({"paymentId": ""}, ILLEGAL),
    "an id that is a number": ({"paymentId": 1}, ILLEGAL),
    "a request id that is an object": ({"paymentRequestId": {}}, ILLEGAL),
}


async def test_every_bad_inquiry_is_refused(merchant: Merchant) -> None:
    answers = {
        name: await merchant.ask(INQUIRY, members) for name, (members, _) in BAD_INQUIRIES.items()
    }

    assert _codes(answers) == {name: result for name, (_, result) in BAD_INQUIRIES.items()}


BAD_HEADERS: dict[str, tuple[dict[str, str | None], str]] = {
    "no signature": ({"Signature": None}, "F INVALID_SIGNATURE"),
    "an empty signature": ({"Signature": ""}, "F INVALID_SIGNATURE"),
    "a signature of nothing": (
        {"Signature": "algorithm=RSA256,keyVersion=1,signature=AAAA"},
        "F INVALID_SIGNATURE",
    ),
    "no time": ({"Request-Time": None}, "F INVALID_SIGNATURE"),
    "an empty time": ({"Request-Time": ""}, "F INVALID_SIGNATURE"),
    "another time": ({"Request-Time": "2026-11-22T10:00:01+08:00"}, "F INVALID_SIGNATURE"),
    "a compressed body": ({"Content-Encoding": "gzip"}, UNREADABLE),
}


async def test_bad_headers_are_refused(merchant: Merchant) -> None:
    answers = {
        name: await merchant.send(PAY, GOOD, headers=headers)
        for name, (headers, _) in BAD_HEADERS.items()
    }

    assert _codes(answers) == {name: result for name, (_, result) in BAD_HEADERS.items()}


async def test_which_check_of_a_signature_failed_is_told_to_nobody(merchant: Merchant) -> None:
    wrong = [headers for headers, result in BAD_HEADERS.values() if result == "F INVALID_SIGNATURE"]

    answers = [await merchant.send(PAY, GOOD, headers=headers) for headers in wrong]

    assert len(answers) > 3
    assert all(answer == answers[0] for answer in answers)
    assert "extendInfo" not in answers[0]


async def test_the_signature_comes_before_the_content(merchant: Merchant) -> None:
    answer = await merchant.send(PAY, b"{", headers={"Signature": None})

    assert code(answer) == "F INVALID_SIGNATURE"


async def test_a_refusal_says_what_is_wrong_and_repeats_no_secret(merchant: Merchant) -> None:
    secret = "c" * 129

    said = await merchant.pay(paymentAuthCode=secret)
    missing = await merchant.ask(PAY, {"productCode": "51051000101000000011"})

    assert "paymentAuthCode" in said["result"]["resultMessage"]
    assert secret not in json.dumps(said)
    assert json.loads(missing["extendInfo"]) == {"detail": "paymentRequestId is required"}
