"""A line that tells of a second event is no repeated line, whatever the two have in common."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.disputes.test_disputes_as_told import moved, paid, tell
from tests.modifying import REFUND, modify
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.lifecycle import DisputeStatus
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.reconciliation.usecases.breaks import list_breaks

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def of_dispute(minor: int, days: int = 0, fee: int = 0) -> ReportLine:
    kind = LineKind.DISPUTE if minor < 0 else LineKind.DISPUTE_REVERSAL
    at = AT + timedelta(days=days)
    return line(kind, minor, fee, currency="EUR", provider_reference="du_1", occurred_at=at)


async def problems(shop: Shop, payment: Payment) -> list[str]:
    found = await list_breaks(shop.core, shop.company.id)
    return sorted(one.problem for one in found if one.payment_id == payment.id)


@pytest.mark.parametrize("is_one_file", [True, False], ids=["one file", "two files"])
async def test_a_dispute_that_was_won_and_lost_again_has_no_line_twice(
    shop: Shop, is_one_file: bool
) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 9, status=DisputeStatus.LOST)
    reporter = Reporter(shop)
    lines = [of_dispute(-10_000), of_dispute(10_000, 1), of_dispute(-10_000, 2)]

    for some in [lines] if is_one_file else [[one] for one in lines]:
        await reporter.send(*some)

    assert "duplicate" not in await problems(shop, payment)
    words = [one.details for one in await list_breaks(shop.core, shop.company.id)]
    assert any("a second dispute of dp" in one and "2026-12-02 12:00:00" in one for one in words)


@pytest.mark.parametrize("hours", [0, None])
async def test_of_the_same_second_or_of_none_it_is_a_duplicate(
    shop: Shop, hours: int | None
) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 9, status=DisputeStatus.LOST)
    first = of_dispute(-10_000)
    again = line(
        LineKind.DISPUTE,
        -10_000,
        currency="EUR",
        provider_reference="du_1",
        occurred_at=None if hours is None else AT,
        texts=("other words",),
    )

    await Reporter(shop).send(first, again)

    assert await problems(shop, payment) == ["duplicate"]


async def test_a_fee_of_a_dispute_that_is_given_back_alone_is_booked(shop: Shop) -> None:
    payment = await paid(shop)
    gone, back = moved("t1", -10_000, 1_500), moved("t2", 10_000)
    await tell(shop, payment, 9, status=DisputeStatus.WON, movements=(gone, back))
    reporter = Reporter(shop)
    lines = [of_dispute(-10_000, fee=1_500), of_dispute(10_000, 1)]
    alone = line(
        LineKind.DISPUTE_REVERSAL,
        0,
        -1_500,
        currency="EUR",
        provider_reference="du_1",
        occurred_at=AT + timedelta(hours=2),
    )

    outcomes = [await reporter.send(*lines), await reporter.send(alone, name="later.csv")]

    assert [one.matched for one in outcomes] == [2, 1]
    assert await problems(shop, payment) == []
    [kept] = await shop.sql(
        "select sum(e.amount_minor) from posting p join entry e on e.posting_id = p.id"
        " where p.kind in ('fee', 'fee_adjustment') and e.account = 'provider:scripted'"
        " and p.cause like 'dp%'"
    )
    assert kept[0] == 0


async def test_a_refund_by_other_names_does_not_take_ours_of_the_same_amount(shop: Shop) -> None:
    """Somebody refunded there, and the letter of it was lost; then so did we."""
    payment = await paid(shop)
    made = (await modify(shop, payment, REFUND, 3_000)).modification
    reporter = Reporter(shop)
    there = line(
        LineKind.REFUND,
        -3_000,
        currency="EUR",
        our_reference="dashboard_77",
        provider_reference=f"{made.provider_reference}9",
        texts=(await reporter.key(payment),),
        occurred_at=AT,
    )
    ours = line(LineKind.REFUND, -3_000, currency="EUR", our_reference=made.id, occurred_at=AT)

    outcome = await reporter.send(there, ours)

    assert made.provider_reference
    assert (outcome.matched, outcome.breaks) == (1, {"refund_missing": 1})
