"""Every refusal that is about one member, or header, names it as the caller sent it.

What rules call it inside (`expires_at`, "request id") says nothing to who asks.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.faces.test_modes import Asked, Side, signed_call
from tests.modifying import Obedient
from tests.shop import Shop

from kassa.faces.wallet.contract import FACE

pytestmark = pytest.mark.anyio
ACCOUNT = {"accountType": "card", "accountNumber": "4242424242424242"}
NOT_AN_OBJECT = 7

# What rules call a thing, by words that are nobody's member.
INSIDE = re.compile(
    r"\b(request id|request_id|request_scope|expires_at|amount_minor|company_id|payment_id"
    r"|customer_number|payment_extra|notify_kind|idempotency_key)\b"
)


@dataclass(frozen=True)
class Call:
    """A call that is right but for what is changed. `bad`: by member, with dots, values that cannot
    be its; each but an absent one names the member."""

    ask: Callable[[Side, Mapping[str, Any]], Asked]
    good: Mapping[str, Any]
    bad: Mapping[str, tuple[Any, ...]]
    words: re.Pattern[str] = field(default=INSIDE)


def gateway(side: Side, body: Mapping[str, Any]) -> Asked:
    headers = {"authorization": f"Bearer {side.key}"}
    return Asked("POST", "/gateway/payment-requests", headers, json.dumps(body).encode())


def orders(side: Side, body: Mapping[str, Any]) -> Asked:
    return Asked("POST", "/v1/orders:create", side.orders_client, json.dumps(body).encode())


def versioned(side: Side, body: Mapping[str, Any]) -> Asked:
    headers = {**side.orders_client, "x-api-version": "2023-08-01"}
    return Asked("POST", "/pg/orders", headers, json.dumps(body).encode())


def checkout(side: Side, body: Mapping[str, Any]) -> Asked:
    headers = {"authorization": f"Bearer {side.token()}"}
    return Asked("POST", "/api/v1/payments", headers, json.dumps(body).encode())


def wallet(side: Side, body: Mapping[str, Any]) -> Asked:
    return signed_call(side, "/v1/payments/pay", body)


def business(side: Side, body: Mapping[str, Any]) -> Asked:
    headers = {"authorization": f"Bearer {side.key}"}
    return Asked("POST", "/v1/payments:list", headers, json.dumps(body).encode())


CALLS: Mapping[str, Call] = {
    "gateway": Call(
        ask=gateway,
        good={
            "userId": "u",
            "orderId": "o-1",
            "amount": 5,
            "paymentMethod": "credit card",
            "payerAccount": ACCOUNT,
            "payeeAccount": {"accountType": "bank", "accountNumber": "1"},
        },
        bad={
            "userId": ("", 7),
            "orderId": ("o", 7, "o 1"),
            "amount": ("5", 0, -1, 1.234, 10**20),
            "paymentMethod": ("", "shells", 7),
            "payerAccount": (NOT_AN_OBJECT, None),
            "payerAccount.accountNumber": ("4242", 7),
            "payerAccount.accountType": ("7", 7),
            "payeeAccount": (NOT_AN_OBJECT,),
            "module": ("TOYS", 7),
            "businessId": ("nobody", 7),
        },
    ),
    "orders": Call(
        ask=orders,
        good={
            "customer_name": "Alice",
            "customer_email": "alice@example.com",
            "customer_phone": "9999999999",
            "order_amount": 299.99,
        },
        bad={
            "customer_name": ("", 7),
            "customer_email": ("alice", 7),
            "customer_phone": ("1", 7),
            "order_amount": ("1", 0, -1, 1.234, 10**20),
            "order_currency": ("ZZZ", 7),
            "order_id": ("a", 7),
            "order_expiry_time": ("soon", "2026-01-02T00:00:00Z", "2099-01-01T00:00:00Z"),
            "order_meta.return_url": ("here", 7),
            "order_meta.notify_url": ("ftp://x", "http://10.0.0.2/", 7),
            "order_meta.payment_methods": ("nonsense", "??", 7),
            "module": ("TOYS", 7),
            "capture_method": ("later", 7),
            "business_id": ("nobody", 7),
        },
    ),
    "versioned": Call(
        ask=versioned,
        good={
            "order_amount": 5,
            "order_currency": "CNY",
            "customer_details": {"customer_id": "c-1", "customer_phone": "9999999999"},
        },
        bad={
            "order_amount": ("1", 0, -1, 1.234, 10**20),
            "order_currency": ("ZZZ", 7),
            "order_id": ("a", 7),
            "order_expiry_time": ("soon", "2026-01-02T00:00:00Z"),
            "order_meta.return_url": ("here", 7),
            "order_meta.notify_url": ("ftp://x", 7),
            "order_meta.payment_methods": ("nonsense", 7),
        },
    ),
    "checkout": Call(
        ask=checkout,
        good={"orderId": "o-1", "subject": "Tea"},
        bad={
            "orderId": ("", 7),
            "subject": ("", " ", "x" * 257, 7),
            "description": ("x" * 401, 7),
            "channel": ("fax", 7),
        },
    ),
    "wallet": Call(
        ask=wallet,
        good={
            "productCode": "51051000101000000011",
            "paymentRequestId": "R-9",
            "paymentAmount": {"currency": "CNY", "value": "2000"},
            "order": {"orderDescription": "shoes"},
        },
        bad={
            "productCode": ("7", 7),
            "paymentRequestId": ("", " a", 7),
            "paymentAmount": (NOT_AN_OBJECT,),
            "paymentAmount.value": ("0", "1.5", "9" * 17),
            "paymentAmount.currency": ("ZZZ", 7),
            "order": (NOT_AN_OBJECT,),
            "paymentExpiryTime": ("soon", "2020-01-01T00:00:00Z", 7),
            "paymentNotifyUrl": ("ftp://x", "http://10.0.0.2/", 7),
            "paymentRedirectUrl": ("here", 7),
            "paymentAuthCode": (7,),
        },
    ),
    "business": Call(
        ask=business,
        good={"pagination": {}, "companyId": "cmp_shop"},
        bad={
            "pagination.page_size": (-1, 501, "x"),
            "pagination.page_token": (7, "forged"),
            "companyId": (7,),
            "filter.orderIds": (7,),
            "filter.order_ids": (7,),
            "filter.statuses": (("PAYED",), 7),
            "filter.business_ids": (("nobody",), 7),
            "filter.updated_after": ("soon", 7),
            "filter.created_time": (7,),
        },
        words=re.compile(r"\b(request_id|amount_minor|expires_at)\b"),
    ),
}
CASES = [
    (name, member, value)
    for name, call in CALLS.items()
    for member, values in call.bad.items()
    for value in values
]


def changed(good: Mapping[str, Any], member: str, value: Any) -> dict[str, Any]:
    body = json.loads(json.dumps(good))
    here, names = body, member.split(".")
    for name in names[:-1]:
        here = here.setdefault(name, {})
    here[names[-1]] = value
    return body  # type: ignore[no-any-return]


@pytest.fixture
async def side(shop: Shop, client: Any) -> Side:
    opened = Side(shop.core, client, shop.company)
    await opened.register()
    return opened


async def said(side: Side, asked: Asked) -> tuple[int, str]:
    answer = await side.client.request(
        asked.method, asked.path, headers=asked.headers, content=asked.body
    )
    return answer.status, answer.text


async def test_every_refusal_of_a_member_names_it(side: Side) -> None:
    wrong = []
    for name, member, value in CASES:
        call = CALLS[name]
        status, text = await said(side, call.ask(side, changed(call.good, member, value)))
        refused = '"resultStatus":"F"' in text if name == "wallet" else 400 <= status < 500
        if not refused or not names(text, member, name) or call.words.search(text):
            wrong.append(f"{name} {member}={str(value)[:30]!r}: {status} {text[:300]}")
    assert not wrong, "\n".join(wrong)


def names(text: str, member: str, name: str) -> bool:
    """The business face names members in the spelling of its proto, as protobuf's JSON has both."""
    leaf = member.rpartition(".")[2]
    snake = re.sub(r"([A-Z])", r"_\1", leaf).lower()
    return leaf in text or (name == "business" and snake in text)


