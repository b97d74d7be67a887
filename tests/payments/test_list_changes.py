"""What changed since: nothing is passed over, whoever writes and in whatever order it commits."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from tests.modifying import REFUND, Obedient, modify
from tests.shop import Shop

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.payments.domain.payments import PaymentFilter
from kassa.payments.usecases.find_payments import Changes, changes_since, list_changes
from kassa.proof.usecases.chain import chain_history
from kassa.settings import Settings

pytestmark = pytest.mark.anyio
PROCESSES = ((3, "a"), (3, "b"), (2, "c"))  # writers in each: eight in all
EACH = int(os.environ.get("KASSA_TEST_LONG") or 0) * 200 or 12


async def changed(shop: Shop, after: int = 0, limit: int = 100, **wanted: object) -> Changes:
    narrowed = PaymentFilter(**wanted)  # type: ignore[arg-type]
    return await list_changes(shop.core, shop.company.id, wanted=narrowed, after=after, limit=limit)


def orders(found: Changes) -> list[str]:
    return [one.order_id for one in found.payments]


async def test_each_payment_stands_where_its_last_change_does(shop: Shop) -> None:
    first = await shop.payment(order_id="first")
    await shop.payment(order_id="second")
    await shop.play(first, Obedient())
    await chain_history(shop.core)

    found = await changed(shop)

    assert orders(found) == ["second", "first"]
    assert found.complete_until is not None
    assert orders(await changed(shop, found.place)) == []


async def test_what_changes_again_comes_again_and_with_all_that_happened(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())
    await chain_history(shop.core)
    before = await changed(shop)

    await modify(shop, payment, REFUND, 100)
    await chain_history(shop.core)
    [again] = (await changed(shop, before.place)).payments

    assert (again.id, again.refunded_minor) == (payment.id, 100)


async def test_pages_of_changes_follow_each_other(shop: Shop) -> None:
    made = [f"order-{number}" for number in range(5)]
    for name in made:
        await shop.payment(order_id=name)
    await shop.payment(company=await shop.other_company())
    await chain_history(shop.core)

    seen, place, complete = [], 0, None
    while complete is None:
        page = await changed(shop, place, limit=2)
        seen += orders(page)
        place, complete = page.place, page.complete_until

    assert seen == made


async def test_changes_are_narrowed_like_any_list(shop: Shop) -> None:
    paid = await shop.play(await shop.payment(order_id="paid"), Obedient())
    await shop.payment(order_id="open")
    await chain_history(shop.core)

    assert orders(await changed(shop, statuses=[PaymentStatus.CAPTURED])) == ["paid"]
    assert orders(await changed(shop, order_ids=["open"])) == ["open"]
    assert orders(await changed(shop, business_ids=["biz_none"])) == []
    assert orders(await changed(shop, created_until=paid.created_at)) == []
    assert orders(await changed(shop, created_from=paid.created_at)) == ["paid", "open"]


async def test_what_is_not_linked_yet_is_said_to_be_missing(shop: Shop) -> None:
    await shop.payment()
    found = await changed(shop)
    assert (found.payments, found.place) == ([], 0)
    assert found.complete_until is not None
    [event] = await shop.sql("select at from payment_event")
    assert found.complete_until == event["at"]

    await chain_history(shop.core)

    found = await changed(shop)
    assert len(found.payments) == 1
    assert found.complete_until is not None
    assert found.complete_until > event["at"]


async def test_a_moment_begins_no_later_than_what_came_to_be_seen_then(shop: Shop) -> None:
    await shop.payment(order_id="old")
    await chain_history(shop.core)
    await shop.sql("alter table chain_block disable trigger user")
    await shop.sql("update chain_block set at = at - interval '1 hour'")
    half = datetime.now(UTC) - timedelta(minutes=30)
    await shop.payment(order_id="new")
    await chain_history(shop.core)

    place = await changes_since(shop.core, shop.company.id, half)

    assert orders(await changed(shop, place)) == ["new"]
    hour = await changes_since(shop.core, shop.company.id, datetime.min.replace(tzinfo=UTC))
    assert orders(await changed(shop, hour)) == ["old", "new"]
    future = await changes_since(shop.core, shop.company.id, half + timedelta(days=1))
    assert orders(await changed(shop, future)) == []


async def test_blocks_stay_in_their_order_when_the_clock_is_set_back(shop: Shop) -> None:
    await shop.payment()
    await chain_history(shop.core)
    await shop.sql("alter table chain_block disable trigger user")
    await shop.sql("update chain_block set at = at + interval '1 hour'")
    await shop.payment()
    await chain_history(shop.core)

    rows = await shop.sql(
        "select at from chain_block where company_id = $1 order by seq", shop.company.id
    )
    moments = [row["at"] for row in rows]
    assert moments == sorted(moments)


async def test_a_place_that_the_chain_has_not_come_to_is_refused(shop: Shop) -> None:
    with pytest.raises(InvalidRequest):
        await changed(shop, after=10_000)


Poll = Callable[[], AsyncIterator[Sequence[tuple[str, int]]]]


@pytest.fixture
def writers(shop: Shop, database_url: str, settings: Settings) -> Callable[[], object]:
    """Starts the processes, each with some writers."""

    async def start() -> list[asyncio.subprocess.Process]:
        return [
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.payments.writing",
                database_url,
                str(settings.data_dir),
                shop.company.id,
                name,
                str(count),
                str(EACH),
            )
            for count, name in PROCESSES
        ]

    return start


async def test_eight_writers_in_three_processes_and_no_gap(
    shop: Shop,
    writers: Callable[[], "asyncio.Future[list[asyncio.subprocess.Process]]"],
) -> None:
    """By the place where one left off, and by the newest change that one has seen."""
    running = await writers()
    by_place: dict[str, datetime] = {}
    by_time: dict[str, datetime] = {}
    place, newest = 0, datetime(2026, 1, 1, tzinfo=UTC)

    async def poll() -> None:
        nonlocal place, newest
        await chain_history(shop.core, 7)
        found = await changed(shop, place, limit=5)
        place = found.place
        by_place.update({one.id: one.updated_at for one in found.payments})
        start = await changes_since(shop.core, shop.company.id, newest)
        seen = await changed(shop, start, limit=500)
        by_time.update({one.id: one.updated_at for one in seen.payments})
        newest = max([newest, *(one.updated_at for one in seen.payments)])

    while any(one.returncode is None for one in running):
        await poll()
        await asyncio.sleep(0.01)
    assert [one.returncode for one in running] == [0, 0, 0]
    while await chain_history(shop.core):
        pass
    before = -1
    while before < place:
        before = place
        await poll()

    rows = await shop.sql("select id, updated_at from payment")
    stored = {row["id"]: row["updated_at"] for row in rows}
    assert len(stored) == EACH * sum(count for count, _ in PROCESSES)
    assert by_place == stored
    assert by_time == stored
