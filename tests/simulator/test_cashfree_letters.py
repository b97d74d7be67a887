"""What Cashfree tells a shop by itself, and what it pays out."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import pytest
from tests.simulator.cashfree_shop import CLIENT_SECRET, MERCHANT, Client

from kassa_simulator.cashfree import PROTOCOL
from kassa_simulator.cashfree.letters import signature
from kassa_simulator.cashfree.wire import loads
from kassa_simulator.frame import Told
from kassa_simulator.running import running

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
pytestmark = pytest.mark.anyio

BODY = (
    b'{"data":{"order":{"order_id":"o1","order_amount":170.00,"order_currency":"INR",'
    b'"order_tags":null},"payment":{"cf_payment_id":"975654863","payment_status":"SUCCESS",'
    b'"payment_amount":170.00,"payment_currency":"INR"}},'
    b'"event_time":"2026-11-22T05:30:00+05:30","type":"PAYMENT_SUCCESS_WEBHOOK"}'
)


@pytest.fixture
async def simulator(tmp_path):
    async with running(tmp_path, merchants=[MERCHANT], start=START) as simulator:
        yield simulator


@pytest.fixture
async def client(simulator):
    async with aiohttp.ClientSession() as session:
        yield Client(session, simulator.url)


def act(simulator, action, order_id="order-1"):
    charge = simulator.books.charge_by_key("cashfree", "shop", order_id)
    simulator.act("cashfree", charge.id, action)


def told(simulator):
    """The letters' texts as the protocol was given them, oldest first."""
    rows = simulator.books.connection.execute("SELECT event, data FROM letters ORDER BY number")
    return [(row["event"], loads(json.loads(row["data"])["text"])) for row in rows]


def test_a_signature_is_over_the_time_and_the_body_without_a_sign_between():
    assert signature("cf-secret", "1746427759733", BODY) == (
        "sHUR4DUGwB7DcPqpL353DHwLWXTYDH+o6lLhNIccbhU="
    )


@pytest.mark.parametrize("forged", [False, True])
@pytest.mark.parametrize("version", ["2023-08-01", "2025-01-01"])
def test_a_letter_is_signed_with_the_client_secret(forged, version):
    told = Told(
        id="letter-1",
        event="PAYMENT_FAILED_WEBHOOK",
        charge_id="1",
        data={
            "text": '{"payment":{"payment_amount":170.00,"payment_status":"FAILED"}}',
            "version": version,
        },
        at=START,
        url="http://127.0.0.1:9/of-the-order",
    )

    letter = PROTOCOL.write(MERCHANT, told, now=START, forged=forged)

    timestamp = letter.headers["x-webhook-timestamp"]
    assert timestamp == str(int(START.timestamp()) * 1000)
    mac = hmac.new(CLIENT_SECRET.encode(), timestamp.encode() + letter.body, hashlib.sha256)
    right = base64.b64encode(mac.digest()).decode()
    assert (letter.headers["x-webhook-signature"] == right) is not forged
    assert (b'"payment_amount":170.00' in letter.body) is not forged
    assert letter.headers["x-webhook-version"] == version
    assert ("x-idempotency-key" in letter.headers) is (version == "2025-01-01")
    assert letter.url == "http://127.0.0.1:9/of-the-order"


async def test_a_letter_says_the_order_the_payment_and_the_customer(client, simulator):
    await client.order(order_meta={"notify_url": "http://127.0.0.1:9/n"})

    act(simulator, "pay")

    [(event, data)] = told(simulator)
    assert event == "PAYMENT_SUCCESS_WEBHOOK"
    assert data["order"]["order_amount"] == Decimal("170.50")
    assert data["payment"]["payment_status"] == "SUCCESS"
    assert data["customer_details"]["customer_phone"] == "9000090000"
    assert "error_details" not in data


async def test_a_refunds_letter_has_numbers_for_ids(client, simulator):
    await client.order()
    act(simulator, "pay")
    await client.ask(
        "POST", "/orders/order-1/refunds", {"refund_id": "refund-1", "refund_amount": 70}
    )

    event, data = told(simulator)[-1]

    assert event == "REFUND_STATUS_WEBHOOK"
    assert data["refund"]["entity"] == "Refund"
    assert type(data["refund"]["cf_refund_id"]) is int
    assert data["refund"]["refund_amount"] == Decimal("70.00")


