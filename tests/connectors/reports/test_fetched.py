"""What connectors fetched as JSON: written as a file, and read again to the last unit."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from kassa.base.domain.money import Money
from kassa.connectors.reports import Declaration, read_report
from kassa.connectors.reports.fetched import FETCHED, FetchedLine, Odd, write_fetched
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable

AT = datetime(2026, 11, 22, 10, 20, tzinfo=UTC)


def line(**changes: Any) -> FetchedLine:
    given: dict[str, Any] = {
        "kind": LineKind.PAYMENT,
        "amount": Decimal("500.10"),
        "currency": "INR",
        "fee": Decimal("11.80"),
        "net": Decimal("488.30"),
        "our_reference": "at1_key",
        "provider_reference": "pay_1",
        "payout_reference": "UTR1",
        "occurred_at": AT,
        "provider_kind": "payment",
    }
    return FetchedLine(**(given | changes))


def read(*lines: FetchedLine) -> list[ReportLine | Unreadable]:
    return list(read_report(io.BytesIO(write_fetched(lines)), Declaration(format=FETCHED)))


def test_what_is_written_is_read_again() -> None:
    (found,) = read(line())
    assert isinstance(found, ReportLine)
    assert (found.kind, found.amount, found.fee) == (
        LineKind.PAYMENT,
        Money(50_010, "INR"),
        Money(1_180, "INR"),
    )
    assert (found.our_reference, found.provider_reference) == ("at1_key", "pay_1")
    assert (found.payout_reference, found.occurred_at) == ("UTR1", AT)
    assert found.raw["provider_kind"] == "payment"


def test_what_may_name_a_line_as_well_is_kept() -> None:
    first, second = read(line(texts=("order_1", "", "pay_2")), line())
    assert isinstance(first, ReportLine)
    assert set(first.texts) >= {"order_1", "pay_2"}
    assert isinstance(second, ReportLine)
    assert second.texts == ()


def test_a_file_of_before_has_no_columns_of_texts_and_troubles() -> None:
    old = b"".join(
        b",".join(row.split(b",")[:10]) + b"\n" for row in write_fetched([line()]).splitlines()
    )
    (found,) = read_report(io.BytesIO(old), Declaration(format=FETCHED))
    assert isinstance(found, ReportLine)


def test_a_net_that_does_not_fit_a_foreign_word_and_a_wrong_sign_are_put_aside() -> None:
    found = read(
        line(net=Decimal("488.31")),
        line(kind="novelty"),
        line(amount=Decimal(-5), net=None, fee=Decimal(0)),
        line(net=None),
    )
    assert [isinstance(one, Unreadable) for one in found] == [True, True, True, False]


def test_quotes_commas_and_empty_cells_survive() -> None:
    (found,) = read(line(our_reference='a,"b"', occurred_at=None, net=None))
    assert isinstance(found, ReportLine)
    assert (found.our_reference, found.occurred_at) == ('a,"b"', None)


def test_of_what_cannot_be_understood_nothing_of_a_payers_is_kept_however_deep_it_stands() -> None:
    payer = {"customer_email": "payer@shop.example", "amount": 5}
    written = write_fetched([Odd("not an object", {"line": [payer, {"payments": [payer]}]})])

    assert b"amount" in written
    assert b"payer@shop.example" not in written
