"""The same seed and the same calls give the same history, whatever comes first."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import stripe
from tests.simulator.conftest import Shop, shop_at

from kassa_simulator.running import running

pytestmark = pytest.mark.anyio

FAULTS = [
    {"operation": "charge", "fault": "error_500", "share": 0.3},
    {"operation": "charge", "fault": "reset_after", "share": 0.3},
    {"operation": "letter", "fault": "duplicated", "share": 0.5},
    {"operation": "letter", "fault": "never", "share": 0.3},
]
CALLS = 12


async def history(directory: Path, *, seed: int, backwards: bool = False) -> dict[str, Any]:
    async with running(directory, seed=seed, merchants=[shop_at("http://127.0.0.1:9/")]) as run:
        run.set_faults(FAULTS)
        shop = Shop(run.url)

        async def buy(number: int) -> str:
            for _ in range(3):
                try:
                    return str((await shop.pay(f"att_{number}")).id)
                except stripe.StripeError:
                    continue
            return ""

        numbers = range(CALLS)
        if backwards:
            bought = list(await asyncio.gather(*(buy(each) for each in reversed(numbers))))[::-1]
        else:
            bought = [await buy(number) for number in numbers]
        letters = {
            (letter["charge"], letter["event"]): (letter["id"], letter["faults"])
            for letter in run.letters()
        }
        calls = sorted((call["reference"], call["nth"], call["fault"]) for call in run.calls())
        return {
            "bought": bought,
            "letters": letters,
            "calls": calls,
            "money": run.money("stripe"),
        }


async def test_one_after_another_and_all_at_once_are_the_same(tmp_path: Path) -> None:
    first = await history(tmp_path / "1", seed=5)
    again = await history(tmp_path / "2", seed=5)
    at_once = await history(tmp_path / "3", seed=5, backwards=True)

    assert first == again == at_once
    assert {fault for _, _, fault in first["calls"]} == {"", "error_500", "reset_after"}


async def test_another_seed_is_another_history(tmp_path: Path) -> None:
    one, other = [await history(tmp_path / str(seed), seed=seed) for seed in (5, 6)]

    assert set(one["bought"]).isdisjoint(set(other["bought"]) - {""})
    assert one["calls"] != other["calls"]


async def test_the_books_survive_a_restart_and_know_their_seed(tmp_path: Path) -> None:
    async with running(tmp_path, merchants=[shop_at("")]) as simulator:
        intent = await Shop(simulator.url).pay()
    async with running(tmp_path) as simulator:
        assert (await Shop(simulator.url).pay()).id == intent.id
        assert simulator.money("stripe")["USD"]["charges"] == 1

    with pytest.raises(ValueError, match="made with seed 1, not 2"):
        async with running(tmp_path, seed=2):
            pass
