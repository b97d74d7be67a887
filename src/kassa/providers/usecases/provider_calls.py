"""Every call to a provider goes through here: a place in its bulkhead, a breaker, a deadline.

A provider that is sick hurts its own payments and nobody else's: its calls have places of their
own, fail at once while it does not answer, and never wait longer than is left.
Source: Hystrix's wiki on how it works; "Using load shedding to avoid overload" of AWS.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import TypeVar

import structlog

from kassa.base.usecases.core import Core
from kassa.connectors.base import Connector, InDoubt, NotSent
from kassa.connectors.catalog import kinds

_T = TypeVar("_T")
_log = structlog.get_logger("kassa.providers")
_MEMORY = "provider calls"

_PLACES = 64  # calls at once to one account, for one task, from one process
_PATIENCE_SECONDS = 0.5  # seconds, not money: longer than that nobody waits for a place
_CALL_SECONDS = 15.0  # seconds, not money: most that a call may take
_SPARE_SECONDS = 0.2  # seconds, not money: what our own answer takes after the provider's
_LEAST_SECONDS = 0.5  # seconds, not money: with less left, a call is not begun
_WINDOW_SECONDS = 30.0  # seconds, not money
_ENOUGH = 20  # calls within the window, before they say anything
_OPEN_SECONDS = 10.0  # seconds, not money: doubled each time
_LONGEST_OPEN_SECONDS = 300.0  # seconds, not money
_LONGEST_UNASKED_SECONDS = 5.0  # seconds, not money: a question moves nothing, so it may go sooner
_JITTER = (0.8, 1.2)  # seconds, not money
_PROBES = 3
_MOST_TRIES = 3  # of a call of which nothing was sent
_BASE_SECONDS, _CAP_SECONDS = 0.2, 5.0  # seconds, not money: between tries
_BUDGET_EVERY = 10  # calls earn one try more
_BUDGET_MOST = 100  # tenths of tries that can be saved up

deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""When the caller stops waiting, by `time.monotonic()`; a call to a provider ends before it."""


class Task(StrEnum):
    """What a call is for; each has a breaker of its own, so that a provider that takes no charges
    can still be asked about those it has."""

    CHARGE = "charge"
    MODIFY = "modify"  # capture, void, close
    REFUND = "refund"
    QUERY = "query"


@dataclass(slots=True)
class Breaker:
    """Closed: calls go through. Open: none does, until `open_until`. Then a few probes decide.

    `calls`: when each ended and whether the provider answered; a refusal is an answer. `silent`:
    how many of them have no answer.
    `trips` False: it never opens. `longest`: for so long at most.
    """

    trips: bool = True
    longest: float = _LONGEST_OPEN_SECONDS  # seconds, not money
    clock: Callable[[], float] = time.monotonic
    calls: deque[tuple[float, bool]] = field(default_factory=deque)  # seconds, not money
    silent: int = 0
    open_until: float = 0.0  # seconds, not money
    times_opened: int = 0
    probes_out: int = 0
    probes_good: int = 0

    @property
    def is_open(self) -> bool:
        return self.clock() < self.open_until

    def admit(self) -> bool:
        """Whether a call may go out now."""
        if self.is_open:
            return False
        if self.times_opened == 0:
            return True
        if self.probes_out >= _PROBES:
            return False
        self.probes_out += 1
        return True

    def told(self, *, answered: bool) -> None:
        """How a call that was admitted ended."""
        now = self.clock()
        if self.times_opened:
            self._probed(answered)
            return
        self.calls.append((now, answered))
        self.silent += not answered
        while self.calls and self.calls[0][0] < now - _WINDOW_SECONDS:
            self.silent -= not self.calls.popleft()[1]
        if self.trips and len(self.calls) >= _ENOUGH and 2 * self.silent >= len(self.calls):
            self._open()

    def forget(self) -> None:
        """A call that was admitted did not take place."""
        self.probes_out = max(0, self.probes_out - 1)

    def _probed(self, answered: bool) -> None:
        self.probes_out = max(0, self.probes_out - 1)
        if not answered:
            if not self.is_open:
                self._open()
            return
        self.probes_good += 1
        if self.probes_good >= _PROBES:
            self.times_opened = self.probes_good = 0

    def _open(self) -> None:
        grown = min(_OPEN_SECONDS * 2**self.times_opened, self.longest)
        self.open_until = self.clock() + grown * random.uniform(*_JITTER)  # noqa: S311
        self.times_opened = min(self.times_opened + 1, 10)
        self.probes_good = 0
        self.start_over()

    def start_over(self) -> None:
        """What was heard before counts no more."""
        self.calls.clear()
        self.silent = 0


