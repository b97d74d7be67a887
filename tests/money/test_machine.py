"""The money machine: short in every run, `make soak` for as long as asked.

A failing example prints its seed: the same KASSA_TEST_SEED and KASSA_TEST_STEPS play it again, and
KASSA_TEST_SHRINK=1 looks for a shorter one.
"""

import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.money.machine import STORIES, WORKERS, MoneyMachine
from tests.money.world import World

from kassa.settings import Settings

# One seed for everybody, so that a change is not blamed for what another seed would have found;
# `make soak` draws its own.
SEED = int(os.environ.get("KASSA_TEST_SEED", "20261122"))
A_SEED_OF_ITS_OWN = "KASSA_TEST_SEED" in os.environ
STEPS = int(os.environ.get("KASSA_TEST_STEPS", "2000"))
SOAK_SECONDS = int(os.environ.get("KASSA_TEST_SOAK", "0"))
RULES_PER_EXAMPLE = 15
STEPS_PER_EXAMPLE = 50  # about: one rule makes four
SHRINK = os.environ.get("KASSA_TEST_SHRINK") == "1"
ENOUGH = 1500  # steps in which all of these happen, whatever the seed
HAPPENS = {
    *("create manual by orders", "create automatic by orders", "create manual by use case"),
    *("wallet takes", "wallet refuses", "pay by card", "gateway request", "cash taken", "top up"),
    *("capture by orders", "capture by wallet", "capture by use case", "capture done"),
    *("void by orders", "void by wallet", "void by use case", "void done", "cancel"),
    *("refund by orders", "refund by wallet", "refund by gateway", "refund by use case"),
    *("refund done", "refund failed", "refund part let", "refund over refused"),
    *("refund negative refused", "ask again", "ask again for another amount"),
    *("news is delivered", "news is lost", "payer decides", "time passes", "settle"),
    *(f"worker {name}" for name in WORKERS),
    *("an order is canceled", "an order is expired", "a deadline is met"),
}
SELDOM = {
    *(f"card {story}" for story in STORIES),
    *(f"a dispute is {status}" for status in ("needs_response", "under_review", "won", "lost")),
    *("money comes late", "surplus is returned", "a late reservation is let go"),
    *("capture failed", "void failed"),
}


@pytest.fixture
def world(settings: Settings, database_url: str, owner_url: str) -> Iterator[World]:
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        opened = World(settings, database_url, owner_url, Path(folder))
        yield opened
        opened.close()


def play(world: World, number: int, examples: int) -> Counter[str]:
    """So many examples of that seed; what happened in them."""

    class Machine(MoneyMachine):
        """One that counts anew."""

    Machine.world, Machine.tally = world, Counter()
    print(f"KASSA_TEST_SEED={number}", flush=True)
    run_state_machine_as_test(
        seed(number)(Machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=RULES_PER_EXAMPLE,
            deadline=None,
            database=None,
            print_blob=True,
            phases=list(Phase) if SHRINK else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Machine.tally


def told(tally: Counter[str], seconds: float) -> str:
    counted = ", ".join(f"{name} {count}" for name, count in sorted(tally.items()))
    return f"{tally['steps']} steps in {seconds:.0f} s: {counted}"


def test_money_is_neither_lost_nor_made(world: World) -> None:
    began = time.monotonic()
    tally = play(world, SEED, max(1, STEPS // STEPS_PER_EXAMPLE))
    print(told(tally, time.monotonic() - began))
    if STEPS >= ENOUGH:
        assert {name for name in HAPPENS if not tally[name]} == set()


@pytest.mark.skipif(not SOAK_SECONDS, reason="make soak")
def test_soak(world: World) -> None:
    began, tally = time.monotonic(), Counter[str]()
    number = SEED if A_SEED_OF_ITS_OWN else random.randrange(1, 10**9)
    while (took := time.monotonic() - began) < SOAK_SECONDS:
        tally += play(world, number, 20)
        number += 1
        missing = sorted(name for name in {*HAPPENS, *SELDOM} if not tally[name])
        print(f"{took:.0f} s: {tally['steps']} steps, {tally['examples']} examples")
        print(f"not seen yet: {', '.join(missing) or 'nothing'}", flush=True)
    print(told(tally, time.monotonic() - began))
