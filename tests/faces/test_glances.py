"""Deadlines by glances end what `asyncio.timeout` would end, and nothing else."""

import asyncio

import pytest

from kassa.faces.glances import Glances, Limit

pytestmark = pytest.mark.anyio


async def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(TimeoutError), Limit(Glances(), 0.05):
        await asyncio.sleep(5)

    await asyncio.sleep(0)  # the cancellation ended there


async def test_what_is_done_in_time_is_left_alone() -> None:
    glances = Glances()

    with Limit(glances, 0.05):
        await asyncio.sleep(0)

    await asyncio.sleep(0.3)


async def test_of_two_limits_the_shorter_one_ends_its_block_alone() -> None:
    glances = Glances()

    with Limit(glances, 5):
        with pytest.raises(TimeoutError), Limit(glances, 0.05):
            await asyncio.sleep(5)
        await asyncio.sleep(0.15)


async def test_who_is_canceled_from_outside_is_not_taken_for_late() -> None:
    async def wait() -> None:
        with Limit(Glances(), 5):
            await asyncio.sleep(5)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cut_that_comes_after_the_end_does_nothing() -> None:
    limit = Limit(Glances(), 5)
    with limit:
        pass

    limit.cut()

    await asyncio.sleep(0)
