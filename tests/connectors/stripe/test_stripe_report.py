"""The settlement report of a day, as the report reader reads it."""

import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.stripe.conftest import Api, charge_request, modification, page, refused

from kassa.connectors.base import Captured, InDoubt, NotSent, Report, Unknown
from kassa.connectors.reports import Declaration, read_report
from kassa.connectors.stripe.connector import StripeConnector
from kassa.reconciliation.domain.reports import ReportLine, Unreadable
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio
DAY = date(2026, 11, 21)
PAYOUTS, ENTRIES = "GET /v1/payouts", "GET /v1/balance_transactions"


def lines_of(report: object) -> list[ReportLine]:
    assert isinstance(report, Report)
    assert report.format == "stripe"
    found = list(read_report(io.BytesIO(report.content), Declaration(format="stripe")))
    lines = [one for one in found if isinstance(one, ReportLine)]
    assert len(lines) == len(found)
    return lines


def payout(**members: Any) -> dict[str, Any]:
    return {
        "id": "po_1",
        "object": "payout",
        "balance_transaction": "txn_9",
        "reconciliation_status": "completed",
        "status": "paid",
        **members,
    }


def entry(name: str, category: str, amount: int, fee: int = 0, **members: Any) -> dict[str, Any]:
    return {
        "id": name,
        "object": "balance_transaction",
        "amount": amount,
        "created": 1_795_000_000,
        "currency": "usd",
        "fee": fee,
        "net": amount - fee,
        "reporting_category": category,
        "source": "po_1",
        **members,
    }


CHARGE = {
    "id": "ch_1",
    "object": "charge",
    "metadata": {"kassa_key": "at1_key", "order_id": "1001"},
    "payment_intent": "pi_1",
}
REFUND = {
    "id": "re_1",
    "object": "refund",
    "charge": "ch_1",
    "metadata": {"kassa_key": "re1_key"},
    "payment_intent": "pi_1",
}
DISPUTED = {
    "id": "du_1",
    "object": "dispute",
    "charge": "ch_1",
    "metadata": {},
    "payment_intent": "pi_1",
}


async def test_every_movement_of_a_payout_is_a_line(api: Api, told: StripeConnector) -> None:
    api.answers |= {
        PAYOUTS: page(payout()),
        ENTRIES: page(
            entry("txn_9", "payout", -6537),
            entry("txn_1", "charge", 10_000, 320, source=CHARGE),
            entry("txn_2", "refund", -543, source=REFUND),
            entry("txn_3", "dispute", -1100, 1500, source=DISPUTED),
            entry("txn_4", "fee", 0, 0),
        ),
    }

    lines = lines_of(await told.report(DAY))

    assert [
        (line.kind.value, str(line.amount), line.fee.minor, line.our_reference) for line in lines
    ] == [
        ("payout", "-65.37 USD", 0, ""),
        ("payment", "100.00 USD", 320, "at1_key"),
        ("refund", "-5.43 USD", 0, "re1_key"),
        ("dispute", "-11.00 USD", 1500, ""),
        ("fee", "0.00 USD", 0, ""),
    ]
    assert [line.provider_reference for line in lines[:4]] == ["po_1", "pi_1", "re_1", "du_1"]
    assert {line.payout_reference for line in lines} == {"po_1"}
    assert lines[0].occurred_at == datetime.fromtimestamp(1_795_000_000, UTC)
    start = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp())
    assert api.seen[0][1] == {
        "created[gte]": str(start),
        "created[lt]": str(start + 86_400),
        "limit": "50",
    }
    assert api.seen[1][1] == {"payout": "po_1", "limit": "50", "expand[0]": "data.source"}


async def test_a_movement_in_a_status_that_nobody_knows_is_put_aside_alone(
    api: Api, told: StripeConnector
) -> None:
    api.answers |= {
        PAYOUTS: page(payout()),
        ENTRIES: page(
            entry("txn_1", "charge", 10_000, 320, source=CHARGE, status="available"),
            entry("txn_1x", "charge", 10_000, 320, source=CHARGE, status="a_word_of_next_year"),
        ),
    }

    report = await told.report(DAY)

    assert isinstance(report, Report)
    good, odd = read_report(io.BytesIO(report.content), Declaration(format="stripe"))
    assert isinstance(good, ReportLine)
    assert isinstance(odd, Unreadable)
    assert "status" in odd.reason


async def test_amounts_are_in_the_units_of_their_currency(api: Api, told: StripeConnector) -> None:
    api.answers |= {
        PAYOUTS: page(payout()),
        ENTRIES: page(
            entry("txn_1", "charge", 500, 100, currency="isk"),
            entry("txn_2", "charge", 500, 18, currency="jpy"),
        ),
    }

    lines = lines_of(await told.report(DAY))

    assert [str(line.amount) for line in lines] == ["5 ISK", "500 JPY"]


