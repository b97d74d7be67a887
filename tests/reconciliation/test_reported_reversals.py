"""A report's line that a refund came back takes it back, where it says the whole amount."""

import pytest
from tests.modifying import REFUND, modify
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.payments.domain.payments import Payment
from kassa.reconciliation.domain.reports import LineKind

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("told_truly")]


async def _refunded(shop: Shop) -> tuple[Payment, str]:
    payment = await shop.submit(await shop.payment())
    made = await modify(shop, payment, REFUND, 4_000)
    return payment, made.modification.id


async def test_a_refund_that_a_report_says_came_back_comes_back(shop: Shop) -> None:
    sandbox = Reporter(shop, "sandbox")
    payment, refund = await _refunded(shop)
    sold = await sandbox.line_of(payment)
    given, back = (
        line(kind, minor, our_reference=refund, occurred_at=sold.occurred_at)
        for kind, minor in ((LineKind.REFUND, -4_000), (LineKind.REFUND_REVERSAL, 4_000))
    )

    outcome = await sandbox.send(sold, given, back)

    assert (outcome.matched, outcome.breaks) == (3, {})
    assert (await shop.read(payment)).refunded.minor == 0
    assert await shop.faults() == []


async def test_a_reversal_of_another_amount_stays_a_break(shop: Shop) -> None:
    sandbox = Reporter(shop, "sandbox")
    payment, refund = await _refunded(shop)

    outcome = await sandbox.send(line(LineKind.REFUND_REVERSAL, 3_000, our_reference=refund))

    assert outcome.breaks == {"status": 1}
    assert (await shop.read(payment)).refunded.minor == 4_000
