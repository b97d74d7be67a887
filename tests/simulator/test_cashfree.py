"""Cashfree's orders, payments and refunds as its documentation describes them."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import pytest
from tests.simulator.browser import Browser
from tests.simulator.cashfree_shop import MERCHANT, Client

from kassa_simulator.running import running

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
UPI = {"upi": {"channel": "collect", "upi_id": "payer@upi"}}
RETURN = {"order_meta": {"return_url": "https://shop.example/r?o={order_id}"}}
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


@pytest.fixture
def browser(http):
    return Browser(http)


def act(simulator, action, order_id="order-1"):
    charge = simulator.books.charge_by_key("cashfree", "shop", order_id)
    simulator.act("cashfree", charge.id, action)


def events(simulator):
    return [letter["event"] for letter in simulator.letters()]


async def test_a_new_order_is_active_and_has_a_session(client):
    order = await client.order(order_tags={"name": "John"})

    assert order.status == 200
    assert order.body["order_status"] == "ACTIVE"
    assert order.body["order_amount"] == Decimal("170.50")
    assert '"order_amount":170.50' in order.text
    assert order.body["payment_session_id"].startswith("session_")
    assert order.body["created_at"] == "2026-11-02T11:30:00+05:30"
    assert order.body["order_tags"] == {"name": "John"}
    assert (await client.ask("GET", "/orders/order-1/payments")).body == []


async def test_ids_are_numbers_in_the_first_version_and_text_later(client):
    await client.session(await client.order())
    client.version = "2022-09-01"
    old = (await client.ask("GET", "/orders/order-1")).body
    [old_payment] = (await client.ask("GET", "/orders/order-1/payments")).body
    client.version = "2023-08-01"
    new = (await client.ask("GET", "/orders/order-1")).body
    [new_payment] = (await client.ask("GET", "/orders/order-1/payments")).body

    assert type(old["cf_order_id"]) is int
    assert old["payments"]["url"].endswith("/pg/orders/order-1/payments")
    assert set(old) >= {"payments", "refunds", "settlements"}
    assert new["cf_order_id"] == str(old["cf_order_id"])
    assert "payments" not in new
    assert new_payment["cf_payment_id"] == str(old_payment["cf_payment_id"])
    assert type(old_payment["cf_payment_id"]) is int


@pytest.mark.parametrize(
    "version, code", [("", "request_failed"), ("2021-05-21", "version_invalid")]
)
async def test_a_version_is_needed(client, version, code):
    client.version = version

    answer = await client.ask("GET", "/orders/order-1")

    assert (answer.status, answer.body["code"]) == (400, code)


async def test_wrong_credentials_are_refused(client):
    client.secret = "wrong"

    answer = await client.order()

    assert answer.status == 401
    assert answer.body["type"] == "authentication_error"
    assert answer.body["message"] == "authentication Failed"


@pytest.mark.parametrize(
    "change, code",
    [
        ({"order_amount": "170"}, "order_amount_invalid"),
        ({"order_amount": Decimal("1.005")}, "order_amount_invalid"),
        ({"order_amount": Decimal("0.99")}, "order_amount_invalid"),
        ({"order_amount": None}, "order_amount_missing"),
        ({"order_currency": None}, "order_currency_missing"),
        ({"order_id": "no spaces"}, "order_id_invalid"),
        ({"customer_details": {"customer_id": "c-1"}}, "customer_details.customer_phone_missing"),
        (
            {"customer_details": {"customer_id": "c-1", "customer_phone": "12"}},
            "customer_phone_invalid",
        ),
        ({"order_expiry_time": "2026-11-02T06:15:00Z"}, "order_expiry_time_invalid"),
        ({"order_expiry_time": "2026-12-02T06:00:00Z"}, "order_expiry_time_invalid"),
        ({"order_meta": {"notify_url": "http://shop.example/n"}}, "order_meta.notify_url_invalid"),
        ({"order_tags": {"a": ""}}, "order_tags_invalid"),
    ],
)
async def test_a_bad_order_is_refused(client, change, code):
    answer = await client.order(**change)

    assert (answer.status, answer.body["code"]) == (400, code)
    assert answer.body["type"] == "invalid_request_error"


async def test_the_same_order_twice_is_a_conflict(client):
    await client.order()

    again = await client.order()

    assert (again.status, again.body["code"]) == (409, "order_already_exists")


async def test_an_unknown_order_is_not_found(client):
    answer = await client.ask("GET", "/orders/none")

    assert (answer.status, answer.body["code"]) == (404, "order_not_found")


async def test_a_key_replays_its_answer_and_refuses_another_body(client, simulator):
    body = {
        "order_id": "order-1",
        "order_amount": 5,
        "order_currency": "INR",
        "customer_details": {"customer_id": "c-1", "customer_phone": "9000090000"},
    }

    first = await client.ask("POST", "/orders", body, key="k-1")
    again = await client.ask("POST", "/orders", body, key="k-1")
    other = await client.ask("POST", "/orders", {**body, "order_amount": 6}, key="k-1")

    assert first.headers["x-idempotency-replayed"] == "false"
    assert (again.status, again.text) == (200, first.text)
    assert again.headers["x-idempotency-replayed"] == "true"
    assert (other.status, other.body["type"]) == (422, "idempotency_error")
    assert other.body["code"] == "request_invalid"


async def test_a_card_payment_leads_through_its_link_to_the_return_address(
    client, browser, simulator
):
    order = await client.order(**RETURN)
    session = await client.session(order)
    assert session.body["action"] == "link"

    back = await browser.press(await browser.open(session.body["data"]["url"]), "pay")

    assert back.headers["location"] == "https://shop.example/r?o=order-1"
    [payment] = (await client.ask("GET", "/orders/order-1/payments")).body
    assert payment["cf_payment_id"] == session.body["cf_payment_id"]
    assert (payment["payment_status"], payment["is_captured"]) == ("SUCCESS", True)
    assert payment["authorization"] is None
    assert payment["payment_method"]["card"]["card_number"] == "XXXXXXXXXXXX1111"
    assert (await client.ask("GET", "/orders/order-1")).body["order_status"] == "PAID"
    assert simulator.money("cashfree")["INR"]["charged_minor"] == 17_050
    assert events(simulator) == ["PAYMENT_SUCCESS_WEBHOOK"]


@pytest.mark.parametrize(
    "button, status, event",
    [
        ("decline", "FAILED", "PAYMENT_FAILED_WEBHOOK"),
        ("leave", "USER_DROPPED", "PAYMENT_USER_DROPPED_WEBHOOK"),
    ],
)
async def test_a_payer_who_does_not_pay_may_try_again(
    client, browser, simulator, button, status, event
):
    order = await client.order(**RETURN)
    checkout = (
        f"{simulator.url}/cashfree/pg/view/sessions/checkout"
        f"?session={order.body['payment_session_id']}"
    )

    await browser.press(await browser.open(checkout), button)
    assert events(simulator) == [event]
    await browser.press(await browser.open(checkout), "pay")

    payments = (await client.ask("GET", "/orders/order-1/payments")).body
    assert [item["payment_status"] for item in payments] == ["SUCCESS", status]
    assert simulator.money("cashfree")["INR"]["charges"] == 1


async def test_a_upi_payer_is_waited_for_and_can_be_simulated(client, simulator):
    order = await client.order()
    session = await client.session(order, UPI)
    assert (session.body["channel"], session.body["action"]) == ("collect", "custom")
    path = f"/orders/order-1/payments/{session.body['cf_payment_id']}"
    assert (await client.ask("GET", path)).body["payment_status"] == "PENDING"
    wish = {
        "entity": "PAYMENTS",
        "entity_id": session.body["cf_payment_id"],
        "entity_simulation": {"payment_status": "SUCCESS"},
    }

    done = await client.ask("POST", "/simulate", wish)
    again = await client.ask("POST", "/simulate", wish)

    assert done.body["simulation_id"].startswith("sim_")
    kept = await client.ask("GET", f"/simulate/{done.body['simulation_id']}")
    assert kept.body == done.body
    assert (await client.ask("GET", path)).body["payment_status"] == "SUCCESS"
    assert (again.status, again.body["code"]) == (400, "transaction_status_invalid")


async def test_nobody_begins_to_pay_a_paid_order(client, simulator):
    order = await client.order()
    act(simulator, "pay")

    answer = await client.session(order)

    assert (answer.status, answer.body["code"]) == (400, "order_inactive")


async def test_the_fault_menu_declines_a_charge(client, simulator):
    simulator.set_faults([{"provider": "cashfree", "operation": "charge", "fault": "decline"}])
    order = await client.order()

    session = await client.session(order, UPI)

    assert session.status == 200
    [payment] = (await client.ask("GET", "/orders/order-1/payments")).body
    assert payment["payment_status"] == "FAILED"
    assert payment["error_details"]["error_code"] == "TRANSACTION_DECLINED"


async def test_an_ended_order_is_paid_by_nobody(client, simulator):
    order = await client.order()

    ended = await client.ask("PATCH", "/orders/order-1", {"order_status": "TERMINATED"})

    assert ended.body["order_status"] == "TERMINATED"
    assert (await client.session(order)).body["code"] == "order_inactive"


async def test_an_order_that_is_being_paid_ends_when_the_payer_does(client, simulator):
    await client.session(await client.order(), UPI)

    asked = await client.ask("PATCH", "/orders/order-1", {"order_status": "TERMINATED"})
    act(simulator, "decline")

    assert asked.body["order_status"] == "TERMINATION_REQUESTED"
    assert (await client.ask("GET", "/orders/order-1")).body["order_status"] == "TERMINATED"


async def test_a_payer_under_way_may_still_pay_an_expired_order(client, simulator):
    await client.order(order_expiry_time="2026-11-02T06:20:00Z")
    simulator.advance(timedelta(minutes=19))
    order = await client.ask("GET", "/orders/order-1")
    await client.session(order, UPI)
    simulator.advance(timedelta(minutes=2))
    assert (await client.ask("GET", "/orders/order-1")).body["order_status"] == "EXPIRED"

    act(simulator, "pay")

    assert (await client.ask("GET", "/orders/order-1")).body["order_status"] == "PAID"


async def held(client, simulator, order_id="order-1"):
    order = await client.order(order_id, order_note="preauth_transaction")
    await client.session(order)
    act(simulator, "pay", order_id)


async def authorize(client, action, amount=None, key=""):
    body = {"action": action, **({} if amount is None else {"amount": amount})}
    return await client.ask("POST", "/orders/order-1/authorization", body, key=key)


async def test_held_money_is_captured_in_part_and_once(client, simulator):
    await held(client, simulator)
    [payment] = (await client.ask("GET", "/orders/order-1/payments")).body
    assert (payment["payment_status"], payment["is_captured"]) == ("SUCCESS", False)
    assert payment["authorization"]["action"] is None
    assert simulator.money("cashfree") == {}

    too_much = await authorize(client, "CAPTURE", 171)
    done = await authorize(client, "CAPTURE", Decimal("100.25"))
    again = await authorize(client, "CAPTURE", 1)
    voided = await authorize(client, "VOID")

    assert too_much.status == 400
    assert done.body["authorization"]["captured_amount"] == Decimal("100.25")
    assert (done.body["authorization"]["action"], done.body["is_captured"]) == ("CAPTURE", True)
    assert (again.status, again.body["message"]) == (400, "Duplicate capture_id present")
    assert voided.body["message"] == "Capture request already exist for the void"
    assert simulator.money("cashfree")["INR"]["charged_minor"] == 10_025


async def test_held_money_is_let_go_once(client, simulator):
    await held(client, simulator)

    done = await authorize(client, "VOID")
    captured = await authorize(client, "CAPTURE", 1)
    again = await authorize(client, "VOID")

    assert (done.body["payment_status"], done.body["is_captured"]) == ("VOID", False)
    assert captured.body["message"] == "transaction is already voided"
    assert (again.status, again.body["code"]) == (400, "order_id_voided")
    assert (await client.ask("GET", "/orders/order-1")).body["order_status"] == "PAID"
    assert simulator.money("cashfree") == {}


async def test_of_many_captures_at_once_one_wins(client, simulator):
    await held(client, simulator)

    answers = await asyncio.gather(*(authorize(client, "CAPTURE", 10) for _ in range(8)))

    assert sorted(answer.status for answer in answers) == [200] + [400] * 7


async def test_a_capture_is_replayed_under_its_key(client, simulator):
    await held(client, simulator)

    first = await authorize(client, "CAPTURE", 10, key="k")
    again = await authorize(client, "CAPTURE", 10, key="k")
    other = await authorize(client, "CAPTURE", 11, key="k")

    assert (first.status, again.text) == (200, first.text)
    assert other.status == 422


async def test_held_money_goes_back_after_seven_days(client, simulator):
    await held(client, simulator)

    simulator.advance(timedelta(days=7))

    [payment] = (await client.ask("GET", "/orders/order-1/payments")).body
    assert payment["payment_status"] == "VOID"


async def test_upi_money_is_held_where_the_session_says_so(client, simulator):
    order = await client.order()
    await client.session(order, {"upi": {**UPI["upi"], "authorize_only": True}})
    act(simulator, "pay")

    done = await authorize(client, "CAPTURE", 170)

    assert done.body["is_captured"] is True


async def refund(client, refund_id="refund-1", amount=70, **more):
    body = {"refund_id": refund_id, "refund_amount": amount, **more}
    return await client.ask("POST", "/orders/order-1/refunds", body)


async def test_refunds_never_exceed_the_payment(client, simulator):
    await client.order()
    early = await refund(client)
    act(simulator, "pay")

    first = await refund(client)
    too_much = await refund(client, "refund-2", 101)
    rest = await refund(client, "refund-2", Decimal("100.50"))

    assert early.status == 400
    assert (first.status, first.body["refund_status"]) == (200, "SUCCESS")
    assert first.body["entity"] == "refund"
    assert (too_much.status, too_much.body["code"]) == (400, "refund_amount_invalid")
    assert rest.status == 200
    listed = (await client.ask("GET", "/orders/order-1/refunds")).body
    assert [item["refund_id"] for item in listed] == ["refund-2", "refund-1"]
    assert simulator.money("cashfree")["INR"]["refunded_minor"] == 17_050
    assert events(simulator)[1:] == ["REFUND_STATUS_WEBHOOK"] * 2


async def test_the_same_refund_is_made_once_and_another_is_a_conflict(client, simulator):
    await client.order()
    act(simulator, "pay")

    first = await refund(client)
    again = await refund(client)
    other = await refund(client, amount=71)

    assert (again.status, again.text) == (200, first.text)
    assert other.status == 409
    assert simulator.money("cashfree")["INR"]["refunded_minor"] == 7_000


@pytest.mark.parametrize("note, ends", [("FAILED", "FAILED"), ("PENDING", "SUCCESS")])
async def test_a_refund_fails_or_takes_its_time_as_its_note_says(client, simulator, note, ends):
    await client.order()
    act(simulator, "pay")

    first = await refund(client, refund_note=note)
    assert first.body["refund_status"] == note
    simulator.advance(timedelta(hours=1))

    later = await client.ask("GET", "/orders/order-1/refunds/refund-1")
    assert later.body["refund_status"] == ends
    moved = simulator.money("cashfree")["INR"]["refunded_minor"]
    assert moved == (7_000 if ends == "SUCCESS" else 0)
