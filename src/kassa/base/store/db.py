"""Connections and transactions: a deadline on everything but COMMIT, which is never cut short."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg

from kassa.base.domain.errors import AmbiguousCommit, ProviderUnavailable
from kassa.base.store import server, trouble, wire
from kassa.base.store.connection import Connection
from kassa.base.store.pool import Pool
from kassa.base.store.pulse import Pulse, Vitals
from kassa.base.store.seals import Seals
from kassa.base.store.server import Demands
from kassa.base.store.vault import Vault
from kassa.base.store.wire import LONG, QUICK, Wire, WireLimits

# seconds, not money
_GLANCE = 0.25
_FREE = 5.0  # for a connection to become free
_COMMIT = 10.0  # how long a caller waits for a COMMIT; the COMMIT itself goes on
_NOT_YET = (asyncpg.PostgresConnectionError, OSError, TimeoutError)
_PATIENT = f"begin; set local lock_timeout = '{int(LONG.lock)}s'"


async def check(url: str, demands: Demands) -> None:
    """Raises: ProviderUnavailable when no real money may be taken on that database."""
    database = await Database(url, size=1, demands=demands).open()
    await database.close()


class Database:
    """The connections of one process. Only use cases open transactions.

    `size`: most connections for requests at once; for long work there may be as many more.
    `demands`: what the server has to be like before money is taken on it; None if it need not.
    `seals`, `vault`: what the rows that are written here, and personal data, are sealed with.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int = 10,
        demands: Demands | None = None,
        seals: Seals | None = None,
        vault: Vault | None = None,
    ):
        self._url = url
        self._size = size
        self._demands = demands
        self._seals, self._vault = seals, vault
        self._quick = Pool(lambda: self._connect(QUICK), size)
        self._long = Pool(lambda: self._connect(LONG), size)
        # Not the long ones: what only takes its time would be ended.
        self._pulse = Pulse(lambda: self._connect(QUICK), [self._quick], demands)
        self._behind: set[asyncio.Task[None]] = set()

    @property
    def size(self) -> int:
        """Most connections at once."""
        return self._size

    @property
    def demands(self) -> Demands | None:
        return self._demands

    async def open(self, patience: float = 0) -> "Database":  # seconds, not money
        """Connect; for `patience` seconds again and again, while the database starts.

        Raises: ProviderUnavailable.
        """
        until = time.monotonic() + patience
        while True:
            try:
                self._quick.give(await self._quick.take(_FREE))
            except Exception as error:
                not_yet = isinstance(error, _NOT_YET) or trouble.translated(error) is not None
                if isinstance(error, ProviderUnavailable) or not not_yet:
                    raise
                if time.monotonic() >= until:
                    raise trouble.unavailable(
                        f"the database cannot be reached: {error or type(error).__name__}"
                    ) from error
                await asyncio.sleep(_GLANCE)
            else:
                self._pulse.start()
                return self

    async def _connect(self, limits: WireLimits) -> Wire:
        made = await wire.connect(self._url, limits)
        made.seals, made.vault = self._seals, self._vault
        if self._demands is not None:
            try:
                refusal = server.refusal(await server.state(made), self._demands)
            except BaseException:
                made.terminate()
                raise
            if refusal:
                made.terminate()
                raise ProviderUnavailable(refusal, reason="database_unsafe")
        return made

    async def close(self) -> None:
        if self._behind:
            await asyncio.wait(self._behind, timeout=_COMMIT)
        await self._pulse.stop()
        await self._quick.close()
        await self._long.close()

    async def vitals(self, patience: float) -> Vitals:  # seconds, not money
        """How the server is, and whether it can be written to.

        Raises: ProviderUnavailable when that cannot be told within `patience`.
        """
        return await self._pulse.vitals(patience)

    def connection(
        self, *, long: bool = False, writes: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """A connection for single statements, each its own transaction.

        `long`: nobody's request waits for them, and they have minutes. `writes`: what is lost on
        the way may have happened.
        Raises: ProviderUnavailable while the database cannot be reached, InProgress when rows
        stay locked by somebody else for too long, AmbiguousCommit.
        """
        return self._using(long=long, writes=writes)

    @asynccontextmanager
    async def _using(self, *, long: bool, writes: bool = False) -> AsyncIterator[Wire]:
        pool = self._long if long else self._quick
        taken = await self._take(pool)
        try:
            yield taken
        except Exception as error:
            if isinstance(error, TimeoutError) or trouble.is_lost(error):
                taken.terminate()
            self._give(pool, taken)
            if writes and trouble.is_lost(error):
                trouble.complaints.note("lost", error)
                raise AmbiguousCommit("the connection broke while it wrote") from error
            told = trouble.translated(error)
            if told is None:
                raise
            raise told from error
        except BaseException:
            self._aside(self._mend(pool, taken))
            raise
        doubted = taken.doubted
        self._give(pool, taken)
        if doubted:
            raise AmbiguousCommit("the standby did not confirm the commit")

    async def _take(self, pool: Pool) -> Wire:
        if self._pulse.refusal:
            raise ProviderUnavailable(self._pulse.refusal, reason="database_unsafe")
        try:
            return await pool.take(_FREE)
        except TimeoutError as error:
            trouble.complaints.note("no connection is free", error)
            raise trouble.unavailable() from error
        except Exception as error:
            if isinstance(error, asyncpg.PostgresError):
                trouble.translated(error)  # for the log
                raise trouble.unavailable() from error
            raise (trouble.translated(error) or error) from error

    def _give(self, pool: Pool, taken: Wire) -> None:
        if not taken.kept:  # else somebody else will
            pool.give(taken)

    @asynccontextmanager
    async def transaction(
        self, *, long: bool = False, hot: bool = False, telling: str = ""
    ) -> AsyncIterator[Connection]:
        """A read-committed transaction; it commits when the block ends without an exception.

        `hot`: others wait behind it, so it waits for no lock longer than half a second. The
        commit runs to its end even when the caller is canceled, or is tired of waiting: a
        canceled COMMIT would leave nobody knowing whether it happened. `telling`: a statement that
        goes out with `begin`.
        Raises: ProviderUnavailable (nothing happened), AmbiguousCommit (re-read by key first).
        """
        async with self._using(long=long) as taken:
            begin = "begin" if hot or long else _PATIENT
            try:
                await taken.begin(f"{begin}; {telling}" if telling else begin)
                yield taken
            except Exception as error:
                await _roll_back(taken, error)
                raise
            await self._commit(self._long if long else self._quick, taken)

    async def _commit(self, pool: Pool, taken: Wire) -> None:
        if taken.is_closed():
            raise trouble.unavailable()
        commit = asyncio.create_task(taken.commit())
        try:
            await asyncio.wait({commit}, timeout=_COMMIT)
        except asyncio.CancelledError:
            try:
                await asyncio.wait({commit}, timeout=_COMMIT)
            finally:
                self._leave(pool, taken, commit)
            raise
        if not commit.done():
            self._leave(pool, taken, commit)
            raise AmbiguousCommit("the database has not answered the COMMIT")
        error = commit.exception()
        if error is not None:
            if trouble.rolled_back(error):
                raise error
            trouble.complaints.note("lost during COMMIT", error)
            taken.terminate()
            raise AmbiguousCommit("the connection broke during COMMIT") from error
        if commit.result() != "COMMIT":
            raise RuntimeError("a statement had failed, and its error was not heeded")

    def _leave(self, pool: Pool, taken: Wire, commit: "asyncio.Task[str]") -> None:
        """Nobody waits for this COMMIT any more; its place stays taken until it has ended."""
        taken.kept = True
        self._aside(_ended(pool, taken, commit))

    async def _mend(self, pool: Pool, taken: Wire) -> None:
        """Whoever used it went away in the middle: the statement is canceled by now or soon."""
        if taken.kept:
            return
        try:
            await taken.roll_back()
        except Exception:  # noqa: BLE001 - whatever it was, it is not used again
            pool.drop(taken)
        else:
            pool.give(taken)

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)


async def _ended(pool: Pool, taken: Wire, commit: "asyncio.Task[str]") -> None:
    await asyncio.wait({commit})
    if commit.exception() is None:
        pool.give(taken)
    else:
        pool.drop(taken)


async def _roll_back(taken: Wire, error: Exception) -> None:
    if taken.is_closed() or trouble.is_lost(error):
        taken.terminate()
        return
    try:
        await taken.roll_back()
    except Exception:  # noqa: BLE001 - a connection that cannot do that ends it by being closed
        taken.terminate()
