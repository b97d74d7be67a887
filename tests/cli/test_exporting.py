"""`kassa explain` and `kassa export` as people and scripts meet them."""

import asyncio
import csv
import errno
import io
import json
import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pyarrow.parquet
import pytest
from tests.cli.prompt import Type
from typer.testing import CliRunner

from kassa import assembly, cli
from kassa import demo as demo_company
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.cli import saving
from kassa.identity.usecases.companies import get_company
from kassa.modifications.usecases.modify_payment import (
    ModificationKind,
    ModifyPayment,
    modify_payment,
)
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.settings import Settings


@pytest.fixture
def payment(settings: Settings, database_url: str) -> Payment:
    """Of the demo company: paid in cash at the counter, and partly refunded."""

    async def work(core: Core) -> Payment:
        await demo_company.make(core, settings)
        company = await get_company(core, str(demo_company.shown(settings)["company_id"]))
        wanted = NewOrder(
            company=company,
            business_id=company.business_id,
            order_id="tea-1",
            actor="api_key:sk_1",
            face="orders",
            amount=Money(10_000, "CNY"),
            notify_url="https://news.example.com/hook?key=hidden-key",
            notify_kind="standard",
            description="=1+1",
        )
        made = (await create_order(core, wanted)).payment
        recording = Recording(
            company_id=company.id, payment_id=made.id, method=Method.CASH, actor="operator:ann"
        )
        await record_payment(core, recording)
        refund = ModifyPayment(
            company_id=company.id,
            payment_id=made.id,
            kind=ModificationKind.REFUND,
            amount=Money(2_500, "CNY"),
            actor="operator:ann",
            reason="a \x1b[31mred\x1b[0m cup",
        )
        return (await modify_payment(core, refund)).payment

    async def run() -> Payment:
        async with assembly.open_core(settings, database_url) as core:
            return await work(core)

    return asyncio.run(run())


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_story_is_told_in_words(kassa: Type, payment: Payment) -> None:
    told = kassa("explain", payment.id)

    assert told.status == 0, told.err
    for words in (
        f"{payment.id}  100.00 CNY  captured",
        "order tea-1 (paid)",
        "created → processing, by operator ann",
        "recorded by hand",
        "debit  cash",
        "captured 100.00, refunded 25.00",
        "refund of 25.00 CNY: succeeded",
        "payment.refunded to https://news.example.com: waiting, 0 tries",
    ):
        assert words in told.out, told.out
    assert "hidden-key" not in told.out  # a merchant's address may hold a key of theirs


def test_no_word_of_anothers_moves_the_terminals_cursor(kassa: Type, payment: Payment) -> None:
    told = kassa("explain", payment.id)

    assert "a �[31mred�[0m cup" in told.out
    assert "\x1b" not in told.out


