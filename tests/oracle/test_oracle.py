"""The oracle machine: short in every run, `make soak` for as long as asked.

A failing example prints its seed: the same KASSA_TEST_SEED and KASSA_TEST_STEPS play it again, and
KASSA_TEST_SHRINK=1 looks for a shorter one.
"""

import os
import random
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.connectors.contract.plug import plugs
from tests.databases import Databases, Prover
from tests.oracle.machine import OracleMachine
from tests.oracle.world import World

from kassa.settings import Settings

# One seed for everybody, so that a change is not blamed for what another seed would have found;
# `make soak` draws its own.
SEED = int(os.environ.get("KASSA_TEST_SEED", "20261130"))
A_SEED_OF_ITS_OWN = "KASSA_TEST_SEED" in os.environ
STEPS = int(os.environ.get("KASSA_TEST_STEPS", "1500"))
SOAK_SECONDS = int(os.environ.get("KASSA_TEST_SOAK", "0"))
SOAK_STEPS = int(os.environ.get("KASSA_TEST_SOAK_STEPS", str(10**9)))
STEPS_PER_SEED = 1_000
RULES_PER_EXAMPLE = 8
STEPS_PER_EXAMPLE = 4 * RULES_PER_EXAMPLE + 2
SHRINK = os.environ.get("KASSA_TEST_SHRINK") == "1"
OpenWorld = Callable[[], AbstractContextManager[World]]
ENOUGH = 1400  # steps in which all of these happen with the seed that everybody has
HAPPENS = {
    *(f"pay by {plug.name}" for plug in plugs()),
    *("payer: pay", "payer: decline", "pay again", "delivered", "lost", "asked", "workers"),
    *("delivered, and comes again", "time passes", "faults end", "settled"),
    *("capture succeeded", "void succeeded", "refund succeeded", "refund failed"),
    *("refund there", "fail there", "fail_refund there", "capture there", "dispute there"),
    *("reduce_dispute there", "win_dispute there", "lose_dispute there"),
    *("report imported", "report opens unreadable", "reports compared"),
}


@pytest.fixture
def open_world(
    settings: Settings, databases: Databases, migrated: str, prover: Prover
) -> OpenWorld:
    """Opens one with a database of its own: what many examples leave would slow the next."""

    @contextmanager
    def opened() -> Iterator[World]:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        taken = databases.take(migrated)
        with tempfile.TemporaryDirectory(dir=memory) as folder:
            world = World(settings, taken.name, Path(folder), databases, prover)
            try:
                yield world
            finally:
                world.close()
        databases.give_back(migrated, taken)

    return opened


class Tally(Counter[str]):
    """What happened, and how often. `work`: what differed, and names its payment for people."""

    work: list[str]

    def __init__(self, *counts: Any) -> None:
        super().__init__(*counts)
        self.work = []


def play(world: World, number: int, examples: int) -> Tally:
    """So many examples of that seed; what happened in them."""

    class Machine(OracleMachine):
        """One that counts anew."""

    tally = Tally()
    Machine.world, Machine.tally, Machine.differed = world, tally, tally.work
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
    return tally


def happened(tally: Counter[str]) -> set[str]:
    """What it says, and the same of whichever way and provider."""
    found = {name for name in tally if tally[name]}
    for plug in plugs():
        own, way = f"{plug.name} ", f"pay by {plug.name} "
        found |= {f"{name.removeprefix(own)} there" for name in tally if name.startswith(own)}
        found |= {way.strip() for name in tally if name.startswith(way)}
    return found


def told(tally: Counter[str], seconds: float) -> str:
    counted = ", ".join(f"{name} {count}" for name, count in sorted(tally.items()))
    return f"{tally['steps']} steps in {seconds:.0f} s: {counted}"


def test_our_books_are_the_providers_whatever_happens_there(open_world: OpenWorld) -> None:
    began = time.monotonic()
    print(f"KASSA_TEST_SEED={SEED}", flush=True)
    with open_world() as world:
        tally = play(world, SEED, max(1, STEPS // STEPS_PER_EXAMPLE))
    print("\n".join(tally.work), told(tally, time.monotonic() - began), sep="\n")
    if STEPS >= ENOUGH and not A_SEED_OF_ITS_OWN:
        assert HAPPENS - happened(tally) == set()


@pytest.mark.skipif(not SOAK_SECONDS, reason="make soak")
def test_soak(open_world: OpenWorld) -> None:
    """A line for each seed; each plays again with KASSA_TEST_STEPS as the line says."""
    began, tally, work = time.monotonic(), Counter[str](), 0
    number = SEED if A_SEED_OF_ITS_OWN else random.randrange(1, 10**9)
    asked = STEPS_PER_SEED // STEPS_PER_EXAMPLE * STEPS_PER_EXAMPLE
    print(f"each seed again: KASSA_TEST_SEED=SEED KASSA_TEST_STEPS={asked}", flush=True)
    while (took := time.monotonic() - began) < SOAK_SECONDS and tally["steps"] < SOAK_STEPS:
        try:
            with open_world() as world:
                here = play(world, number, asked // STEPS_PER_EXAMPLE)
        except BaseException as error:
            print(f"seed {number}: {kept_story(number, error)}", flush=True)
            raise
        tally, work = tally + here, work + len(here.work)
        print(
            f"seed {number}: {here['steps']} steps, no difference, {len(here.work)} are work;"
            f" in all {tally['steps']} steps in {time.monotonic() - began:.0f} s,"
            f" no difference, {work} are work",
            *here.work,
            sep="\n  ",
            flush=True,
        )
        number += 1
    print(told(tally, took))


def kept_story(number: int, error: BaseException) -> Path:
    """The file that tells of a failing seed: with its examples, that Hypothesis notes in it."""
    path = Path(tempfile.gettempdir()) / f"kassa-oracle-{number}.txt"
    path.write_text("".join(traceback.format_exception(error)))
    return path
