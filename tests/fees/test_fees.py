"""Fee rules kept and ended, the provider's own figures booked, and how far the two are apart."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.modifying import REFUND, Obedient, balance_of_account, modify
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.money import Money
from kassa.fees.usecases.fees import (
    NewFeeRule,
    add_fee_rule,
    end_fee_rule,
    fee_variance,
    list_fee_rules,
)
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.domain.reports import LineKind
from kassa.reconciliation.usecases.reconcile import Outcome

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("told_truly")]
NOW = datetime.now(UTC)

# What merchants bear by the ledger, against what their payments show.
LEDGER = """
    select coalesce(sum(e.amount_minor), 0)::bigint as fees,
      coalesce(sum(e.amount_minor) filter (where g.kind = 'fee_adjustment'), 0)::bigint as learned
      from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
     where g.kind in ('fee', 'fee_adjustment') and e.account like 'merchant:%'
"""


def wanted(shop: Shop, **changes: Any) -> NewFeeRule:
    members: dict[str, Any] = {
        "company_id": shop.company.id,
        "kind": "payment",
        "currency": "CNY",
        "percent": "2.9",
        "fixed": "0.30",
    }
    return NewFeeRule(**{**members, **changes})


async def paid(shop: Shop, **changes: Any) -> Payment:
    """100.00 through a provider that does not say what it keeps."""
    return await shop.play(await shop.payment(**changes), Obedient())


async def reported(shop: Shop, payment: Payment, minor: int, **said: Any) -> Outcome:
    """The provider's report says what it kept of the charge."""
    reporter = Reporter(shop)
    line = await reporter.line_of(payment, fee=minor, currency=payment.amount.currency, **said)
    return await reporter.send(line)


async def test_a_rule_counts_from_the_next_payment_until_it_is_ended(shop: Shop) -> None:
    fees = [(await paid(shop)).fee.minor]
    rule = await add_fee_rule(shop.core, wanted(shop))
    fees.append((await paid(shop)).fee.minor)
    await end_fee_rule(shop.core, shop.company.id, rule.id)
    fees.append((await paid(shop)).fee.minor)

    assert fees == [0, 320, 0]
    [kept] = await list_fee_rules(shop.core, shop.company.id)
    assert (kept.id, kept.rate_ppm, kept.fixed_minor) == (rule.id, 29_000, 30)
    assert kept.valid_until is not None


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"percent": "2.90001"}, InvalidRequest, "at most 4 decimals"),
    ({"fixed": "0.301"}, InvalidRequest, "2 decimals"),
    ({"fixed": "-1"}, InvalidRequest, "not negative"),
    ({"fixed": "NaN"}, InvalidRequest, "amount"),
    ({"currency": "XYZ"}, InvalidRequest, "unknown currency"),
    ({"kind": "gift"}, InvalidRequest, "payment, refund, dispute"),
    ({"method": "barter"}, InvalidRequest, "credit_card"),
    ({"connector": "nobody"}, InvalidRequest, "there are alipay, sandbox"),
    ({"connector": "a\x00b"}, InvalidRequest, "a provider's name"),
    ({"valid_from": NOW, "valid_until": NOW}, InvalidRequest, "ends after it begins"),
    ({"company_id": "cmp_none"}, NotFound, "no such company"),
    ({"company_id": "a\x00b"}, NotFound, "no such company"),
]


