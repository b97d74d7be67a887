"""Bad captures, voids, refunds and cancels: each refused with exactly its result, nothing moved."""

from typing import Any

import pytest
from tests.faces.wallet.calls import (
    CANCEL,
    CAPTURE,
    CODE,
    REFUND,
    REFUND_INQUIRY,
    VOID,
    Merchant,
    a_user,
    balance,
    code,
)

pytestmark = pytest.mark.anyio

ILLEGAL = "F PARAM_ILLEGAL"
OTHER_API = "F FUNCTION_NOT_MATCH"
Table = dict[str, tuple[dict[str, Any], str]]

BAD_AMOUNTS: dict[str, tuple[Any, str]] = {
    "a text": ("500 CLP", ILLEGAL),
    "a list": ([], ILLEGAL),
    "no value": ({"currency": "CLP"}, OTHER_API),
    "no currency": ({"value": "1"}, OTHER_API),
    "nothing": ({"currency": "CLP", "value": "0"}, ILLEGAL),
    "less than nothing": ({"currency": "CLP", "value": "-1"}, ILLEGAL),
    "a negative number": ({"currency": "CLP", "value": -1}, ILLEGAL),
    "a point": ({"currency": "CLP", "value": "1.0"}, ILLEGAL),
    "a number with a point": ({"currency": "CLP", "value": 1.5}, ILLEGAL),
    "an exponent": ({"currency": "CLP", "value": "1e2"}, ILLEGAL),
    "leading zeros": ({"currency": "CLP", "value": "01"}, ILLEGAL),
    "digits of another script": ({"currency": "CLP", "value": "٢"}, ILLEGAL),
    "seventeen digits": ({"currency": "CLP", "value": "1" * 17}, ILLEGAL),
    "a boolean": ({"currency": "CLP", "value": True}, ILLEGAL),
    "an unknown currency": ({"currency": "XYZ", "value": "1"}, ILLEGAL),
    "a currency in small letters": ({"currency": "clp", "value": "1"}, ILLEGAL),
}


def bad_ids(name: str, missing: str = OTHER_API) -> Table:
    return {
        f"no {name}": ({name: None}, missing),
        f"an empty {name}": ({name: ""}, ILLEGAL),
        f"a {name} too long": ({name: "x" * 65}, ILLEGAL),
        f"a {name} that is a number": ({name: 1}, ILLEGAL),
        f"a {name} that is a list": ({name: ["a"]}, ILLEGAL),
    }


def bad_request_ids(name: str) -> Table:
    return {
        **bad_ids(name),
        f"a {name} with a line break": ({name: "a\nb"}, ILLEGAL),
        f"a {name} with blanks around": ({name: " a"}, ILLEGAL),
        f"a {name} with U+0000": ({name: "a\x00"}, ILLEGAL),
    }


def bad_amounts(name: str) -> Table:
    return {
        f"{name}: {how}": ({name: value}, result) for how, (value, result) in BAD_AMOUNTS.items()
    }


BAD_CAPTURES: Table = {
    **bad_request_ids("captureRequestId"),
    **bad_ids("paymentId"),
    **bad_amounts("captureAmount"),
    "isLastCapture that is a text": ({"isLastCapture": "true"}, ILLEGAL),
    "isLastCapture that is a number": ({"isLastCapture": 1}, ILLEGAL),
    "a payment id with a line break": ({"paymentId": "py\n"}, "F AUTH_NOT_FOUND"),
}
BAD_VOIDS: Table = {
    **bad_request_ids("voidRequestId"),
    **bad_ids("paymentId"),
    "a payment id with a line break": ({"paymentId": "py\n"}, "F AUTH_NOT_FOUND"),
}
BAD_REFUNDS: Table = {
    **bad_request_ids("refundRequestId"),
    **bad_ids("paymentId"),
    **bad_amounts("refundAmount"),
    "no refundAmount": ({"refundAmount": None}, OTHER_API),
    "a reason too long": ({"refundReason": "r" * 257}, ILLEGAL),
    "a reason that is a number": ({"refundReason": 1}, ILLEGAL),
    "a reason with U+0000": ({"refundReason": "a\x00b"}, ILLEGAL),
    "a reason with half a character": ({"refundReason": "\ud800"}, ILLEGAL),
    "a notify address too long": ({"refundNotifyUrl": "h" * 1025}, ILLEGAL),
    "a request id of the payment too long": ({"paymentRequestId": "r" * 65}, ILLEGAL),
    "a payment id with a line break": ({"paymentId": "py\n"}, "F ORDER_NOT_EXIST"),
}
BAD_REFUND_INQUIRIES: Table = {
    "nothing named": ({}, OTHER_API),
    "both null": ({"refundId": None, "refundRequestId": None}, OTHER_API),
    "an unknown refund": ({"refundId": "re_unknown"}, "F REFUND_NOT_EXIST"),
    "an unknown request": ({"refundRequestId": "never sent"}, "F REFUND_NOT_EXIST"),
    "an id with a line break": ({"refundId": "re\n"}, "F REFUND_NOT_EXIST"),
    "a request id with a line break": ({"refundRequestId": "a\nb"}, "F REFUND_NOT_EXIST"),
    "an empty id": ({"refundId": ""}, ILLEGAL),
    "an id too long": ({"refundId": "r" * 65}, ILLEGAL),
    "an id that is a number": ({"refundId": 1}, ILLEGAL),
    "a request id that is an object": ({"refundRequestId": {}}, ILLEGAL),
}
BAD_CANCELS: Table = {
    "nothing named": ({}, OTHER_API),
    "both null": ({"paymentId": None, "paymentRequestId": None}, OTHER_API),
    "an unknown payment": ({"paymentId": "py_unknown"}, "F ORDER_NOT_EXIST"),
    "an unknown request": ({"paymentRequestId": "never sent"}, "F ORDER_NOT_EXIST"),
    "an id with a line break": ({"paymentId": "py_\n"}, "F ORDER_NOT_EXIST"),
    "an empty id": ({"paymentId": ""}, ILLEGAL),
    "an id too long": ({"paymentId": "p" * 65}, ILLEGAL),
    "an id that is a list": ({"paymentId": []}, ILLEGAL),
}


