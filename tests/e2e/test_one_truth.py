"""What is created through one interface is seen through every other one, each in its own words."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import grpc.aio
import pytest
from google.protobuf import json_format
from tests.e2e.shop import CREATORS, DECLINED_CARD, LOST_CARD, PAID_CARD, Made, Shop
from tests.e2e.wire import Faces, fresh

from kassa import app
from kassa.base.domain.lifecycle import PaymentStatus as S
from kassa_protos.orders.v1 import orders_pb2, orders_pb2_grpc
from moego.business.payment.v1 import payment_pb2, payment_pb2_grpc

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Words:
    """`verdict`: of orders' VerifyPayment. `pay`: the wallet's answer to the same request again.
    `gateway`: paymentResult, and how `error` begins."""

    business: str
    payment: str
    order: str
    verdict: tuple[str, str]
    checkout: str
    is_confirmed: bool
    inquiry: str
    pay: str
    gateway: tuple[bool, str | None]


_PENDING, _FAILED = ("202", "pending"), ("402", "failed")

# fmt: off
WORDS = {
    S.CREATED: Words(
        "CREATED", "created", "created", _PENDING, "PENDING", False,
        "PROCESSING", "S REPEAT_REQUEST", (False, "PENDING")),
    S.REQUIRES_ACTION: Words(
        "CREATED", "created", "created", _PENDING, "PENDING", False,
        "PROCESSING", "S REPEAT_REQUEST", (False, "PENDING")),
    S.PROCESSING: Words(
        "PROCESSING", "pending", "pending", _PENDING, "PENDING", False,
        "PROCESSING", "U UNKNOWN_EXCEPTION", (False, "UNKNOWN")),
    S.AUTHORIZED: Words(
        "PROCESSING", "pending", "pending", _PENDING, "PENDING", False,
        "AUTH_SUCCESS", "S SUCCESS", (False, "PENDING")),
    S.CAPTURED: Words(
        "PAID", "paid", "paid", ("200", "success"), "CONFIRMED", True,
        "SUCCESS", "S SUCCESS", (True, None)),
    S.SETTLED: Words(
        "COMPLETED", "paid", "paid", ("200", "success"), "CONFIRMED", True,
        "SUCCESS", "S SUCCESS", (True, None)),
    S.CANCELED: Words(
        "FAILED", "failed", "canceled", ("410", "failed"), "INVALID", False,
        "CANCELLED", "F ORDER_IS_CLOSED", (False, "FAILED: canceled")),
    S.FAILED: Words(
        "FAILED", "failed", "failed", _FAILED, "INVALID", False,
        "FAIL", "F PROCESS_FAIL", (False, "FAILED: card_declined")),
    S.EXPIRED: Words(
        "FAILED", "failed", "expired", ("410", "failed"), "TIMEOUT", False,
        "CANCELLED", "F ORDER_IS_CLOSED", (False, "FAILED: expired")),
}
# fmt: on


@pytest.fixture
async def shop(
    core: Any, settings: Any, client: Any, demo: Any, owner_url: str
) -> AsyncIterator[Shop]:
    owner = await asyncpg.connect(owner_url)
    async with app.grpc_server(core, settings) as server:
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Shop(core, client, Faces(demo), owner, channel)
    await owner.close()


def test_the_table_has_words_for_every_state() -> None:
    assert set(WORDS) == set(S)


@pytest.mark.parametrize("status", S)
async def test_every_interface_tells_the_same_truth(shop: Shop, status: S) -> None:
    for face, create in CREATORS.items():
        if (face, status) == ("checkout", S.CREATED):
            continue  # a customer who opens an order has an address to go to at once
        made = await create(shop)
        await shop.bring(made, status)

        assert await told(shop, made) == expected(made, status), face


def expected(made: Made, status: S) -> Words:
    """The words of those who can name the payment: checkout's and pay's own are known to them."""
    words = WORDS[status]
    if not made.number:
        words = replace(words, checkout="", is_confirmed=False)
    return words if made.request else replace(words, pay="")


async def told(shop: Shop, made: Made) -> Words:
    payment, order, verdict = await told_by_orders(shop, made)
    checkout, is_confirmed = await told_by_checkout(shop, made) if made.number else ("", False)
    return Words(
        business=await told_by_business(shop, made),
        payment=payment,
        order=order,
        verdict=verdict,
        checkout=checkout,
        is_confirmed=is_confirmed,
        inquiry=await told_by_wallet(shop, made),
        pay=await told_again_by_wallet(shop, made) if made.request else "",
        gateway=await told_by_gateway(shop, made),
    )


async def told_by_business(shop: Shop, made: Made) -> str:
    """Over REST and over gRPC, which agree in every member."""
    rest = await shop.read(shop.faces.payment(made.payment_id))
    stub = payment_pb2_grpc.PaymentServiceStub(shop.channel)
    message = await stub.GetPayment(
        payment_pb2.GetPaymentRequest(id=made.payment_id),
        metadata=tuple(shop.faces.key().items()),
    )
    listed = await shop.read(shop.faces.list_payments(made.order_id))
    assert json_format.MessageToDict(message, always_print_fields_with_no_presence=True) == rest
    assert listed["payments"] == [rest]
    assert rest["amount"] == {"currencyCode": "CNY", "units": "299", "nanos": 900_000_000}
    return str(rest["status"])


async def told_by_gateway(shop: Shop, made: Made) -> tuple[bool, str | None]:
    said = await shop.read(shop.faces.result(made.payment_id))
    if said["error"] is None:
        return said["paymentResult"], None
    parts = said["error"].split(": ")
    return said["paymentResult"], ": ".join(parts[: 2 if parts[0] == "FAILED" else 1])


async def told_by_orders(shop: Shop, made: Made) -> tuple[str, str, tuple[str, str]]:
    """Over REST and, where there is a call, over gRPC: the payment, the order, the verdict."""
    verdict = await shop.read(shop.faces.verify_order(made.order_id))
    stub = orders_pb2_grpc.PaymentServiceStub(shop.channel)
    message = await stub.VerifyPayment(
        orders_pb2.VerifyPaymentRequest(order_id=made.order_id),
        metadata=(
            ("x-client-id", shop.faces.demo.orders_client_id),
            ("x-client-secret", shop.faces.demo.orders_client_secret),
        ),
    )
    order = await shop.read(shop.faces.order(made.order_id))
    (payment,) = await shop.read(shop.faces.order(made.order_id, "/payments"))
    settlements = await shop.read(shop.faces.order(made.order_id, "/settlements"))
    assert json_format.MessageToDict(message) == verdict
    assert payment["id"] == made.payment_id
    assert bool(settlements) == (await told_by_business(shop, made) == "COMPLETED")
    words = (verdict["code"], verdict["status"])
    return payment["payment_status"], order["order_status"], words


async def told_by_checkout(shop: Shop, made: Made) -> tuple[str, bool]:
    shown = (await shop.read(shop.faces.checkout(made.number)))["data"]
    verified = (await shop.read(shop.faces.checkout(made.number, "verify/")))["data"]
    assert shown["order"] == made.order_id
    assert shown["confirmed"] == shown["valid"] == verified
    return shown["status"], verified


async def told_by_wallet(shop: Shop, made: Made) -> str:
    """By the id that every interface knows; the client's own request id says the same."""
    by_id = await shop.wallet(shop.faces.inquire(paymentId=made.payment_id))
    if made.request:
        assert await shop.wallet(shop.faces.inquire(paymentRequestId=made.request)) == by_id
    assert by_id["result"]["resultStatus"] == "S"
    return str(by_id["paymentStatus"])


