"""Exports: complete, balanced, harmless to open, the same in both formats, and never too large."""

import csv
import io
import itertools
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from tests.shop import Shop

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.money import Money
from kassa.ledger.store.ledgers import Span
from kassa.ledger.usecases import export as export_books
from kassa.ledger.usecases import export_formats
from kassa.ledger.usecases.export import (
    JOURNAL,
    Column,
    Content,
    Export,
    Row,
    export_journal,
    export_settlement,
    export_trial_balance,
    read_moment,
)
from kassa.ledger.usecases.export_formats import Format, open_writer

pytestmark = pytest.mark.anyio

Opened = AbstractAsyncContextManager[Export]


async def all_of(opened: Opened) -> tuple[Export, list[Row]]:
    async with opened as export:
        rows = [row async for page in export.pages for row in page.rows]
    return export, rows


def written(
    columns: Sequence[Column], rows: Sequence[Row], kind: Format = Format.CSV, *, bom: bool = False
) -> bytes:
    file = io.BytesIO()
    writer = open_writer(kind, file, columns, title="a test", mode="test", bom=bom)
    for row in rows:
        writer.write([row])
    writer.close()
    return file.getvalue()


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def named(columns: Sequence[Column], rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [dict(zip([column.name for column in columns], row, strict=True)) for row in rows]


async def some_trade(shop: Shop) -> None:
    """A card payment, one from a wallet, in two currencies, and a top-up before each."""
    await shop.submit(await shop.payment())
    await shop.wallet(await shop.payment(), await shop.user(30_000))
    dinars = await shop.payment(amount=Money(1_234, "KWD"))
    await shop.wallet(dinars, await shop.user(5_000, currency="KWD"))


async def test_the_trial_balance_has_every_account_and_sums_to_zero(shop: Shop) -> None:
    await some_trade(shop)

    export, rows = await all_of(export_trial_balance(shop.core, shop.company.id))

    found = {(row["account"], row["currency"]): row for row in named(export.columns, rows)}
    # The sandbox keeps a fee of 2.9 % and 0.30, which the merchant bears.
    assert found["provider:sandbox", "CNY"]["debits"] == Money(10_000, "CNY")
    assert found["merchant:biz_shop", "KWD"]["closing_minor"] == -1_234
    assert found["wallet_funding", "KWD"]["closing"] == Money(5_000, "KWD")
    assert export.sound
    assert len(export.findings) == 2
    for currency in ("CNY", "KWD"):
        for figure in ("opening_minor", "closing_minor"):
            assert sum(row[figure] for (_, own), row in found.items() if own == currency) == 0


async def test_what_was_before_the_span_is_in_the_opening_and_what_is_after_is_nowhere(
    shop: Shop,
) -> None:
    await some_trade(shop)
    # Three years of one posting each, so that spans can be cut between them.
    await shop.sql("alter table posting disable trigger user")
    await shop.sql(
        "update posting g set at = timestamptz '2023-06-01T00:00Z' + n * interval '1 year' from"
        " (select id, (row_number() over (order by id) - 1) % 3 as n from posting) x"
        " where x.id = g.id"
    )
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    whole = await all_of(export_trial_balance(shop.core, shop.company.id))

    parts = [Span(None, start), Span(start, end), Span(end, None)]
    exports = [await all_of(export_trial_balance(shop.core, shop.company.id, one)) for one in parts]
    journals = [await all_of(export_journal(shop.core, shop.company.id, one)) for one in parts]

    for before, after in itertools.pairwise(exports):
        closing, opening = figures(before, "closing_minor"), figures(after, "opening_minor")
        assert closing.items() <= opening.items()
        assert not any(minor for key, minor in opening.items() if key not in closing)
    assert figures(exports[-1], "closing_minor") == figures(whole, "closing_minor")
    assert all(export.sound for export, _ in [*exports, *journals])
    _, everything = await all_of(export_journal(shop.core, shop.company.id))
    assert sum(len(rows) for _, rows in journals) == len(everything)


def figures(of: tuple[Export, list[Row]], name: str) -> dict[tuple[str, str], int]:
    """One figure of each account and currency."""
    export, rows = of
    return {(row["account"], row["currency"]): row[name] for row in named(export.columns, rows)}


async def test_the_journal_has_a_row_for_each_entry_numbered_by_posting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_books, "_PAGE", 2)  # several pages even here
    await some_trade(shop)

    export, rows = await all_of(export_journal(shop.core, shop.company.id))

    entries = await shop.sql(
        "select p.id, e.leg, e.account, e.amount_minor from posting p join entry e"
        " on e.company_id = p.company_id and e.posting_id = p.id order by p.id, e.leg"
    )
    journal = named(export.columns, rows)
    assert [
        (
            row["posting_id"],
            row["leg"],
            row["account"],
            (row["debit_minor"] or 0) - (row["credit_minor"] or 0),
        )
        for row in journal
    ] == [tuple(entry) for entry in entries]
    numbers = list(dict.fromkeys(row["number"] for row in journal))
    assert numbers == list(range(1, export.count + 1))
    paid = [row for row in journal if row["kind"] == "capture"]
    assert all(row["order_id"] and row["payment_id"] and row["cause"] for row in paid)
    assert export.sound


