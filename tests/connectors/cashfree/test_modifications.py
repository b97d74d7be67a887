"""Refunds and settlements at Cashfree, and what several answers together come to."""

import io
from datetime import date, timedelta
from typing import Any

import pytest
from tests.connectors.cashfree.conftest import (
    AMOUNT,
    CAPTURE,
    KEY,
    REFUND,
    VOID,
    act,
    change,
    charge_request,
    reserve_request,
)
from tests.connectors.cashfree.test_charges import link
from tests.connectors.scripted import Scripted

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    Done,
    InDoubt,
    KnownCharge,
    Pending,
    Report,
    Unknown,
)
from kassa.connectors.cashfree.api import INDIA
from kassa.connectors.cashfree.connector import CashfreeConnector
from kassa.connectors.reports import Declaration, read_report
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio

NO_LINK = (404, {"code": "link_not_found", "type": "invalid_request_error"})


async def paid(cashfree: CashfreeConnector, simulator: Simulator) -> str:
    assert isinstance(await cashfree.charge(charge_request()), ActionNeeded)
    return act(simulator)


async def test_a_refund_is_made_once_however_often_it_is_asked(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    await paid(cashfree, simulator)
    request = change(amount=Money(20_000, "INR"))
    assert isinstance(await cashfree.query_modification(request), Unknown)
    done = await cashfree.refund(request)
    assert isinstance(done, Done)
    assert done.amount == Money(20_000, "INR")
    assert await cashfree.refund(request) == done
    assert await cashfree.query_modification(request) == done
    assert simulator.money("cashfree")["INR"]["refunded_minor"] == 20_000


async def test_a_refund_of_reserved_and_claimed_money_is_made(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    await cashfree.charge(reserve_request())
    act(simulator)
    assert isinstance(await cashfree.capture(change(CAPTURE)), Done)
    assert isinstance(await cashfree.refund(change()), Done)


async def test_a_refund_that_was_made_and_lost_is_found(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    await paid(cashfree, simulator)
    simulator.set_faults([{"provider": "cashfree", "operation": "refund", "fault": "reset_after"}])
    assert isinstance(await cashfree.refund(change()), InDoubt)
    simulator.set_faults([])
    assert isinstance(await cashfree.query_modification(change()), Done)
    assert isinstance(await cashfree.query(KEY), Captured)


async def test_too_much_is_refused_for_good(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    await paid(cashfree, simulator)
    assert isinstance(await cashfree.refund(change()), Done)
    told = await cashfree.refund(change(REFUND[:-1] + "9"))
    assert isinstance(told, Declined)
    assert (told.code, told.provider_code) == ("amount_too_large", "refund_amount_invalid")


async def test_a_refund_that_waits_is_pending_until_it_is_done(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    await paid(cashfree, simulator)
    request = change(reason="PENDING")
    waiting = await cashfree.refund(request)
    assert isinstance(waiting, Pending)
    assert waiting.reference
    simulator.advance(timedelta(hours=1))
    assert isinstance(await cashfree.query_modification(request), Done)


def refund(**changes: Any) -> dict[str, Any]:
    given = {
        "cf_refund_id": "9",
        "refund_id": REFUND,
        "order_id": KEY,
        "refund_amount": 500.1,
        "refund_currency": "INR",
        "refund_status": "SUCCESS",
    }
    return given | changes


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refund(), Done),
        (refund(refund_status="PENDING"), Pending),
        (refund(refund_status="ONHOLD"), Pending),
        (refund(refund_status="FAILED"), Declined),
        (refund(refund_status="CANCELLED"), Declined),
        (refund(refund_status="SLEEPING"), InDoubt),
        (refund(order_id="another"), InDoubt),
        (refund(refund_id="another"), InDoubt),
        (refund(refund_amount=500.101), InDoubt),
        (refund(refund_amount=500, refund_status="PENDING"), InDoubt),
        (refund(refund_currency="XXQ"), InDoubt),
        (refund(refund_amount=True), InDoubt),
        ([], InDoubt),
        (b'{"refund_id": 1, "refund_id": 2}', InDoubt),
    ],
)
async def test_what_a_refund_answers(
    scripted: CashfreeConnector, script: Scripted, answer: Any, expected: type
) -> None:
    script.says[f"GET /pg/links/{KEY}/orders"] = NO_LINK
    script.says[f"POST /pg/orders/{KEY}/refunds"] = (200, answer)
    assert isinstance(await scripted.refund(change()), expected)
    assert b'"refund_amount":500.10' in script.heard[-1].raw
    assert script.heard[-1].body["refund_id"] == REFUND


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, {"code": "refund_not_found"}, Declined),
        (200, refund(), Done),
        (404, {"code": "order_not_found"}, InDoubt),
        (500, {}, InDoubt),
    ],
)
async def test_a_refusal_is_believed_only_when_no_refund_is_there(
    scripted: CashfreeConnector, script: Scripted, status: int, body: Any, expected: type
) -> None:
    script.says[f"GET /pg/links/{KEY}/orders"] = NO_LINK
    script.says[f"POST /pg/orders/{KEY}/refunds"] = (400, {"code": "request_failed"})
    script.says[f"GET /pg/orders/{KEY}/refunds/{REFUND}"] = (status, body)
    assert isinstance(await scripted.refund(change()), expected)


