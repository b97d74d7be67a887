"""Razorpay's hosted checkout and payment links, as payers and shops meet them."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from aiohttp import web
from razorpay.errors import BadRequestError
from tests.simulator.browser import Browser
from tests.simulator.razorpay_shop import KEY_ID, MERCHANT, WEBHOOK_SECRET, a_client, an_order, say

from kassa_simulator.frame import Merchant
from kassa_simulator.running import running

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
BACK = "https://shop.example/back?shop=1"
pytestmark = pytest.mark.anyio


@pytest.fixture
async def simulator(tmp_path):
    async with running(tmp_path, merchants=[MERCHANT], start=START) as simulator:
        yield simulator


@pytest.fixture
def client(simulator):
    return a_client(simulator)


@pytest.fixture
async def browser():
    async with aiohttp.ClientSession() as session:
        yield Browser(session)


async def the_checkout(simulator, browser, order, **more):
    fields = {
        "key_id": KEY_ID,
        "order_id": order["id"],
        "amount": str(order["amount"]),
        "currency": "INR",
        "name": "Corner <Shop>",
        "prefill[email]": "payer@example.com",
        "callback_url": BACK,
        **more,
    }
    return await browser.post(f"{simulator.url}/razorpay/v1/checkout/embedded", fields)


async def test_a_payer_pays_and_the_shop_gets_a_signature_it_can_verify(simulator, client, browser):
    order = await an_order(client)

    page = await the_checkout(simulator, browser, order)
    assert "INR 500.00" in page.text
    assert "Corner &lt;Shop&gt;" in page.text
    onward = await browser.press(page, "pay")

    assert onward.target == BACK
    assert onward.fields["razorpay_order_id"] == order["id"]
    assert client.utility.verify_payment_signature(onward.fields)
    payment = await say(client.payment.fetch, onward.fields["razorpay_payment_id"])
    assert payment["status"] == "captured"


async def test_a_declined_payer_comes_back_with_the_error_and_may_pay_later(
    simulator, client, browser
):
    order = await an_order(client)

    onward = await browser.press(await the_checkout(simulator, browser, order), "decline")

    assert onward.target == BACK
    assert onward.fields["error[code]"] == "BAD_REQUEST_ERROR"
    metadata = json.loads(onward.fields["error[metadata]"])
    assert metadata["order_id"] == order["id"]
    again = await browser.press(await the_checkout(simulator, browser, order), "pay")
    assert again.fields["razorpay_payment_id"] != metadata["payment_id"]
    assert simulator.money("razorpay")["INR"]["charges"] == 1


async def test_nobody_pays_an_order_twice(simulator, client, browser):
    order = await an_order(client)
    page = await the_checkout(simulator, browser, order)
    await browser.press(page, "pay")

    again = await browser.press(page, "pay")

    assert again.fields == {}
    assert simulator.money("razorpay")["INR"]["charges"] == 1


async def test_who_leaves_goes_to_the_cancel_address(simulator, client, browser):
    order = await an_order(client)
    page = await the_checkout(simulator, browser, order, cancel_url="https://shop.example/no")

    left = await browser.press(page, "leave")

    assert (left.status, left.headers["location"]) == (303, "https://shop.example/no")


@pytest.mark.parametrize(
    "change, status",
    [({"key_id": "rzp_test_other"}, 401), ({"order_id": "order_x"}, 400), ({"amount": "1"}, 400)],
)
async def test_a_wrong_checkout_form_opens_nothing(simulator, client, browser, change, status):
    order = await an_order(client)

    assert (await the_checkout(simulator, browser, order, **change)).status == status


async def test_no_script_is_followed_as_an_address(simulator, client, browser):
    order = await an_order(client)
    page = await the_checkout(simulator, browser, order, callback_url="javascript:alert(1)")

    paid = await browser.press(page, "pay")

    assert "javascript:" not in paid.text


async def test_a_mere_address_opens_the_checkout_too(simulator, client, browser):
    order = await an_order(client)

    page = await browser.open(
        f"{simulator.url}/razorpay/pay/{order['id']}?callback_url=https://shop.example/b"
    )
    onward = await browser.press(page, "pay")

    assert onward.target == "https://shop.example/b"
    assert client.utility.verify_payment_signature(onward.fields)


async def a_link(client, **more):
    return await say(
        client.payment_link.create,
        {
            "amount": 1000,
            "currency": "INR",
            "reference_id": "ref-1",
            "description": "Tea",
            "callback_url": BACK,
            "callback_method": "get",
            **more,
        },
    )


async def test_a_paid_link_sends_the_payer_back_signed(simulator, client, browser):
    link = await a_link(client)
    assert link["status"] == "created"

    back = await browser.press(await browser.open(link["short_url"]), "pay")

    assert back.headers["location"].startswith(BACK + "&")
    said = dict(parse_qsl(urlsplit(back.headers["location"]).query))
    assert said["razorpay_payment_link_status"] == "paid"
    assert client.utility.verify_payment_link_signature(
        {
            "payment_link_id": link["id"],
            "payment_link_reference_id": "ref-1",
            "payment_link_status": "paid",
            "razorpay_payment_id": said["razorpay_payment_id"],
            "razorpay_signature": said["razorpay_signature"],
        }
    )
    found = await say(client.payment_link.all, {"reference_id": "ref-1"})
    [paid] = found["payment_links"]
    assert (paid["status"], paid["amount_paid"]) == ("paid", 1000)
    assert paid["payments"][0]["payment_id"] == said["razorpay_payment_id"]
    assert [letter["event"] for letter in simulator.letters()][-1] == "payment_link.paid"


async def test_a_declined_link_can_still_be_paid(simulator, client, browser):
    link = await a_link(client)

    page = await browser.press(await browser.open(link["short_url"]), "decline")

    assert (await browser.press(page, "pay")).status == 303


async def test_a_cancelled_link_is_paid_by_nobody(simulator, client, browser):
    link = await a_link(client)
    page = await browser.open(link["short_url"])

    cancelled = await say(client.payment_link.cancel, link["id"])

    assert cancelled["status"] == "cancelled"
    assert (await browser.press(page, "pay")).status == 200
    assert simulator.money("razorpay") == {}
    with pytest.raises(BadRequestError, match="cannot cancel or expire"):
        await say(client.payment_link.cancel, link["id"])


async def test_a_link_expires_by_the_clock(simulator, client, browser):
    with pytest.raises(BadRequestError, match="15 minutes in future"):
        await a_link(client, expire_by=int(START.timestamp()) + 60)
    link = await a_link(client, expire_by=int(START.timestamp()) + 3600)

    simulator.advance(timedelta(hours=2))

    assert (await say(client.payment_link.fetch, link["id"]))["status"] == "expired"


async def test_a_reference_makes_one_link(simulator, client):
    await a_link(client)

    with pytest.raises(BadRequestError, match="reference ID already attempted"):
        await a_link(client)


async def test_a_letter_arrives_that_the_official_client_verifies(tmp_path):
    heard = []

    async def hear(request):
        heard.append((request.headers.copy(), (await request.read()).decode()))
        return web.Response()

    shop = web.Application()
    shop.add_routes([web.post("/hook", hear)])
    runner = web.AppRunner(shop, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    merchant = Merchant(
        provider="razorpay",
        name="shop",
        credentials=MERCHANT.credentials,
        notify_url=f"http://127.0.0.1:{port}/hook",
    )
    try:
        async with running(tmp_path, merchants=[merchant], start=START) as simulator:
            client = a_client(simulator)
            await an_order(client)
            charge = simulator.books.charge_by_key("razorpay", "shop", "r-1")
            simulator.act("razorpay", charge.id, "pay")
            await simulator.post_letters()
    finally:
        await runner.cleanup()

    events = []
    for headers, body in heard:
        signature = headers["X-Razorpay-Signature"]
        assert client.utility.verify_webhook_signature(body, signature, WEBHOOK_SECRET)
        events.append(json.loads(body)["event"])
    assert sorted(events) == ["order.paid", "payment.authorized", "payment.captured"]
    assert len({headers["X-Razorpay-Event-Id"] for headers, _ in heard}) == 3
