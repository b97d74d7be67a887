"""The chores: each at its own pace, whatever happens to the others, until told to stop."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import pytest
import structlog
from tests.shop import Shop

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.usecases.core import Core
from kassa.workers.rounds import Chore, make_rounds, standard_chores

pytestmark = pytest.mark.anyio
NO_CORE = cast("Core", None)


async def test_a_chore_is_done_again_and_again_until_told_to_stop() -> None:
    stop, done = asyncio.Event(), []

    async def count(_: Core) -> int:
        done.append(1)
        if len(done) == 5:
            stop.set()
        return 0

    await asyncio.wait_for(make_rounds(NO_CORE, [Chore("count", 0.001, count)], stop), 5)

    assert len(done) == 5


async def test_with_work_at_hand_there_is_no_pause() -> None:
    stop, done = asyncio.Event(), []

    async def busy(_: Core) -> int:
        done.append(1)
        if len(done) == 50:
            stop.set()
        return 1

    await asyncio.wait_for(make_rounds(NO_CORE, [Chore("busy", 30, busy)], stop), 5)

    assert len(done) == 50


@pytest.fixture
def no_log() -> Iterator[None]:
    """A thousand tracebacks would take longer than a night."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


async def test_a_chore_that_fails_all_night_neither_stops_the_others_nor_itself(
    no_log: None,
) -> None:
    stop, failed, done = asyncio.Event(), [], []

    async def fails(_: Core) -> int:
        failed.append(1)
        if len(failed) == 1100:
            stop.set()
        raise RuntimeError("no database")

    async def works(_: Core) -> int:
        done.append(1)
        return 0

    chores = [Chore("fails", 0, fails), Chore("works", 0.001, works)]
    await asyncio.wait_for(make_rounds(NO_CORE, chores, stop), 20)

    assert len(failed) == 1100
    assert len(done) > 1


async def test_after_failures_a_chore_waits_longer_and_after_success_no_more(
    no_log: None,
) -> None:
    stop, at = asyncio.Event(), []
    clock = asyncio.get_running_loop().time

    async def fails_three_times(_: Core) -> int:
        at.append(clock())
        if len(at) == 6:
            stop.set()
        if len(at) <= 3:
            raise RuntimeError("not yet")
        return 0

    await asyncio.wait_for(make_rounds(NO_CORE, [Chore("x", 0.02, fails_three_times)], stop), 10)

    waits = [after - before for before, after in pairwise(at)]
    assert waits[0] < waits[2]
    assert waits[4] < waits[2]


async def test_told_to_stop_it_finishes_what_is_under_way() -> None:
    stop, finished = asyncio.Event(), []

    async def slow(_: Core) -> int:
        stop.set()
        await asyncio.sleep(0.01)
        finished.append(1)
        return 1

    await make_rounds(NO_CORE, [Chore("slow", 1, slow)], stop)

    assert finished == [1]


async def test_at_the_end_it_waits_for_what_a_chore_has_left_under_way() -> None:
    stop, under_way, finished = asyncio.Event(), [], []

    async def set_out(_: Core) -> int:
        stop.set()
        under_way.append(asyncio.create_task(asyncio.sleep(0.01)))
        return 1

    async def finish() -> None:
        await asyncio.wait(under_way)
        finished.append(1)

    await make_rounds(NO_CORE, [Chore("deliver", 1, set_out, finish)], stop)

    assert finished == [1]


async def test_the_standard_chores_find_and_finish_all_that_is_left_lying(shop: Shop) -> None:
    doubtful = await shop.submit(await shop.payment(), "paid_but_silent")
    await shop.age(doubtful, "1 hour")
    late = await shop.payment(notify_url="http://127.0.0.1:1024/never")
    await shop.expire(late)
    stop = asyncio.Event()
    rounds = asyncio.create_task(make_rounds(shop.core, standard_chores(), stop))

    async def all_done() -> None:
        while not (
            (await shop.read(doubtful)).status is PaymentStatus.CAPTURED
            and (await shop.read(late)).status is PaymentStatus.EXPIRED
            and await shop.sql("select from announcement where tries > 0")
        ):
            await asyncio.sleep(0.02)

    await asyncio.wait_for(all_done(), 15)
    stop.set()
    await asyncio.wait_for(rounds, 15)

    assert await shop.faults() == []


async def test_a_chore_may_leave_the_first_moment_to_others() -> None:
    stop, done = asyncio.Event(), []

    async def first(_: Core) -> int:
        done.append("first")
        return 0

    async def later(_: Core) -> int:
        done.append("later")
        stop.set()
        return 0

    chores = [Chore("later", 30, later, after_seconds=0.05), Chore("first", 30, first)]
    await asyncio.wait_for(make_rounds(NO_CORE, chores, stop), 5)

    assert done == ["first", "later"]


async def test_told_to_stop_it_does_not_wait_for_a_chore_that_has_not_begun() -> None:
    stop, done = asyncio.Event(), []

    async def never(_: Core) -> int:
        done.append(1)
        return 0

    chores = [Chore("never", 30, never, after_seconds=30)]
    rounds = asyncio.create_task(make_rounds(NO_CORE, chores, stop))
    await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(rounds, 5)

    assert done == []
