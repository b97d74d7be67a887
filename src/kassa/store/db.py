"""The connection pool, and transactions whose commit is never cut short."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import msgspec

from kassa.domain.errors import AmbiguousCommit, InProgress, ProviderUnavailable

Connection = asyncpg.Connection  # pooled; sessions keep no state (the pool does not reset them)

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # What asyncpg raises when the server's farewell came before our next query.
    asyncpg.InternalClientError,
    OSError,
)
_NOT_NOW = (
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
_NOT_YET = (asyncpg.PostgresConnectionError, OSError, TimeoutError, *_NOT_NOW)
_GLANCE_SECONDS = 0.25  # seconds, not money
_CONTENTION = (
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
)


async def _keep_session(connection: Any) -> None:
    """Instead of asyncpg's reset, which doubles a query's cost: we leave no session state."""


async def _prepare(connection: Any) -> None:
    # Binary, as COPY needs it: one byte that says the version, and then the text.
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(memoryview(data)[1:]),
        schema="pg_catalog",
        format="binary",
    )


class Database:
    """One pool per process. Only use cases open transactions."""

    def __init__(self, url: str, *, size: int = 10):
        self._url = url
        self._size = size
        self._pool: Any = None

    @property
    def size(self) -> int:
        """Most connections at once."""
        return self._size

    async def open(self, patience: float = 0) -> "Database":  # seconds, not money
        """Connect; for `patience` seconds again and again, while the database starts.

        Raises: ProviderUnavailable.
        """
        until = time.monotonic() + patience
        while True:
            try:
                self._pool = await self._connect()
            except _NOT_YET as error:
                if time.monotonic() >= until:
                    raise ProviderUnavailable(
                        f"the database cannot be reached: {error or type(error).__name__}",
                        reason="database_unavailable",
                    ) from error
                await asyncio.sleep(_GLANCE_SECONDS)
            else:
                return self

    async def _connect(self) -> Any:
        return await asyncpg.create_pool(
            self._url,
            min_size=min(2, self._size),
            max_size=self._size,
            reset=_keep_session,
            init=_prepare,
            server_settings={
                "application_name": "kassa",
                "lock_timeout": "5s",
                "idle_in_transaction_session_timeout": "15s",
            },
        )

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection for single statements, each its own transaction.

        Raises: ProviderUnavailable while the database cannot be reached, InProgress when rows
        stay locked by somebody else for too long.
        """
        try:
            async with self._pool.acquire(timeout=10) as connection:
                yield connection
        except _CONTENTION as error:
            raise InProgress("somebody else is changing the same; send it again") from error
        except (*_LOST, *_NOT_NOW, TimeoutError) as error:
            raise ProviderUnavailable(
                "the database cannot be reached; try again shortly", reason="database_unavailable"
            ) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A read-committed transaction; it commits when the block ends without an exception.

        The commit runs to its end even when the caller is canceled: a canceled COMMIT would leave
        nobody knowing whether it happened.
        Raises: ProviderUnavailable (nothing happened), AmbiguousCommit (re-read by key first).
        """
        async with self.connection() as connection:
            work = connection.transaction()
            await work.start()
            try:
                yield connection
            except BaseException:
                await _roll_back(connection, work)
                raise
            commit = asyncio.ensure_future(work.commit())
            try:
                await asyncio.shield(commit)
            except asyncio.CancelledError:
                await asyncio.wait([commit])
                raise
            except (*_LOST, *_NOT_NOW) as error:
                _hang_up(connection)
                raise AmbiguousCommit("the connection broke during COMMIT") from error


async def _roll_back(connection: Any, work: Any) -> None:
    try:
        await work.rollback()
    except (*_LOST, *_NOT_NOW):
        _hang_up(connection)


def _hang_up(connection: Any) -> None:
    # The pool may have taken back what is closed, and then answers with an error of its own,
    # which would be told instead of the one that matters.
    with suppress(asyncpg.InterfaceError):
        connection.terminate()
