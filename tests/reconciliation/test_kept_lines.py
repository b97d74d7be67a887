"""Lines of a report are kept as they are, also what few of them have."""

from datetime import UTC, datetime

import pytest
from tests.shop import Shop

from kassa.reconciliation.domain.matching import LineState
from kassa.reconciliation.store.reconciliation import LineRow, insert_lines, lines_at

pytestmark = pytest.mark.anyio


def row(place: int) -> LineRow:
    return LineRow(
        place=place,
        number=place + 1,
        kind="payment",
        amount_minor=10_000,
        fee_minor=0,
        currency="CNY",
        our_reference=f"at1_{place}",
        provider_reference="",
        payout_reference="",
        occurred_at=datetime(2026, 1, 2, tzinfo=UTC),
        raw={"amount": "100.00"},
        state=LineState.MATCHED.value,
    )


def seldom(place: int) -> LineRow:
    one = row(place)
    one.texts, one.identity = ("order 7",), "abc"
    one.repeats_file, one.repeats_place = "rf_1", 3
    one.presented_minor, one.presented_currency = 0, "JPY"
    return one


@pytest.mark.parametrize(
    "rows",
    [[row(1), row(2)], [row(1), seldom(2), row(3)], [seldom(1)]],
    ids=["nothing", "some", "all"],
)
async def test_what_few_lines_have_is_kept_and_the_others_have_nothing(
    shop: Shop, rows: list[LineRow]
) -> None:
    async with shop.core.db.transaction() as connection:
        await insert_lines(connection, shop.company.id, "rf_2", rows)
        kept = await lines_at(connection, shop.company.id, "rf_2", [one.place for one in rows])

    for one in kept:
        one.texts = tuple(one.texts)
    assert kept == rows
