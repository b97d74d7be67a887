"""What was acknowledged survives kill -9 of anything, and nothing happens twice.

KASSA_TEST_LONG=1 kills many times more (KASSA_TEST_ROUNDS), at random (KASSA_TEST_SEED).
"""

import asyncio
import os
import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.crowd import Crowd, a_crowd, compare_books, paid_attempts, takings
from tests.e2e.history import History, Wish
from tests.e2e.server import Server, a_server, until

pytestmark = pytest.mark.anyio

LONG = os.environ.get("KASSA_TEST_LONG") == "1"
SEED = int(os.environ.get("KASSA_TEST_SEED", "0")) or random.randrange(1, 10**9)
VICTIMS = ("http", "grpc", "workers", "postgres", "supervisor", "everything")
ROUNDS = int(os.environ.get("KASSA_TEST_ROUNDS", "40"))
LOADED_SECONDS = 1.0
PROMISED_SECONDS = 3
QUIET = 0.8  # of the processors idle; with less, a slow start says nothing of ours

ORDERS = """
    select coalesce(o.request_id, o.id), o.id, p.id, p.status, p.surplus
      from orders o left join payment p on (p.company_id, p.order_id) = (o.company_id, o.id)
"""
UNDECIDED = """
    select distinct p.order_id from attempt a
      join payment p on (p.company_id, p.id) = (a.company_id, a.payment_id)
     where a.status in ('dispatched', 'in_doubt') and p.status = 'processing'
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as started:
        yield started


def victims() -> list[str]:
    if not LONG:
        return ["http", "postgres", "everything"]
    print(f"KASSA_TEST_SEED={SEED}")
    return random.Random(SEED).choices(VICTIMS, k=ROUNDS)


async def test_what_was_acknowledged_survives_being_killed(server: Server) -> None:
    async with a_crowd(server, seconds=20) as crowd:
        history = History(crowd)
        for victim in victims():
            await killed_under_load(server, history, victim)
            await history.insist()
            await decided(crowd)

            await check(crowd, history)
            proof = await asyncio.to_thread(server.run, "verify")
            assert proof.returncode == 0, proof.stdout
    tries = Counter(wish.tries > 1 for wish in history.wishes)
    print(f"{tries[False]} wishes came true at once, {tries[True]} after being asked for again")
    assert tries[True], "nothing was under way when it was killed: the test proves nothing"


async def killed_under_load(server: Server, history: History, victim: str) -> None:
    """Load before the kill and after it, and everything running again at the end."""
    stop = asyncio.Event()
    load = asyncio.create_task(history.load(stop))
    await asyncio.sleep(LOADED_SECONDS)
    kill(server, victim)
    if victim in ("supervisor", "everything"):
        await asyncio.to_thread(server.start)
    await asyncio.to_thread(until, server.answers, "it answers again")
    await asyncio.sleep(LOADED_SECONDS)
    stop.set()
    await load


def kill(server: Server, victim: str) -> None:
    if victim == "everything":
        server.kill_everything()
    elif victim == "supervisor":
        server.kill(server.pid)
    else:
        server.kill(*server.children(victim))


async def decided(crowd: Crowd) -> None:
    """Until we know of all money that the provider took: a merchant's questions make us ask it."""
    async with asyncio.timeout(30):
        while takings(crowd.server).keys() != await paid_attempts(crowd):
            left = [order_id for (order_id,) in await crowd.rows(UNDECIDED)]
            await asyncio.gather(
                *(crowd.read(crowd.faces.verify_order(order_id)) for order_id in left)
            )


async def check(crowd: Crowd, history: History) -> None:
    """Everything that was wished for is there once, as it was told; and nothing else is."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for key, *row in await crowd.rows(ORDERS):
        found.setdefault(key, []).append(tuple(row))
    assert sorted(found) == sorted(history.keys)
    assert {key for key, rows in found.items() if len(rows) != 1} == set()
    wrong = [
        (wish.key, wish.answer, found[wish.key])
        for wish in history.acknowledged
        if not agrees(wish, *found[wish.key][0])
    ]
    assert wrong == []
    assert await compare_books(crowd)


def agrees(wish: Wish, order_id: str, payment_id: str, status: str, surplus: bool) -> bool:
    """Whether the books hold what the client was told."""
    told = wish.answer.get("order_id") or wish.answer.get("paymentId")
    told = told or wish.answer["paymentRequestId"]
    is_there = told in (order_id, payment_id) and not surplus
    return is_there and (status == "captured" or not wish.is_paid(wish.answer))


def test_control_c_stops_everything_and_the_next_start_is_quick(server: Server) -> None:
    if not server.is_started:
        server.start()
    seconds, quiet, said_before = [], [], len(server.log)
    for _ in range(3):
        assert server.stop(signal.SIGINT) == 0
        assert server.left_over() == []
        assert not (server.data_dir / "pg" / "postmaster.pid").exists()
        quiet.append(idleness())
        seconds.append(server.start())

    assert "Traceback" not in server.log[said_before:], server.log[said_before:]
    took = statistics.median(seconds)
    print(f"second starts took {[round(one, 2) for one in seconds]} s, idle {quiet}")
    if took >= PROMISED_SECONDS and min(quiet) < QUIET:
        pytest.skip(f"too busy to judge {took:.1f} s: only {min(quiet):.0%} idle")
    assert took < PROMISED_SECONDS


def idleness() -> float:
    """Which part of the processors' time nobody wants, while nothing of ours runs."""
    before = processor_times()
    time.sleep(0.2)
    idle, total = (
        after - earlier for after, earlier in zip(processor_times(), before, strict=True)
    )
    return round(idle / max(total, 1), 2)


def processor_times() -> tuple[int, int]:
    """Idle and total, in ticks since the machine began."""
    ticks = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