@pytest.mark.parametrize(
    "end, word, lost",
    [
        ("win_dispute", "CHARGEBACK_MERCHANT_WON", 0),
        ("lose_dispute", "CHARGEBACK_MERCHANT_LOST", 17_050),
    ],
)
async def test_a_dispute_takes_money_when_it_is_lost(client, simulator, end, word, lost):
    await client.order()
    act(simulator, "pay")

    act(simulator, "dispute")
    act(simulator, end)

    letters = told(simulator)[1:]
    assert [event for event, _ in letters] == ["DISPUTE_CREATED", "DISPUTE_CLOSED"]
    assert letters[1][1]["dispute"]["dispute_status"] == word
    assert simulator.money("cashfree")["INR"]["disputed_minor"] == lost


async def settled(client, simulator):
    """Three orders of one day, one of them refunded in part, and the day after."""
    for number in range(3):
        await client.order(f"order-{number}")
        act(simulator, "pay", f"order-{number}")
    body = {"refund_id": "refund-1", "refund_amount": 70}
    await client.ask("POST", "/orders/order-0/refunds", body)
    early = await client.ask("GET", "/orders/order-0/settlements")
    simulator.advance(timedelta(days=2))
    return early


WINDOW = {"start_date": "2026-11-01T00:00:00Z", "end_date": "2026-11-10T00:00:00Z"}


async def test_a_settlement_pays_what_was_taken_less_charges_and_refunds(client, simulator):
    early = await settled(client, simulator)

    one = (await client.ask("GET", "/orders/order-0/settlements")).body
    listed = await client.ask("POST", "/settlements", {"pagination": {}, "filters": WINDOW})

    assert (early.status, early.body["code"]) == (404, "settlement_not_found")
    charges = one["service_charge"] + one["service_tax"]
    assert charges == Decimal("3.41") + Decimal("0.61")
    assert one["settlement_amount"] == Decimal("170.50") - charges
    [settlement] = listed.body["data"]
    assert settlement["amount_settled"] == 3 * one["settlement_amount"] - 70
    assert settlement["cf_settlement_id"] == one["cf_settlement_id"]
    assert [event for event, _ in told(simulator)].count("SETTLEMENT_SUCCESS") == 1


async def test_recon_is_read_page_by_page(client, simulator):
    await settled(client, simulator)
    rows, cursor, pages = [], None, 0

    while pages == 0 or cursor:
        body = {"pagination": {"limit": 2, "cursor": cursor}, "filters": WINDOW}
        page = (await client.ask("POST", "/settlement/recon", body)).body
        rows.extend(page["data"])
        cursor, pages = page["cursor"], pages + 1

    assert pages == 2
    kinds = [row["event_details"]["event_type"] for row in rows]
    assert kinds == ["PAYMENT", "PAYMENT", "PAYMENT", "REFUND"]
    assert rows[3]["refund_details"]["refund_id"] == "refund-1"
    assert rows[0]["settlement_details"]["utr"].startswith("CF")


async def test_older_recon_is_flat_and_names_its_settlement(client, simulator):
    await settled(client, simulator)
    client.version = "2022-09-01"
    listed = (await client.ask("POST", "/settlements", {"filters": WINDOW})).body
    number = listed["data"][0]["cf_settlement_id"]
    assert type(number) is int

    by_id = {"pagination": {}, "filters": {"cf_settlement_ids": [str(number)]}}
    page = (await client.ask("POST", "/settlement/recon", by_id)).body
    everything = (await client.ask("POST", "/recon", {"filters": WINDOW})).body

    assert {row["cf_settlement_id"] for row in page["data"]} == {number}
    assert [row["event_type"] for row in everything["data"]] == [
        "PAYMENT",
        "PAYMENT",
        "PAYMENT",
        "REFUND",
        "SETTLEMENT",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"pagination": {"limit": 0}, "filters": WINDOW},
        {"pagination": {"cursor": "%%"}, "filters": WINDOW},
        {"filters": {"start_date": "2026-11-01T00:00:00Z"}},
        {"filters": {**WINDOW, "end_date": "soon"}},
    ],
)
async def test_bad_pages_and_times_are_refused(client, body):
    assert (await client.ask("POST", "/settlement/recon", body)).status == 400
