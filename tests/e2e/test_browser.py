"""One payment through each interface, paid in a real browser on a real server, seen by all five."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from playwright.sync_api import Browser, Page, expect, sync_playwright
from standardwebhooks import Webhook
from tests.cashier.conftest import NO_BROWSER, chromium
from tests.e2e.receiver import Letter, Receiver, a_receiver
from tests.e2e.server import Server, a_server
from tests.e2e.wire import Call, Faces, fresh

from kassa_protos.orders.v1 import orders_pb2, orders_pb2_grpc
from moego.business.payment.v1 import payment_pb2, payment_pb2_grpc

PAID_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
APPROVED_CARD = "4000 0000 0000 3220"
SECRETS = (PAID_CARD.replace(" ", ""), APPROVED_CARD.replace(" ", ""), "whsec_", "PRIVATE KEY")

PAID = {
    "business": "PAID",
    "business over gRPC": "PAID",
    "orders": "paid",
    "orders' verdict": ("200", "success"),
    "orders' verdict over gRPC": ("200", "success"),
    "checkout": ("CONFIRMED", True),
    "wallet": "SUCCESS",
    "gateway": (True, None),
}


@dataclass
class Town:
    """A running server, a merchant with its own web server, and a browser for the payers."""

    server: Server
    faces: Faces
    receiver: Receiver
    channel: grpc.Channel
    browser: Browser
    webhook: Webhook

    def read(self, call: Call) -> Any:
        reply = self.server.ask(call)
        assert reply.status == 200, (call.path, reply.status, reply.body)
        return reply.json()

    def wallet(self, call: Call) -> Any:
        return self.faces.check_wallet_answer(call.path, self.server.ask(call))

    def open(self, address: str, **options: Any) -> Page:
        page = self.browser.new_context(locale="en-US", **options).new_page()
        page.set_default_timeout(15_000)  # milliseconds
        page.goto(address)
        return page

    def truth(self, order_id: str, number: int) -> dict[str, Any]:
        """What each interface says of the order's payment, in the words of PAID."""
        (listed,) = self.read(self.faces.list_payments(order_id))["payments"]
        payment_id = listed["id"]
        shown = self.read(self.faces.payment(payment_id))
        assert shown == listed
        (payment,) = self.read(self.faces.order(order_id, "/payments"))
        verdict = self.read(self.faces.verify_order(order_id))
        checkout = self.read(self.faces.checkout(number))["data"]
        inquiry = self.wallet(self.faces.inquire(paymentId=payment_id))
        result = self.read(self.faces.result(payment_id))
        return {
            "business": shown["status"],
            "business over gRPC": self.business_over_grpc(payment_id),
            "orders": payment["payment_status"],
            "orders' verdict": (verdict["code"], verdict["status"]),
            "orders' verdict over gRPC": self.verdict_over_grpc(order_id),
            "checkout": (checkout["status"], checkout["confirmed"]),
            "wallet": inquiry["paymentStatus"],
            "gateway": (result["paymentResult"], result["error"]),
        }

    def business_over_grpc(self, payment_id: str) -> str:
        message = payment_pb2_grpc.PaymentServiceStub(self.channel).GetPayment(
            payment_pb2.GetPaymentRequest(id=payment_id),
            metadata=tuple(self.faces.key().items()),
        )
        return str(json_format.MessageToDict(message)["status"])

    def verdict_over_grpc(self, order_id: str) -> tuple[str, str]:
        verdict = orders_pb2_grpc.PaymentServiceStub(self.channel).VerifyPayment(
            orders_pb2.VerifyPaymentRequest(order_id=order_id), metadata=self.client()
        )
        return verdict.code, verdict.status

    def client(self) -> tuple[tuple[str, str], ...]:
        demo = self.faces.demo
        return (
            ("x-client-id", demo.orders_client_id),
            ("x-client-secret", demo.orders_client_secret),
        )

    def verified(self, letter: Letter) -> Any:
        """The letter's content, believed only with the signature of Standard Webhooks."""
        return self.webhook.verify(letter.body, letter.headers)

    def opened_by_a_customer(self, order_id: str) -> int:
        """The number under which the checkout interface knows the order's payment."""
        return int(self.read(self.faces.open_checkout(order_id))["data"]["id"])


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    executable = chromium()
    if executable is None:
        pytest.skip(NO_BROWSER)
    with a_server() as server, a_receiver() as receiver, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        with grpc.insecure_channel(server.grpc_target) as channel:
            secret = server.run("webhook-secret").stdout.strip()
            yield Town(server, server.faces(), receiver, channel, browser, Webhook(secret))
        browser.close()

        proof = server.run("verify")
        assert proof.returncode == 0, proof.stdout
        assert server.stop() == 0
        assert server.left_over() == []
        assert "Traceback" not in server.log, server.log
        assert not [secret for secret in SECRETS if secret in server.log]


def pay_by_card(page: Page, number: str) -> None:
    page.locator("label", has_text="Credit or debit card").click()
    page.get_by_label("Card number").fill(number)
    page.get_by_role("button", name="Pay CN¥299.90").click()


def expect_paid(page: Page) -> None:
    expect(page.get_by_role("heading", name="Payment complete")).to_be_visible()