@pytest.mark.parametrize("status", [422, 429, 500, 502])
async def test_no_refund_is_refused_by_an_answer_that_is_no_refusal(
    scripted: CashfreeConnector, script: Scripted, status: int
) -> None:
    script.says[f"GET /pg/links/{KEY}/orders"] = NO_LINK
    script.says[f"POST /pg/orders/{KEY}/refunds"] = (status, {"code": "request_invalid"})
    assert isinstance(await scripted.refund(change()), InDoubt)


def payment(**changes: Any) -> dict[str, Any]:
    given = {
        "cf_payment_id": "5",
        "order_id": "CFPay_1",
        "payment_status": "SUCCESS",
        "is_captured": True,
        "payment_amount": 500.10,
        "payment_currency": "INR",
        "authorization": None,
        "error_details": None,
    }
    return given | changes


def held(action: str | None = None, status: str | None = None, **changes: Any) -> dict[str, Any]:
    told = {"action": action, "status": status, "captured_amount": None}
    return payment(is_captured=False, authorization=told, order_id=KEY, **changes)


PAID = Captured(reference="5", amount=AMOUNT)


@pytest.mark.parametrize(
    ("given", "payments", "expected"),
    [
        (link(link_status="PAID"), [payment()], PAID),
        (link(link_status="PAID"), [payment(payment_status="FAILED"), payment()], PAID),
        (link(link_status="EXPIRED"), [payment()], PAID),  # paid at the last moment
        (link(link_status="EXPIRED"), [payment(payment_status="PENDING")], Pending),
        (link(link_status="EXPIRED"), [payment(payment_status="FLAGGED")], Pending),
        (link(link_status="EXPIRED"), [payment(payment_status="USER_DROPPED")], Declined),
        (link(link_status="CANCELLED"), [], Declined),
        (link(link_status="PAID"), [], InDoubt),
        (link(link_status="PAID"), [payment(payment_status="SLEEPING")], InDoubt),
        (link(link_status="PAID"), [payment(order_id="CFPay_2")], InDoubt),
        (link(link_status="PAID"), [payment(is_captured=None)], InDoubt),
        (link(link_status="PARTIALLY_PAID"), [payment()], PAID),
        (link(link_status="PARTIALLY_PAID"), [], InDoubt),
        (link(link_status="PAID"), [payment(), payment(payment_status="INCOMPLETE")], PAID),
        (link(link_status="PAID"), [payment(payment_status="INCOMPLETE"), None, payment()], PAID),
        (link(link_status="PAID"), [payment(order_id="CFPay_2"), payment()], PAID),
        (link(link_status="PAID"), [payment(payment_amount="?"), payment()], PAID),
        (link(link_status="EXPIRED"), [payment(payment_status="INCOMPLETE")], InDoubt),
        (link(link_amount=1), [], InDoubt),
        (link(link_currency="USD"), [], InDoubt),
        (link(link_url="javascript:1"), [], InDoubt),
        (link(link_id="another"), [], InDoubt),
        ([], [], InDoubt),
    ],
)
async def test_what_a_link_and_its_payments_come_to(
    scripted: CashfreeConnector, script: Scripted, given: Any, payments: Any, expected: Any
) -> None:
    script.says[f"GET /pg/links/{KEY}"] = (200, given)
    script.says[f"GET /pg/links/{KEY}/orders"] = (200, [{"order_id": "CFPay_1"}])
    script.says["GET /pg/orders/CFPay_1/payments"] = (200, payments)
    told = await scripted.query(KEY, KnownCharge(amount=AMOUNT))
    assert isinstance(told, expected) if isinstance(expected, type) else told == expected


def order(**changes: Any) -> dict[str, Any]:
    given = {
        "cf_order_id": "3",
        "order_id": KEY,
        "order_status": "PAID",
        "order_amount": 500.10,
        "order_currency": "INR",
    }
    return given | changes


