"""Statements overlap: a line that an earlier file has had is known, and opens nothing twice."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.connectors.reports import samples
from tests.payments.test_record_payment import recorded
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable
from kassa.reconciliation.usecases.breaks import list_breaks, resolve_break
from kassa.settlement.usecases.settlements import close_settlements

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]

DAY = datetime(2026, 11, 30, tzinfo=UTC)


def charge(reference: str = "B-1", **said: Any) -> ReportLine:
    return line(LineKind.FEE, -500, provider_reference=reference, occurred_at=DAY, **said)


def other(number: int) -> ReportLine:
    """A line that makes the file another one."""
    return line(LineKind.FEE, -number, provider_reference=f"O-{number}", occurred_at=DAY)


@pytest.mark.parametrize("account", [BANK, "scripted"])
async def test_a_charge_in_two_overlapping_files_is_one_break(shop: Shop, account: str) -> None:
    reporter = Reporter(shop, account)
    first = await reporter.send(charge(), name="monday.xml")
    said = (charge(), other(7))

    planned = await reporter.send(*said, name="tuesday.xml", dry_run=True)
    second = await reporter.send(*said, name="tuesday.xml")

    assert first.breaks == planned.breaks == second.breaks == {"fee": 1}
    assert (planned.repeated, second.repeated, second.lines) == (1, 1, 2)
    [linked] = await shop.sql(
        "select l.state, f.name, l.repeats_place from report_line l"
        " join report_file f on f.id = l.repeats_file where l.repeats_file <> ''"
    )
    assert tuple(linked) == ("ignored", "monday.xml", 1)
    again = {one.file_name: one.again_in for one in await list_breaks(shop.core, shop.company.id)}
    assert again == {"monday.xml": ["tuesday.xml:1"], "tuesday.xml": []}


async def test_two_that_are_alike_in_each_file_are_two(shop: Shop) -> None:
    reporter = Reporter(shop, BANK)
    first = await reporter.send(charge(), charge())
    second = await reporter.send(charge(), other(1), charge(), charge())

    assert first.breaks == {"fee": 2}
    assert (second.repeated, second.breaks) == (2, {"fee": 2}), "the third charge is a new one"


@pytest.mark.parametrize("account", [BANK, "scripted"])
async def test_the_same_again_is_counted_across_batches(shop: Shop, account: str) -> None:
    reporter = Reporter(shop, account)
    await reporter.send(charge(), charge(), lines_per_batch=1)

    for dry_run in (True, False):
        second = await reporter.send(
            *[charge()] * 3, other(1), lines_per_batch=1, dry_run=dry_run, name="2"
        )
        assert (second.repeated, second.breaks) == (2, {"fee": 2})


async def test_what_is_unknown_and_comes_again_is_counted_across_batches(shop: Shop) -> None:
    reporter = Reporter(shop)
    said = line(LineKind.PAYMENT, 10_000, provider_reference="ch_nobody", occurred_at=DAY)
    await reporter.send(said, said, lines_per_batch=1)

    for dry_run in (True, False):
        second = await reporter.send(
            *[said] * 5, other(1), lines_per_batch=1, dry_run=dry_run, name="2"
        )
        assert (second.repeated, second.breaks) == (2, {"fee": 1, "missing_ours": 3})


async def test_a_payout_that_was_matched_never_pays_the_next_settlement(shop: Shop) -> None:
    reporter = Reporter(shop)
    arrived = line(LineKind.PAYOUT, 10_000, provider_reference="TX-1", occurred_at=DAY)
    await reporter.paid()
    await close_settlements(shop.core, shop.company.id)
    net = await shop.sql("select net_minor from settlement where status = 'closed'")
    arrived = line(LineKind.PAYOUT, net[0][0], provider_reference="TX-1", occurred_at=DAY)
    assert (await reporter.send(arrived, account=BANK)).breaks == {}
    await reporter.paid()
    await close_settlements(shop.core, shop.company.id)

    again = await reporter.send(arrived, other(2), account=BANK)

    assert (again.repeated, again.breaks) == (1, {"fee": 1})
    found = await shop.sql("select status from settlement where status <> 'open' order by number")
    assert [row[0] for row in found] == ["paid", "closed"]


async def test_a_break_that_matches_when_it_comes_again_is_closed(shop: Shop) -> None:
    reporter = Reporter(shop, BANK)
    said = line(LineKind.PAYOUT, 10_000, our_reference="order-of-may", occurred_at=DAY)
    early = await reporter.send(said, name="early.xml")
    await recorded(shop, order_id="order-of-may")

    late = await reporter.send(said, other(1), name="late.xml")

    assert early.breaks == {"missing_ours": 1}
    assert (late.settled, late.repeated, late.breaks) == (1, 0, {"fee": 1})
    resolved = [
        one
        for one in await list_breaks(shop.core, shop.company.id, with_resolved=True)
        if one.status == "resolved"
    ]
    assert [one.resolution for one in resolved] == ["the same line matched in late.xml"]


async def test_what_a_person_has_explained_stays_explained(shop: Shop) -> None:
    reporter = Reporter(shop, BANK)
    said = line(LineKind.PAYOUT, 10_000, our_reference="order-of-may", occurred_at=DAY)
    await reporter.send(said)
    [found] = await list_breaks(shop.core, shop.company.id)
    await resolve_break(shop.core, shop.company.id, found.id, "booked by hand", "ann")
    await recorded(shop, order_id="order-of-may")

    again = await reporter.send(said, other(1))

    assert (again.repeated, again.settled) == (1, 0)


async def test_lines_without_any_reference_are_asked_about(shop: Shop) -> None:
    reporter = Reporter(shop, BANK)
    bare = line(LineKind.FEE, -500, occurred_at=DAY)
    await reporter.send(bare, name="monday.xml")

    again = await reporter.send(bare, other(1), name="tuesday.xml")

    assert again.breaks == {"duplicate": 1, "fee": 1}
    words = [one.details for one in await list_breaks(shop.core, shop.company.id)]
    assert any("may be line 1 of monday.xml again" in one for one in words)


async def test_a_provider_s_payment_in_two_overlapping_reports_is_no_duplicate(shop: Shop) -> None:
    reporter = Reporter(shop)
    payment = await reporter.paid()
    said = await reporter.line_of(payment, provider_reference="txn_1")
    unknown = line(our_reference="nobody", provider_reference="txn_2", occurred_at=DAY)
    await reporter.send(said, unknown)

    again = await reporter.send(said, unknown, other(1))
    within = await reporter.send(said, said, other(3))

    assert (again.repeated, again.breaks) == (2, {"fee": 1})
    assert (within.repeated, within.breaks) == (1, {"duplicate": 1, "fee": 1})


@pytest.mark.parametrize("form", ["camt.053", "camt.052", "camt.054"])
async def test_a_charge_of_the_morning_is_known_again_in_the_statement(
    shop: Shop, form: str
) -> None:
    reporter = Reporter(shop, BANK)
    whole, part = {
        "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
        "camt.053": ("BkToCstmrStmt", "Stmt"),
        "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
    }[form]
    entry = samples.entry("5.00", sign="DBIT", code="CHRG")
    text = samples.camt(entry.replace("N-1", "N-9"), entry.replace("BANK-1", "BANK-2"))
    text = text.replace("camt.053", form).replace("BkToCstmrStmt", whole)
    text = text.replace("<Stmt>", f"<{part}>").replace("</Stmt>", f"</{part}>")

    first = await reporter.send(*samples.good(samples.read(text, form)))
    second = await reporter.send(*samples.good(samples.read(samples.camt(entry), "camt.053")))

    assert first.breaks == {"fee": 2}
    assert (second.repeated, second.breaks) == (1, {})


async def test_an_unreadable_line_and_a_late_file_are_no_trouble(shop: Shop) -> None:
    reporter = Reporter(shop, BANK)
    odd = Unreadable(number=0, reason="no amount", raw={"Amt": "x"})
    await reporter.send(odd, charge())

    again = await reporter.send(odd, charge(), other(1))

    assert (again.repeated, again.quarantined) == (1, 1)
