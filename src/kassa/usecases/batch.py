"""Many callers, one transaction: calls that arrive while a batch runs form the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Generic, TypeVar

from kassa.domain.errors import AmbiguousCommit
from kassa.usecases.core import Core

Item = TypeVar("Item")
Result = TypeVar("Result")
Many = Callable[[Core, Sequence[Item]], Awaitable[Sequence[Result | Exception]]]
One = Callable[[Core, Item], Coroutine[Any, Any, Result]]

MOST = 200  # items per transaction: past this the gain is gone and the wait for the last grows


def groups(items: Sequence[Item]) -> list[Sequence[Item]]:
    """How a batch is cut before it is sent: whole, on one PostgreSQL; by shard, on many."""
    return [items]


@dataclass(slots=True)
class _Gatherer(Generic[Item, Result]):
    """The waiting calls of one verb, and whether somebody is serving them."""

    waiting: list[tuple[Item, "asyncio.Future[Result]"]] = field(default_factory=list)
    server: "asyncio.Task[None] | None" = None


def batched(many: "Many[Item, Result]") -> "One[Item, Result]":
    """Make the one-item verb of a set verb: one in, one out, errors raised.

    An idle server adds no wait: the first call starts a batch at once, alone. The work runs in
    its own task, so a caller that goes away does not cancel it.
    """

    @wraps(many)
    async def one(core: Core, item: Item) -> Result:
        gatherer: _Gatherer[Item, Result] | None = core.gatherers.get(many)
        if gatherer is None:
            gatherer = core.gatherers[many] = _Gatherer()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        gatherer.waiting.append((item, future))
        if gatherer.server is None:
            gatherer.server = asyncio.create_task(_serve(core, gatherer, many))
        return await future

    return one


async def _serve(
    core: Core, gatherer: "_Gatherer[Item, Result]", many: "Many[Item, Result]"
) -> None:
    try:
        while gatherer.waiting:
            taken, gatherer.waiting = gatherer.waiting[:MOST], gatherer.waiting[MOST:]
            for group in groups(taken):
                await _run(core, group, many)
    finally:
        gatherer.server = None


async def _run(
    core: Core,
    calls: "Sequence[tuple[Item, asyncio.Future[Result]]]",
    many: "Many[Item, Result]",
) -> None:
    """Run one transaction. A batch that fails as a whole is cut until the bad item is alone."""
    try:
        results = await many(core, [item for item, _ in calls])
    except Exception as error:  # noqa: BLE001 - it is handed to every caller
        # After an ambiguous COMMIT a second run could only guess; each caller re-reads by key.
        if len(calls) > 1 and not isinstance(error, AmbiguousCommit):
            middle = len(calls) // 2
            await _run(core, calls[:middle], many)
            await _run(core, calls[middle:], many)
            return
        for _, future in calls:
            if not future.done():
                future.set_exception(error)
        return
    for (_, future), result in zip(calls, results, strict=True):
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


async def to_the_end(core: Core, work: "Coroutine[Any, Any, Result]") -> Result:
    """Await `work`, which goes on by itself when whoever waits for it is canceled."""
    task = asyncio.create_task(work)
    core.running.add(task)
    task.add_done_callback(core.running.discard)
    return await asyncio.shield(task)
