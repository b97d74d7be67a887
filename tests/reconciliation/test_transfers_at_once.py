"""Statements, people and payers at once, and what an older release left behind."""

import asyncio

import pytest
from tests.reconciliation.test_transfers_of_another_amount import (
    at_the_bank,
    came,
    expected,
    send,
    work,
)
from tests.shop import Shop

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.reconciliation.usecases.breaks import list_breaks, resolve_break
from kassa.reconciliation.usecases.match_line import match_line

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def record(shop: Shop, payment: Payment) -> Payment:
    recording = Recording(
        company_id=shop.company.id,
        payment_id=payment.id,
        method=Method.BANK_TRANSFER,
        actor="operator:ann",
        by_staff=True,
    )
    return await record_payment(shop.core, recording)


@pytest.mark.parametrize("minor", [4_400, 10_000, 15_000])
async def test_two_statements_with_the_same_line_at_once_book_it_once(
    shop: Shop, minor: int
) -> None:
    payment = await expected(shop)
    one, other = came(payment, minor), came(payment, 1, text="something else")

    await asyncio.gather(*(send(shop, one, *more) for more in ([], [other], [other, other])))

    paid = await shop.read(payment)
    assert paid.captured.minor == (10_000 if minor >= 10_000 else 0)
    assert paid.unapplied_minor + paid.captured.minor + paid.surplus_left.minor == minor
    assert (await at_the_bank(shop))["bank"] == minor


async def test_what_waited_for_a_lock_while_another_file_had_it_is_not_booked_again(
    shop: Shop,
) -> None:
    payment = await expected(shop)
    one = came(payment, 4_400)
    held = asyncio.Event()
    go_on = asyncio.Event()

    async def keep() -> None:
        async with shop.core.db.transaction() as connection:
            await connection.fetch(
                "select 1 from orders where company_id = $1 and id = $2 for update",
                payment.company_id,
                payment.order_id,
            )
            held.set()
            await go_on.wait()

    keeping = asyncio.create_task(keep())
    await held.wait()
    imports = [asyncio.create_task(send(shop, one, came(payment, 2, text=f"x{n}"))) for n in (1, 2)]
    await asyncio.sleep(0.3)
    go_on.set()
    await keeping
    done = await asyncio.gather(*imports)

    assert (await shop.read(payment)).unapplied_minor == 4_400
    assert sorted(one.repeated for one in done) == [0, 1]


async def test_a_person_and_a_statement_at_once_are_one_payment(shop: Shop) -> None:
    for _ in range(3):
        payment = await expected(shop)
        await asyncio.gather(record(shop, payment), send(shop, came(payment, 10_000)))

        paid = await shop.read(payment)
        assert (paid.captured.minor, paid.surplus_amount.minor) == (10_000, 0)
        assert len(await shop.attempts(payment)) == 1
    assert await at_the_bank(shop) == {"bank": 30_000}


async def test_the_rest_that_staff_recorded_is_confirmed_by_a_later_line(shop: Shop) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 4_400))
    await record(shop, payment)
    assert await work(shop) == []

    done = await send(shop, came(payment, 5_600))

    assert (await shop.read(payment)).status is PaymentStatus.SETTLED
    assert (done.matched, await at_the_bank(shop)) == (1, {"bank": 10_000})


async def dead_end(shop: Shop) -> Payment:
    """What releases before this one made of a transfer of 158.00: a doubt for ever, and breaks."""
    payment = await expected(shop)
    [attempt] = await shop.attempts(payment)

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        doubted = facts.AttemptDoubted(
            attempt=attempt["id"], reason="amount mismatch", provider_says="158.00 CNY"
        )
        case.record(doubted, actor="operator:root", by="statement")

    await send(shop, came(payment, 15_800, text="nothing of ours", mark="DEAD"))
    await change_payment(
        shop.core,
        PaymentChange(company_id=payment.company_id, payment_id=payment.id, decide=decide),
    )
    assert sorted(await work(shop)) == ["amount", "missing_ours"]
    return payment


async def test_an_older_dead_end_is_left_by_matching_its_line(shop: Shop) -> None:
    payment = await dead_end(shop)
    item = next(
        one
        for one in await list_breaks(shop.core, shop.company.id)
        if one.problem.value == "missing_ours"
    )

    await match_line(shop.core, shop.company.id, item.id, payment.id, actor="operator:ann")

    paid = await shop.read(payment)
    assert (paid.status, paid.surplus_left.minor) == (PaymentStatus.SETTLED, 5_800)
    assert await work(shop) == ["overpaid"]


async def test_an_older_dead_end_is_left_by_the_next_statement_that_has_the_line(
    shop: Shop,
) -> None:
    payment = await dead_end(shop)

    await send(shop, came(payment, 15_800, mark="DEAD"))

    paid = await shop.read(payment)
    assert (paid.status, paid.surplus_left.minor) == (PaymentStatus.SETTLED, 5_800)
    assert await work(shop) == ["overpaid"]
    assert await at_the_bank(shop) == {"bank": 15_800, "surplus": -5_800}


async def test_an_older_dead_end_that_was_booked_by_hand_can_be_recorded(shop: Shop) -> None:
    payment = await dead_end(shop)
    for one in await list_breaks(shop.core, shop.company.id):
        await resolve_break(shop.core, shop.company.id, one.id, "by hand", "operator:ann")

    paid = await record(shop, payment)

    assert (paid.status, paid.captured.minor) == (PaymentStatus.CAPTURED, 10_000)
    assert len(await shop.attempts(payment)) == 1


@pytest.mark.parametrize("way", ["paid by card", "expired"])
async def test_an_older_dead_end_keeps_no_payment_from_going_on(shop: Shop, way: str) -> None:
    payment = await dead_end(shop)

    if way == "expired":
        await shop.expire(payment)
        await expire_orders(shop.core)
        assert (await shop.read(payment)).status is PaymentStatus.EXPIRED
    else:
        assert (await shop.submit(payment)).is_paid

    await send(shop, came(payment, 15_800, mark="DEAD"))
    assert (await shop.read(payment)).surplus_left.minor == 15_800


async def test_a_card_and_a_part_at_once_never_lose_the_part(shop: Shop) -> None:
    for _ in range(3):
        payment = await expected(shop)
        results = await asyncio.gather(
            shop.submit(payment), send(shop, came(payment, 4_400)), return_exceptions=True
        )
        assert not [one for one in results if isinstance(one, Exception)]
        paid = await shop.read(payment)
        assert (paid.captured.minor, paid.surplus_left.minor) == (10_000, 4_400)
        assert paid.unapplied_minor == 0
