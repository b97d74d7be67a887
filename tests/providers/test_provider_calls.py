"""Calls to providers: a breaker, places of their own, deadlines, and few tries more."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.base import Captured, Connector, Declined, InDoubt, NotSent, Outcome
from kassa.providers.usecases import provider_calls
from kassa.providers.usecases.provider_calls import (
    Breaker,
    Task,
    ask_provider,
    deadline,
    is_resting,
    seconds_of_rest,
)

pytestmark = pytest.mark.anyio

_PAID = Captured(reference="r", amount=Money(1, "EUR"))
_SILENT = InDoubt(reason="timed out")


def fresh(*names: str) -> Core:
    """As much of a Core as a call touches: outside accounts by these names."""
    connectors = {name: SimpleNamespace(name="outside") for name in names}
    return cast("Core", SimpleNamespace(connectors=connectors, gatherers={}))


def saying(*answers: Outcome) -> Callable[[Connector], Awaitable[Outcome]]:
    left = list(answers)

    async def call(_: Connector) -> Outcome:
        return left.pop(0) if len(left) > 1 else left[0]

    return call


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_when_half_of_enough_calls_were_not_answered_and_closes_after_three_probes() -> (
    None
):
    clock = Clock()
    breaker = Breaker(clock=clock)
    for number in range(19):
        assert breaker.admit()
        breaker.told(answered=number % 2 == 0)
    assert not breaker.is_open

    breaker.told(answered=False)
    assert breaker.is_open
    assert not breaker.admit()

    clock.now += 13
    assert [breaker.admit() for _ in range(4)] == [True, True, True, False]
    for _ in range(3):
        breaker.told(answered=True)
    assert breaker.admit()
    assert breaker.times_opened == 0


def test_calls_that_were_not_answered_long_ago_count_no_more() -> None:
    clock = Clock()
    breaker = Breaker(clock=clock)
    for _ in range(19):
        breaker.told(answered=False)
    clock.now += 31
    for _ in range(19):
        breaker.told(answered=True)

    breaker.told(answered=False)

    assert not breaker.is_open
    assert (len(breaker.calls), breaker.silent) == (20, 1)


def test_a_bad_probe_opens_it_for_longer() -> None:
    clock = Clock()
    breaker = Breaker(clock=clock)
    for _ in range(20):
        breaker.told(answered=False)
    clock.now += 13

    assert breaker.admit()
    breaker.told(answered=False)

    clock.now += 13
    assert breaker.is_open  # twice as long by now
    clock.now += 12
    assert not breaker.is_open


async def test_however_long_it_is_silent_a_question_may_soon_be_tried_again() -> None:
    clock, core = Clock(), fresh("a")
    await ask_provider(core, "a", Task.QUERY, saying(_SILENT))
    [lane] = core.gatherers["provider calls"].values()
    lane.breaker.clock = clock
    for _ in range(20):
        lane.breaker.told(answered=False)

    for _ in range(12):
        assert lane.breaker.is_open
        clock.now += 6.1
        assert lane.breaker.admit()
        lane.breaker.told(answered=False)


def test_old_calls_are_forgotten() -> None:
    clock = Clock()
    breaker = Breaker(clock=clock)
    for _ in range(19):
        breaker.told(answered=False)
    clock.now += 31

    breaker.told(answered=False)

    assert not breaker.is_open


async def test_refusals_do_not_open_it_and_silence_does() -> None:
    core = fresh("good", "sick")
    refused = Declined(code="card_declined", message="No.")
    for _ in range(40):
        await ask_provider(core, "good", Task.CHARGE, saying(refused))
        await ask_provider(core, "sick", Task.CHARGE, saying(_SILENT))

    assert not is_resting(core, "good", Task.CHARGE)
    assert is_resting(core, "sick", Task.CHARGE)
    assert 8 <= seconds_of_rest(core, "sick", Task.CHARGE) <= 12
    assert seconds_of_rest(core, "good", Task.CHARGE) == 0
    assert isinstance(await ask_provider(core, "sick", Task.CHARGE, saying(_PAID)), NotSent)
    assert await ask_provider(core, "sick", Task.QUERY, saying(_PAID)) == _PAID
    assert await ask_provider(core, "good", Task.CHARGE, saying(_PAID)) == _PAID


async def test_lost_answers_are_asked_about_and_say_nothing_of_the_providers_health() -> None:
    core = fresh("flaky")
    for _ in range(60):
        await ask_provider(core, "flaky", Task.CHARGE, saying(InDoubt(reason="reset", lost=True)))

    assert not is_resting(core, "flaky", Task.CHARGE)


async def test_an_account_that_hangs_takes_no_place_from_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = fresh("hanging", "well")
    never = asyncio.Event()

    async def hang(_: Connector) -> Any:
        await never.wait()

    monkeypatch.setattr(provider_calls, "_PATIENCE_SECONDS", 0.02)
    stuck = [
        asyncio.create_task(ask_provider(core, "hanging", Task.CHARGE, hang)) for _ in range(64)
    ]
    await asyncio.sleep(0.01)

    assert isinstance(await ask_provider(core, "hanging", Task.CHARGE, saying(_PAID)), NotSent)
    assert await ask_provider(core, "hanging", Task.QUERY, saying(_PAID)) == _PAID
    assert await ask_provider(core, "well", Task.CHARGE, saying(_PAID)) == _PAID
    never.set()
    await asyncio.gather(*stuck)


async def test_a_call_ends_before_its_caller_stops_waiting() -> None:
    core = fresh("slow")
    began = time.monotonic()
    token = deadline.set(began + 0.8)

    async def sleep(_: Connector) -> Any:
        await asyncio.sleep(30)

    outcome = await ask_provider(core, "slow", Task.CHARGE, sleep)
    deadline.reset(token)

    assert isinstance(outcome, InDoubt)
    assert time.monotonic() - began < 0.8


async def test_with_no_time_left_nothing_is_sent() -> None:
    core = fresh("slow")
    token = deadline.set(time.monotonic() + 0.3)

    outcome = await ask_provider(core, "slow", Task.CHARGE, saying(_PAID))
    deadline.reset(token)

    assert isinstance(outcome, NotSent)


async def test_what_was_not_sent_is_tried_again_and_what_was_sent_is_not() -> None:
    core = fresh("one")
    refused = NotSent(reason="connection refused", passing=True)

    assert await ask_provider(core, "one", Task.CHARGE, saying(refused, _PAID)) == _PAID
    assert await ask_provider(core, "one", Task.CHARGE, saying(_SILENT, _PAID)) == _SILENT


async def test_tries_more_have_a_budget() -> None:
    core = fresh("down")
    sent = 0

    async def refuse(_: Connector) -> NotSent:
        nonlocal sent
        sent += 1
        return NotSent(reason="connection refused", passing=True)

    await asyncio.gather(*(ask_provider(core, "down", Task.CHARGE, refuse) for _ in range(60)))

    assert sent <= 60 + 10 + 6
