"""Payouts: gathered by the provider's report, and paid when the bank's statement says so."""

import asyncio

import pytest
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.settlement.store.settlements import put_into_payout
from kassa.settlement.usecases.settlements import close_settlements

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("told_truly")]


async def _paid_out(shop: Shop, *references: str) -> Reporter:
    """For each reference a payment of 100.00 less 3.00, reported as part of that payout."""
    reporter = Reporter(shop)
    for reference in references:
        payment = await reporter.paid()
        said = await reporter.line_of(payment, fee=300, payout_reference=reference)
        assert (await reporter.send(said, name=reference)).breaks == {}
    return reporter


def arrived(minor: int, reference: str = "") -> ReportLine:
    return line(LineKind.PAYOUT, minor, payout_reference=reference)


async def _settlements(shop: Shop) -> list[tuple[str, int, str]]:
    rows = await shop.sql(
        "select payout_reference, net_minor, status from settlement order by number"
    )
    return [tuple(row) for row in rows]


async def test_a_report_says_which_movements_a_payout_is_made_of(shop: Shop) -> None:
    await _paid_out(shop, "po_1")

    assert await _settlements(shop) == [("po_1", 9_700, "closed")]
    lines = await shop.sql("select kind from settlement_line where settlement_id is not null")
    assert sorted(row[0] for row in lines) == ["capture", "fee_adjustment"]


async def test_the_bank_s_line_pays_the_settlement_that_it_names(shop: Shop) -> None:
    reporter = await _paid_out(shop, "po_1", "po_2")

    outcome = await reporter.send(arrived(9_700, "payout po_2 of May"), account=BANK)

    assert (outcome.matched, outcome.breaks) == (1, {})
    assert [one[2] for one in await _settlements(shop)] == ["closed", "paid"]
    [entry] = await shop.sql(
        "select amount_minor from entry where account = 'bank' and amount_minor > 0"
    )
    assert entry[0] == 9_700
    assert await shop.faults() == []


async def test_without_a_name_only_one_exact_net_is_taken(shop: Shop) -> None:
    reporter = await _paid_out(shop, "po_1", "po_2")

    ambiguous = await reporter.send(arrived(9_700), account=BANK)
    other = await reporter.send(arrived(9_701), account=BANK)
    await reporter.send(arrived(9_700, "po_1"), account=BANK)
    clear = await reporter.send(arrived(9_700, "INV"), account=BANK)

    assert ambiguous.breaks == other.breaks == {"missing_ours": 1}
    assert clear.breaks == {}
    assert [one[2] for one in await _settlements(shop)] == ["paid", "paid"]


async def test_the_same_payout_again_and_one_of_another_amount(shop: Shop) -> None:
    reporter = await _paid_out(shop, "po_1")

    outcome = await reporter.send(
        arrived(9_699, "po_1"), arrived(9_700, "po_1"), arrived(9_700, "po_1"), account=BANK
    )

    assert outcome.breaks == {"amount": 1, "duplicate": 1}
    [booked] = await shop.sql("select count(*) from posting where kind = 'payout'")
    assert booked[0] == 1


async def test_a_dry_run_of_a_statement_pays_nothing(shop: Shop) -> None:
    reporter = await _paid_out(shop, "po_1")
    lines = (arrived(9_700, "po_1"), arrived(9_700, "po_1"))

    planned = await reporter.send(*lines, account=BANK, dry_run=True)

    assert (planned.matched, planned.breaks) == (1, {"duplicate": 1})
    assert await _settlements(shop) == [("po_1", 9_700, "closed")]
    assert (await reporter.send(*lines, account=BANK)).breaks == planned.breaks


async def test_what_a_provider_says_it_has_paid_out_is_compared_with_the_settlement(
    shop: Shop,
) -> None:
    reporter = await _paid_out(shop, "po_1")
    announced = await reporter.send(line(LineKind.PAYOUT, -9_700, payout_reference="po_1"))
    wrong = await reporter.send(line(LineKind.PAYOUT, -9_800, payout_reference="po_1"))
    unknown = await reporter.send(line(LineKind.PAYOUT, -5, payout_reference="po_9"))

    assert (announced.matched, announced.breaks) == (1, {})
    assert wrong.breaks == {"amount": 1}
    assert unknown.breaks == {"missing_ours": 1}


async def test_a_payout_that_cannot_be_booked_under_its_reference_is_a_break(shop: Shop) -> None:
    reporter = Reporter(shop)
    await reporter.paid()
    [closed] = await close_settlements(shop.core, shop.company.id)
    lines = (arrived(closed.net.minor, "x" * 201), line(our_reference="nobody"))

    planned = await reporter.send(*lines, account=BANK, dry_run=True)
    outcome = await reporter.send(*lines, account=BANK)

    assert planned.breaks == outcome.breaks == {"missing_ours": 2}
    assert outcome.lines == 2
    assert "closed" in [one[2] for one in await _settlements(shop)]


async def test_what_is_added_while_a_payout_arrives_is_seen(shop: Shop) -> None:
    # The guard is settlements.lock at the head of `arrived`: without it the payout is booked with
    # the added line, which is not what arrived.
    reporter = await _paid_out(shop, "po_1")
    await reporter.paid()
    [late] = await shop.sql("select posting_id from settlement_line where settlement_id is null")
    async with shop.core.db.transaction() as connection:
        await put_into_payout(
            connection, shop.company.id, "scripted", "CNY", "po_1", [late[0]],
            new_id=shop.core.new_id,
        )  # fmt: skip
        statement = asyncio.create_task(reporter.send(arrived(9_700, "po_1"), account=BANK))
        await asyncio.sleep(0.3)

    outcome = await statement

    assert outcome.breaks == {"amount": 1}
    assert await _settlements(shop) == [("po_1", 19_700, "closed")]
