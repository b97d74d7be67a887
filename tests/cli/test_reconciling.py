"""`kassa reconcile` and `kassa breaks` as people and scripts meet them."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.cli.prompt import Type

from kassa import app, assembly
from kassa import demo as demo_company
from kassa.base.domain.money import Money
from kassa.connectors.sandbox.cards import SCENARIOS
from kassa.identity.usecases.companies import get_company
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.settings import Settings


@pytest.fixture
def report(settings: Settings, database_url: str, tmp_path: Path) -> Path:
    """A CSV of two captured payments of the demo company: one right, one of another amount."""

    async def sell() -> list[str]:
        async with assembly.open_core(settings, database_url) as core:
            await demo_company.make(core, settings)
            company = await get_company(core, str(demo_company.shown(settings)["company_id"]))
            return [await _sold(core, company) for _ in range(2)]

    first, second = asyncio.run(sell())
    path = tmp_path / "acme.csv"
    path.write_text(f"Order no;Amount\n{first};100.00\n{second};99.99\n")
    return path


async def _sold(core: "app.Core", company: object) -> str:
    made = await create_order(
        core,
        NewOrder(
            company=company,  # type: ignore[arg-type]
            business_id="biz_001",
            actor="test",
            face="orders",
            amount=Money(10_000, "CNY"),
        ),
    )
    await submit_payment(
        core,
        Submission(
            company_id=made.payment.company_id,
            payment_id=made.payment.id,
            method=Method.CREDIT_CARD,
            connector="sandbox",
            instrument=SCENARIOS[0].number,
            instrument_shown="•••• 4242",
            actor="payer",
            return_url="https://shop.example/thanks",
        ),
    )
    return made.payment.order_id


CSV = (
    "--format", "csv", "--account", "sandbox", "--currency", "CNY", "--delimiter", ";",
    "--column", "kind==payment", "--column", "amount=Amount", "--column", "our_reference=Order no",
)  # fmt: skip


def test_a_report_is_tried_imported_and_imported_again(kassa: Type, report: Path) -> None:
    tried = kassa("reconcile", str(report), *CSV, "--dry-run")
    assert (tried.status, "a dry run" in tried.out) == (1, True)
    assert kassa("breaks").out == "test side of cmp_001\nno breaks\n"

    done = kassa("reconcile", str(report), *CSV, "--json")
    assert done.status == 1
    told = json.loads(done.out)
    assert (told["lines"], told["matched"], told["settled"]) == (2, 1, 1)
    assert told["breaks"] == {"amount": 1}

    again = kassa("reconcile", str(report), *CSV)
    assert "was imported before: what was open of it was looked at again" in again.out
    assert again.status == 1, "its break is still open"

    listed = kassa("breaks", "--json")
    [found] = [json.loads(line) for line in listed.out.splitlines()]
    assert (found["class"], found["line"], found["found_minor"]) == ("amount", 3, 9_999)
    assigned = kassa("breaks", "assign", found["id"], "ann").out
    assert assigned == f"test side of cmp_001\n{found['id']} belongs to ann\n"

    shown = kassa(
        "breaks", "resolve", found["id"], "--because", "one cent short",
        "--debit", "suspense", "--credit", "provider:sandbox", "--amount", "0.01", "--dry-run",
    )  # fmt: skip
    assert "debit  suspense" in shown.out
    assert "ann" in kassa("breaks", "--class", "amount").out
    resolved = kassa("breaks", "resolve", found["id"], "--because", "one cent short")
    assert resolved.status == 0
    assert kassa("breaks").out == "test side of cmp_001\nno breaks\n"
    assert "one cent short" in kassa("breaks", "--all").out

    clean = kassa("reconcile", str(report), *CSV)
    assert (clean.status, clean.out.splitlines()[-1]) == (0, "everything agrees")


def test_amounts_may_have_a_decimal_comma(kassa: Type, report: Path) -> None:
    report.write_text(report.read_text().replace(".", ","))

    done = kassa("reconcile", str(report), *CSV, "--decimal", ",", "--json")

    assert json.loads(done.out)["totals_minor"]["CNY"]["gross"] == 19_999
    assert json.loads(done.out)["breaks"] == {"amount": 1}


def test_what_cannot_be_is_refused_in_a_sentence(kassa: Type, report: Path) -> None:
    for arguments, words in (
        (("reconcile", str(report), "--format", "excel"), "no format is called 'excel'"),
        (("reconcile", "nowhere.csv", *CSV), "nowhere.csv"),
        (("reconcile", str(report), "--format", "csv"), "--account"),
        (("reconcile", str(report), *CSV, "--column", "amount"), "NAME=VALUE"),
        (("reconcile", str(report), *CSV, "--column", "tip=Amount"), "no column is called tip"),
        (("reconcile", str(report), *CSV, "--decimal", ";"), "the decimal mark is"),
        (("breaks", "--class", "odd"), "no class of breaks"),
        (("breaks", "assign", "br_none", "ann"), "no such break"),
        (("breaks", "resolve", "br_none", "--because", "x", "--debit", "bank"), "all three"),
    ):
        said = kassa(*arguments)

        assert said.status == 2, arguments
        assert words in said.err
        assert "Traceback" not in said.err