async def test_books_that_do_not_balance_are_called_so(shop: Shop) -> None:
    await some_trade(shop)
    await shop.sql("alter table entry disable trigger user")
    await shop.sql(
        "update entry set amount_minor = amount_minor + 1 where account = 'cash' or leg = 1"
    )

    for opened in (export_trial_balance, export_journal):
        export, _ = await all_of(opened(shop.core, shop.company.id))
        assert not export.sound
        assert "NOT balanced" in export.findings[0]


async def test_another_companys_books_are_its_own(shop: Shop) -> None:
    await some_trade(shop)
    other = await shop.other_company()

    for opened in (export_trial_balance, export_journal):
        export, rows = await all_of(opened(shop.core, other.id))
        assert not rows
        assert export.sound
    for nobody in ("cmp_none", "", "\x00"):
        with pytest.raises(NotFound, match="no such company"):
            await all_of(export_journal(shop.core, nobody))


async def test_a_span_must_have_a_length(shop: Shop) -> None:
    now = datetime.now(UTC)

    with pytest.raises(InvalidRequest, match="is no time at all"):
        await all_of(export_journal(shop.core, shop.company.id, Span(now, now)))


async def a_settlement(shop: Shop, **changes: int) -> None:
    """Closed, with every movement at the sandbox in it."""
    await shop.submit(await shop.payment())
    rows = await shop.sql("select kind, amount_minor from settlement_line")
    sums = {"capture": 0, "fee": 0} | changes
    for row in rows:
        sums[row["kind"]] = sums.get(row["kind"], 0) + row["amount_minor"]
    await shop.sql(
        "insert into settlement (company_id, id, number, connector, currency, status,"
        " payments_minor, refunds_minor, disputes_minor, fees_minor, other_minor,"
        " carried_over_minor, net_minor, payout_reference, opened_at, closed_at, paid_at)"
        " values ($1, 'st_1', 7, 'sandbox', 'CNY', 'paid', $2, 0, 0, $3, 0, -5, $4, 'payout 9',"
        " now() - interval '2 days', now(), now())",
        shop.company.id,
        sums["capture"],
        sums["fee"],
        sums["capture"] + sums["fee"] - 5,
    )
    await shop.sql("update settlement_line set settlement_id = 'st_1'")


@pytest.mark.parametrize("name", ["st_1", "7", "payout 9"])
async def test_a_settlement_statement_has_its_figures_and_its_lines(shop: Shop, name: str) -> None:
    await a_settlement(shop)

    export, rows = await all_of(export_settlement(shop.core, shop.company.id, name))

    statement = named(export.columns, rows)
    said = {row["item"]: row["amount_minor"] for row in statement if row["section"] == "summary"}
    lines = [row for row in statement if row["section"] == "line"]
    assert said["payments"] == 10_000
    assert said["net"] == sum(row["amount_minor"] for row in lines) - 5
    assert all(row["payment_id"] and row["order_id"] and row["at"] for row in lines)
    assert export.sound
    assert "the lines add up to its figures" in export.findings[-1]


async def test_a_settlement_whose_lines_say_something_else_is_called_so(shop: Shop) -> None:
    await a_settlement(shop, capture=1)

    export, _ = await all_of(export_settlement(shop.core, shop.company.id, "st_1"))

    assert not export.sound
    assert export.findings == ["payments: the lines add up to 100.00 CNY, it says 100.01 CNY"]


