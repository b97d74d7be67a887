"""A payment settled in another currency than it was paid in: it settles, and both sides balance."""

import pytest
from tests.modifying import REFUND, modify
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.settlement.usecases.settlements import close_settlements, list_settlements

MERCHANT = "merchant:biz_shop"
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def settled(reporter: Reporter, **said: object) -> ReportLine:
    """A payment of 100.00 CNY, settled as 12.80 EUR less 0.38."""
    payment = await reporter.paid()
    members: dict[str, object] = {
        "our_reference": await reporter.key(payment),
        "currency": "EUR",
        "minor": 1_280,
        "fee": 38,
        "presented": Money(10_000, "CNY"),
        "payout_reference": "po_eur",
    }
    return line(**{**members, **said})  # type: ignore[arg-type]


async def balances(shop: Shop) -> dict[tuple[str, str], int]:
    rows = await shop.sql(
        "select account, currency, sum(amount_minor) from entry group by 1, 2 order by 1, 2"
    )
    return {(row[0], row[1]): int(row[2]) for row in rows}


async def test_it_settles_and_is_paid_out_in_the_other_currency(shop: Shop) -> None:
    reporter = Reporter(shop)
    said = await settled(reporter)

    planned = await reporter.send(said, dry_run=True)
    outcome = await reporter.send(said)

    assert planned.breaks == outcome.breaks == {}
    assert (outcome.matched, outcome.settled) == (1, 1)
    # The fee in the payment's currency is the same part: 0.38 of 12.80 is 2.97 of 100.00.
    assert await balances(shop) == {
        ("exchange", "CNY"): 9_703,
        ("exchange", "EUR"): -1_242,
        (MERCHANT, "CNY"): -9_703,
        ("provider:scripted", "CNY"): 0,
        ("provider:scripted", "EUR"): 1_242,
    }
    arrived = await reporter.send(
        line(LineKind.PAYOUT, 1_242, currency="EUR", payout_reference="po_eur"), account=BANK
    )
    assert (arrived.matched, arrived.breaks) == (1, {})
    await close_settlements(shop.core, shop.company.id)
    found = await list_settlements(shop.core, shop.company.id)
    assert {(one.currency, one.net.minor, one.status.value) for one in found if one.closed_at} == {
        ("EUR", 1_242, "paid"),
        ("CNY", 0, "paid"),
    }


async def test_a_refund_goes_back_through_the_exchange(shop: Shop) -> None:
    payment = await shop.submit(await shop.payment())
    done = await modify(shop, payment, REFUND, 2_500)
    said = line(
        LineKind.REFUND, -320, currency="EUR", our_reference=done.modification.id,
        presented=Money(-2_500, "CNY"),
    )  # fmt: skip

    outcome = await Reporter(shop, "sandbox").send(said)

    assert (outcome.matched, outcome.breaks) == (1, {})
    assert (await balances(shop))["exchange", "EUR"] == 320
    assert (await balances(shop))["exchange", "CNY"] == -2_500


@pytest.mark.parametrize(
    "said",
    [
        {"presented": None},
        {"presented": Money(10_001, "CNY")},
        {"presented": Money(10_000, "USD")},
        {"minor": 0, "fee": 0},
    ],
)
async def test_what_does_not_say_both_amounts_stays_a_break(
    shop: Shop, said: dict[str, object]
) -> None:
    reporter = Reporter(shop)

    outcome = await reporter.send(await settled(reporter, **said))

    assert (outcome.matched, outcome.breaks) == (0, {"currency": 1})


async def test_reported_twice_it_is_exchanged_once(shop: Shop) -> None:
    reporter = Reporter(shop)
    said = await settled(reporter)

    outcome = await reporter.send(said, said)

    assert (outcome.matched, outcome.breaks) == (1, {"duplicate": 1})
    assert (await balances(shop))["provider:scripted", "EUR"] == 1_242
    [(status,)] = await shop.sql("select status from payment")
    assert status == PaymentStatus.SETTLED
