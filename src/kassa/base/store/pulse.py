"""Once a second: does the database answer, may money be taken on it, can anything be written?"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg

from kassa.base.domain.errors import ProviderUnavailable
from kassa.base.store import migrate, server, trouble
from kassa.base.store.pool import Pool
from kassa.base.store.server import Demands, ServerState
from kassa.base.store.wire import QUICK, Wire

# seconds, not money
_EVERY = 1.0
_SILENT = 2.0
_STALLED = 0.5  # when we ourselves were late by so much, its silence proves nothing
_FRESH = 1.0
_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

# A commit that reaches the log, and a file that needs room on the disk: a table's page would not,
# for it is there already. Both leave nothing behind.
_CANARY = (
    "select set_config('work_mem', '64kB', true);"
    " select count(*) from generate_series(1, 8000);"
    " select pg_logical_emit_message(true, 'kassa', 'canary')"
)


@dataclass(frozen=True, slots=True)
class Vitals:
    """`migrated`: the schema is what this version needs. `written`: "ok", or why nothing can be
    written."""

    state: ServerState
    migrated: bool
    written: str


class Pulse:
    """Watches one database for one process. `refusal`: why no connection may be used now."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Wire]],
        pools: Sequence[Pool],
        demands: Demands | None,
    ):
        self._connect = connect
        self._pools = pools
        self._demands = demands
        self.refusal = ""
        self._wire: Wire | None = None
        self._found: tuple[float, ServerState, bool] | None = None  # seconds, not money
        self._asking: asyncio.Task[None] | None = None
        self._canary_wire: Wire | None = None
        self._canary: asyncio.Task[None] | None = None
        self._sung_at = -_FRESH  # seconds, not money
        self._written = "ok"
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._beating = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        for task in (self._beating, self._asking, self._canary):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=_EVERY)
        self._beating = None
        for wire in (self._wire, self._canary_wire):
            if wire is not None:
                wire.terminate()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            await asyncio.shield(self._ask())

    async def vitals(self, patience: float) -> Vitals:  # seconds, not money
        """How it is, no older than a second; those who ask at once share an answer.

        Raises: ProviderUnavailable when there is none within `patience`.
        """
        if self._beating is None:
            raise trouble.unavailable()
        self._sing()
        asked = {task for task in (self._ask(), self._canary) if task is not None}
        await asyncio.wait(asked, timeout=patience)
        if self._found is None:
            raise trouble.unavailable(self.refusal or "the database does not answer")
        _, state, migrated = self._found
        return Vitals(state, migrated, self._sounds())

    def _ask(self) -> "asyncio.Task[None]":
        """What finds out; a recent answer is good enough."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._look())
        return self._asking

    async def _look(self) -> None:
        if self._found is not None and self._found[0] + _FRESH > time.monotonic():
            return
        began = time.monotonic()
        try:
            if self._wire is None or self._wire.is_closed():
                self._wire = await self._connect()
            async with asyncio.timeout(_SILENT):
                state = await server.state(self._wire)
                migrated = await migrate.is_current(self._wire)
        except ProviderUnavailable as error:  # it answers, and no money may be taken on it
            self._found, self.refusal = None, error.message
            return
        except (*_TROUBLE, TimeoutError) as error:
            silent, self._wire = self._wire, None
            self._found = None
            trouble.translated(error)  # for the log
            late = time.monotonic() - began - _SILENT
            if silent is None:
                return
            silent.terminate()
            if isinstance(error, TimeoutError) and late < _STALLED:
                await self._replace(began)
            return
        self._found = time.monotonic(), state, migrated
        self.refusal = server.refusal(state, self._demands) if self._demands is not None else ""

    async def _replace(self, since: float) -> None:  # seconds, not money
        """It went silent. Idle connections are not to be trusted; and if it answers on a new one,
        neither are those that have waited for as long."""
        for pool in self._pools:
            pool.discard_idle()
        try:
            self._wire = await self._connect()
        except (*_TROUBLE, TimeoutError, ProviderUnavailable):
            return
        for pool in self._pools:
            pool.discard_busy(since)
        if self._canary_wire is not None:
            self._canary_wire.terminate()

    def _sing(self) -> None:
        """Try to write, at most once a second, and never twice at once: what waits for a standby
        that is away waits at the server too, whatever we do."""
        if self._canary is None and self._sung_at + _FRESH < time.monotonic():
            self._sung_at = time.monotonic()
            self._canary = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            if self._canary_wire is None or self._canary_wire.is_closed():
                self._canary_wire = await self._connect()
            await self._canary_wire.without_end(_CANARY)
            doubted = self._canary_wire.doubted
            self._written = "the standby did not confirm a commit" if doubted else "ok"
            self._canary_wire.doubted = False
        except (*_TROUBLE, TimeoutError, ProviderUnavailable) as error:
            said = getattr(error, "message", None) or type(error).__name__
            self._written = f"nothing can be written: {said}"
        finally:
            self._canary = None

    def _sounds(self) -> str:
        waited = time.monotonic() - self._sung_at
        if self._canary is not None and waited > QUICK.lock:
            return f"a commit has been waiting for {waited:.0f} s"
        return self._written
