"""Many callers, one transaction: calls that arrive while a batch runs form the next one.

Whoever waits for somebody else's lock leaves the batch and waits aside, so that it makes nobody
else wait; and what the whole database cannot do now is not tried again in halves.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Generic, TypeVar

from kassa.base.domain.errors import InProgress, KassaError
from kassa.base.usecases.core import Core

Item = TypeVar("Item")
Result = TypeVar("Result")
Many = Callable[[Core, Sequence[Item]], Awaitable[Sequence[Result | Exception]]]
One = Callable[[Core, Item], Coroutine[Any, Any, Result]]

MOST = 200  # items per transaction: past this the gain is gone and the wait for the last grows
_ALONE_AT_ONCE = 2  # connections that those may hold who wait for nobody knows what
# seconds, not money
_PATIENCE = 5.0  # then whoever waits aside is told to come again
_SOON, _LATER = 0.01, 0.2  # pauses between tries, which double
_REMEMBERED = 10.0


class Contended(InProgress):
    """What a set verb yields for an item whose rows somebody else holds: it is tried again."""

    def __init__(self) -> None:
        super().__init__("somebody else is changing the same; send it again")


def groups(items: Sequence[Item]) -> list[Sequence[Item]]:
    """How a batch is cut before it is sent: whole, on one PostgreSQL; by shard, on many."""
    return [items]


@dataclass(slots=True, eq=False)
class _Call(Generic[Item, Result]):
    """`until`, `pause`, `due`: 0 before it was contended. `alone`: it failed with others, and
    nobody knows which of them waits for what."""

    item: Item
    future: "asyncio.Future[Result]"
    until: float = 0.0  # seconds, not money
    pause: float = 0.0  # seconds, not money
    due: float = 0.0  # seconds, not money
    alone: bool = False


@dataclass(slots=True)
class _Gatherer(Generic[Item, Result]):
    """The calls of one verb. `aside`: those that wait for a lock. `stuck`: until when an item that
    was found waiting by itself is not let into a batch again, by its key. `probing`: the keys of
    those that are being tried alone."""

    core: Core
    many: "Many[Item, Result]"
    key: "Callable[[Item], Hashable] | None"
    waiting: "list[_Call[Item, Result]]" = field(default_factory=list)
    server: "asyncio.Task[None] | None" = None
    aside: "list[_Call[Item, Result]]" = field(default_factory=list)
    patient: "asyncio.Task[None] | None" = None
    stuck: dict[Hashable, float] = field(default_factory=dict)  # seconds, not money
    few: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_ALONE_AT_ONCE))
    probing: set[Hashable] = field(default_factory=set)
    tries: "set[asyncio.Task[None]]" = field(default_factory=set)

    def take(self, item: Item) -> "asyncio.Future[Result]":
        loop = asyncio.get_running_loop()
        call: _Call[Item, Result] = _Call(item, loop.create_future())
        if self.stuck and self._is_stuck(item):
            self._step_aside(call, Contended(), alone=True)
            return call.future
        self._queue(call)
        return call.future

    def _queue(self, *calls: "_Call[Item, Result]") -> None:
        self.waiting.extend(calls)
        if self.server is None:
            self.server = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            while self.waiting:
                taken, self.waiting = self.waiting[:MOST], self.waiting[MOST:]
                for group in groups(taken):
                    await self._run(group)
        finally:
            self.server = None

    async def _run(self, calls: "Sequence[_Call[Item, Result]]") -> None:
        """Run one transaction. A batch that fails over an item's content is cut in halves until
        the bad item is alone."""
        try:
            results = await self.many(self.core, [call.item for call in calls])
        except InProgress as error:
            if len(calls) == 1:
                self._stick(calls[0].item)
            for call in calls:
                self._step_aside(call, error, alone=True)
        except KassaError as error:
            # The database cannot, or nobody knows whether it did: halves would fare no better.
            _fail(calls, error)
        except Exception as error:  # noqa: BLE001 - it is handed to whom it belongs to
            if len(calls) == 1:
                _fail(calls, error)
                return
            middle = len(calls) // 2
            await self._run(calls[:middle])
            await self._run(calls[middle:])
        else:
            for call, result in zip(calls, results, strict=True):
                if isinstance(result, Contended):
                    self._step_aside(call, result, alone=False)
                elif not call.future.done():
                    _tell(call.future, result)

    def _step_aside(self, call: "_Call[Item, Result]", error: InProgress, *, alone: bool) -> None:
        now = asyncio.get_running_loop().time()
        call.until = call.until or now + _PATIENCE
        call.pause = min(call.pause * 2, _LATER) or _SOON
        call.alone = alone
        call.due = now + call.pause * random.uniform(0.75, 1.25)  # noqa: S311 # seconds, not money
        if call.due > call.until:
            _fail([call], error)
            return
        self.aside.append(call)
        if self.patient is None:
            self.patient = asyncio.create_task(self._try_again())

    async def _try_again(self) -> None:
        """Those aside hold no connection while they wait. Locks that were not to be had are tried
        together, as none of them makes the others wait."""
        try:
            while self.aside:
                now = asyncio.get_running_loop().time()
                due = [call for call in self.aside if call.due <= now]
                if not due:
                    await asyncio.sleep(min(call.due for call in self.aside) - now)
                    continue
                together = [call for call in due if not call.alone][:MOST]
                alone = [call for call in due if call.alone]
                gone = {id(call) for call in (*together, *alone)}
                self.aside = [call for call in self.aside if id(call) not in gone]
                for call in alone:
                    self._start_alone(call)
                if together:
                    await self._run(together)
        finally:
            self.patient = None

    def _start_alone(self, call: "_Call[Item, Result]") -> None:
        """One at a time of those that wait for the same: two would only fill the few places."""
        key = self._key_of(call)
        if key in self.probing:
            self._step_aside(call, Contended(), alone=True)
            return
        self.probing.add(key)
        task = asyncio.create_task(self._try_alone(call, key))
        self.tries.add(task)
        task.add_done_callback(self.tries.discard)

    async def _try_alone(self, call: "_Call[Item, Result]", key: Hashable) -> None:
        try:
            async with self.few:
                await self._run([call])
        finally:
            self.probing.discard(key)
        ended = call.future.done() and not call.future.cancelled()
        if ended and not isinstance(call.future.exception(), InProgress):
            self._let_in(key)

    def _let_in(self, key: Hashable) -> None:
        """What it waited for is free: who waits for the same may go together again."""
        self.stuck.pop(key, None)
        free = [call for call in self.aside if call.alone and self._key_of(call) == key]
        if free:
            self.aside = [call for call in self.aside if call not in free]
            self._queue(*free)

    def _key_of(self, call: "_Call[Item, Result]") -> Hashable:
        return id(call) if self.key is None else self.key(call.item)

    def _stick(self, item: Item) -> None:
        now = asyncio.get_running_loop().time()
        self.stuck = {key: until for key, until in self.stuck.items() if until > now}
        if self.key is not None:
            self.stuck[self.key(item)] = now + _REMEMBERED

    def _is_stuck(self, item: Item) -> bool:
        if self.key is None:
            return False
        return self.stuck.get(self.key(item), 0) > asyncio.get_running_loop().time()


def _fail(calls: "Sequence[_Call[Item, Result]]", error: Exception) -> None:
    for call in calls:
        if not call.future.done():
            call.future.set_exception(error)


def _tell(future: "asyncio.Future[Result]", result: "Result | Exception") -> None:
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def batched(
    many: "Many[Item, Result]", *, key: "Callable[[Item], Hashable] | None" = None
) -> "One[Item, Result]":
    """Make the one-item verb of a set verb: one in, one out, errors raised.

    An idle server adds no wait: the first call starts a batch at once, alone. The work runs in
    its own task, so a caller that goes away does not cancel it. `key`: what an item would wait
    for; while somebody waits for it, further such items stay out of the batches.
    Raises, besides what `many` does: InProgress for what somebody else held all the while.
    """

    @wraps(many)
    async def one(core: Core, item: Item) -> Result:
        gatherer: _Gatherer[Item, Result] | None = core.gatherers.get(many)
        if gatherer is None:
            gatherer = core.gatherers[many] = _Gatherer(core, many, key)
        return await gatherer.take(item)

    return one


async def to_the_end(core: Core, work: "Coroutine[Any, Any, Result]") -> Result:
    """Await `work`, which goes on by itself when whoever waits for it is canceled."""
    task = asyncio.create_task(work)
    core.running.add(task)
    task.add_done_callback(core.running.discard)
    return await asyncio.shield(task)