async def answers_to(
    merchant: Merchant, path: str, good: dict[str, Any], table: Table
) -> dict[str, str]:
    return {
        name: code(await merchant.ask(path, good | changes)) for name, (changes, _) in table.items()
    }


def expected(table: Table) -> dict[str, str]:
    return {name: result for name, (_, result) in table.items()}


async def test_every_bad_capture_and_void_is_refused_and_nothing_moves(merchant: Merchant) -> None:
    await a_user(merchant, clp=2000)
    payment_id = (await merchant.reserve())["paymentId"]
    capture = {
        "captureRequestId": "C",
        "paymentId": payment_id,
        "captureAmount": {"currency": "CLP", "value": "1"},
    }
    void = {"voidRequestId": "V", "paymentId": payment_id}

    assert await answers_to(merchant, CAPTURE, capture, BAD_CAPTURES) == expected(BAD_CAPTURES)
    assert await answers_to(merchant, VOID, void, BAD_VOIDS) == expected(BAD_VOIDS)

    shown = await merchant.inquire(paymentId=payment_id)
    assert shown["paymentStatus"] == "AUTH_SUCCESS"
    assert "transactions" not in shown


@pytest.mark.parametrize("path", [REFUND, "/v1/payments/refundApply"])
async def test_every_bad_refund_is_refused_and_nothing_moves(merchant: Merchant, path: str) -> None:
    await a_user(merchant, clp=2000)
    payment_id = (await merchant.pay(paymentAuthCode=CODE))["paymentId"]
    refund = {
        "refundRequestId": "F",
        "paymentId": payment_id,
        "refundAmount": {"currency": "CLP", "value": "1"},
    }

    assert await answers_to(merchant, path, refund, BAD_REFUNDS) == expected(BAD_REFUNDS)

    assert "transactions" not in await merchant.inquire(paymentId=payment_id)
    assert await balance(merchant) == 0


async def test_every_bad_refund_inquiry_and_cancel_is_refused(merchant: Merchant) -> None:
    inquiries = await answers_to(merchant, REFUND_INQUIRY, {}, BAD_REFUND_INQUIRIES)
    cancels = await answers_to(merchant, CANCEL, {}, BAD_CANCELS)

    assert inquiries == expected(BAD_REFUND_INQUIRIES)
    assert cancels == expected(BAD_CANCELS)


BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "F MSG_PARSE_ERROR"),
    "half an object": (b'{"paymentId":"1"', "F MSG_PARSE_ERROR"),
    "a member twice": (b'{"paymentId":"1","paymentId":"2"}', "F MSG_PARSE_ERROR"),
    "no UTF-8": (b'{"paymentId":"\xff"}', "F MSG_PARSE_ERROR"),
    "a list": (b"[]", OTHER_API),
    "null": (b"null", OTHER_API),
    "a pay request": (b'{"paymentRequestId2":"1","productCode":"2"}', OTHER_API),
}


@pytest.mark.parametrize("path", [CAPTURE, VOID, REFUND, REFUND_INQUIRY, CANCEL])
async def test_every_bad_body_is_refused_everywhere(merchant: Merchant, path: str) -> None:
    answers = {name: code(await merchant.send(path, body)) for name, (body, _) in BODIES.items()}

    assert answers == {name: result for name, (_, result) in BODIES.items()}
    unsigned = await merchant.send(path, b"{}", headers={"Signature": None})
    assert code(unsigned) == "F INVALID_SIGNATURE"
    assert code(await merchant.send(path, b"{}", method="GET")) == "F NO_INTERFACE_DEF"
