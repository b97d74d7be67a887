"""Razorpay as its documentation describes it, asked by its official client."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from razorpay.errors import BadRequestError
from tests.simulator.razorpay_shop import (
    KEY_SECRET,
    MERCHANT,
    WEBHOOK_SECRET,
    a_client,
    an_order,
    basic,
    pay,
    say,
)

from kassa_simulator.frame import Told
from kassa_simulator.razorpay import PROTOCOL
from kassa_simulator.razorpay.wire import hex_mac
from kassa_simulator.running import running

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
pytestmark = pytest.mark.anyio


@pytest.fixture
async def simulator(tmp_path):
    async with running(tmp_path, merchants=[MERCHANT], start=START) as simulator:
        yield simulator


@pytest.fixture
def client(simulator):
    return a_client(simulator)


async def told(simulator) -> list[str]:
    return [letter["event"] for letter in simulator.letters()]


def test_signatures_are_the_documented_ones():
    body = '{"entity":"event","event":"payment.captured"}'

    assert hex_mac("wh-secret", body) == (
        "7b221d29f6321fb8d663cf4e318454cc20179ef8cc7c066b1cf813a704cd4a94"
    )
    assert hex_mac("key-secret", "order_A|pay_B") == (
        "499b31e8900df1b484a97bb54085f68a9eab577ac4c7b63cddf43f7b62d5ff9c"
    )


async def test_a_new_order_is_due_and_has_no_payments(simulator, client):
    order = await an_order(client, notes={"table": "4"})

    assert order["status"] == "created"
    assert (order["amount"], order["amount_due"], order["amount_paid"]) == (50_000, 50_000, 0)
    assert order["receipt"] == "r-1"
    assert order["notes"] == {"table": "4"}
    assert order["id"].startswith("order_")
    assert len(order["id"]) == len("order_") + 14
    payments = await say(client.order.payments, order["id"])
    assert payments == {"entity": "collection", "count": 0, "items": []}


async def test_an_order_is_found_by_its_receipt_alone(simulator, client):
    order = await an_order(client, "r-1")
    await an_order(client, "r-2")

    found = await say(client.order.all, {"receipt": "r-1"})
    none = await say(client.order.all, {"receipt": "r-3"})

    assert [item["id"] for item in found["items"]] == [order["id"]]
    assert none["count"] == 0


async def test_a_paid_order_is_captured_with_fee_and_tax(simulator, client):
    order = await an_order(client)
    payment_id = pay(simulator)

    payment = await say(client.payment.fetch, payment_id)
    order = await say(client.order.fetch, order["id"])

    assert (payment["status"], payment["captured"]) == ("captured", True)
    assert (payment["fee"], payment["tax"]) == (1180, 180)
    assert payment["order_id"] == order["id"]
    assert payment["notes"] == []
    assert (order["status"], order["amount_due"], order["attempts"]) == ("paid", 0, 1)
    assert simulator.money("razorpay")["INR"]["charged_minor"] == 50_000
    assert await told(simulator) == ["payment.authorized", "payment.captured", "order.paid"]


@pytest.mark.parametrize("words", [{"payment_capture": 0}, {"payment": {"capture": "manual"}}])
async def test_an_authorised_payment_is_captured_whole_and_once(simulator, client, words):
    await an_order(client, **words)
    payment_id = pay(simulator)
    assert (await say(client.payment.fetch, payment_id))["status"] == "authorized"

    with pytest.raises(BadRequestError, match="equal to the amount authorized"):
        await say(client.payment.capture, payment_id, 49_999, {"currency": "INR"})
    captured = await say(client.payment.capture, payment_id, 50_000, {"currency": "INR"})
    with pytest.raises(BadRequestError, match="already been captured"):
        await say(client.payment.capture, payment_id, 50_000, {"currency": "INR"})

    assert captured["status"] == "captured"
    assert simulator.money("razorpay")["INR"]["charges"] == 1


async def test_of_two_payments_of_an_order_one_alone_is_captured_in_the_dashboard_too(
    simulator, client
):
    """An order has one successful payment, and prevents others."""
    await an_order(client, payment_capture=0)
    first = pay(simulator, action="decline")
    for _ in range(2):
        simulator.act("razorpay", first, "pay")
    charges = simulator.counter.desk.charges({"provider": "razorpay", "key": "r-1"})
    made = [one.id for one in charges if one.status == "authorized"]

    for one in made:
        simulator.act("razorpay", one, "capture")

    assert len(made) == 2
    assert simulator.money("razorpay")["INR"]["charges"] == 1


async def test_an_authorisation_nobody_captures_goes_back_after_three_days(simulator, client):
    await an_order(client, payment_capture=0)
    payment_id = pay(simulator)

    simulator.advance(timedelta(days=3))

    payment = await say(client.payment.fetch, payment_id)
    assert (payment["status"], payment["captured"]) == ("refunded", False)
    with pytest.raises(BadRequestError, match="have been authorized and not yet captured"):
        await say(client.payment.capture, payment_id, 50_000, {"currency": "INR"})
    assert simulator.money("razorpay") == {}


async def test_a_declined_payer_may_try_again(simulator, client):
    order = await an_order(client)
    pay(simulator, action="decline")
    assert (await say(client.order.fetch, order["id"]))["status"] == "attempted"

    pay(simulator, action="pay")

    payments = await say(client.order.payments, order["id"])
    assert [item["status"] for item in payments["items"]] == ["captured", "failed"]
    assert payments["items"][1]["error_code"] == "BAD_REQUEST_ERROR"
    assert (await told(simulator))[0] == "payment.failed"


async def test_refunds_in_part_never_exceed_the_payment(simulator, client):
    await an_order(client)
    payment_id = pay(simulator)

    first = await say(client.payment.refund, payment_id, {"amount": 20_000, "receipt": "rf-1"})
    assert (first["status"], first["receipt"], first["payment_id"]) == (
        "processed",
        "rf-1",
        payment_id,
    )
    partly = await say(client.payment.fetch, payment_id)
    assert (partly["status"], partly["refund_status"]) == ("captured", "partial")
    with pytest.raises(BadRequestError, match="total refund amount is greater"):
        await say(client.payment.refund, payment_id, {"amount": 30_001})
    await say(client.payment.refund, payment_id, {})
    with pytest.raises(BadRequestError, match="fully refunded already"):
        await say(client.payment.refund, payment_id, {})

    whole = await say(client.payment.fetch, payment_id)
    assert (whole["status"], whole["amount_refunded"]) == ("refunded", 50_000)
    listed = await say(client.payment.fetch_multiple_refund, payment_id)
    assert [item["amount"] for item in listed["items"]] == [30_000, 20_000]
    assert simulator.money("razorpay")["INR"]["refunded_minor"] == 50_000
    assert (await told(simulator))[3:5] == ["refund.created", "refund.processed"]


async def test_a_refund_repeated_under_its_key_moves_money_once(simulator, client):
    await an_order(client)
    payment_id = pay(simulator)
    headers = {"X-Refund-Idempotency": "key-0123456789"}

    first = await say(client.payment.refund, payment_id, {"amount": 100}, headers=headers)
    again = await say(client.payment.refund, payment_id, {"amount": 100}, headers=headers)
    with pytest.raises(BadRequestError, match="Different request with the same"):
        await say(client.payment.refund, payment_id, {"amount": 200}, headers=headers)
    with pytest.raises(BadRequestError, match="at least 10 characters"):
        await say(client.payment.refund, payment_id, {}, headers={"X-Refund-Idempotency": "short"})

    assert again == first
    assert simulator.money("razorpay")["INR"]["refunded_minor"] == 100


@pytest.mark.parametrize("wish, ends", [("failed", "failed"), ("pending", "processed")])
async def test_a_refund_may_fail_or_take_its_time(simulator, client, wish, ends):
    await an_order(client)
    payment_id = pay(simulator)

    refund = await say(
        client.payment.refund, payment_id, {"amount": 100, "notes": {"simulate_refund": wish}}
    )
    assert refund["status"] == wish
    simulator.advance(timedelta(hours=1))

    assert (await say(client.refund.fetch, refund["id"]))["status"] == ends
    moved = simulator.money("razorpay")["INR"]["refunded_minor"]
    assert moved == (0 if wish == "failed" else 100)
    assert (await told(simulator))[-1] == f"refund.{ends}"


async def test_a_dispute_takes_money_when_it_is_lost(simulator, client):
    await an_order(client)
    payment_id = pay(simulator)

    simulator.act("razorpay", payment_id, "dispute")
    assert simulator.money("razorpay")["INR"]["disputed_minor"] == 0
    simulator.act("razorpay", payment_id, "lose_dispute")

    assert simulator.money("razorpay")["INR"]["disputed_minor"] == 50_000
    assert (await told(simulator))[-2:] == ["payment.dispute.created", "payment.dispute.lost"]


async def test_settlements_pay_out_after_two_days_and_say_every_line(simulator, client):
    await an_order(client)
    payment_id = pay(simulator)
    refund = await say(client.payment.refund, payment_id, {"amount": 10_000})
    day = {"year": 2026, "month": 11, "day": 4}
    assert (await say(client.settlement.report, day))["count"] == 0

    simulator.advance(timedelta(days=2))

    report = await say(client.settlement.report, day)
    lines = {line["entity_id"]: line for line in report["items"]}
    assert set(lines) == {payment_id, refund["id"]}
    assert lines[payment_id]["credit"] == 50_000 - 1180
    assert lines[refund["id"]]["debit"] == 10_000
    [settlement] = (await say(client.settlement.all))["items"]
    assert settlement["amount"] == 50_000 - 1180 - 10_000
    assert settlement["utr"] == lines[payment_id]["settlement_utr"]


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"amount": 99}, "The amount must be at least INR 1.00"),
        ({"amount": "ten"}, "The amount must be an integer."),
        ({"amount": 100.5}, "The amount must be an integer."),
        ({"amount": None}, "The amount field is required."),
        ({"currency": "rupee"}, "The currency is invalid."),
        ({"receipt": "r" * 41}, "may not be greater than 40"),
        ({"notes": {str(n): "x" for n in range(16)}}, "less than or equal to 15"),
    ],
)
async def test_a_bad_order_is_refused_in_razorpays_words(simulator, client, fields, words):
    with pytest.raises(BadRequestError, match=words):
        await an_order(client, **fields)


async def test_a_wrong_key_is_refused_with_401(simulator):
    url = f"{simulator.url}/razorpay/v1/orders"
    async with aiohttp.ClientSession() as session:
        nobody = await session.get(url)
        wrong = await session.get(url, headers=basic("rzp_test_shop", "wrong"))
        body = await wrong.json()

    assert (nobody.status, wrong.status) == (401, 401)
    assert body["error"]["code"] == "BAD_REQUEST_ERROR"
    assert body["error"]["description"] == "Authentication failed"


async def test_unknown_things_are_unknown(simulator, client):
    with pytest.raises(BadRequestError, match="id provided does not exist"):
        await say(client.order.fetch, "order_none")
    with pytest.raises(BadRequestError, match="is not a valid id"):
        await say(client.payment.fetch, "none")
    with pytest.raises(BadRequestError, match="URL was not found"):
        await say(client.get, "/v1/nothing", {})


async def test_another_amount_is_said_where_the_fault_menu_wants_it(simulator, client):
    order = await an_order(client)
    simulator.set_faults([{"provider": "razorpay", "operation": "query", "fault": "wrong_amount"}])

    assert (await say(client.order.fetch, order["id"]))["amount"] == 50_100


@pytest.mark.parametrize("forged", [False, True])
def test_a_letter_is_signed_over_its_bytes(forged):
    entity = {"entity": "payment", "id": "pay_1", "amount": 100, "status": "failed"}
    letter = PROTOCOL.write(
        MERCHANT,
        Told(
            id="evt_1",
            event="payment.failed",
            charge_id="pay_1",
            data={"contains": ["payment"], "payload": {"payment": {"entity": entity}}},
            at=START,
            url="",
        ),
        now=START,
        forged=forged,
    )

    mac = hmac.new(WEBHOOK_SECRET.encode(), letter.body, hashlib.sha256).hexdigest()
    assert (letter.headers["x-razorpay-signature"] == mac) is not forged
    assert letter.headers["x-razorpay-event-id"] == "evt_1"
    event = json.loads(letter.body)
    assert (event["payload"]["payment"]["entity"]["amount"] == 100) is not forged
    assert KEY_SECRET.encode() not in letter.body
