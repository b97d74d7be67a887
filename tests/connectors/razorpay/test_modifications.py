"""Refunds at the simulated Razorpay, and what its settlements say afterwards."""

import io
from datetime import date, timedelta
from typing import Any

import pytest
from tests.connectors.razorpay.conftest import KEY, REFUND, act, change, charge_request
from tests.connectors.scripted import Scripted

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    Declined,
    Done,
    InDoubt,
    KnownCharge,
    Pending,
    Report,
    Unknown,
)
from kassa.connectors.razorpay.connector import RazorpayConnector
from kassa.connectors.razorpay.recon import INDIA
from kassa.connectors.reports import Declaration, read_report
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio

INDIA_DAY = date(2026, 11, 2)


async def paid(razorpay: RazorpayConnector, simulator: Simulator) -> str:
    assert isinstance(await razorpay.charge(charge_request()), ActionNeeded)
    return act(simulator)


async def test_a_refund_is_made_once_however_often_it_is_asked(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    request = change(charge_reference=await paid(razorpay, simulator), amount=Money(20_000, "INR"))
    assert isinstance(await razorpay.query_modification(request), Unknown)
    done = await razorpay.refund(request)
    assert isinstance(done, Done)
    assert done.amount == Money(20_000, "INR")
    assert await razorpay.refund(request) == done
    assert await razorpay.query_modification(request) == done
    assert simulator.money("razorpay")["INR"]["refunded_minor"] == 20_000


async def test_the_payment_is_found_by_our_key_where_only_the_link_is_known(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    await paid(razorpay, simulator)
    for reference in ("", "plink_whatever"):
        request = change(charge_reference=reference)
        assert isinstance(await razorpay.refund(request), Done)


async def test_a_refund_that_was_made_and_lost_is_found(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    request = change(charge_reference=await paid(razorpay, simulator))
    simulator.set_faults([{"provider": "razorpay", "operation": "refund", "fault": "reset_after"}])
    assert isinstance(await razorpay.refund(request), InDoubt)
    simulator.set_faults([])
    assert isinstance(await razorpay.query_modification(request), Done)
    told = await razorpay.query(KEY)  # given back whole, and paid all the same
    assert isinstance(told, Captured)


async def test_too_much_is_refused_for_good(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    reference = await paid(razorpay, simulator)
    assert isinstance(await razorpay.refund(change(charge_reference=reference)), Done)
    more = change(REFUND[:-1] + "9", charge_reference=reference)
    told = await razorpay.refund(more)
    assert isinstance(told, Declined)
    assert told.code == "amount_too_large"


async def test_a_key_that_is_too_short_for_razorpay_is_a_bug(scripted: RazorpayConnector) -> None:
    with pytest.raises(ValueError, match="10 to 40"):
        await scripted.refund(change("re1"))


def refund(**changes: Any) -> dict[str, Any]:
    given = {
        "id": "rfnd_1",
        "entity": "refund",
        "payment_id": "pay_1",
        "amount": 50_000,
        "currency": "INR",
        "status": "processed",
        "notes": {"kassa_key": REFUND},
        "receipt": None,
    }
    return given | changes


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refund(), Done),
        (refund(status="pending"), Pending),
        (refund(status="failed"), Declined),
        (refund(status="reversed"), InDoubt),
        (refund(payment_id="pay_2"), InDoubt),
        (refund(notes=[]), InDoubt),
        (refund(notes=[], receipt=REFUND), Done),
        (refund(amount="50000"), InDoubt),
        (refund(status="pending", amount=49_999), InDoubt),
        (refund(currency="XXQ"), InDoubt),
        ([], InDoubt),
        (b'{"id": "rfnd_1", "id": "rfnd_2"}', InDoubt),
        (b'{"amount": NaN}', InDoubt),
    ],
)
async def test_what_a_refund_answers(
    scripted: RazorpayConnector, script: Scripted, answer: Any, expected: type
) -> None:
    script.says["POST /v1/payments/pay_1/refund"] = (200, answer)
    assert isinstance(await scripted.refund(change()), expected)
    sent = script.heard[0]
    assert sent.headers["x-refund-idempotency"] == REFUND
    assert sent.body == {
        "amount": 50_000,
        "speed": "normal",
        "notes": {"kassa_key": REFUND, "reason": "broken"},
        "receipt": REFUND,
    }


async def test_a_refund_of_another_amount_says_which(
    scripted: RazorpayConnector, script: Scripted
) -> None:
    script.says["POST /v1/payments/pay_1/refund"] = (200, refund(amount=49_999))
    told = await scripted.refund(change())
    assert isinstance(told, Done)
    assert told.amount == Money(49_999, "INR")


async def test_a_refusal_is_believed_only_when_no_refund_is_there(
    scripted: RazorpayConnector, script: Scripted
) -> None:
    refusal = {
        "error": {
            "code": "BAD_REQUEST_ERROR",
            "description": "The payment has been fully refunded already",
        }
    }
    listed = "GET /v1/payments/pay_1/refunds"
    script.says["POST /v1/payments/pay_1/refund"] = (400, refusal)
    script.says[listed] = (200, {"entity": "collection", "count": 1, "items": [refund()]})
    assert isinstance(await scripted.refund(change()), Done)
    script.says[listed] = (200, {"entity": "collection", "count": 0, "items": []})
    told = await scripted.refund(change())
    assert isinstance(told, Declined)
    assert told.code == "amount_too_large"
    script.says[listed] = (500, {})
    assert isinstance(await scripted.refund(change()), InDoubt)


async def test_refunds_beyond_the_first_page_are_found(
    scripted: RazorpayConnector, script: Scripted
) -> None:
    others = [refund(id=f"rfnd_x{n}", notes={"kassa_key": f"re1_{n}"}) for n in range(100)]
    script.says["GET /v1/payments/pay_1/refunds"] = [
        (200, {"items": others}),
        (200, {"items": [refund()]}),
    ]
    assert isinstance(await scripted.query_modification(change()), Done)
    assert [one.query["skip"] for one in script.heard] == ["0", "100"]


async def test_the_settlement_report_can_be_read_by_the_report_readers(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    reference = await paid(razorpay, simulator)
    refunded = await razorpay.refund(
        change(charge_reference=reference, amount=Money(20_000, "INR"))
    )
    assert isinstance(refunded, Done)
    today = simulator.books.clock.now().astimezone(INDIA).date()
    assert isinstance(await razorpay.report(today), Unknown)

    simulator.advance(timedelta(days=4))
    report = await razorpay.report(today + timedelta(days=2))
    assert isinstance(report, Report)
    lines = list(read_report(io.BytesIO(report.content), Declaration(format=report.format)))
    assert all(isinstance(line, ReportLine) for line in lines)
    shown = {
        (line.kind, line.amount, line.fee, line.our_reference, line.provider_reference)
        for line in lines
        if isinstance(line, ReportLine)
    }
    assert shown == {
        (LineKind.PAYMENT, Money(50_000, "INR"), Money(1_180, "INR"), KEY, reference),
        (LineKind.REFUND, Money(-20_000, "INR"), Money(0, "INR"), "", refunded.reference),
    }


def settled(**changes: Any) -> dict[str, Any]:
    given = {
        "entity_id": "adj_1",
        "type": "adjustment",
        "debit": 500,
        "credit": 0,
        "amount": 500,
        "currency": "INR",
        "fee": 0,
        "tax": 0,
        "created_at": 1_567_692_556,
        "settlement_id": "setl_1",
        "settlement_utr": "UTR1",
        "notes": "{}",
        "dispute_id": None,
    }
    return given | changes


async def test_disputes_transfers_and_unknown_types_are_told_apart(
    scripted: RazorpayConnector, script: Scripted
) -> None:
    lines = [
        settled(dispute_id="disp_1"),
        settled(dispute_id="disp_1", debit=0, credit=500),
        settled(type="transfer", amount=100_000, debit=100_296, fee=296),
        settled(type="novelty"),
        settled(type="payment", debit=0, credit=97_100, amount=100_000, fee=2_900, notes=None),
    ]
    script.says["GET /v1/settlements/recon/combined"] = (200, {"items": lines})
    report = await scripted.report(INDIA_DAY)
    assert isinstance(report, Report)
    read = list(read_report(io.BytesIO(report.content), Declaration(format=report.format)))
    assert [line.kind if isinstance(line, ReportLine) else None for line in read] == [
        LineKind.DISPUTE,
        LineKind.DISPUTE_REVERSAL,
        LineKind.ADJUSTMENT,
        None,
        LineKind.PAYMENT,
    ]
    first, _, transfer = read[:3]
    assert isinstance(first, ReportLine)
    assert (first.provider_reference, first.payout_reference) == ("disp_1", "UTR1")
    assert isinstance(transfer, ReportLine)
    assert (transfer.amount, transfer.fee) == (Money(-100_000, "INR"), Money(296, "INR"))
    assert script.heard[0].query == {
        "year": "2026",
        "month": "11",
        "day": "2",
        "count": "1000",
        "skip": "0",
    }


async def test_a_line_that_cannot_be_read_is_put_aside_alone(
    scripted: RazorpayConnector, script: Scripted
) -> None:
    odd = [settled(credit=None, contact="+919999999999"), settled(currency="XYZ"), None]
    odd.append(settled(amount=10**30, debit=10**30))
    odd.append(settled(settlement_id=None, settlement_utr=None))
    lines = [settled(), *odd, settled(debit=0, credit=500)]
    script.says["GET /v1/settlements/recon/combined"] = (200, {"items": lines})
    report = await scripted.report(INDIA_DAY)
    assert isinstance(report, Report)
    read = list(read_report(io.BytesIO(report.content), Declaration(format=report.format)))
    assert [one.reason for one in read if isinstance(one, Unreadable)] == [
        "credit is no whole number",
        "no currency of ours: 'XYZ'",
        "not an object",
        "an amount that no line can be of",
        "it names no settlement",
    ]
    # By lines of the file, of which a row has one for each of its texts: here two.
    assert [one.number for one in read if isinstance(one, ReportLine)] == [2, 9]
    assert b"+919999999999" not in report.content


@pytest.mark.parametrize("answer", [{"items": "none"}, {}])
async def test_a_report_that_cannot_be_read_is_no_report(
    scripted: RazorpayConnector, script: Scripted, answer: Any
) -> None:
    script.says["GET /v1/settlements/recon/combined"] = (200, answer)
    assert isinstance(await scripted.report(INDIA_DAY), InDoubt)


def payment(**changes: Any) -> dict[str, Any]:
    given = {
        "id": "pay_1",
        "order_id": "order_1",
        "amount": 50_000,
        "currency": "INR",
        "status": "captured",
        "captured": True,
        "fee": None,
        "notes": [],
        "created_at": 1_567_692_556,
    }
    return given | changes


def link(**changes: Any) -> dict[str, Any]:
    given = {
        "id": "plink_1",
        "reference_id": KEY,
        "amount": 50_000,
        "currency": "INR",
        "status": "paid",
        "short_url": "https://rzp.example/i/1",
        "order_id": "order_1",
        "expire_by": 0,
        "payments": None,
    }
    return given | changes


PAID = Captured(reference="pay_1", amount=Money(50_000, "INR"))


@pytest.mark.parametrize(
    ("links", "payments", "expected"),
    [
        ([link()], [payment()], PAID),
        ([link()], [payment(status="refunded")], PAID),
        ([link()], [payment(id="pay_0", status="failed"), payment()], PAID),
        ([link(status="expired")], [payment()], PAID),  # paid at the last moment
        ([link(status="expired")], [payment(status="created")], Pending),
        ([link(status="expired")], [payment(status="failed")], Declined),
        ([link(status="cancelled")], [], Declined),
        ([link()], [], InDoubt),
        ([link()], [payment(status="sleeping")], InDoubt),
        ([link()], [payment(order_id="order_2")], InDoubt),
        ([link(status="partially_paid")], [payment()], PAID),
        ([link(status="partially_paid")], [], InDoubt),
        ([link()], [payment(id="pay_0", status="cancelled"), payment()], PAID),
        ([link()], [payment(), payment(id="pay_0", status="cancelled"), None], PAID),
        ([link()], [payment(order_id="order_2", id="pay_0"), payment()], PAID),
        ([link(), None, "?"], [5, payment(amount="?", id="pay_0"), payment()], PAID),
        ([None], [payment()], InDoubt),
        (
            [link(status="created")],
            [payment(status="cancelled"), payment(status="failed")],
            InDoubt,
        ),
        ([link(status="created", amount=1)], [], InDoubt),
        ([link(status="created", short_url="javascript:1")], [], InDoubt),
        ([link(status="created")], [payment(status="failed")], ActionNeeded),
        ([link(reference_id="other")], [payment()], InDoubt),
        ([link(), link(id="plink_2")], [payment()], InDoubt),
        ("none", [], InDoubt),
    ],
)
async def test_what_a_link_and_its_payments_come_to(
    scripted: RazorpayConnector, script: Scripted, links: Any, payments: Any, expected: Any
) -> None:
    script.says["GET /v1/payment_links"] = (200, {"payment_links": links})
    script.says["GET /v1/orders/order_1/payments"] = (200, {"items": payments})
    told = await scripted.query(KEY, KnownCharge(amount=Money(50_000, "INR")))
    assert isinstance(told, expected) if isinstance(expected, type) else told == expected


async def test_a_link_without_an_order_is_asked_by_the_payments_it_lists(
    scripted: RazorpayConnector, script: Scripted
) -> None:
    listed = link(order_id=None, payments=[{"payment_id": "pay_1", "status": "captured"}])
    script.says["GET /v1/payment_links"] = (200, {"payment_links": [listed]})
    script.says["GET /v1/payments/pay_1"] = (200, payment())
    assert await scripted.query(KEY) == PAID
    script.says["GET /v1/payments/pay_1"] = (200, payment(id="pay_2"))
    assert isinstance(await scripted.query(KEY), InDoubt)


async def test_not_found_is_no_refusal_of_what_was_to_be_made(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    fault = {"provider": "razorpay", "operation": "*", "fault": "not_found"}
    simulator.set_faults([fault])
    assert isinstance(await razorpay.charge(charge_request()), InDoubt)
    simulator.set_faults([])
    await paid(razorpay, simulator)
    request = change(charge_reference="")
    simulator.set_faults([{**fault, "operation": "refund"}])
    assert isinstance(await razorpay.refund(request), InDoubt)
    simulator.set_faults([])
    assert isinstance(await razorpay.query_modification(request), Unknown)
    assert isinstance(await razorpay.refund(request), Done)