@pytest.mark.parametrize(
    ("given", "payments", "expected"),
    [
        (order(), [held()], Authorized),
        (order(), [held("CAPTURE", "PENDING")], Pending),
        (order(), [held("VOID", "PENDING")], Pending),
        (order(), [held("VOID", "SUCCESS")], Declined),
        (order(), [held("NOVELTY", "SUCCESS")], InDoubt),
        (order(), [], InDoubt),
        (order(order_status="ACTIVE"), [], Pending),
        (order(order_status="EXPIRED"), [], Declined),
        (order(order_status="TERMINATED"), [held(payment_status="FAILED")], Declined),
        (order(order_status="SLEEPING"), [], InDoubt),
        (order(order_amount=1), [held()], InDoubt),
        (order(order_id="another"), [held()], InDoubt),
    ],
)
async def test_what_an_order_and_its_payments_come_to(
    scripted: CashfreeConnector, script: Scripted, given: Any, payments: Any, expected: type
) -> None:
    script.says[f"GET /pg/links/{KEY}"] = NO_LINK
    script.says[f"GET /pg/orders/{KEY}"] = (200, given)
    script.says[f"GET /pg/orders/{KEY}/payments"] = (200, payments)
    assert isinstance(await scripted.query(KEY, KnownCharge(amount=AMOUNT)), expected)


@pytest.mark.parametrize(
    ("key", "answer", "expected"),
    [
        (CAPTURE, held("CAPTURE", "PENDING"), Pending),
        (CAPTURE, held(), InDoubt),  # accepted, and nothing is claimed
        (CAPTURE, payment(), InDoubt),  # of another order
        (VOID, held("VOID", "PENDING"), Pending),
        (VOID, payment(order_id=KEY, payment_status="VOID"), Done),
    ],
)
async def test_what_a_capture_or_void_answers(
    scripted: CashfreeConnector, script: Scripted, key: str, answer: Any, expected: type
) -> None:
    script.says[f"POST /pg/orders/{KEY}/authorization"] = (200, answer)
    do = scripted.capture if key == CAPTURE else scripted.void
    assert isinstance(await do(change(key)), expected)


async def test_a_capture_that_is_refused_while_the_money_is_held_is_declined(
    scripted: CashfreeConnector, script: Scripted
) -> None:
    script.says[f"POST /pg/orders/{KEY}/authorization"] = (400, {"code": "request_failed"})
    script.says[f"GET /pg/orders/{KEY}/payments"] = (200, [held()])
    told = await scripted.capture(change(CAPTURE))
    assert isinstance(told, Declined)
    assert told.code == "capture_refused"


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({"data": {"url": "https://pay.example/1"}, "payment_amount": 500.10}, ActionNeeded),
        ({"data": {"url": None, "payload": {"web": "https://pay.example/1"}}}, ActionNeeded),
        ({"data": {"url": "https://pay.example/1"}, "payment_amount": 1}, InDoubt),
        ({"data": {"url": "upi://pay"}}, InDoubt),
        ([], InDoubt),
    ],
)
async def test_where_a_mandate_is_given(
    scripted: CashfreeConnector, script: Scripted, session: Any, expected: type
) -> None:
    made = order(order_status="ACTIVE", payment_session_id="session_1")
    script.says["POST /pg/orders"] = (200, made)
    script.says["POST /pg/orders/sessions"] = (200, session)
    assert isinstance(await scripted.charge(reserve_request()), expected)
    asked = script.heard[1].body
    assert asked["payment_session_id"] == "session_1"
    assert asked["payment_method"]["upi"]["authorize_only"] is True


async def test_an_account_that_may_not_reserve_says_so(
    scripted: CashfreeConnector, script: Scripted
) -> None:
    script.says["POST /pg/orders"] = (200, order(payment_session_id="session_1"))
    script.says["POST /pg/orders/sessions"] = (403, {"code": "feature_not_enabled"})
    told = await scripted.charge(reserve_request())
    assert isinstance(told, Declined)
    assert (told.code, told.soft) == ("reserving_not_supported", True)


