"""Reports with odd rows in them, payouts that a bank sends back, and its statement of both."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.simulator.conftest import Shop
from tests.simulator.test_files import DAY, a_day, written

from kassa.connectors.reports import Declaration, read_report
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable
from kassa_simulator.files import settlement_file
from kassa_simulator.odd_rows import ODD
from kassa_simulator.running import Simulator

STRIPE = {"latest_charge": "ch_1", "metadata": {}, "description": None}
_DAY = timedelta(days=1)


def read(content: bytes, form: str) -> list[ReportLine | Unreadable]:
    return list(read_report(io.BytesIO(content), Declaration(format=form)))


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_row_hides_none_of_its_neighbours(tmp_path: Path, odd: str) -> None:
    books, desk = a_day(tmp_path, "stripe", "USD", **STRIPE)

    found = read(written(books, desk, "stripe", odd), "stripe")

    assert len(found) == 4
    assert [type(one) for one in found].count(Unreadable) == 1
    books.close()


@pytest.mark.parametrize("odd", ["cut", "unknown_type", "bad_number"])
def test_an_odd_row_of_an_alipay_bill_costs_itself_and_the_totals(tmp_path: Path, odd: str) -> None:
    books, desk = a_day(tmp_path, "alipay", "CNY", subject="Tea")

    found = read(written(books, desk, "alipay", odd), "alipay")

    aside = [one.number for one in found if isinstance(one, Unreadable)]
    assert len(found) - len(aside) == 3
    assert len(aside) == 2
    assert aside[-1] == 0, "the bill's own end counts it"
    books.close()


@pytest.mark.parametrize("provider", ["razorpay", "cashfree", "wallet"])
@pytest.mark.parametrize("odd", ["cut", "unknown_type", "bad_number", "unknown_currency"])
def test_each_provider_s_rows_may_be_odd(tmp_path: Path, provider: str, odd: str) -> None:
    books, desk = a_day(tmp_path, provider, "INR")

    plain = written(books, desk, provider).splitlines()
    spoiled = written(books, desk, provider, odd).splitlines()

    assert len(plain) == len(spoiled)
    assert sum(one != other for one, other in zip(plain, spoiled, strict=True)) == 1
    books.close()


def test_lines_come_days_late_and_again_in_the_next_file(tmp_path: Path) -> None:
    books, desk = a_day(tmp_path, "stripe", "USD", **STRIPE)

    def of(day: datetime, *faults: str) -> int:
        file = settlement_file(
            books, desk, provider="stripe", merchant="shop", day=day, faults=faults
        )
        return len(read(file.body, "stripe"))

    assert (of(DAY), of(DAY + _DAY)) == (4, 1)
    assert of(DAY + _DAY, "again") == 5
    days = [of(DAY + number * _DAY, "late") for number in range(6)]
    assert sum(days) == 5
    assert days[0] < 4
    books.close()


@pytest.fixture
async def http(simulator: Simulator) -> Any:
    async with aiohttp.ClientSession(simulator.url) as session:
        yield session


@pytest.mark.anyio
async def test_reports_are_odd_from_when_it_is_asked_for(
    http: aiohttp.ClientSession, shop: Shop, simulator: Simulator
) -> None:
    await shop.pay()
    simulator.advance(_DAY)
    body = {"provider": "stripe", "merchant": "lantern", "odd": ["unknown_type"]}
    async with http.put("/_simulator/reports", json=body) as answer:
        assert answer.status == 200
    async with http.put("/_simulator/reports", json=body | {"odd": ["burnt"]}) as answer:
        assert answer.status == 400
    (payout,) = (await shop(lambda v1: v1.payouts.list())).data

    entries = await shop(lambda v1: v1.balance_transactions.list({"payout": payout.id}))

    said = [one["reporting_category"] for one in entries.data]
    assert len(said) == 2
    assert said.count("a_word_of_next_year") == 1


@pytest.mark.anyio
async def test_a_payout_is_sent_back_and_comes_again_alone(
    http: aiohttp.ClientSession, shop: Shop, simulator: Simulator
) -> None:
    await shop.pay()
    simulator.advance(4 * _DAY)
    (first,) = simulator.payouts("stripe", "lantern")
    wanted = {"provider": "stripe", "merchant": "lantern", "reference": first.reference}

    async with http.post("/_simulator/payouts/return", json=wanted) as answer:
        assert answer.status == 200
    async with http.post("/_simulator/payouts/return", json=wanted) as answer:
        assert answer.status == 400, "it has come back already"
    simulator.advance(4 * _DAY)
    async with http.get("/_simulator/payouts?provider=stripe&merchant=lantern") as answer:
        told = await answer.json()

    assert [(one["amount_minor"], bool(one["returned_at"])) for one in told] == [
        (first.amount_minor, True),
        (first.amount_minor, False),
    ]
    assert "payout.failed" in [one["event"] for one in simulator.letters()]
    moved = []
    for number in range(12):
        day = f"{datetime.now(UTC) + number * _DAY:%Y-%m-%d}"
        path = f"/_simulator/statement?provider=stripe&merchant=lantern&date={day}"
        async with http.get(path) as answer:
            moved += read(await answer.read(), "camt.053")
    assert [(one.kind, one.amount.minor) for one in moved if isinstance(one, ReportLine)] == [
        (LineKind.PAYOUT, first.amount_minor),
        (LineKind.PAYOUT, -first.amount_minor),
        (LineKind.PAYOUT, first.amount_minor),
    ]


@pytest.mark.anyio
async def test_a_charge_is_settled_abroad_and_its_fee_corrected(
    shop: Shop, simulator: Simulator
) -> None:
    intent = await shop.pay()
    simulator.act("stripe", intent.id, "settle_abroad")
    simulator.act("stripe", intent.id, "correct_fee")
    simulator.advance(_DAY)
    (payout,) = simulator.payouts("stripe", "lantern")

    entries = await shop(lambda v1: v1.balance_transactions.list({"payout": payout.reference}))

    assert [
        (one["reporting_category"], one["currency"], one["amount"], one["fee"])
        for one in entries.data
    ] == [("payout", "eur", -983, 0), ("fee", "eur", 29, 0), ("charge", "eur", 1011, 57)]
    assert payout.currency == "EUR"