def test_a_story_as_json_is_whole_and_can_be_of_an_earlier_time(
    kassa: Type, payment: Payment
) -> None:
    now = json.loads(kassa("explain", "tea-1", "--json").out)
    moment = now["steps"][0]["event"]["at"]
    then = json.loads(kassa("explain", payment.id, "--as-of", moment, "--json").out)

    assert now["payment"]["id"] == payment.id
    assert now["payment"]["refunded"] == {"major": "25.00", "minor": 2500, "currency": "CNY"}
    assert now["modifications"][0]["reason"] == "a \x1b[31mred\x1b[0m cup"
    assert now["fee"]["variance"]["minor"] == 0
    assert "hidden-key" not in json.dumps(now)
    assert (then["payment"]["status"], then["moment"]) == ("created", moment)
    assert (then["bookings"], then["modifications"], then["notifications"]) == ([], [], [])


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("py_none",), "nothing here is called 'py_none': give the id of a payment"),
        (("tea-1", "--as-of", "noon"), "'noon' is no time: 2026-11-22"),
        (("tea-1", "--as-of", "2020-01-01"), "there is nothing to tell of an earlier time"),
        (("tea-1", "--company", "cmp_none"), "no such company: 'cmp_none'"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_sentence(
    kassa: Type, payment: Payment, arguments: tuple[str, ...], words: str
) -> None:
    told = kassa("explain", *arguments)

    assert told.status == 2
    assert told.err.startswith("kassa: ")
    assert words in told.err
    assert told.err.count("\n") == 1


def test_the_trial_balance_goes_to_standard_output(kassa: Type, payment: Payment) -> None:
    told = kassa("export", "trial-balance")

    assert told.status == 0, told.err
    found = {row["account"]: row for row in rows(told.out)}
    assert found["cash"]["debits"] == "100.00"
    assert found["cash"]["closing_minor"] == "7500"
    assert "all accounts together zero" in told.err


def test_an_export_is_a_file_of_its_owners_alone(
    kassa: Type, payment: Payment, tmp_path: Path
) -> None:
    path = tmp_path / "journal.csv"

    told = kassa("export", "journal", "--output", str(path))

    assert told.status == 0, told.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {row["order_id"] for row in rows(path.read_bytes().decode())} >= {"tea-1"}
    assert told.out == ""
    assert [entry.name for entry in tmp_path.iterdir() if "journal" in entry.name] == [path.name]


def test_a_file_that_is_there_stays_unless_it_is_forced(
    kassa: Type, payment: Payment, tmp_path: Path
) -> None:
    path = tmp_path / "kept.csv"
    path.write_text("mine")

    refused = kassa("export", "journal", "--output", str(path))
    kept = path.read_text()
    forced = kassa("export", "journal", "--output", str(path), "--force")

    assert (refused.status, kept) == (2, "mine")
    assert "--force overwrites it" in refused.err
    assert forced.status == 0
    assert path.read_text().startswith("number,posting_id,")


def test_an_export_that_fails_leaves_no_file(kassa: Type, payment: Payment, tmp_path: Path) -> None:
    path = tmp_path / "none.csv"

    refused = kassa("export", "journal", "--company", "cmp_none", "--output", str(path))

    assert refused.status == 2
    assert "no such company" in refused.err
    assert not [entry for entry in tmp_path.iterdir() if "none" in entry.name]


# Guard: an error of the file passes through the database's own handling of errors; it must not be
# told as the database's. Without `_CannotWriteError` it reads "the database cannot be reached".
def test_a_disk_that_is_full_is_not_blamed_on_the_database(
    kassa: Type, payment: Payment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(saving.os, "fsync", full)

    refused = kassa("export", "journal", "--output", str(tmp_path / "none.csv"))

    assert refused.status == 2
    assert "none.csv: No space left on device" in refused.err
    assert not [entry for entry in tmp_path.iterdir() if "none" in entry.name]


def test_a_reader_who_has_seen_enough_is_no_failure(
    kassa: Type, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.BytesIO):
        def write(self, content: object) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    out = SimpleNamespace(buffer=Closed(), fileno=os.dup(1).__index__, flush=lambda: None)
    monkeypatch.setattr(sys, "stdout", out)

    told = kassa("export", "journal")

    assert (told.status, told.err) == (0, "")


def test_parquet_has_the_rows_of_the_csv(kassa: Type, payment: Payment, tmp_path: Path) -> None:
    path = tmp_path / "journal.parquet"

    told = kassa("export", "journal", "--format", "parquet", "--output", str(path))
    table = pyarrow.parquet.read_table(path)

    assert told.status == 0, told.err
    printed = rows(kassa("export", "journal").out)
    assert [row["posting_id"] for row in printed] == table["posting_id"].to_pylist()
    assert [row["debit_minor"] for row in printed] == [
        "" if minor is None else str(minor) for minor in table["debit_minor"].to_pylist()
    ]


def test_books_that_do_not_balance_end_with_status_1(
    kassa: Type, payment: Payment, owner_url: str
) -> None:
    async def tamper() -> None:
        connection = await asyncpg.connect(owner_url)
        await connection.execute("alter table entry disable trigger user")
        await connection.execute("update entry set amount_minor = 9 where account = 'cash'")
        await connection.close()

    asyncio.run(tamper())

    told = kassa("export", "trial-balance")

    assert told.status == 1
    assert "CNY: NOT balanced" in told.err
    assert rows(told.out)  # what there is, is shown all the same


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("journal", "--format", "xlsx"), "an export is csv or parquet, not 'xlsx'"),
        (("journal", "--format", "parquet"), "name a file for it with --output"),
        (("journal", "--output", "none/such.csv"), "there is no directory none"),
        (("journal", "--output", "/dev/null"), "is no ordinary file"),
        (("journal", "--from", "soon"), "'soon' is no time"),
        (("journal", "--from", "2026-01-02", "--until", "2026-01-01"), "is no time at all"),
        (("settlement", "st_none"), "no such settlement: 'st_none'; give its id, its number"),
    ],
)
def test_an_export_that_cannot_be_is_refused_in_one_sentence(
    kassa: Type, payment: Payment, arguments: tuple[str, ...], words: str
) -> None:
    told = kassa("export", *arguments)

    assert told.status == 2
    assert told.out == ""
    assert words in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [("explain",), ("export", "trial-balance"), ("export", "journal"), ("export", "settlement")],
)
def test_each_command_helps_with_examples(command: tuple[str, ...]) -> None:
    told = CliRunner().invoke(cli.app, [*command, "--help"])

    assert told.exit_code == 0
    assert f"kassa {' '.join(command)} " in told.output
    assert "Example" in told.output
