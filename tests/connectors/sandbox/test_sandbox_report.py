"""The settlement report: its lines, its sums, and its CSV."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.connectors.sandbox.clock import START, Clock, Request

from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, Done, ModificationRequest
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector
from kassa.connectors.sandbox.report import COLUMNS, as_csv

pytestmark = pytest.mark.anyio

NEXT_DAY = START + timedelta(days=1)


def changing(
    key: str, charge_key: str, minor: int, now: datetime, *, is_last: bool = True
) -> ModificationRequest:
    return ModificationRequest(
        key=key, charge_key=charge_key, charge_reference="", amount=Money(minor, "CNY"),
        charge_amount=Money(29999, "CNY"), reason="", notify_url="", now=now, is_last=is_last,
    )  # fmt: skip


@pytest.fixture
async def busy_day(connector: SandboxConnector, clock: Clock, request_for: Request) -> None:
    """A capture in parts, a refund, a dispute that was won, and what moves nothing."""
    await connector.charge(request_for("pm_sandbox_paid", key="at_1"))
    await connector.charge(request_for("pm_sandbox_paid", key="at_2", capture=False))
    await connector.charge(request_for("pm_sandbox_declined", key="at_3"))
    await connector.charge(request_for("pm_sandbox_dispute_won", key="at_4"))
    await connector.charge(request_for("pm_sandbox_paid", key="at_5", amount=Money(500, "JPY")))
    clock.pass_by(1)
    await connector.capture(changing("mo_1", "at_2", 10000, clock.now, is_last=False))
    await connector.capture(changing("mo_2", "at_2", 5000, clock.now))
    await connector.refund(changing("mo_3", "at_1", 9999, clock.now))
    await connector.refund(changing("mo_4", "at_1", 29999, clock.now))  # refused
    clock.pass_by(10)


@pytest.mark.usefixtures("busy_day")
async def test_every_movement_has_its_line_in_the_order_of_time(books: SandboxBooks) -> None:
    lines = list(books.report(START, NEXT_DAY, now=START + timedelta(hours=1)))

    assert [
        (one["type"], one["our_reference"], one["gross"], one["fee"], one["net"], one["currency"])
        for one in lines
    ] == [
        ("payment", "at_1", "299.99", "9.00", "290.99", "CNY"),
        ("payment", "at_4", "299.99", "9.00", "290.99", "CNY"),
        ("payment", "at_5", "500", "45", "455", "JPY"),
        ("payment", "mo_1", "100.00", "3.20", "96.80", "CNY"),
        ("payment", "mo_2", "50.00", "1.75", "48.25", "CNY"),
        ("refund", "mo_3", "-99.99", "0.00", "-99.99", "CNY"),
        ("dispute", "at_4", "-299.99", "15.00", "-314.99", "CNY"),
        ("dispute_reversal", "at_4", "299.99", "-15.00", "314.99", "CNY"),
    ]
    assert [one["line"] for one in lines] == [str(number) for number in range(1, 9)]
    assert lines[-1]["occurred_at"] == "2026-01-01T00:00:06Z"
    assert {(one["currency"], one["payout_reference"]) for one in lines} == {
        ("CNY", "payout_20260101_CNY"),
        ("JPY", "payout_20260101_JPY"),
    }


@pytest.mark.usefixtures("busy_day")
async def test_the_references_are_those_that_the_caller_was_told(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock
) -> None:
    theirs = {
        one["our_reference"]: one["provider_reference"] for one in books.report(START, NEXT_DAY)
    }

    charge = await connector.query("at_1")
    part = await connector.query_modification(changing("mo_1", "at_2", 10000, clock.now))
    refund = await connector.query_modification(changing("mo_3", "at_1", 9999, clock.now))

    assert isinstance(charge, Captured)
    assert isinstance(part, Done)
    assert isinstance(refund, Done)
    assert [theirs[key] for key in ("at_1", "mo_1", "mo_3")] == [
        charge.reference, part.reference, refund.reference,
    ]  # fmt: skip


@pytest.mark.usefixtures("busy_day")
async def test_the_sum_of_the_lines_is_what_the_books_hold(books: SandboxBooks) -> None:
    lines = [one for one in books.report(START, NEXT_DAY, now=NEXT_DAY) if one["currency"] == "CNY"]

    gross = sum(Decimal(one["gross"]) for one in lines)

    moved = (books.total_captured("CNY"), books.total_refunded("CNY"), books.total_disputed("CNY"))
    captured, refunded, disputed = (Decimal(str(one)) for one in moved)
    assert gross == captured - refunded - disputed
    assert all(Decimal(one["net"]) == Decimal(one["gross"]) - Decimal(one["fee"]) for one in lines)


@pytest.mark.usefixtures("busy_day")
async def test_a_report_ends_before_its_end_and_the_next_goes_on_there(books: SandboxBooks) -> None:
    cut = START + timedelta(seconds=1)

    early, late = books.report(START, cut), books.report(cut, NEXT_DAY, now=NEXT_DAY)

    assert [one["our_reference"] for one in early] == ["at_1", "at_4", "at_5"]
    assert [one["our_reference"] for one in late] == ["mo_1", "mo_2", "mo_3", "at_4", "at_4"]


async def test_a_movement_just_before_midnight_belongs_to_that_days_payout(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request
) -> None:
    clock.now = datetime(2026, 11, 22, 23, 59, 59, 999000, tzinfo=UTC)
    await connector.charge(request_for("pm_sandbox_paid", key="at_1"))
    clock.now += timedelta(milliseconds=1)
    await connector.charge(request_for("pm_sandbox_paid", key="at_2"))

    day = datetime(2026, 11, 22, tzinfo=UTC)
    both = list(books.report(day, day + timedelta(days=2)))
    assert [one["payout_reference"] for one in both] == [
        "payout_20261122_CNY", "payout_20261123_CNY",
    ]  # fmt: skip
    assert [one["our_reference"] for one in books.report(day, day + timedelta(days=1))] == ["at_1"]


async def test_a_report_that_is_read_slowly_stays_of_one_moment(
    connector: SandboxConnector, books: SandboxBooks, request_for: Request
) -> None:
    await connector.charge(request_for("pm_sandbox_paid", key="at_1"))
    await connector.charge(request_for("pm_sandbox_paid", key="at_2"))

    reading = books.report(START, NEXT_DAY)
    first = next(reading)
    await connector.charge(request_for("pm_sandbox_paid", key="at_3"))

    assert first["our_reference"] == "at_1"
    assert [one["our_reference"] for one in reading] == ["at_2"]
    assert len(list(books.report(START, NEXT_DAY))) == 3


@pytest.mark.usefixtures("busy_day")
async def test_the_csv_says_the_same_under_a_header(books: SandboxBooks) -> None:
    lines = list(books.report(START, NEXT_DAY))

    text = "".join(as_csv(iter(lines)))

    assert text.startswith(",".join(COLUMNS) + "\r\n1,payment,at_1,sbx_")
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == lines


def test_the_csv_comes_in_pieces_and_an_empty_day_is_a_header() -> None:
    line = dict.fromkeys(COLUMNS, "x")

    pieces = list(as_csv(line for _ in range(1200)))

    assert len(pieces) == 3
    assert "".join(pieces).count("\r\n") == 1201
    assert "".join(as_csv([])) == ",".join(COLUMNS) + "\r\n"
