"""The oracle machine: short in every run, `make soak` for as long as asked.

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
from tests.connectors.contract.plug import plugs
from tests.oracle.machine import OracleMachine
from tests.oracle.world import World

from kassa.settings import Settings

# One seed for everybody, so that a change is not blamed for what another seed would have found;
# `make soak` draws its own.
SEED = int(os.environ.get("KASSA_TEST_SEED", "20261130"))
A_SEED_OF_ITS_OWN = "KASSA_TEST_SEED" in os.environ
STEPS = int(os.environ.get("KASSA_TEST_STEPS", "1500"))
SOAK_SECONDS = int(os.environ.get("KASSA_TEST_SOAK", "0"))
RULES_PER_EXAMPLE = 8
STEPS_PER_EXAMPLE = 4 * RULES_PER_EXAMPLE + 2
SHRINK = os.environ.get("KASSA_TEST_SHRINK") == "1"
ENOUGH = 1400  # steps in which all of these happen with the seed that everybody has
HAPPENS = {
    *(f"pay by {plug.name} {way.name}" for plug in plugs() for way in plug.ways),
    *("payer: pay", "payer: decline", "pay again", "delivered", "lost", "asked", "workers"),
    *("delivered, and comes again", "time passes", "faults end", "settled"),
    *("capture succeeded", "void succeeded", "refund succeeded", "refund failed"),
    *("stripe refund", "alipay refund", "stripe fail", "stripe fail_refund", "stripe capture"),
    *("report imported", "report opens unreadable", "reports compared"),
    *("stripe dispute", "stripe reduce_dispute", "stripe win_dispute", "stripe lose_dispute"),
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

    class Machine(OracleMachine):
        """One that counts anew."""

    Machine.world, Machine.tally, Machine.differed = world, Counter(), []
    print(f"KASSA_TEST_SEED={number}", flush=True)
    run_state_machine_as_test(
        seed(number)(Machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=RULES_PER_EXAMPLE,
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=list(Phase) if SHRINK else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    print("\n".join(Machine.differed), flush=True)
    return Machine.tally


def told(tally: Counter[str], seconds: float) -> str:
    counted = ", ".join(f"{name} {count}" for name, count in sorted(tally.items()))
    return f"{tally['steps']} steps in {seconds:.0f} s: {counted}"


def test_our_books_are_the_providers_whatever_happens_there(world: World) -> None:
    began = time.monotonic()
    tally = play(world, SEED, max(1, STEPS // STEPS_PER_EXAMPLE))
    print(told(tally, time.monotonic() - began))
    if STEPS >= ENOUGH and not A_SEED_OF_ITS_OWN:
        assert {name for name in HAPPENS if not tally[name]} == set()


@pytest.mark.skipif(not SOAK_SECONDS, reason="make soak")
def test_soak(world: World) -> None:
    began, tally = time.monotonic(), Counter[str]()
    number = SEED if A_SEED_OF_ITS_OWN else random.randrange(1, 10**9)
    while (took := time.monotonic() - began) < SOAK_SECONDS:
        tally += play(world, number, 20)
        number += 1
        print(f"{took:.0f} s: {tally['steps']} steps, {tally['examples']} examples", flush=True)
    print(told(tally, time.monotonic() - began))
