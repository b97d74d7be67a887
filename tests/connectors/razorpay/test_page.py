"""The page of ours that leads on to Razorpay's hosted checkout, and the way back from it."""

import html
import re
from urllib.parse import urlencode

import pytest
from tests.asgi import Client
from tests.connectors.razorpay.conftest import KEY, charge_request

from kassa.connectors.base import ActionNeeded, Authorized
from kassa.connectors.http import Answered, ProviderHttp
from kassa.connectors.razorpay.connector import RazorpayConnector
from kassa.simulator.running import Simulator
from kassa.usecases.core import Core

pytestmark = pytest.mark.anyio

_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_a_payer_gets_to_the_checkout_by_form_and_back_again(
    core: Core, client: Client, razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    core.connectors["rzp"] = razorpay
    begun = await razorpay.charge(charge_request(capture=False))
    assert isinstance(begun, ActionNeeded)
    place = begun.url.removeprefix("https://pay.example")

    page = await client.request("GET", place, headers={"accept-language": "zh-CN"})
    assert page.status == 200
    assert "前往 Razorpay" in page.text
    assert f"form-action {simulator.url};" in page.headers["content-security-policy"]
    fields = {
        html.unescape(name): html.unescape(value) for name, value in _FIELD.findall(page.text)
    }
    assert fields["order_id"] == begun.reference
    assert "key-secret" not in page.text

    http = ProviderHttp()
    try:
        paid = await http.post(
            f"{simulator.url}/razorpay/v1/checkout/embedded",
            headers=_FORM,
            body=urlencode({**fields, "action": "pay"}).encode(),
        )
        assert isinstance(paid, Answered)
    finally:
        await http.close()
    told = await razorpay.query(KEY)
    assert isinstance(told, Authorized)

    said = dict(_pairs(paid.body.decode()))
    back = await client.request(
        "POST",
        fields["callback_url"].removeprefix("https://pay.example"),
        headers=_FORM,
        content=urlencode(said),
    )
    assert (back.status, back.headers["location"]) == (303, "https://shop.example/back")

    forged = {**said, "razorpay_signature": "0" * 64}
    refused = await client.request(
        "POST",
        fields["callback_url"].removeprefix("https://pay.example"),
        headers=_FORM,
        content=urlencode(forged),
    )
    assert refused.status == 404


def _pairs(page: str) -> list[tuple[str, str]]:
    found = re.findall(r'name="(razorpay_[a-z_]+)"\s+value="([^"]*)"', page)
    assert {name for name, _ in found} == {
        "razorpay_payment_id",
        "razorpay_order_id",
        "razorpay_signature",
    }
    return [(name, html.unescape(value)) for name, value in found]


async def test_nothing_is_shown_for_what_nobody_can_pay(
    core: Core, client: Client, razorpay: RazorpayConnector
) -> None:
    core.connectors["rzp"] = razorpay
    for place in (
        "/providers/rzp/pay/order_nobodys",
        "/providers/rzp/paid/order_nobodys",
        "/providers/sandbox/pay/order_1",
        "/providers/nobody/pay/order_1",
        "/providers/nobody/paid/order_1",
    ):
        answer = await client.request("GET", place)
        assert answer.status == 404, place


async def test_guesses_are_braked(core: Core, client: Client, razorpay: RazorpayConnector) -> None:
    core.connectors["rzp"] = razorpay
    seen = {
        (await client.request("GET", f"/providers/rzp/pay/order_{n}")).status for n in range(12)
    }
    assert seen == {404, 429}


async def test_a_provider_that_does_not_answer_is_no_dead_payment(
    core: Core, client: Client, razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    core.connectors["rzp"] = razorpay
    simulator.set_faults([{"provider": "razorpay", "operation": "query", "fault": "error_500"}])
    answer = await client.request("GET", "/providers/rzp/pay/order_1")
    assert answer.status == 503
