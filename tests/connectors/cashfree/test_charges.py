"""Payment links and mandates at the simulated Cashfree, in both versions of its interface."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.cashfree.conftest import (
    AMOUNT,
    CAPTURE,
    KEY,
    VOID,
    act,
    change,
    charge_request,
    connected,
    reserve_request,
)
from tests.connectors.scripted import Scripted

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    Done,
    InDoubt,
    KnownCharge,
    NotSent,
    Pending,
    Unknown,
)
from kassa.connectors.cashfree.connector import CashfreeConnector
from kassa.connectors.kind import operations
from kassa.orders.domain.orders import Customer
from kassa.payments.domain.payments import Method
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio


async def test_it_can_do_what_its_class_says(scripted: CashfreeConnector) -> None:
    everything = {"charge", "query", "capture", "void", "refund", "close", "report", "test"}
    assert operations(scripted) == everything
    assert "cf-secret" not in repr(scripted)


async def test_a_charge_is_an_address_and_then_the_payers_money(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    begun = await cashfree.charge(charge_request())
    assert isinstance(begun, ActionNeeded)
    assert begun.url.startswith(simulator.url)
    assert begun.expires_at is not None
    assert await cashfree.query(KEY) == begun
    payment_id = act(simulator)
    told = await cashfree.query(KEY, KnownCharge(amount=AMOUNT))
    assert told == Captured(reference=payment_id, amount=AMOUNT)


async def test_a_repeat_under_one_key_leads_to_the_same_link(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    request = charge_request()
    first = await cashfree.charge(request)
    assert await cashfree.charge(request) == first
    assert simulator.money("cashfree") == {} or simulator.money("cashfree")["INR"]["charges"] == 1


async def test_a_key_that_is_taken_is_asked_about(
    scripted: CashfreeConnector, script: Scripted
) -> None:
    exists = {"code": "link_already_exists", "type": "invalid_request_error", "message": ""}
    script.says["POST /pg/links"] = (409, exists)
    script.says[f"GET /pg/links/{KEY}"] = (200, link())
    assert isinstance(await scripted.charge(charge_request()), ActionNeeded)
    script.says[f"GET /pg/links/{KEY}"] = (404, {"code": "link_not_found"})
    script.says[f"GET /pg/orders/{KEY}"] = (404, {"code": "order_not_found"})
    assert isinstance(await scripted.charge(charge_request()), InDoubt)


def link(**changes: Any) -> dict[str, Any]:
    given = {
        "cf_link_id": "7",
        "link_id": KEY,
        "link_status": "ACTIVE",
        "link_currency": "INR",
        "link_amount": 500.10,
        "link_url": "https://payments.example/links/1",
        "link_expiry_time": "2026-11-30T10:20:12+05:30",
    }
    return given | changes


async def test_what_is_sent_is_exact_and_carries_our_key(
    scripted: CashfreeConnector, script: Scripted
) -> None:
    customer = Customer(
        id="cust_1", number=1, name="R. Lane", email="r@shop.example", phone="+91 90000 90000"
    )
    wanted = charge_request(customer=customer, method=Method.NET_BANKING)
    await scripted.charge(wanted)
    sent = script.heard[0]
    assert b'"link_amount":500.10' in sent.raw
    assert sent.body["link_id"] == KEY
    assert sent.body["customer_details"] == {
        "customer_phone": "9000090000",
        "customer_name": "R. Lane",
        "customer_email": "r@shop.example",
    }
    assert sent.body["link_meta"]["payment_methods"] == "nb"
    assert sent.body["link_notify"] == {"send_sms": False, "send_email": False}
    assert sent.headers["x-api-version"] == "2023-08-01"
    key = sent.headers["x-idempotency-key"]
    assert str(uuid.UUID(key)) == key
    await scripted.charge(wanted)
    assert script.heard[-1].headers["x-idempotency-key"] == key
    assert script.heard[-1].raw == sent.raw


@pytest.mark.parametrize(
    ("given", "sent"),
    [("", "9999999999"), ("call me", "9999999999"), ("+8613800000000", "+8613800000000")],
)
async def test_a_phone_number_is_sent_whatever_the_merchant_gave(
    scripted: CashfreeConnector, script: Scripted, given: str, sent: str
) -> None:
    customer = Customer(id="c", number=1, phone=given)
    await scripted.charge(charge_request(customer=customer))
    assert script.heard[0].body["customer_details"]["customer_phone"] == sent


async def test_a_declined_try_leaves_the_link_open(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    begun = await cashfree.charge(charge_request())
    act(simulator, "decline")
    assert await cashfree.query(KEY) == begun
    act(simulator, "pay")
    assert isinstance(await cashfree.query(KEY), Captured)


async def test_a_link_that_ran_out_is_declined_and_one_that_was_cancelled_too(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    await cashfree.charge(charge_request())
    closed = await cashfree.close_charge(KEY)
    assert isinstance(closed, Declined)
    assert closed.code == "closed"
    assert await cashfree.close_charge(KEY) == closed

    other = KEY[:-1] + "9"
    await cashfree.charge(charge_request(key=other))
    simulator.advance(timedelta(hours=3))
    told = await cashfree.query(other)
    assert isinstance(told, Declined)
    assert told.code == "expired"


async def test_closing_a_paid_link_says_that_it_was_paid(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    await cashfree.charge(charge_request())
    act(simulator)
    assert isinstance(await cashfree.close_charge(KEY), Captured)
    assert isinstance(await cashfree.close_charge(KEY[:-1] + "9"), Unknown)


async def test_charged_and_then_the_connection_lost_is_found_by_our_key_alone(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    simulator.set_faults([{"provider": "cashfree", "operation": "prepare", "fault": "reset_after"}])
    assert isinstance(await cashfree.charge(charge_request()), InDoubt)
    simulator.set_faults([])
    assert isinstance(await cashfree.query(KEY), ActionNeeded)


async def test_nothing_is_there_when_the_connection_was_refused(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    simulator.set_faults(
        [{"provider": "cashfree", "operation": "prepare", "fault": "reset_before"}]
    )
    assert isinstance(await cashfree.charge(charge_request()), InDoubt)
    assert isinstance(await cashfree.query(KEY), Unknown)
    async with connected("http://127.0.0.1:9/pg") as nowhere:
        assert isinstance(await nowhere.charge(charge_request()), NotSent)


@pytest.mark.parametrize("fault", ["garbage", "error_500", "error_500_after", "rate_limited"])
async def test_an_answer_that_says_nothing_certain_is_a_doubt(
    cashfree: CashfreeConnector, simulator: Simulator, fault: str
) -> None:
    simulator.set_faults([{"provider": "cashfree", "operation": "*", "fault": fault}])
    assert isinstance(await cashfree.charge(charge_request()), InDoubt)
    assert isinstance(await cashfree.query(KEY), InDoubt)


@pytest.mark.parametrize("fault", ["wrong_amount", "wrong_currency"])
async def test_a_link_for_other_money_is_never_shown_to_a_payer(
    cashfree: CashfreeConnector, simulator: Simulator, fault: str
) -> None:
    simulator.set_faults([{"provider": "cashfree", "operation": "*", "fault": fault}])
    known = KnownCharge(amount=AMOUNT)
    assert isinstance(await cashfree.charge(charge_request()), InDoubt)
    assert isinstance(await cashfree.query(KEY, known), InDoubt)
    act(simulator)
    told = await cashfree.query(KEY, known)
    assert isinstance(told, Captured)
    assert told.amount != AMOUNT


async def test_wrong_credentials_send_nothing_and_the_probe_says_so(simulator: Simulator) -> None:
    base_url = f"{simulator.url}/cashfree/pg"
    async with connected(base_url, client_secret="another") as wrong:
        told = await wrong.charge(charge_request())
        assert told == NotSent(reason="Cashfree refused client_id and client_secret")
        assert await wrong.probe() == "Cashfree refused client_id and client_secret"
    async with connected(base_url) as right:
        assert await right.probe() == ""
    for settings in ({"api_version": "2021-05-21"}, {"client_id": "a\nb"}):
        with pytest.raises(InvalidRequest):
            async with connected(base_url, **settings):
                pass


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": Money(99, "INR")}, "amount_out_of_range"),
        ({"amount": Money(500, "USD")}, "currency_unsupported"),
        ({"method": Method.ALIPAY}, "currency_unsupported"),
        ({"instrument": "pm_card"}, "card_not_supported"),
        ({"capture": False}, "reserving_not_supported"),
        ({"return_url": "https://shop.example/" + "a" * 250}, "address_too_long"),
        ({"expires_at": datetime.now(UTC) + timedelta(minutes=5)}, "expired"),
    ],
)
async def test_what_cashfree_can_never_take_is_refused_before_a_word_is_sent(
    scripted: CashfreeConnector, script: Scripted, changes: dict[str, Any], code: str
) -> None:
    told = await scripted.charge(charge_request(**changes))
    assert isinstance(told, Declined)
    assert told.code == code
    assert script.heard == []


async def test_money_is_reserved_by_a_mandate_and_claimed_once(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    begun = await cashfree.charge(reserve_request())
    assert isinstance(begun, ActionNeeded)
    assert "/view/gateway/" in begun.url
    assert isinstance(await cashfree.query(KEY), Pending)

    payment_id = act(simulator)
    told = await cashfree.query(KEY, KnownCharge(amount=AMOUNT))
    assert isinstance(told, Authorized)
    assert (told.reference, told.amount) == (payment_id, AMOUNT)
    assert told.expires_at is not None

    part = change(CAPTURE, amount=Money(10_000, "INR"))
    assert isinstance(await cashfree.query_modification(part), Unknown)
    done = await cashfree.capture(part)
    assert done == Done(reference=payment_id, amount=Money(10_000, "INR"))
    assert await cashfree.capture(part) == done
    assert await cashfree.query_modification(part) == done
    late = await cashfree.void(change(VOID))
    assert isinstance(late, Declined)
    assert late.code == "already_captured"
    assert simulator.money("cashfree")["INR"]["charged_minor"] == 10_000


async def test_reserved_money_is_let_go(cashfree: CashfreeConnector, simulator: Simulator) -> None:
    await cashfree.charge(reserve_request())
    payment_id = act(simulator)
    request = change(VOID)
    assert isinstance(await cashfree.query_modification(request), Unknown)
    done = await cashfree.void(request)
    assert done == Done(reference=payment_id, amount=AMOUNT)
    again = change(VOID[:-1] + "9")
    assert await cashfree.void(again) == done
    assert await cashfree.query_modification(request) == done
    late = await cashfree.capture(change(CAPTURE))
    assert isinstance(late, Declined)
    assert late.code == "voided"
    told = await cashfree.query(KEY)
    assert isinstance(told, Declined)
    assert told.code == "voided"


@pytest.mark.parametrize(("operation", "key"), [("capture", CAPTURE), ("void", VOID)])
async def test_what_was_done_and_lost_is_found(
    cashfree: CashfreeConnector, simulator: Simulator, operation: str, key: str
) -> None:
    await cashfree.charge(reserve_request())
    act(simulator)
    request = change(key)
    simulator.set_faults([{"provider": "cashfree", "operation": operation, "fault": "reset_after"}])
    act_on = cashfree.capture if operation == "capture" else cashfree.void
    assert isinstance(await act_on(request), InDoubt)
    assert isinstance(await cashfree.query_modification(request), Done)


async def test_an_order_nobody_can_pay_any_more_is_closed(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    await cashfree.charge(reserve_request())
    simulator.advance(timedelta(minutes=20))
    told = await cashfree.close_charge(KEY)
    assert isinstance(told, Declined)


async def test_a_mandate_that_the_payer_refused_is_declined(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    await cashfree.charge(reserve_request())
    act(simulator, "decline")
    told = await cashfree.query(KEY)
    assert isinstance(told, Declined)
    assert (told.code, told.provider_code) == ("card_declined", "auth_declined")
