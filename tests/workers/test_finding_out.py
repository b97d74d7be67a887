"""The worker finds out: news that was left lying, and payments whose provider did not answer."""

import asyncio
from datetime import timedelta

import pytest
from tests.shop import Shop
from tests.telling import TAKEN, Silent, Telling, keep, news, waiting

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.connectors.base import InDoubt
from kassa.payments.domain.payments import Payment
from kassa.workers.rounds import make_rounds, standard_chores

pytestmark = pytest.mark.anyio


async def becomes(shop: Shop, payment: Payment, status: PaymentStatus) -> None:
    while (await shop.read(payment)).status is not status:
        await asyncio.sleep(0.02)


async def test_what_a_killed_process_had_kept_and_what_was_in_doubt_is_found_out(
    shop: Shop,
) -> None:
    left, key = await waiting(shop, Telling())
    await keep(shop, news(key), lease=timedelta(0))
    silent = Silent(InDoubt(reason="no answer"), queries=(TAKEN,))
    shop.core.connectors["silent"] = silent
    doubtful = await shop.submit(await shop.payment(), connector="silent")
    await shop.age(doubtful, "1 minute")
    stop = asyncio.Event()
    rounds = asyncio.create_task(make_rounds(shop.core, standard_chores(), stop))

    async with asyncio.timeout(15):
        await becomes(shop, left, PaymentStatus.CAPTURED)
        await becomes(shop, doubtful, PaymentStatus.CAPTURED)
    stop.set()
    await asyncio.wait_for(rounds, 15)

    assert len(silent.queried) == 1
    assert await shop.faults() == []
