"""A bank transfer brought a part of what is owed: every interface says what is missing."""

import json
from typing import Any

import grpc.aio
import pytest
from tests.faces.test_modes import Asked, Side, channel, signed_inquiry
from tests.faces.test_money_afterwards import Story, Told, by_key, last_letter
from tests.reconciliation.test_transfers_of_another_amount import came, expected, send
from tests.shop import Shop

from kassa.faces.wallet.contract import FACE
from kassa_protos.orders.v1 import orders_pb2, orders_pb2_grpc

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
assert channel  # the fixture
SAID = "44.00 CNY of 100.00 CNY came by transfer; 56.00 CNY are missing"


@pytest.fixture
async def told(shop: Shop, client: Any) -> Told:
    side = Side(shop.core, client, shop.company)
    await side.register()
    payment = await expected(
        shop,
        face="gateway",
        request_scope=f"{FACE}.pay:{side.wallet_id}",
        request_id="R-1",
        notify_url="https://shop.example/hook",
        notify_kind="standard",
    )
    await shop.sql("update payment set number = 7, payer = 'ann' where id = $1", payment.id)
    await send(shop, came(payment, 4_400))
    return Told(side, payment, "", Story(acts=()))


async def test_orders_say_it_in_their_verdict(told: Told, channel: grpc.aio.Channel) -> None:
    order, client = told.payment.order_id, told.side.orders_client
    body = json.dumps({"order_id": order}).encode()
    verdict = (await told.ask(Asked("POST", "/v1/orders:verify", client, body))).json()
    verify = orders_pb2_grpc.PaymentServiceStub(channel).VerifyPayment
    by_grpc = await verify(
        orders_pb2.VerifyPaymentRequest(order_id=order), metadata=tuple(client.items())
    )

    assert (verdict["status"], verdict["message"]) == ("pending", SAID)
    assert (by_grpc.status, by_grpc.message) == ("pending", SAID)


async def test_the_customers_app_sees_what_came_and_what_is_missing(told: Told) -> None:
    headers = {"authorization": f"Bearer {told.side.token()}"}
    shown = (await told.ask(Asked("GET", "/api/v1/payments/7", headers))).json()["data"]

    assert shown["status"] == "PENDING"
    assert (shown["unappliedAmount"], shown["missingAmount"]) == (44, 56)


async def test_the_wallet_says_it_in_words(told: Told) -> None:
    said = (await told.ask(signed_inquiry(told.side, told.payment.id))).json()

    assert json.loads(said["extendInfo"]) == {"detail": SAID}


async def test_the_business_face_has_its_figure(told: Told) -> None:
    path = f"/v1/payment/{told.payment.id}"
    said = (await told.ask(Asked("GET", path, by_key(told)))).json()

    assert said["unappliedAmount"]["units"] == "44"


async def test_the_merchants_letter_has_its_figure(told: Told) -> None:
    last = await last_letter(told.side.core)

    assert last["type"] == "payment.transfer_received"
    assert last["data"]["unapplied_amount"] == "44.00"
