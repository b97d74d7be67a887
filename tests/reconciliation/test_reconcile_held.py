"""A payment that somebody else keeps costs the import of the others nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from tests.reports import Reporter, numbered, sha_of
from tests.shop import Shop

from kassa.base.domain.errors import InProgress
from kassa.base.domain.lifecycle import ModificationKind, PaymentStatus
from kassa.base.domain.money import Money
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable
from kassa.reconciliation.usecases import report_pipeline as module
from kassa.reconciliation.usecases.reconcile import reconcile

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("told_truly")]


@pytest.fixture
async def reporter(shop: Shop) -> Reporter:
    return Reporter(shop)


@asynccontextmanager
async def kept(shop: Shop, payment: Payment) -> AsyncIterator[None]:
    """Somebody's transaction that does not end."""
    stray = await asyncpg.connect(shop.owner_url)
    await stray.execute("begin")
    await stray.execute("select from orders where id = $1 for update", payment.order_id)
    try:
        yield
    finally:
        await stray.close()


async def statuses(shop: Shop, payments: list[Payment]) -> list[PaymentStatus]:
    return [(await shop.read(payment)).status for payment in payments]


async def until_settled(shop: Shop, payments: list[Payment]) -> None:
    while set(await statuses(shop, payments)) != {PaymentStatus.SETTLED}:
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("size", [2, 100])
async def test_the_others_are_settled_while_one_is_kept_and_it_is_when_it_is_free(
    reporter: Reporter, shop: Shop, size: int
) -> None:
    payments = [await reporter.paid() for _ in range(6)]
    lines = [await reporter.line_of(payment) for payment in payments]
    held, others = payments[1], [payments[0], *payments[2:]]

    async with kept(shop, held):
        began = time.monotonic()
        importing = asyncio.create_task(reporter.send(*lines, lines_per_batch=size))
        await asyncio.wait_for(until_settled(shop, others), 4)
        took = time.monotonic() - began
        assert not importing.done()
        assert (await shop.read(held)).status is PaymentStatus.CAPTURED
    outcome = await importing

    assert took < 4  # and not the five seconds that a lock is waited for
    assert (outcome.lines, outcome.matched, outcome.settled, outcome.breaks) == (6, 6, 6, {})
    assert outcome.totals == {"CNY": {"gross": 60_000, "fees": 0, "matched": 60_000}}
    assert (await shop.read(held)).status is PaymentStatus.SETTLED
    assert await shop.faults() == []


async def test_one_that_is_kept_to_the_end_is_all_that_is_left_to_do(
    reporter: Reporter, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    payments = [await reporter.paid() for _ in range(3)]
    lines = [await reporter.line_of(payment) for payment in payments]

    async with kept(shop, payments[0]):
        with pytest.raises(InProgress, match="1 lines wait"):
            await reporter.send(*lines)
        assert await statuses(shop, payments) == [
            PaymentStatus.CAPTURED,
            PaymentStatus.SETTLED,
            PaymentStatus.SETTLED,
        ]
        [file] = await shop.sql("select state, counts::text from report_file")
        assert file["state"] == "importing"
    outcome = await reporter.send(*lines)

    assert (outcome.lines, outcome.matched, outcome.settled) == (3, 3, 3)
    assert (await reporter.send(*lines)).imported_before
    assert await shop.faults() == []


async def test_lines_of_a_kept_payment_keep_their_order(reporter: Reporter, shop: Shop) -> None:
    reporter.account = "sandbox"
    payment, other = [await shop.submit(await shop.payment()) for _ in range(2)]
    refund = await give_back(shop, payment, 4_000)
    lines = [
        await reporter.line_of(payment),
        await reporter.line_of(other),
        await reporter.line_of(
            payment, kind=LineKind.REFUND, minor=-4_000, our_reference=refund, fee=0
        ),
    ]

    async with kept(shop, payment):
        importing = asyncio.create_task(reporter.send(*lines, lines_per_batch=1))
        await asyncio.wait_for(until_settled(shop, [other]), 4)
    outcome = await importing

    assert (outcome.matched, outcome.breaks) == (3, {})
    rows = await shop.sql("select place, state, match_key from report_line order by place")
    assert [(row["state"], bool(row["match_key"])) for row in rows] == [("matched", True)] * 3
    assert await shop.faults() == []


async def test_batches_of_one_payment_do_not_take_each_other_for_somebody_else(
    reporter: Reporter, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing_is_left(_: Any) -> None:
        [left] = await shop.sql(
            "select count(*) from report_line where state = 'waiting' and match_key = ''"
        )
        assert left[0] == 0

    monkeypatch.setattr("kassa.reconciliation.usecases.reconcile.take_held", nothing_is_left)
    reporter.account = "sandbox"
    payment = await shop.submit(await shop.payment())
    refund = await give_back(shop, payment, 4_000)
    lines = [
        await reporter.line_of(payment),
        await reporter.line_of(
            payment, kind=LineKind.REFUND, minor=-4_000, our_reference=refund, fee=0
        ),
    ]

    outcome = await reporter.send(*lines, lines_per_batch=1)

    assert (outcome.matched, outcome.breaks) == (2, {})


async def test_lines_are_read_and_decided_on_while_earlier_ones_cannot_be_booked(
    reporter: Reporter, shop: Shop
) -> None:
    payments = [await reporter.paid() for _ in range(4)]
    items = numbered([await reporter.line_of(payment) for payment in payments])
    taken: list[int] = []

    def lines() -> Iterator[ReportLine | Unreadable]:
        for item in items:
            taken.append(item.number)
            yield item

    stray = await asyncpg.connect(shop.owner_url)
    try:
        await stray.execute("begin; lock table payment_event in share mode")
        importing = asyncio.create_task(
            reconcile(
                shop.core,
                shop.company.id,
                reporter.account,
                "report.csv",
                lines(),
                sha_of(items),
                lines_per_batch=1,
            )
        )
        async with asyncio.timeout(4):
            # The first is booked; the second is decided on; the third waits, and the fourth is
            # read ahead.
            while len(taken) < 4:
                await asyncio.sleep(0.02)
        assert set(await statuses(shop, payments)) == {PaymentStatus.CAPTURED}
    finally:
        await stray.close()
    outcome = await importing

    assert (outcome.lines, outcome.settled, outcome.breaks) == (4, 4, {})
    assert await shop.faults() == []


async def give_back(shop: Shop, payment: Payment, minor: int) -> str:
    done = await modify_payment(
        shop.core,
        ModifyPayment(
            company_id=payment.company_id,
            payment_id=payment.id,
            kind=ModificationKind.REFUND,
            amount=Money(minor, "CNY"),
            actor="test",
            face="orders",
        ),
    )
    return done.modification.id