async def test_every_refusal_of_a_refunds_member_names_it(shop: Shop, side: Side) -> None:
    made = await shop.create(
        face="gateway", request_scope=f"{FACE}.pay:{side.wallet_id}", request_id="R-1"
    )
    payment = await shop.play(made.payment, Obedient())
    by_key = {"authorization": f"Bearer {side.key}"}
    versioned = {**side.orders_client, "x-api-version": "2023-08-01"}
    of_gateway = f"/gateway/payment-requests/{payment.id}/refunds"
    of_order = f"/pg/orders/{payment.order_id}/refunds"
    amounts = ("x", 0, -1, 1.234, 10**20)
    of_orders = {"refund_amount": amounts, "refund_id": ("a", 7), "refund_speed": ("SOON", 7)}
    calls: list[tuple[Callable[[dict[str, Any]], Asked], dict[str, Any], Mapping[str, Any]]] = [
        (
            lambda body: Asked("POST", of_gateway, by_key, json.dumps(body).encode()),
            {"refundId": "r-1", "amount": 1},
            {"refundId": ("", 7), "amount": amounts, "reason": ("", 7)},
        ),
        (
            lambda body: Asked("POST", of_order, side.orders_client, json.dumps(body).encode()),
            {"refund_id": "r-22", "refund_amount": 1},
            of_orders,
        ),
        (
            lambda body: Asked("POST", of_order, versioned, json.dumps(body).encode()),
            {"refund_id": "r-23", "refund_amount": 1},
            of_orders,
        ),
        (
            lambda body: signed_call(side, "/v1/payments/refund", body),
            {
                "refundRequestId": "r-3",
                "paymentId": payment.id,
                "refundAmount": {"currency": "CNY", "value": "100"},
            },
            {
                "refundRequestId": ("", 7),
                "refundAmount": (NOT_AN_OBJECT,),
                "refundAmount.value": ("0", "1.5", "9" * 17),
                "refundReason": (7, "x" * 257),
                "refundNotifyUrl": ("ftp://x", "http://10.0.0.2/", 7),
            },
        ),
    ]
    wrong = []
    for ask, good, bad in calls:
        for member, value in [(name, one) for name, values in bad.items() for one in values]:
            status, text = await said(side, ask(changed(good, member, value)))
            refused = 400 <= status < 500 or '"resultStatus":"F"' in text
            if not refused or not names(text, member, "") or INSIDE.search(text):
                wrong.append(f"{member}={str(value)[:30]!r}: {status} {text[:300]}")
        await said(side, ask(good))
        _, again = await said(side, ask(changed(good, "refundReason", "other")))
    assert not wrong, "\n".join(wrong)
    assert '"resultStatus":"F"' in again
    assert "refundRequestId" in again


