"""A gateway whose database stands apart: behind a proxy, or with settings of its own."""

import asyncio
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.faults.proxy import Proxy
from bench.gateway import Gateway
from kassa_embedded import cluster
from kassa_embedded.postgres import EmbeddedPostgres

_PATIENCE_SECONDS = 10.0


class ProxyThread:
    """The proxy in a thread of its own: it passes on while a scenario waits for a command."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.proxy = Proxy(url)

    def __enter__(self) -> Self:
        self._thread.start()
        future = asyncio.run_coroutine_threadsafe(self.proxy.__aenter__(), self._loop)
        future.result(_PATIENCE_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        future = asyncio.run_coroutine_threadsafe(self.proxy.__aexit__(), self._loop)
        future.result(_PATIENCE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_SECONDS)

    def do(self, what: Callable[[Proxy], None]) -> None:
        self._loop.call_soon_threadsafe(what, self.proxy)


@dataclass
class Stand:
    """`change`: settings of the server, as ALTER SYSTEM and a reload; none: as they were."""

    gateway: Gateway
    proxy: ProxyThread
    owner_url: str
    home: Path
    original: str

    def change(self, **settings: str) -> None:
        more = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        (self.home / "pg.conf" / "postgresql.conf").write_text(self.original + more)
        pid = int((self.home / "pg" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGHUP)
        time.sleep(0.5)


@contextmanager
def stand() -> Iterator[Stand]:
    """A durable PostgreSQL, a proxy before it, and a gateway that knows only the proxy."""
    before = cluster._SETTINGS
    # Without senders no commit waits for a standby.
    cluster._SETTINGS = before.replace("max_wal_senders = 0", "max_wal_senders = 2")
    try:
        with tempfile.TemporaryDirectory(prefix="kassa-bench-") as name:
            Path(name).chmod(0o711)
            with EmbeddedPostgres(Path(name) / "data", log=lambda _: None) as postgres:
                url = postgres.owner_url
                # Root's server keeps its files elsewhere, and says where.
                homes = [Path(name) / "data"]
                homes += [Path(one.read_text().strip()) for one in homes[0].glob("pg.location")]
                home = next(one for one in homes if (one / "pg" / "postmaster.pid").exists())
                text = (home / "pg.conf" / "postgresql.conf").read_text()
                with (
                    ProxyThread(url) as proxy,
                    Gateway("--database-url", proxy.proxy.url) as gateway,
                ):
                    yield Stand(gateway, proxy, url, home, text)
    finally:
        cluster._SETTINGS = before
