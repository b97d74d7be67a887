"""An exchange has both its sides, at the report's rate: whatever is falsified of it is found."""

import pytest
from tests.reports import Reporter
from tests.shop import Shop

from kassa.base.domain.money import Money

pytestmark = pytest.mark.anyio
CHECK = "exchanges equal their reports"
GONE = (
    "delete from entry where posting_id in (select id from posting where kind = 'exchange'"
    " and currency = '{0}'); delete from posting where kind = 'exchange' and currency = '{0}'"
)
GREW = (
    "update entry set amount_minor = amount_minor + sign(amount_minor)::bigint where posting_id in"
    " (select id from posting where kind = 'exchange' and currency = '{0}')"
)


async def exchanged(shop: Shop, *, tells_fees: bool = True, fee: int = 38) -> str:
    """A payment of 100.00 CNY, settled as 12.80 EUR; its id."""
    reporter = Reporter(shop)
    payment = await reporter.paid()
    line = await reporter.line_of(
        payment, currency="EUR", minor=1_280, fee=fee, presented=Money(10_000, "CNY")
    )
    assert (await reporter.send(line, tells_fees=tells_fees)).breaks == {}
    return payment.id


async def falsify(shop: Shop, statements: str) -> list[str]:
    """What the proof finds about exchanges afterwards."""
    for table in ("entry", "posting", "report_line"):
        await shop.sql(f"alter table {table} disable trigger user")
    for statement in statements.split(";"):
        await shop.sql(statement)
    return [one for one in await shop.faults() if one.startswith(CHECK)]


@pytest.mark.parametrize("lie", [GONE, GREW])
@pytest.mark.parametrize(("currency", "rest"), [("CNY", "9703 CNY"), ("EUR", "-1242 EUR")])
async def test_a_side_that_is_gone_or_of_another_amount_is_found(
    shop: Shop, lie: str, currency: str, rest: str
) -> None:
    payment = await exchanged(shop)
    assert await shop.faults() == []

    [found] = await falsify(shop, lie.format(currency))

    assert payment in found
    assert found.endswith(f"was changed, but reports say {rest}")


async def test_a_line_at_another_rate_is_found(shop: Shop) -> None:
    await exchanged(shop)

    found = await falsify(shop, "update report_line set fee_minor = fee_minor + 1")

    assert len(found) == 2, "by 1 on the one side, and by 8 on the other"


async def test_where_the_report_is_silent_about_the_fee_it_is_as_it_was_known(shop: Shop) -> None:
    await exchanged(shop, tells_fees=False, fee=0)
    assert await shop.faults() == []

    assert len(await falsify(shop, GONE.format("CNY"))) == 1