@pytest.mark.parametrize("changes, kind, said", REFUSED)
async def test_a_rule_that_cannot_be_is_refused_and_says_why(
    shop: Shop, changes: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        await add_fee_rule(shop.core, wanted(shop, **changes))
    assert await list_fee_rules(shop.core, shop.company.id) == []


async def test_a_rule_cannot_end_before_it_began_nor_last_longer_than_it_did(shop: Shop) -> None:
    company = shop.company.id
    until = NOW + timedelta(days=1)
    rule = await add_fee_rule(shop.core, wanted(shop, valid_from=NOW, valid_until=until))

    for at, said in ((NOW, "ends after that"), (until + timedelta(1), "add a new one")):
        with pytest.raises(InvalidRequest, match=said):
            await end_fee_rule(shop.core, company, rule.id, at)
    for company_id, rule_id in ((company, "fee_none"), ("cmp_x", rule.id), (company, "\x00")):
        with pytest.raises(NotFound):
            await end_fee_rule(shop.core, company_id, rule_id)


async def test_the_figure_of_a_report_replaces_the_expected_one(shop: Shop) -> None:
    await add_fee_rule(shop.core, wanted(shop))
    payment = await paid(shop)

    once = datetime.now(UTC)
    outcomes = [await reported(shop, payment, minor, occurred_at=once) for minor in (250, 400)]

    assert [outcome.breaks for outcome in outcomes] == [{}, {"duplicate": 1}]
    now = await shop.read(payment)
    assert (now.fee.minor, now.expected_fee_minor, now.fee_known) == (250, 320, True)
    assert await balance_of_account(shop, "provider:scripted") == 10_000 - 250
    [attempt] = await shop.attempts(payment)
    causes = await shop.sql("select cause from posting where kind = 'fee_adjustment'")
    assert [row["cause"] for row in causes] == [attempt["id"]]
    assert await shop.faults() == []


async def test_a_figure_that_confirms_the_schedule_moves_nothing(shop: Shop) -> None:
    await add_fee_rule(shop.core, wanted(shop))
    payment = await paid(shop)

    await reported(shop, payment, 320)

    assert (await shop.read(payment)).fee_known
    assert not await shop.sql("select from posting where kind = 'fee_adjustment'")


async def test_one_figure_in_many_reports_at_once_is_booked_once(shop: Shop) -> None:
    """Guard: the order's lock before the booked fee is read; without it each adds its own."""
    payment = await paid(shop)

    reporter, now = Reporter(shop), datetime.now(UTC)
    lines = [
        await reporter.line_of(payment, fee=300, occurred_at=now - timedelta(seconds=n))
        for n in range(4)
    ]
    outcomes = await asyncio.gather(*(reporter.send(one) for one in lines))

    assert sorted(outcome.matched for outcome in outcomes) == [0, 0, 0, 1]
    assert (await shop.read(payment)).fee.minor == 300
    assert await balance_of_account(shop, "provider:scripted") == 10_000 - 300
    assert await shop.faults() == []


async def test_the_fee_of_a_refund_is_booked_for_the_refund(shop: Shop) -> None:
    await add_fee_rule(shop.core, wanted(shop, kind="refund", percent="0", fixed="0.10"))
    payment = await paid(shop)
    refund = (await modify(shop, payment, REFUND, 5_000)).modification

    said = line(LineKind.REFUND, -5_000, 25, our_reference=refund.id)
    assert (await Reporter(shop).send(said)).breaks == {}

    now = await shop.read(payment)
    assert (now.fee.minor, now.expected_fee_minor, now.fee_known) == (25, 10, False)
    [adjusted] = await shop.sql("select cause from posting where kind = 'fee_adjustment'")
    assert adjusted["cause"] == refund.id
    assert await shop.faults() == []


async def test_one_line_that_is_refused_spoils_no_other(shop: Shop) -> None:
    first, second = await paid(shop), await paid(shop)
    reporter = Reporter(shop)

    outcome = await reporter.send(
        line(our_reference="at_none", fee=5),
        await reporter.line_of(first, fee=5, currency="USD"),
        await reporter.line_of(second, fee=5),
        await reporter.line_of(first, fee=7),
    )

    assert outcome.breaks == {"missing_ours": 1, "currency": 1}
    assert [(await shop.read(one)).fee.minor for one in (first, second)] == [7, 5]
    assert await shop.faults() == []


async def test_the_variance_is_what_the_ledger_says(shop: Shop) -> None:
    await add_fee_rule(shop.core, wanted(shop))
    made = [await paid(shop) for _ in range(4)]
    dollars = await paid(shop, amount=Money(2_000, "USD"))
    for payment, minor in zip(made, (320, 400, 100, 321), strict=False):
        await reported(shop, payment, minor)
    await reported(shop, dollars, 75)

    report = await fee_variance(shop.core, shop.company.id, worst=2)

    rows = {row.actual.currency: row for row in report.rows}
    assert set(rows) == {"CNY", "USD"}
    yuan = rows["CNY"]
    assert (yuan.connector, yuan.method) == ("scripted", "credit_card")
    assert (yuan.expected.minor, yuan.actual.minor, yuan.difference.minor) == (1280, 1141, -139)
    assert (yuan.payments, yuan.known) == (4, 4)
    worst = [(one.payment_id, one.difference.minor) for one in report.worst]
    assert worst == [(made[2].id, -220), (made[1].id, 80), (dollars.id, 75)]
    [booked] = await shop.sql(LEDGER)
    assert booked["fees"] == sum(row.actual.minor for row in report.rows)
    assert booked["learned"] == sum(row.difference.minor for row in report.rows)
    assert await fee_variance(shop.core, "cmp_other") == await fee_variance(shop.core, "\x00")
    with pytest.raises(InvalidRequest):
        await fee_variance(shop.core, worst=101)
