"""Cashfree's payment links as payers and shops meet them."""

from datetime import UTC, datetime
from decimal import Decimal

import aiohttp
import pytest
from tests.simulator.browser import Browser
from tests.simulator.cashfree_shop import MERCHANT, Client

from kassa_simulator.running import running

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
LINK = {
    "link_id": "link-1",
    "link_amount": Decimal("10.15"),
    "link_currency": "INR",
    "link_purpose": "Tea",
    "customer_details": {"customer_phone": "9000090000"},
    "link_meta": {"return_url": "https://shop.example/r"},
}
pytestmark = pytest.mark.anyio


@pytest.fixture
async def simulator(tmp_path):
    async with running(tmp_path, merchants=[MERCHANT], start=START) as simulator:
        yield simulator


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(simulator, http):
    return Client(http, simulator.url)


async def test_a_link_is_paid_on_its_page_and_shows_its_order(simulator, client, http):
    link = await client.ask("POST", "/links", LINK)
    assert (link.status, link.body["link_status"]) == (200, "ACTIVE")
    assert (await client.ask("GET", "/links/link-1/orders")).body == []
    browser = Browser(http)

    back = await browser.press(await browser.open(link.body["link_url"]), "pay")

    assert back.headers["location"] == "https://shop.example/r"
    paid = (await client.ask("GET", "/links/link-1")).body
    assert (paid["link_status"], paid["link_amount_paid"]) == ("PAID", Decimal("10.15"))
    [order] = (await client.ask("GET", "/links/link-1/orders")).body
    assert order["order_tags"] == {"cf_link_id": paid["cf_link_id"], "link_id": "link-1"}
    [payment] = (await client.ask("GET", f"/orders/{order['order_id']}/payments")).body
    assert payment["payment_status"] == "SUCCESS"
    charge = simulator.books.charge_by_key("cashfree", "shop", "link-1")
    assert charge.id == payment["cf_payment_id"]


async def test_a_cancelled_link_is_paid_by_nobody(simulator, client):
    await client.ask("POST", "/links", LINK)

    cancelled = await client.ask("POST", "/links/link-1/cancel", {})
    again = await client.ask("POST", "/links/link-1/cancel", {})

    assert cancelled.body["link_status"] == "CANCELLED"
    assert again.status == 400
    assert simulator.books.charge_by_key("cashfree", "shop", "link-1").status == "closed"


async def test_an_id_makes_one_link_and_others_are_not_found(client):
    await client.ask("POST", "/links", LINK)

    assert (await client.ask("POST", "/links", LINK)).status == 409
    assert (await client.ask("GET", "/links/link-2")).body["code"] == "link_not_found"
