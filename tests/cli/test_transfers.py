"""A payer transfers what they like, and people at the keyboard bring it to an end."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.prompt import Type
from tests.connectors.reports import samples

from kassa import assembly
from kassa import demo as demo_company
from kassa.base.domain.money import Money
from kassa.identity.usecases.companies import get_company
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.record_payment import expect_transfer
from kassa.settings import Settings

Statement = Callable[..., str]


@pytest.fixture
def expected(settings: Settings, database_url: str) -> Payment:
    """A transfer of 100.00 CNY that the demo company waits for."""

    async def expect() -> Payment:
        async with assembly.open_core(settings, database_url) as core:
            await demo_company.make(core, settings)
            company = await get_company(core, str(demo_company.shown(settings)["company_id"]))
            wanted: dict[str, Any] = {"company": company, "business_id": "biz_001"}
            new = NewOrder(**wanted, actor="test", face="orders", amount=Money(10_000, "CNY"))
            made = (await create_order(core, new)).payment
            return await expect_transfer(
                core, made.company_id, made.id, actor="test", claim=lambda case: True
            )

    return asyncio.run(expect())


@pytest.fixture
def statement(tmp_path: Path) -> Statement:
    """A statement's path, of entries of (amount, text)."""

    def write(*entries: tuple[str, str], currency: str = "CNY", **how: str) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.xml"
        inside = "<RmtInf><Ustrd>{}</Ustrd></RmtInf>"
        made = [
            samples.entry(amount, inside.format(text), currency=currency, **how)
            for amount, text in entries
        ]
        path.write_text(samples.camt(*made))
        return str(path)

    return write


CAMT = ("--format", "camt.053")


def the_break(kassa: Type) -> str:
    [found] = re.findall(r"^br_\w+", kassa("breaks").out, re.MULTILINE)
    return str(found)


def test_more_than_was_asked_is_paid_and_goes_back(
    kassa: Type, expected: Payment, statement: Statement
) -> None:
    done = kassa("reconcile", statement(("150.00", expected.provider_reference)), *CAMT)

    assert done.status == 1
    assert "1 overpaid" in done.out
    assert "150.00 CNY matched" in done.out
    assert "kassa refund" in kassa("breaks").out
    back = kassa("refund", expected.id, "--unapplied", "--because", "50.00 too much")
    assert "50.00 CNY went back, by transfer" in back.out
    assert f"{expected.id} settled: captured 100.00 CNY of 100.00 CNY" in back.out
    assert kassa("breaks").out.endswith("no breaks\n")
    assert kassa("refund", expected.id, "--unapplied").status == 2
    assert kassa("refund", expected.id, "--unapplied", "--amount", "1.00").status == 2
    assert kassa("verify").status == 0


def test_less_than_was_asked_can_be_accepted(
    kassa: Type, expected: Payment, statement: Statement
) -> None:
    assert "nothing has come" in kassa("record", expected.order_id, "--accept-short").err
    kassa("reconcile", statement(("44.00", expected.provider_reference)), *CAMT)

    story = kassa("explain", expected.order_id).out
    assert "a part came by transfer" in story
    assert "unapplied 44.00" in story
    taken = kassa("record", expected.order_id, "--accept-short")

    assert taken.out.splitlines()[-1] == (
        f"{expected.id} captured: captured 44.00 CNY of 100.00 CNY"
    )
    assert kassa("breaks").out.endswith("no breaks\n")


def test_a_line_is_matched_by_hand(kassa: Type, expected: Payment, statement: Statement) -> None:
    kassa("reconcile", statement(("40.00", "thank you for the tea")), *CAMT)

    done = kassa("breaks", "match", the_break(kassa), expected.order_id)

    assert done.out.startswith("test side of cmp_001\n")
    assert "40.00 CNY came, 60.00 CNY are missing" in done.out
    assert "underpaid" in kassa("breaks").out


def test_what_is_not_booked_yet_is_told_and_is_no_break(
    kassa: Type, expected: Payment, statement: Statement
) -> None:
    pending = statement(("100.00", expected.provider_reference), status="<Sts><Cd>PDNG</Cd></Sts>")

    done = kassa("reconcile", pending, *CAMT)

    assert done.status == 0
    assert "1 not booked yet" in done.out
    assert done.out.splitlines()[-1] == "everything agrees"
