"""The gateway's readers understand the files that the simulator writes of a day."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kassa.connectors.reports import Declaration, read_report
from kassa.reconciliation.domain.reports import ReportLine
from kassa_simulator.books import SqliteBooks
from kassa_simulator.clock import Clock
from kassa_simulator.desk import Desk
from kassa_simulator.files import BadWish, settlement_file
from kassa_simulator.frame import Change, Charge, Merchant

DAY = datetime(2026, 3, 2, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)


def a_day(directory: Path, provider: str, currency: str, **data: Any) -> tuple[SqliteBooks, Desk]:
    """Three charges of that day and one of the next; half of the first is refunded."""
    books = SqliteBooks(directory / "books", seed=1, clock=Clock(NOON))
    desk = Desk(books)
    with books.deed():
        desk.add_merchant(Merchant(provider=provider, name="shop", credentials={}))
        for number in range(4):
            at = NOON + timedelta(days=number // 3)
            charge = Charge(
                provider=provider,
                merchant="shop",
                id=f"charge_{number}",
                key=f"att_{number}",
                amount_minor=1000,
                currency=currency,
                status="captured",
                captured_minor=1000,
                created_at=at,
                updated_at=at,
                data=data,
            )
            books.add_charge(charge)
            books.move(charge, "charge", 1000, at=at, fee_minor=30)
            if number == 0:
                refund = Change(
                    provider=provider,
                    merchant="shop",
                    id="refund_0",
                    key="ref_0",
                    charge_id=charge.id,
                    kind="refund",
                    amount_minor=500,
                    status="done",
                    created_at=at,
                    data={"metadata": {"kassa_attempt": "ref_0"}},
                )
                books.add_change(refund)
                books.move(charge, "refund", 500, at=at)
    return books, desk


def written(books: SqliteBooks, desk: Desk, provider: str, *faults: str) -> bytes:
    return settlement_file(
        books, desk, provider=provider, merchant="shop", day=DAY, faults=faults
    ).body


def lines(content: bytes, form: str) -> list[ReportLine]:
    read = list(read_report(io.BytesIO(content), Declaration(format=form)))
    assert all(isinstance(line, ReportLine) for line in read), read
    return [line for line in read if isinstance(line, ReportLine)]


@pytest.mark.parametrize(
    ("provider", "currency", "data"),
    [
        ("stripe", "USD", {"latest_charge": "ch_1", "metadata": {}, "description": None}),
        ("alipay", "CNY", {"subject": "Tea"}),
    ],
)
def test_the_gateway_reads_the_same_money(
    tmp_path: Path, provider: str, currency: str, data: dict[str, Any]
) -> None:
    books, desk = a_day(tmp_path, provider, currency, **data)

    read = lines(written(books, desk, provider), provider)

    assert [(line.kind.value, line.amount.minor) for line in read] == [
        ("payment", 1000),
        ("refund", -500),
        ("payment", 1000),
        ("payment", 1000),
    ]
    assert sum(line.fee.minor for line in read) == 90
    assert {line.amount.currency for line in read} == {currency}
    assert read[1].our_reference == "ref_0"
    books.close()


def test_an_alipay_bill_still_adds_up_with_faults(tmp_path: Path) -> None:
    books, desk = a_day(tmp_path, "alipay", "CNY", subject="Tea")

    spoiled = lines(written(books, desk, "alipay", "missing", "split", "extra", "wrong"), "alipay")

    assert len(spoiled) == 4 - 1 + 1 + 1
    books.close()


@pytest.mark.parametrize("provider", ["razorpay", "cashfree", "wallet"])
def test_each_provider_reports_its_day_in_its_own_columns(tmp_path: Path, provider: str) -> None:
    books, desk = a_day(tmp_path, provider, "INR")

    header, *rows = written(books, desk, provider).decode().splitlines()

    assert len(header.split(",")) > 5
    assert len(rows) == 4
    assert all("charge_3" not in row for row in rows)
    assert any("ref_0" in row for row in rows)
    books.close()


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    books, desk = a_day(tmp_path, "wallet", "CNY")

    with pytest.raises(BadWish, match="faults must be of"):
        written(books, desk, "wallet", "burnt")
    books.close()


def test_each_refund_that_comes_back_is_called_by_its_own_name(tmp_path: Path) -> None:
    books, desk = a_day(tmp_path, "wallet", "CNY")
    charge = books.charge("wallet", "charge_0")
    assert charge is not None
    with books.deed():
        (first,) = books.changes_of("wallet", charge.id)
        second = replace(first, id="refund_1", key="ref_1", data={"returned": True})
        books.save_change(replace(first, status="failed", data={"returned": True}))
        books.move(charge, "refund", -500, at=NOON)
        books.add_change(replace(second, status="failed"))
        books.move(charge, "refund", 500, at=NOON)
        books.move(charge, "refund", -500, at=NOON)

    rows = csv.DictReader(io.StringIO(written(books, desk, "wallet").decode()))

    told = [(row["transactionType"], row["transactionId"]) for row in rows]
    assert [one for one in told if one[0] != "PAYMENT"] == [
        ("REFUND", "refund_0"),
        ("REFUND_REVERSAL", "refund_0"),
        ("REFUND", "refund_1"),
        ("REFUND_REVERSAL", "refund_1"),
    ]
    books.close()