async def told_again_by_wallet(shop: Shop, made: Made) -> str:
    again = await shop.wallet(made.again)
    assert again["paymentId"] == made.payment_id
    return f"{again['result']['resultStatus']} {again['result']['resultCode']}"


# fmt: off
AT_ONCE = [
    ("credit card", PAID_CARD, S.CAPTURED),
    ("credit card", DECLINED_CARD, S.FAILED),
    ("credit card", LOST_CARD, S.PROCESSING),
    ("cash", "", S.CAPTURED),
    ("check", "", S.CAPTURED),
]
# fmt: on


@pytest.mark.parametrize("method, account, status", AT_ONCE)
async def test_what_the_gateway_answers_at_once_is_what_all_others_say(
    shop: Shop, method: str, account: str, status: S
) -> None:
    order_id = fresh("order")
    call = shop.faces.request(order_id, method, account)

    first = await shop.read(call)
    made = Made(first["paymentRequestId"], order_id, call)

    assert await shop.read(call) == first
    assert first["paymentResult"] is WORDS[status].gateway[0]
    assert await told(shop, made) == expected(made, status)


async def test_what_the_wallet_takes_at_once_is_what_all_others_say(shop: Shop) -> None:
    request = fresh("request")
    call = shop.faces.pay(request, paymentAuthCode=shop.faces.demo.wallet_auth_code)

    said = await shop.wallet(call)
    listed = await shop.read(shop.faces.payment(said["paymentId"]))
    made = Made(said["paymentId"], listed["orderId"], call, request=request)

    assert said["result"]["resultStatus"] == "S"
    assert said["paymentTime"]
    assert await told(shop, made) == expected(made, S.CAPTURED)