def test_an_order_made_over_grpc_is_paid_by_card_without_scripts(town: Town) -> None:
    news = f"/news/{fresh('order')}?shop=1"
    town.receiver.refuse_first.add(news)
    made = orders_pb2_grpc.PaymentServiceStub(town.channel).CreateOrder(
        orders_pb2.CreateOrderRequest(
            customer_name="Alice",
            customer_email="alice@example.com",
            customer_phone="9999999999",
            order_amount=299.9,
            order_meta=orders_pb2.OrderMeta(notify_url=town.receiver.url(news)),
        ),
        metadata=town.client(),
    )
    number = town.opened_by_a_customer(made.order_id)

    page = town.open(
        f"{town.server.base_url}/pay/{made.payment_session_id}", java_script_enabled=False
    )
    pay_by_card(page, PAID_CARD)

    expect_paid(page)
    assert town.truth(made.order_id, number) == PAID
    refused = town.receiver.wait_for(news)
    taken = town.receiver.wait_for(news, lambda letter: letter is not refused)
    assert taken.headers["webhook-id"] == refused.headers["webhook-id"]
    told = town.verified(refused)
    assert town.verified(taken) == told
    assert told["type"] == "payment.paid"
    assert told["data"]["order_id"] == made.order_id
    assert told["data"]["captured_amount"] == "299.90"


def test_an_order_made_over_http_is_declined_and_then_paid_by_another_card(town: Town) -> None:
    news = f"/news/{fresh('order')}"
    meta = {"notify_url": town.receiver.url(news), "return_url": "https://shop.example/{order_id}"}
    made = town.read(town.faces.create_order(order_meta=meta))
    order_id = made["order_id"]
    number = town.opened_by_a_customer(order_id)

    page = town.open(f"{town.server.base_url}/pay/{made['payment_session_id']}")
    pay_by_card(page, DECLINED_CARD)
    expect(page.get_by_role("alert")).to_contain_text("Your bank declined this card.")
    declined = town.truth(order_id, number)
    pay_by_card(page, PAID_CARD)

    expect_paid(page)
    back = page.get_by_role("link", name=re.compile("^Return to "))
    assert back.get_attribute("href") == f"https://shop.example/{order_id}"
    assert declined["business"] == declined["business over gRPC"] == "FAILED"
    assert declined["gateway"][1].startswith("FAILED: card_declined: ")
    assert town.truth(order_id, number) == PAID
    types = [
        town.verified(town.receiver.wait_for(news, has_type(kind)))["type"]
        for kind in ("payment.failed", "payment.paid")
    ]
    assert types == ["payment.failed", "payment.paid"]


def has_type(kind: str) -> Any:
    return lambda letter: json.loads(letter.body)["type"] == kind


def test_a_customers_checkout_is_paid_by_a_card_that_asks_for_approval(town: Town) -> None:
    made = town.read(town.faces.create_order())
    opened = town.read(town.faces.open_checkout(made["order_id"]))["data"]
    assert opened["status"] == "PENDING"
    simulator = f"http://127.0.0.1:{town.server.simulator_port}"
    assert opened["orderString"].startswith(f"{simulator}/alipay/gateway.do?")

    page = town.open(
        f"{town.server.base_url}/pay/{made['payment_session_id']}", java_script_enabled=False
    )
    pay_by_card(page, APPROVED_CARD)
    page.get_by_role("button", name="Approve").click()

    expect_paid(page)
    assert town.truth(made["order_id"], opened["id"]) == PAID
    assert town.read(town.faces.checkout(opened["id"], "verify/")) == {"data": True}


def test_a_wallet_payment_is_paid_by_signing_in_to_the_wallet(town: Town) -> None:
    request, news = fresh("request"), f"/wallet/{fresh('news')}?of=kassa"
    call = town.faces.pay(request, paymentNotifyUrl=town.receiver.url(news))
    accepted = town.wallet(call)
    assert accepted["result"]["resultStatus"] == "S"
    payment_id = accepted["paymentId"]
    order_id = town.read(town.faces.payment(payment_id))["orderId"]
    number = town.opened_by_a_customer(order_id)

    page = town.open(accepted["redirectActionForm"]["redirectionUrl"], java_script_enabled=False)
    page.locator("label", has_text="Wallet balance").click()
    page.get_by_label("Wallet user ID").fill(town.faces.demo.wallet_user_id)
    page.get_by_label("Wallet code").fill(town.faces.demo.wallet_auth_code)
    page.get_by_role("button", name="Pay CN¥299.90").click()

    expect_paid(page)
    assert town.truth(order_id, number) == PAID
    assert town.wallet(call)["result"]["resultCode"] == "SUCCESS"
    letter = town.receiver.wait_for(news)
    town.faces.check_wallet_signature(news, letter.headers, letter.body, time_header="request-time")
    told = json.loads(letter.body)
    assert told["paymentRequestId"] == request
    assert told["paymentStatus"] == "SUCCESS"
    assert told["paymentResult"]["resultStatus"] == "S"


def test_a_gateway_request_is_paid_where_its_error_says(town: Town) -> None:
    order_id = fresh("order")
    made = town.read(town.faces.request(order_id))
    kind, _, said = made["error"].partition(": ")
    assert (made["paymentResult"], kind) == (False, "PENDING")
    number = town.opened_by_a_customer(order_id)

    page = town.open(said.rpartition(" ")[2])
    pay_by_card(page, PAID_CARD)

    expect_paid(page)
    assert town.truth(order_id, number) == PAID
    assert town.read(town.faces.request(order_id)) == {
        "paymentRequestId": made["paymentRequestId"],
        "paymentResult": True,
        "error": None,
    }


def test_grpc_tells_its_services_and_that_they_are_well(town: Town) -> None:
    services = ProtoReflectionDescriptorDatabase(town.channel).get_services()
    for name in ("moego.business.payment.v1.PaymentService", "kassa.orders.v1.PaymentService"):
        well = health_pb2_grpc.HealthStub(town.channel).Check(
            health_pb2.HealthCheckRequest(service=name)
        )
        assert name in services
        assert well.status == health_pb2.HealthCheckResponse.SERVING