@pytest.mark.parametrize("name", ["gateway", "orders", "versioned", "checkout", "wallet"])
async def test_a_bad_idempotency_key_is_named_as_the_header_that_it_is(
    side: Side, name: str
) -> None:
    call = CALLS[name]
    asked = call.ask(side, call.good)
    headers = {**asked.headers, "idempotency-key": "a b"}

    _, text = await said(side, Asked(asked.method, asked.path, headers, asked.body))

    assert "Idempotency-Key" in text
    assert not INSIDE.search(json.loads(text).get("message", "") or text.replace("_invalid", ""))


@pytest.mark.parametrize("name", ["orders", "versioned", "wallet"])
async def test_a_repeat_with_other_content_names_the_key_that_was_sent(
    side: Side, name: str
) -> None:
    call = CALLS[name]
    key = "paymentRequestId" if name == "wallet" else "dempotency-"
    amount = "paymentAmount.value" if name == "wallet" else "order_amount"
    keyed = {} if name == "wallet" else {"idempotency-key": "k-1"}
    for value in ("2000", "2001") if name == "wallet" else (5, 6):
        asked = call.ask(side, changed(call.good, amount, value))
        headers = {**asked.headers, **keyed}
        status, text = await said(side, Asked(asked.method, asked.path, headers, asked.body))

    assert "REPEAT_REQ_INCONSISTENT" in text if name == "wallet" else 400 <= status < 500
    assert key in text
    assert not INSIDE.search(text)
