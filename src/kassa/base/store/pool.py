"""Connections to share: the youngest used first, each known to be somebody's, idle or in doubt.

asyncpg's own pool has no way to throw away what is suspected, nor to keep a place taken while a
COMMIT that nobody waits for any more goes on.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

import asyncpg

from kassa.base.store.wire import Wire

_OLDEST_SECONDS = 3_600.0  # seconds, not money: a session's memory grows
_CLOSE_SECONDS = 2.0  # seconds, not money
_LAST_WORK_SECONDS = 10.0  # seconds, not money
_GLANCE_SECONDS = 0.01  # seconds, not money


class Pool:
    """At most `size` connections, opened when they are needed."""

    def __init__(self, connect: Callable[[], Awaitable[Wire]], size: int):
        self._connect = connect
        self._size = size
        self._idle: list[Wire] = []
        self._busy: set[Wire] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[Wire | None]] = deque()
        self._closed = False

    async def take(self, patience: float) -> Wire:  # seconds, not money
        """A connection of one's own, until it is given back or dropped.

        Raises: TimeoutError when none is free for so long, and what connecting raises.
        """
        if self._closed:
            raise asyncpg.InterfaceError("the pool is closed")
        while self._idle:
            wire = self._idle.pop()
            if not wire.is_closed():
                return self._taken(wire)
        if len(self._busy) + self._opening < self._size:
            self._opening += 1
            return await self._open()
        place: asyncio.Future[Wire | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(patience):
                found = await place
        except BaseException:
            self._leave(place)
            raise
        return await self._open() if found is None else self._taken(found)

    def _leave(self, place: "asyncio.Future[Wire | None]") -> None:
        """Whoever gives up waiting may have been handed something in the same moment."""
        if not place.done() or place.cancelled():
            place.cancel()
            return
        found = place.result()
        if found is None:
            self._opening -= 1
            self._pass_on(None)
        else:
            self._keep(found)

    def _taken(self, wire: Wire) -> Wire:
        wire.taken_at = time.monotonic()
        self._busy.add(wire)
        return wire

    async def _open(self) -> Wire:
        try:
            wire = await self._connect()
        except BaseException:
            self._opening -= 1
            self._pass_on(None)
            raise
        self._opening -= 1
        return self._taken(wire)

    def give(self, wire: Wire) -> None:
        """Take a connection back that has no transaction open."""
        self._busy.discard(wire)
        self._keep(wire)

    def _keep(self, wire: Wire) -> None:
        old = wire.born + _OLDEST_SECONDS < time.monotonic()
        if wire.is_closed() or wire.doubted or old or self._closed:
            self.drop(wire)
        elif not self._pass_on(wire):
            self._idle.append(wire)

    def drop(self, wire: Wire) -> None:
        """Hang up, without a word that could wait for an answer."""
        self._busy.discard(wire)
        wire.terminate()
        self._pass_on(None)

    def _pass_on(self, wire: Wire | None) -> bool:
        """Hand a connection, or the place for one, to who has waited longest."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                self._opening += wire is None
                place.set_result(wire)
                return True
        return False

    def discard_idle(self) -> None:
        """Hang up whatever nobody uses: the network may have forgotten it."""
        idle, self._idle = self._idle, []
        for wire in idle:
            wire.terminate()

    def discard_busy(self, since: float) -> None:  # seconds, not money
        """Hang up what has been in use since before that moment; its users are told."""
        for wire in list(self._busy):
            if wire.taken_at < since:
                wire.terminate()

    async def close(self) -> None:
        """Close all; what is still under way has a moment to end."""
        self._closed = True
        until = time.monotonic() + _LAST_WORK_SECONDS
        while self._busy and time.monotonic() < until:  # noqa: ASYNC110 - it happens once
            await asyncio.sleep(_GLANCE_SECONDS)
        for wire in list(self._busy):
            wire.terminate()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_close(wire) for wire in idle))


async def _close(wire: Wire) -> None:
    try:
        await wire.close(timeout=_CLOSE_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        wire.terminate()
