"""The page of ours that leads on to Razorpay's hosted checkout, and the way back from it."""

import asyncio
import html
import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from tests.asgi import Client
from tests.cashier.shop import a_payer
from tests.company import DemoCompany

from kassa import app, assembly
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.http import Answered, ProviderHttp
from kassa.connectors.razorpay.connector import RazorpayConnector
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.store import payments
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.settings import Settings
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio

_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_FORM = {"content-type": "application/x-www-form-urlencoded"}


async def begun(
    core: Core, client: Client, demo: DemoCompany, razorpay: RazorpayConnector
) -> Payment:
    """A payment that waits for its payer at the hosted checkout."""
    core.connectors["rzp"] = razorpay
    payer = await a_payer(
        core, client, demo, amount=Money(50_000, "INR"), capture_method=CaptureMethod.MANUAL
    )
    submission = Submission(
        company_id=payer.company_id,
        payment_id=payer.payment_id,
        method=Method.CREDIT_CARD,
        connector="rzp",
        instrument="",
        instrument_shown="",
        actor="payer",
        return_url=core.policy.base_url,
    )
    payment = await submit_payment(core, submission)
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    return payment


def place_of(core: Core, payment: Payment) -> str:
    return payment.redirect_url.removeprefix(core.policy.base_url)


async def reference_of(core: Core, payment: Payment) -> str:
    async with core.db.connection() as connection:
        [attempt] = await payments.attempts_of(connection, [(payment.company_id, payment.id)])
    return attempt.provider_reference


async def test_a_payer_gets_to_the_checkout_by_form_and_back_again(
    core: Core,
    client: Client,
    demo: DemoCompany,
    razorpay: RazorpayConnector,
    simulator: Simulator,
) -> None:
    core.policy = replace(core.policy, query_interval=timedelta(0))  # this payer is quick
    payment = await begun(core, client, demo, razorpay)
    place = place_of(core, payment)

    page = await client.request("GET", place, headers={"accept-language": "zh-CN"})
    assert page.status == 200
    assert "前往 Razorpay" in page.text
    assert f"form-action {simulator.url};" in page.headers["content-security-policy"]
    fields = {
        html.unescape(name): html.unescape(value) for name, value in _FIELD.findall(page.text)
    }
    assert fields["order_id"] == await reference_of(core, payment)
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
    said = dict(_pairs(paid.body.decode()))
    back = await client.request(
        "POST",
        fields["callback_url"].removeprefix(core.policy.base_url),
        headers=_FORM,
        content=urlencode(said),
    )
    assert back.status == 303
    there = back.headers["location"].removeprefix(core.policy.base_url)
    assert fields["cancel_url"] == back.headers["location"]
    shown = await client.request("GET", there)
    assert shown.status == 200
    found = (await get_payment(core, payment.company_id, payment.id)).payment
    assert found.status is PaymentStatus.AUTHORIZED

    again = await client.request(
        "POST",
        fields["callback_url"].removeprefix(core.policy.base_url),
        headers=_FORM,
        content=urlencode(said),
    )
    assert again.status == 303  # also when it is known by then what became of it
    assert (await client.request("GET", place)).status == 404  # nothing is to be paid any more

    forged = {**said, "razorpay_signature": "0" * 64}
    refused = await client.request(
        "POST",
        fields["callback_url"].removeprefix(core.policy.base_url),
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


async def test_a_provider_that_does_not_answer_keeps_no_payer_from_its_page(
    core: Core,
    client: Client,
    demo: DemoCompany,
    razorpay: RazorpayConnector,
    simulator: Simulator,
) -> None:
    payment = await begun(core, client, demo, razorpay)
    simulator.set_faults([{"provider": "razorpay", "operation": "query", "fault": "error_500"}])
    assert (await client.request("GET", place_of(core, payment))).status == 200


async def test_the_page_is_found_by_the_order_too(
    core: Core, client: Client, demo: DemoCompany, razorpay: RazorpayConnector
) -> None:
    """So it was called before; a payer may have it open."""
    payment = await begun(core, client, demo, razorpay)
    reference = await reference_of(core, payment)
    assert (await client.request("GET", f"/providers/rzp/pay/{reference}")).status == 200


async def test_strangers_cost_the_provider_nothing(
    core: Core,
    client: Client,
    demo: DemoCompany,
    razorpay: RazorpayConnector,
    simulator: Simulator,
) -> None:
    payment = await begun(core, client, demo, razorpay)
    foreign = place_of(core, payment).replace("/rzp/", "/sandbox/")
    before = len(simulator.calls(provider="razorpay"))
    shapes = (
        "order_{:014d}",
        "at1_{:026d}",
        "at999_{:026d}",
        "pay_{}",
        "\u2764{}",
        "{0}" * 60,
        "..%2f{}",
    )
    for number in range(10):
        for shape in shapes:
            reference = quote(shape.format(number))
            for way in ("pay", "paid"):
                answer = await client.request("GET", f"/providers/rzp/{way}/{reference}")
                assert answer.status in (404, 429), reference
                posted = await client.request("POST", f"/providers/rzp/paid/{reference}")
                assert posted.status in (404, 429), reference
    assert (await client.request("GET", foreign)).status == 429
    assert len(simulator.calls(provider="razorpay")) == before


async def test_many_who_ask_for_an_open_payment_cost_one_question_in_three_seconds(
    core: Core,
    client: Client,
    demo: DemoCompany,
    settings: Settings,
    database_url: str,
    razorpay: RazorpayConnector,
    simulator: Simulator,
) -> None:
    payment = await begun(core, client, demo, razorpay)
    place = place_of(core, payment)
    before = len(simulator.calls(provider="razorpay", operation="query"))
    await client.request("GET", place)
    once = len(simulator.calls(provider="razorpay", operation="query")) - before
    async with assembly.open_core(settings, database_url) as second:  # another process of ours
        second.connectors["rzp"] = razorpay
        other = Client(app.http_app(second, settings))
        seen = await asyncio.gather(
            *(one.request("GET", place) for one in (client, other) for _ in range(20)),
            *(client.request("POST", place.replace("/pay/", "/paid/")) for _ in range(20)),
        )
    assert {answer.status for answer in seen} == {200, 303}
    assert once >= 1  # one question; Razorpay answers it in several calls
    assert len(simulator.calls(provider="razorpay", operation="query")) - before == once
