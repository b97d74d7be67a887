"""The money machine: short in every run, `make soak` for as long as asked."""

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
from tests.money.machine import MoneyMachine
from tests.money.world import World

from kassa.settings import Settings

SEED = int(os.environ.get("KASSA_TEST_SEED", "0")) or random.randrange(1, 10**9)
STEPS = int(os.environ.get("KASSA_TEST_STEPS", "2000"))
SOAK_SECONDS = int(os.environ.get("KASSA_TEST_SOAK", "0"))
RULES_PER_EXAMPLE = 15
STEPS_PER_EXAMPLE = 50  # about: one rule makes four


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
        tally = Counter[str]()

    Machine.world = world
    print(f"KASSA_TEST_SEED={number}")
    run_state_machine_as_test(
        seed(number)(Machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=RULES_PER_EXAMPLE,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate] if not os.environ.get("KASSA_TEST_SHRINK") else list(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Machine.tally


def test_money_is_neither_lost_nor_made(world: World) -> None:
    began = time.monotonic()
    tally = play(world, SEED, STEPS // STEPS_PER_EXAMPLE)
    took = time.monotonic() - began
    print(f"{tally['steps']} steps, {tally['examples']} examples, {took:.0f} s")
    print(sorted(tally.items()))