@dataclass(slots=True)
class _Lane:
    """One account's calls for one task."""

    breaker: Breaker
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PLACES))
    budget: int = _BUDGET_MOST


def _lane(core: Core, account: str, task: Task) -> _Lane:
    lanes: dict[tuple[str, Task], _Lane] = core.gatherers.setdefault(_MEMORY, {})
    if (account, task) not in lanes:
        longest = _LONGEST_UNASKED_SECONDS if task is Task.QUERY else _LONGEST_OPEN_SECONDS
        lanes[account, task] = _Lane(Breaker(trips=_is_outside(core, account), longest=longest))
    return lanes[account, task]


def _is_outside(core: Core, account: str) -> bool:
    """Whether its provider is another machine; what plays a provider in here cannot be down."""
    connector = core.connectors.get(account)
    kind = kinds().get(connector.name) if connector is not None else None
    return kind is None or kind.addable


def is_resting(core: Core, account: str, task: Task) -> bool:
    """Whether calls to it are not made at the moment, because its provider did not answer."""
    return _lane(core, account, task).breaker.is_open


def seconds_of_rest(core: Core, account: str, task: Task) -> int:
    """How long no call to it will be made because it did not answer; 0 when one would be now."""
    breaker = _lane(core, account, task).breaker
    return max(0, ceil(breaker.open_until - breaker.clock()))


async def ask_provider(
    core: Core, account: str, task: Task, call: Callable[[Connector], Awaitable[_T]]
) -> _T | NotSent | InDoubt:
    """What the provider answers; NotSent where it may not be called now, nothing having left.

    A call of which nothing was sent is tried again, at most twice and within a budget, so that an
    outage is not made worse. A call that was sent never is: its outcome is asked for instead.
    """
    lane = _lane(core, account, task)
    if not _is_outside(core, account):
        return await _once(core, account, lane, call)
    lane.budget = min(_BUDGET_MOST, lane.budget + 1)
    tries = 0
    while True:
        outcome = await _once(core, account, lane, call)
        tries += 1
        again = isinstance(outcome, NotSent) and outcome.passing
        if not again or tries >= _MOST_TRIES or lane.budget < _BUDGET_EVERY or lane.breaker.is_open:
            return outcome
        pause = random.uniform(0, min(_CAP_SECONDS, _BASE_SECONDS * 2**tries))  # noqa: S311
        if _left() < pause + _LEAST_SECONDS:
            return outcome
        lane.budget -= _BUDGET_EVERY
        await asyncio.sleep(pause)


def _left() -> float:
    """Seconds until the caller, or our patience, is at an end."""
    until = deadline.get()
    if until is None:
        return _CALL_SECONDS
    return min(_CALL_SECONDS, until - time.monotonic() - _SPARE_SECONDS)


async def _once(
    core: Core, account: str, lane: _Lane, call: Callable[[Connector], Awaitable[_T]]
) -> _T | NotSent | InDoubt:
    connector = core.connectors.get(account)
    if connector is None:
        return NotSent(reason=f"the account {account} cannot be used by this process")
    if _left() < _LEAST_SECONDS:
        return NotSent(reason="the caller's deadline leaves no time for a call")
    if not lane.breaker.admit():
        return NotSent(reason=f"{account} has not answered lately; it is left alone for a moment")
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await lane.places.acquire()
    except TimeoutError:
        lane.breaker.forget()
        return NotSent(reason=f"too many calls to {account} are under way")
    try:
        return await _timed(account, lane, call(connector))
    finally:
        lane.places.release()


async def _timed(account: str, lane: _Lane, call: Awaitable[_T]) -> _T | InDoubt:
    was_open = lane.breaker.is_open
    outcome: _T | InDoubt
    try:
        async with asyncio.timeout(_left()):
            outcome = await call
    except TimeoutError:
        outcome = InDoubt(reason="the provider did not answer in time")
    except BaseException:
        lane.breaker.forget()
        raise
    if isinstance(outcome, InDoubt) and outcome.lost:
        lane.breaker.forget()
    else:
        lane.breaker.told(answered=not isinstance(outcome, InDoubt | NotSent))
    if lane.breaker.is_open and not was_open:
        _log.warning("provider left alone", account=account)
    return outcome
