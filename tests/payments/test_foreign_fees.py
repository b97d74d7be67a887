"""A fee in another currency than the payment's is not booked in it, and is a person's."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.modifying import REFUND, Obedient, modify
from tests.shop import Scripted, Shop

from kassa.base.domain.money import Money
from kassa.base.usecases.bounds import readable
from kassa.connectors.base import Captured, ChargeRequest, Done
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable
from kassa.reconciliation.usecases.breaks import list_breaks

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
FEE = Money(145, "USD")


async def works(shop: Shop) -> list[tuple[str, str, str, int | None]]:
    found = await list_breaks(shop.core, shop.company.id)
    return [(one.payment_id, one.problem, one.currency, one.found_minor) for one in found]


async def test_of_a_charge(shop: Shop) -> None:
    async def with_fee(request: ChargeRequest) -> Captured:
        return Captured(reference="r", amount=request.amount, fee=FEE)

    paid = await shop.play(await shop.payment(), Scripted(with_fee))

    assert (paid.captured.minor, paid.fee) == (10_000, Money(0, "CNY"))
    assert await works(shop) == [(paid.id, "currency", "USD", 145)]


async def test_of_a_refund(shop: Shop) -> None:
    provider = Obedient(Done(reference="r", amount=Money(4_000, "CNY"), fee=FEE))
    paid = await shop.play(await shop.payment(), provider)

    done = await modify(shop, paid, REFUND, 4_000)

    assert (done.payment.refunded.minor, done.payment.fee) == (4_000, Money(0, "CNY"))
    assert await works(shop) == [(paid.id, "currency", "USD", 145)]


async def test_of_a_line_of_a_report(shop: Shop) -> None:
    given: dict[str, Any] = {"number": 7, "kind": LineKind.PAYMENT}
    when = datetime(2026, 11, 1, tzinfo=UTC)
    line = ReportLine(**given, amount=Money(10_000, "EUR"), fee=FEE, occurred_at=when)
    aside = readable(shop.core, "scripted", line)
    assert isinstance(aside, Unreadable)
    assert (aside.number, "1.45 USD" in aside.reason) == (7, True)