async def test_the_settlement_report_can_be_read_by_the_report_readers(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    reference = await paid(cashfree, simulator)
    refunded = await cashfree.refund(change(amount=Money(20_000, "INR")))
    assert isinstance(refunded, Done)
    today = simulator.books.clock.now().astimezone(INDIA).date()
    assert isinstance(await cashfree.report(today), Unknown)

    simulator.advance(timedelta(days=3))
    report = await cashfree.report(today + timedelta(days=1))
    assert isinstance(report, Report)
    lines = list(read_report(io.BytesIO(report.content), Declaration(format=report.format)))
    assert all(isinstance(line, ReportLine) for line in lines)
    shown = {
        (line.kind, line.amount, line.fee, line.our_reference, line.provider_reference)
        for line in lines
        if isinstance(line, ReportLine) and line.kind is not LineKind.PAYOUT
    }
    assert shown == {
        (LineKind.PAYMENT, AMOUNT, Money(1_180, "INR"), "", reference),
        (LineKind.REFUND, Money(-20_000, "INR"), Money(0, "INR"), REFUND, refunded.reference),
    }
    transfers = {line.payout_reference for line in lines if isinstance(line, ReportLine)}
    assert len(transfers) == 1
    assert transfers.pop().startswith("CF")


def settled(**changes: Any) -> dict[str, Any]:
    given = {
        "event_id": "43594",
        "event_type": "PAYMENT",
        "sale_type": "CREDIT",
        "event_time": "2026-11-02T15:06:41+05:30",
        "event_amount": 100,
        "event_settlement_amount": 88.2,
        "event_currency": "INR",
        "payment_service_charge": 10,
        "payment_service_tax": 1.8,
        "order_id": KEY,
        "cf_payment_id": 5,
        "settlement_utr": "UTR1",
    }
    return given | changes


async def test_a_report_of_several_pages_tells_its_kinds_apart(
    scripted: CashfreeConnector, script: Scripted
) -> None:
    first = [
        settled(),
        settled(event_type="CHARGEBACK", sale_type="DEBIT", event_settlement_amount=100),
        settled(event_type="NOVELTY"),
    ]
    last = settled(
        event_type="SETTLEMENT",
        amount_settled=50,
        settlement_charge=3,
        settlement_tax=0.54,
        event_id="45345",
    )
    script.says["POST /pg/settlement/recon"] = [
        (200, {"cursor": "more", "data": first}),
        (200, {"cursor": None, "data": [last]}),
    ]
    report = await scripted.report(date(2026, 11, 2))
    assert isinstance(report, Report)
    assert [one.body["pagination"]["cursor"] for one in script.heard] == [None, "more"]
    assert script.heard[0].body["filters"] == {
        "start_date": "2026-11-02T00:00:00+05:30",
        "end_date": "2026-11-02T23:59:59+05:30",
    }
    read = list(read_report(io.BytesIO(report.content), Declaration(format=report.format)))
    told = [
        (line.kind, str(line.amount), str(line.fee), line.our_reference)
        if isinstance(line, ReportLine)
        else None
        for line in read
    ]
    assert told == [
        (LineKind.PAYMENT, "100.00 INR", "11.80 INR", KEY),
        (LineKind.DISPUTE, "-100.00 INR", "0.00 INR", ""),
        None,
        (LineKind.FEE, "-3.54 INR", "0.00 INR", ""),
        (LineKind.PAYOUT, "-50.00 INR", "0.00 INR", ""),
    ]


async def test_a_line_that_cannot_be_read_is_put_aside_alone(
    scripted: CashfreeConnector, script: Scripted
) -> None:
    odd = [settled(event_amount="1", customer_phone="9999999999"), settled(sale_type=1), "odd"]
    cut = settled(event_type="REFUND", sale_type="DEBIT", settlement_utr=None)
    events = [settled(), *odd, cut, settled(event_id="43595")]
    script.says["POST /pg/settlement/recon"] = (200, {"cursor": None, "data": events})
    report = await scripted.report(date(2026, 11, 2))
    assert isinstance(report, Report)
    read = list(read_report(io.BytesIO(report.content), Declaration(format=report.format)))
    assert [one.reason for one in read if isinstance(one, Unreadable)] == [
        "event_amount is no number",
        "neither credit nor debit",
        "not an object",
        "it names no settlement",
    ]
    # By lines of the file, of which a row has one for each of its texts: here two.
    assert [one.number for one in read if isinstance(one, ReportLine)] == [2, 8]
    assert b"9999999999" not in report.content


@pytest.mark.parametrize("answer", [{"data": "none"}, {}])
async def test_a_report_that_cannot_be_read_is_no_report(
    scripted: CashfreeConnector, script: Scripted, answer: Any
) -> None:
    script.says["POST /pg/settlement/recon"] = (200, answer)
    assert isinstance(await scripted.report(date(2026, 11, 2)), InDoubt)


async def test_not_found_is_no_refusal_of_what_was_to_be_made(
    cashfree: CashfreeConnector, simulator: Simulator
) -> None:
    fault = {"provider": "cashfree", "operation": "*", "fault": "not_found"}
    simulator.set_faults([fault])
    assert isinstance(await cashfree.charge(charge_request()), InDoubt)
    simulator.set_faults([])
    await paid(cashfree, simulator)
    request = change()
    simulator.set_faults([{**fault, "operation": "refund"}])
    assert isinstance(await cashfree.refund(request), InDoubt)
    simulator.set_faults([])
    assert isinstance(await cashfree.query_modification(request), Unknown)
    assert isinstance(await cashfree.refund(request), Done)
