"""A TCP proxy before PostgreSQL that plays what happens to networks and machines."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self
from urllib.parse import parse_qs, urlsplit

_PIECE = 65536
_COMMIT = b"commit\x00"  # as it stands at the end of a simple query


class Proxy:
    """Between one client and one server; what it does to their connections can be changed.

    A connection that is silenced stays open for its client, and nothing passes in either
    direction any more: as when the machine at the other end is gone.
    """

    def __init__(self, url: str) -> None:
        """`url`: of the server, at a host and port or in a directory of sockets."""
        self._url = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[_Pair] = set()
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self.at_commit: Callable[[_Pair], None] | None = None

    @property
    def url(self) -> str:
        """The server's address by way of us."""
        if self._server is None:
            raise RuntimeError("the proxy has no address before it is started")
        port = self._server.sockets[0].getsockname()[1]
        user = f"{self._url.username or 'kassa'}"
        if self._url.password:
            user += f":{self._url.password}"
        return f"postgresql://{user}@127.0.0.1:{port}{self._url.path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for pair in list(self._open):
            pair.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze(self) -> None:
        """Nothing passes, on old connections or new ones, until `thaw`."""
        self._may_pass.clear()

    def thaw(self) -> None:
        self._may_pass.set()

    def fail_over(self) -> None:
        """The server's machine is gone without a word, and another answers at its address."""
        for pair in self._open:
            pair.silent = True

    def silence_at_commit(self) -> None:
        """The next COMMIT reaches the server, and its answer nobody."""

        def play(pair: _Pair) -> None:
            pair.deaf = True
            self.at_commit = None

        self.at_commit = play

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._may_pass.wait()
        try:
            there = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(self, (reader, writer), there)
        self._open.add(pair)
        task = asyncio.create_task(self._serve(pair))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> "_End":
        directory = parse_qs(self._url.query).get("host")
        port = self._url.port or int(parse_qs(self._url.query).get("port", ["5432"])[0])
        if directory:
            return await asyncio.open_unix_connection(f"{directory[0]}/.s.PGSQL.{port}")
        return await asyncio.open_connection(self._url.hostname, port)

    async def _serve(self, pair: "_Pair") -> None:
        try:
            await pair.run(self._may_pass)
        finally:
            self._open.discard(pair)
            pair.cut()


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Pair:
    """A client's connection and the one we opened for it. `deaf`: the client hears nothing."""

    def __init__(self, proxy: Proxy, here: _End, there: _End) -> None:
        self._proxy = proxy
        self._here = here
        self._there = there
        self.silent = False
        self.deaf = False

    async def run(self, may_pass: asyncio.Event) -> None:
        to_server = asyncio.create_task(self._carry(self._here[0], self._there[1], may_pass, True))
        to_client = asyncio.create_task(self._carry(self._there[0], self._here[1], may_pass, False))
        try:
            await asyncio.wait({to_server, to_client}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (to_server, to_client):
                task.cancel()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        may_pass: asyncio.Event,
        forth: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE):
                await may_pass.wait()
                if forth and self._proxy.at_commit is not None and piece.lower().endswith(_COMMIT):
                    self._proxy.at_commit(self)
                if not self.silent and (forth or not self.deaf):
                    writer.write(piece)
                    await writer.drain()

    def cut(self) -> None:
        for _, writer in (self._here, self._there):
            writer.transport.abort()
