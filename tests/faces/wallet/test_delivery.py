"""A paid payment's notification arrives at the merchant, who checks the wallet's signature."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.faces.wallet import golden
from tests.faces.wallet.calls import CODE, Merchant, a_user

from kassa.faces.wallet import signature
from kassa.faces.wallet.own_keys import public_keys
from kassa.faces.wallet.signature import Signed
from kassa.webhooks_out.usecases.deliver import deliver_webhooks

pytestmark = pytest.mark.anyio

Delivery = tuple[Signed, str, str]


@asynccontextmanager
async def a_receiver(got: list[Delivery]) -> AsyncIterator[str]:
    """A merchant's server on loopback; yields its notify address and appends to `got`."""

    async def receive(request: web.Request) -> web.Response:
        headers = request.headers
        body = await request.read()
        signed = Signed(
            request.method, request.raw_path, headers["Client-Id"], headers["Request-Time"], body
        )
        got.append((signed, headers["Signature"], body.decode()))
        return web.Response(body=(golden.EXAMPLES / "notification_receipt.json").read_bytes())

    app = web.Application()
    app.router.add_post("/notify", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}/notify?shop=%2F1"
    finally:
        await runner.cleanup()


async def test_a_payment_is_told_once_and_signed_by_the_wallet(merchant: Merchant) -> None:
    await a_user(merchant, clp=5000)
    got: list[Delivery] = []

    async with a_receiver(got) as url:
        paid = await merchant.pay(paymentAuthCode=CODE, paymentNotifyUrl=url)
        await deliver_webhooks(merchant.core)
        await deliver_webhooks(merchant.core)

    [(signed, header, body)] = got
    assert signed.client_id == merchant.client_id
    signature.verify(signed, header, public_keys(merchant.core))
    assert paid["paymentId"] in body
    assert '"paymentStatus":"SUCCESS"' in body


async def test_an_authorization_its_capture_and_a_refund_are_each_told_as_they_are(
    merchant: Merchant,
) -> None:
    await a_user(merchant, clp=5000)
    got: list[Delivery] = []

    async with a_receiver(got) as url:
        payment_id = (await merchant.reserve(paymentNotifyUrl=url))["paymentId"]
        await deliver_webhooks(merchant.core)
        await merchant.capture(payment_id, "1500")
        await deliver_webhooks(merchant.core)
        await merchant.refund(payment_id, "500")
        await deliver_webhooks(merchant.core)

    reserved, captured, refunded = [json.loads(body) for _, _, body in got]
    assert (reserved["paymentStatus"], "paymentTime" in reserved) == ("AUTH_SUCCESS", False)
    assert captured["paymentStatus"] == refunded["paymentStatus"] == "SUCCESS"
    assert captured["capturedAmount"] == {"currency": "CLP", "value": "1500"}
    assert "refundedAmount" not in captured
    assert refunded["refundedAmount"] == {"currency": "CLP", "value": "500"}


async def test_a_refund_is_told_to_its_own_address_and_to_the_payments(merchant: Merchant) -> None:
    await a_user(merchant, clp=5000)
    of_payment: list[Delivery] = []
    of_refund: list[Delivery] = []

    async with a_receiver(of_payment) as url, a_receiver(of_refund) as refund_url:
        payment_id = (await merchant.pay(paymentAuthCode=CODE, paymentNotifyUrl=url))["paymentId"]
        for value, address in (("500", refund_url), ("300", "")):
            named = {"refundNotifyUrl": address} if address else {}
            await merchant.refund(payment_id, value, refundRequestId=f"own-{value}", **named)
        for _ in range(4):
            await deliver_webhooks(merchant.core)

    [(signed, header, body)] = of_refund
    signature.verify(signed, header, public_keys(merchant.core))
    told = json.loads(body)
    assert (told["refundRequestId"], told["refundStatus"]) == ("own-500", "SUCCESS")
    assert told["refundAmount"] == {"currency": "CLP", "value": "500"}
    assert told["refundResult"]["resultStatus"] == "S"
    assert {told["paymentId"], json.loads(of_payment[0][2])["paymentId"]} == {payment_id}
    assert len(of_payment) == 3


@pytest.mark.parametrize("url", ["ftp://shop.example/x", "http://10.0.0.1/notify", "nonsense"])
async def test_an_address_that_may_not_be_called_is_refused_with_the_refund(
    merchant: Merchant, url: str
) -> None:
    await a_user(merchant, clp=5000)
    payment_id = (await merchant.pay(paymentAuthCode=CODE))["paymentId"]

    refused = await merchant.refund(payment_id, "500", refundNotifyUrl=url)
    done = await merchant.refund(payment_id, "2000")

    assert refused["result"]["resultStatus"] == "F"
    assert done["result"]["resultStatus"] == "S", "nothing had been given back"
