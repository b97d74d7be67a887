"""Any CSV by its mapping, and the sandbox's report."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.connectors.reports.samples import (
    MAPPING,
    SANDBOX,
    SANDBOX_HEADER,
    amounts,
    aside,
    good,
    read,
)

from kassa.base.domain.money import Money
from kassa.connectors.reports import NotThatFormat
from kassa.reconciliation.domain.reports import LineKind, ReportLine

BANKISH = "Datum;Betrag;Typ;Zweck\n2026-10-03;-12,50;Erstattung;at_1\n2026-10-03;99;Zahlung;at_2\n"
WORDS = {"kind": "Typ", "amount": "Betrag", "our_reference": "Zweck", "occurred_at": "Datum"}
KINDS = {"Erstattung": "refund", "Zahlung": "payment"}


def test_a_mapping_with_words_marks_and_a_zone_of_its_own() -> None:
    lines = good(
        read(
            BANKISH,
            columns=WORDS,
            kinds=KINDS,
            currency="EUR",
            decimal=",",
            delimiter=";",
            time_zone="Europe/Berlin",
        )
    )

    assert lines[0] == ReportLine(
        number=2,
        kind=LineKind.REFUND,
        amount=Money(-1250, "EUR"),
        fee=Money(0, "EUR"),
        our_reference="at_1",
        occurred_at=datetime(2026, 10, 2, 22, tzinfo=UTC),
        raw={"Datum": "2026-10-03", "Betrag": "-12,50", "Typ": "Erstattung", "Zweck": "at_1"},
    )
    assert (lines[1].kind, lines[1].amount) == (LineKind.PAYMENT, Money(9900, "EUR"))


def test_a_constant_stands_on_every_line() -> None:
    mapping = {"kind": "=fee", "amount": "a", "currency": "=KWD", "payout_reference": "=po_1"}

    (line,) = good(read("a\n-1.250\n", columns=mapping))

    assert (line.kind, line.amount, line.payout_reference) == (
        LineKind.FEE,
        Money(-1250, "KWD"),
        "po_1",
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"columns": {}}, "where kind and amount and currency stands"),
        ({"columns": {**MAPPING, "colour": "x"}}, "no column is called colour"),
        ({"columns": MAPPING, "kinds": {"x": "gift"}}, "no kind is called 'gift'"),
        ({"columns": MAPPING, "delimiter": ""}, "a delimiter is one character"),
        ({"columns": MAPPING, "delimiter": '"'}, "a delimiter is one character"),
        ({"columns": MAPPING, "decimal": "'"}, "the decimal mark"),
        ({"columns": MAPPING, "time_zone": "Nowhere"}, "no time zone is called"),
        ({"columns": MAPPING, "form": "mt940"}, "no format is called 'mt940'"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(NotThatFormat) as caught:
        read("x\n", **said)

    assert words in caught.value.message
    assert caught.value.code == "invalid_request"


def test_the_sandbox_report() -> None:
    lines = good(read(SANDBOX, "sandbox"))

    assert [line.kind.value for line in lines] == [
        "payment",
        "refund",
        "dispute",
        "dispute_reversal",
        "payout",
    ]
    assert amounts(lines)[:3] == [
        ("299.99 CNY", "9.00 CNY"),
        ("-100.00 CNY", "0.00 CNY"),
        ("-500 JPY", "0 JPY"),
    ]
    first = lines[0]
    assert (first.number, first.our_reference, first.provider_reference) == (2, "at_1", "ch_1")
    assert first.payout_reference == "po_7"
    assert first.occurred_at == datetime(2026, 10, 3, 9, tzinfo=UTC)
    assert first.raw["gross"] == "299.99"


def test_the_sandbox_ends_every_line_so_a_cut_reference_is_noticed() -> None:
    lines = read(SANDBOX[:-3], "sandbox")

    assert aside(lines) == {6: "the file ends inside this line: it was cut off"}


def test_an_empty_report_has_no_lines() -> None:
    assert read(f"{SANDBOX_HEADER}\n", "sandbox") == []


def test_further_texts_are_kept_line_by_line_as_well() -> None:
    data = 'what,gross,a,b\npayment,1.00,one,"two\nthree"\npayment,1.00,,\n'
    said = {"columns": {"kind": "what", "amount": "gross"}, "currency": "EUR", "texts": ("a", "b")}

    first, second = good(read(data, **said))

    assert first.texts == ("one", "two\nthree", "two", "three")
    assert second.texts == ()
    with pytest.raises(NotThatFormat, match="with c in its header"):
        read(data, **{**said, "texts": ("c",)})
