"""Breaks are closed by words, and books are put right by new postings alone."""

import pytest
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.errors import IllegalTransition, InvalidRequest, KassaError, NotFound
from kassa.base.domain.money import Money
from kassa.reconciliation.domain.reports import LineKind
from kassa.reconciliation.store.breaks import Break
from kassa.reconciliation.usecases.breaks import (
    Adjustment,
    assign_break,
    list_breaks,
    resolve_break,
)

pytestmark = pytest.mark.anyio
CHARGE = Adjustment(debit="fee_expense", credit="provider:scripted", amount=Money(500, "CNY"))


async def _charge(shop: Shop) -> Break:
    """A break: a charge of 5.00 that we have not booked."""
    await Reporter(shop).send(line(LineKind.FEE, -500))
    [found] = await list_breaks(shop.core, shop.company.id)
    return found


async def test_a_break_tells_what_where_and_since_when(shop: Shop) -> None:
    found = await _charge(shop)

    assert (found.problem, found.status, found.file_name, found.line) == (
        "fee", "open", "report.csv", 1,
    )  # fmt: skip
    assert (found.found_minor, found.currency) == (-500, "CNY")
    assert 0 <= found.age.total_seconds() < 60


async def test_a_break_has_an_owner(shop: Shop) -> None:
    found = await _charge(shop)

    await assign_break(shop.core, shop.company.id, found.id, "ann")

    [mine] = await list_breaks(shop.core, shop.company.id, owner="ann")
    assert mine.id == found.id
    assert await list_breaks(shop.core, shop.company.id, owner="bob") == []
    assert await list_breaks(shop.core, shop.company.id, problem="late") == []


async def test_resolving_adds_one_balanced_posting_under_the_break_s_id(shop: Shop) -> None:
    found = await _charge(shop)

    done = await resolve_break(
        shop.core, shop.company.id, found.id, "a charge of May", "operator:ann", CHARGE
    )

    assert (done.item.status, done.item.resolved_by) == ("resolved", "operator:ann")
    rows = await shop.sql(
        "select p.kind, p.cause, e.account, e.amount_minor from posting p"
        " join entry e on e.posting_id = p.id where p.id = $1 order by leg",
        done.item.posting_id,
    )
    assert [tuple(row) for row in rows] == [
        ("adjustment", found.id, "fee_expense", 500),
        ("adjustment", found.id, "provider:scripted", -500),
    ]
    assert await list_breaks(shop.core, shop.company.id) == []
    assert len(await list_breaks(shop.core, shop.company.id, with_resolved=True)) == 1
    assert await shop.faults() == []


async def test_a_dry_run_shows_the_posting_and_changes_nothing(shop: Shop) -> None:
    found = await _charge(shop)

    shown = await resolve_break(
        shop.core, shop.company.id, found.id, "as planned", "ann", CHARGE, dry_run=True
    )

    assert shown.posting is not None
    assert shown.item.status == "open"
    assert await shop.sql("select 1 from posting where kind = 'adjustment'") == []


async def test_what_is_resolved_stays_as_it_was(shop: Shop) -> None:
    # The guards are _open_one, and under it the trigger report_break_history.
    found = await _charge(shop)
    await resolve_break(shop.core, shop.company.id, found.id, "explained", "ann", CHARGE)

    with pytest.raises(IllegalTransition, match="resolved by ann: explained"):
        await resolve_break(shop.core, shop.company.id, found.id, "again", "bob", CHARGE)
    with pytest.raises(IllegalTransition):
        await assign_break(shop.core, shop.company.id, found.id, "bob")
    with pytest.raises(Exception, match="history"):
        await shop.sql("update report_break set resolution = 'otherwise'")
    for table in ("report_break", "report_line"):
        with pytest.raises(Exception, match="append-only"):
            await shop.sql(f"delete from {table}")
    assert len(await shop.sql("select 1 from posting where kind = 'adjustment'")) == 1


@pytest.mark.parametrize(
    ("words", "adjustment"),
    [
        (" ", None),
        ("x" * 2_001, None),
        ("fine", Adjustment(debit="wallet:wu_1", credit="bank", amount=Money(1, "CNY"))),
        ("fine", Adjustment(debit="bank", credit="bank", amount=Money(1, "CNY"))),
        ("fine", Adjustment(debit="bank", credit="treasure", amount=Money(1, "CNY"))),
        ("fine", Adjustment(debit="bank", credit="provider:", amount=Money(1, "CNY"))),
        ("fine", Adjustment(debit="bank", credit="suspense", amount=Money(-1, "CNY"))),
    ],
)
async def test_what_cannot_close_a_break_is_refused_in_words(
    shop: Shop, words: str, adjustment: Adjustment | None
) -> None:
    found = await _charge(shop)

    with pytest.raises(InvalidRequest):
        await resolve_break(shop.core, shop.company.id, found.id, words, "ann", adjustment)

    assert len(await list_breaks(shop.core, shop.company.id)) == 1


async def test_another_company_s_break_does_not_exist(shop: Shop) -> None:
    found = await _charge(shop)
    other = await shop.other_company()

    for work in (
        assign_break(shop.core, other.id, found.id, "ann"),
        resolve_break(shop.core, other.id, found.id, "mine now", "ann"),
        assign_break(shop.core, shop.company.id, "br_\x00", "ann"),
    ):
        with pytest.raises(NotFound):
            await work
    with pytest.raises(KassaError, match="no class of breaks"):
        await list_breaks(shop.core, other.id, problem="strange")
