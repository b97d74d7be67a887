"""Fair queue: how many questions each provider account is asked at once, and how many a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.providers.usecases.provider_accounts import refresh

_log = structlog.get_logger("kassa.turns")
_Item = TypeVar("_Item")
_MEMORY = "turns"
_IN_FLIGHT = 16  # of one account: one that hangs holds no more of a worker than this
PER_SECOND = 20  # of one account, on average
_AT_ONCE = 40  # of one account, after a quiet time
_REST_SECONDS = 60  # what failed by a fault of ours is not tried again at once


@dataclass(slots=True)
class _Bucket:
    tokens: float = _AT_ONCE  # questions, not money
    filled_at: float = 0.0  # seconds, not money
    in_flight: int = 0


@dataclass(slots=True)
class FairQueue:
    """Whose turn it is, over everything that this process asks on its own."""

    clock: Callable[[], float] = time.monotonic  # seconds, not money
    buckets: dict[str, _Bucket] = field(default_factory=dict)

    def room(self, accounts: Iterable[str]) -> dict[str, int]:
        """How many questions each account can be asked now; those that can be asked none are
        left out."""
        found = {}
        for account in sorted(accounts):
            bucket = self._filled(account)
            room = min(int(bucket.tokens), _IN_FLIGHT - bucket.in_flight)
            if room > 0:
                found[account] = room
        return found

    def take(self, account: str) -> None:
        """A question to that account begins."""
        bucket = self._filled(account)
        bucket.tokens -= 1
        bucket.in_flight += 1

    def give_back(self, account: str) -> None:
        """It has ended, whatever came of it."""
        self.buckets[account].in_flight -= 1

    def _filled(self, account: str) -> _Bucket:
        now = self.clock()
        bucket = self.buckets.setdefault(account, _Bucket(filled_at=now))
        grown = bucket.tokens + (now - bucket.filled_at) * PER_SECOND
        bucket.tokens, bucket.filled_at = min(_AT_ONCE, grown), now
        return bucket


def turns_of(core: Core) -> FairQueue:
    """The process's one."""
    turns: FairQueue = core.gatherers.setdefault(_MEMORY, FairQueue())
    return turns


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedQuery(Generic[_Item]):
    """One kind of question. `find`: what is due, given the room of each account, how many at most
    and whose keys are busy. `account`, `key`: of an item. `ask`: asks it, and commits the answer.
    """

    name: str
    find: Callable[[Connection, Mapping[str, int], int, Sequence[str]], Awaitable[list[_Item]]]
    account: Callable[[_Item], str]
    key: Callable[[_Item], str]
    ask: Callable[[Core, _Item], Awaitable[object]]


class Asking(Generic[_Item]):
    """Keeps questions under way without waiting for the slowest: a provider that does not answer
    delays no other."""

    def __init__(self, errand: "QueuedQuery[_Item]", limit: int = 200):
        """`limit`: most to be found at a time."""
        self._errand = errand
        self._limit = limit
        self._busy: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()

    async def set_out(self, core: Core) -> int:
        """Ask about what is due, as far as its account has room; returns how much that was."""
        await refresh(core)
        turns = turns_of(core)
        room = turns.room(core.connectors)
        if not room:
            return 0
        async with core.db.connection() as connection:
            due = await self._errand.find(connection, room, self._limit, list(self._busy))
        for item in due:
            turns.take(self._errand.account(item))
            self._busy.add(self._errand.key(item))
            task = asyncio.create_task(self._ask(core, turns, item))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return len(due)

    async def _ask(self, core: Core, turns: FairQueue, item: _Item) -> None:
        key = self._errand.key(item)
        try:
            await self._errand.ask(core, item)
        except Exception:  # noqa: BLE001 - one payment's trouble is not the others'
            _log.exception("asking failed", errand=self._errand.name, about=key)
            asyncio.get_running_loop().call_later(_REST_SECONDS, self._busy.discard, key)
        else:
            self._busy.discard(key)
        finally:
            turns.give_back(self._errand.account(item))

    async def finish(self) -> None:
        """Wait for what is under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)


async def ask_all(core: Core, asking: "Asking[_Item]", limit: int) -> int:
    """Ask about everything that is due, to its end; returns how much that was."""
    asked = 0
    while asked < limit and (more := await asking.set_out(core)):
        asked += more
        await asking.finish()
    return asked