@pytest.mark.parametrize("name", ["st_none", "", "\x00", "9" * 5_000])
async def test_an_unknown_settlement_is_refused(shop: Shop, name: str) -> None:
    with pytest.raises(NotFound, match="no such settlement"):
        await all_of(export_settlement(shop.core, shop.company.id, name))


TEXT = (Column("text", Content.TEXT), Column("amount", Content.MAJOR))
HARMFUL = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    "=cmd|' /C'!A0",
]


# Guard: the apostrophe before what a spreadsheet would take for a formula; without it in
# export_formats.py each of these cells comes out as it went in.
@pytest.mark.parametrize("text", HARMFUL)
def test_no_text_in_a_csv_can_be_a_formula(text: str) -> None:
    (row,) = read(written(TEXT, [(text, Money(-5, "CNY"))]))

    assert row["text"] == f"'{text}"
    assert row["amount"] == "-0.05"


@pytest.mark.parametrize(
    "text", ["", "a=b", "tea, green", 'say "hi"', "two\r\nlines", "订单", " =x"]
)
def test_other_text_comes_back_as_it_was(text: str) -> None:
    content = written(TEXT, [(text, None)])

    assert read(content) == [{"text": text, "amount": ""}]
    assert content.startswith(b"text,amount\r\n")
    assert content.endswith(b"\r\n")


def test_a_mark_of_utf8_only_where_it_is_asked_for() -> None:
    assert written(TEXT, [], bom=True) == b"\xef\xbb\xbf" + written(TEXT, [])


@pytest.mark.parametrize(
    "money, text",
    [(Money(1, "CNY"), "0.01"), (Money(-7, "JPY"), "-7"), (Money(1_234, "KWD"), "1.234")],
)
def test_amounts_have_their_currencys_digits(money: Money, text: str) -> None:
    assert read(written(TEXT, [("", money)]))[0]["amount"] == text


async def test_parquet_says_what_the_csv_says(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_formats, "_GROUP", 4)  # several row groups even here
    await some_trade(shop)
    export, rows = await all_of(export_journal(shop.core, shop.company.id))

    file = pyarrow.parquet.ParquetFile(io.BytesIO(written(JOURNAL, rows, Format.PARQUET)))
    lines = read(written(JOURNAL, rows))

    assert file.num_row_groups > 2
    types = {field.name: field.type for field in file.schema_arrow}
    assert types["at"] == pyarrow.timestamp("us", tz="UTC")
    assert types["debit_minor"] == pyarrow.int64()
    assert types["debit"] == pyarrow.decimal128(38, 4)
    assert types["account"] == pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    assert file.schema_arrow.metadata[b"kassa.export"] == b"a test"
    found = file.read().to_pylist()
    assert len(found) == len(lines) == len(rows)
    for row, line in zip(found, lines, strict=True):
        assert [same(row[name], line[name]) for name in line] == [True] * len(export.columns)


def same(value: Any, text: str) -> bool:
    if value is None:
        return text == ""
    if isinstance(value, Decimal):
        return value == Decimal(text)
    if isinstance(value, datetime):
        return value == datetime.fromisoformat(text)
    return bool(str(value) == text)


def test_parquet_keeps_text_as_it_is_and_may_be_empty() -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(written(TEXT, [("=1+1", None)], Format.PARQUET)))
    nothing = pyarrow.parquet.read_table(io.BytesIO(written(JOURNAL, [], Format.PARQUET)))

    assert table.to_pylist() == [{"text": "=1+1", "amount": None}]
    assert nothing.num_rows == 0
    assert nothing.column_names == [column.name for column in JOURNAL]


def test_times_are_read_as_utc_unless_they_say_otherwise() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)

    assert read_moment("2026-11-22") == noon - timedelta(hours=12)
    assert read_moment("2026-11-22T12:00:00") == noon
    assert read_moment("2026-11-22T12:00:00Z") == noon
    assert read_moment("2026-11-22T20:00:00+08:00") == noon
    for text in ("", "yesterday", "2026-13-01", "\x00", "9" * 500, "0001-01-01T00:00+14:00"):
        with pytest.raises(InvalidRequest, match="is no time"):
            read_moment(text)