async def test_a_payout_by_hand_is_a_line_of_its_own(api: Api, told: StripeConnector) -> None:
    api.answers |= {
        PAYOUTS: page(payout(reconciliation_status="not_applicable")),
        "GET /v1/balance_transactions/txn_9": entry("txn_9", "payout", -500),
    }

    (line,) = lines_of(await told.report(DAY))

    assert (line.kind.value, line.amount.minor, line.payout_reference) == ("payout", -500, "po_1")


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        ({PAYOUTS: page()}, Unknown),
        ({PAYOUTS: page(payout(reconciliation_status="in_progress"))}, Unknown),
        (
            {
                PAYOUTS: page(
                    payout(reconciliation_status="not_applicable", balance_transaction="")
                ),
            },
            Unknown,
        ),
        ({PAYOUTS: (429, refused())}, NotSent),
        ({PAYOUTS: (500, refused())}, InDoubt),
        ({PAYOUTS: (400, refused())}, InDoubt),
        ({PAYOUTS: page(payout()), ENTRIES: (500, refused())}, InDoubt),
        ({PAYOUTS: page(payout()), ENTRIES: b"<html>"}, InDoubt),
    ],
)
async def test_what_stripe_does_not_answer_is_no_report(
    api: Api, told: StripeConnector, answers: dict[str, Any], word: type
) -> None:
    api.answers |= answers

    assert isinstance(await told.report(DAY), word)


async def test_a_movement_that_cannot_be_read_is_a_line_alone(
    api: Api, told: StripeConnector
) -> None:
    api.answers |= {
        PAYOUTS: page(payout()),
        ENTRIES: page(
            entry("txn_1", "charge", 10_000, 320, source=CHARGE),
            entry("txn_2", "charge", 1, net="x", source={**CHARGE, "email": "ann@example.com"}),
            entry("txn_3", "charge", 1, currency="xyz"),
            entry("txn_4", "refund", -543, source=REFUND),
        ),
    }

    report = await told.report(DAY)

    assert isinstance(report, Report)
    found = list(read_report(io.BytesIO(report.content), Declaration(format="stripe")))
    assert [isinstance(one, ReportLine) for one in found] == [True, False, False, True]
    first, second = (one for one in found if isinstance(one, Unreadable))
    assert (first.number, first.reason) == (3, "net is not a whole number")
    assert first.raw["balance_transaction_id"] == "txn_2"
    assert '"net": "x"' in first.raw["kassa_said"]
    assert b"ann@example.com" not in report.content
    assert second.reason == "amount cannot be money of ours"


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"status": "lost"}, "a payout has a status that we do not know"),
        ({"reconciliation_status": "new"}, "a payout does not say whether it can be taken apart"),
        (
            {"reconciliation_status": "in_progress"},
            "Stripe has not finished a payout of that day: fetch the report again later",
        ),
    ],
)
async def test_a_payout_that_cannot_be_taken_apart_is_a_line_alone(
    api: Api, told: StripeConnector, odd: dict[str, Any], reason: str
) -> None:
    api.answers |= {
        PAYOUTS: page(payout(id="po_2", currency="jpy", **odd), payout()),
        ENTRIES: page(entry("txn_1", "charge", 10_000, 320, source=CHARGE)),
    }

    report = await told.report(DAY)

    assert isinstance(report, Report)
    found = list(read_report(io.BytesIO(report.content), Declaration(format="stripe")))
    assert [one.reason for one in found if isinstance(one, Unreadable)] == [reason]
    assert [one.our_reference for one in found if isinstance(one, ReportLine)] == ["at1_key"]


async def test_what_the_simulator_paid_out_is_read(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    today = datetime.now(UTC).date()
    paid = [await stripe.charge(charge_request(f"at1_{n}")) for n in range(60)]
    first = paid[0]
    assert isinstance(first, Captured)
    await stripe.refund(modification("re1_key", first.reference, 500, charge_key="at1_0"))
    simulator.advance(timedelta(days=1))

    lines = lines_of(await stripe.report(today + timedelta(days=1)))

    payments = [line for line in lines if line.kind.value == "payment"]
    assert {line.our_reference for line in payments} == {f"at1_{n}" for n in range(60)}
    assert {line.amount.minor for line in payments} == {1099}
    (refund,) = [line for line in lines if line.kind.value == "refund"]
    (payout,) = [line for line in lines if line.kind.value == "payout"]
    assert (refund.amount.minor, refund.our_reference) == (-500, "re1_key")
    moved = [line.amount.minor - line.fee.minor for line in lines if line is not payout]
    assert payout.amount.minor == -sum(moved)
    assert isinstance(await stripe.report(today - timedelta(days=1)), Unknown)
