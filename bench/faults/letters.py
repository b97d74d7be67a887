"""Letters of both directions: what providers tell us again, and what we tell merchants."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Self

from bench.gateway import Gateway
from kassa_simulator.frame import Merchant, Told
from kassa_simulator.protocols import protocols

_LETTERS = (
    "SELECT id, event, charge_id, data, at FROM letters WHERE provider = 'stripe'"
    " ORDER BY number DESC LIMIT 20"
)
_FRESH_SECONDS = 2.0


class Notifications:
    """Stripe's latest letters to the demo's account, signed anew: each was heard before."""

    def __init__(self, gateway: Gateway):
        self._path = gateway.data_dir / "simulator" / "simulator.sqlite"
        self._keys = gateway.data_dir / "demo" / "provider_keys.json"
        self._known: list[Told] = []
        self._read_at = 0.0
        self._next = 0

    def one(self) -> tuple[str, dict[str, str], bytes] | None:
        """Path, headers and body; None while nothing has happened at Stripe."""
        if time.monotonic() - self._read_at > _FRESH_SECONDS:
            self._known, self._read_at = self._read(), time.monotonic()
        if not self._known:
            return None
        self._next += 1
        told = self._known[self._next % len(self._known)]
        secret = json.loads(self._keys.read_text())["stripe"]["webhook_secret"]
        merchant = Merchant(
            provider="stripe", name="stripe", credentials={"webhook_secret": secret}
        )
        letter = protocols()["stripe"].write(merchant, told, now=datetime.now(UTC), forged=False)
        return "/providers/stripe", dict(letter.headers), letter.body

    def _read(self) -> list[Told]:
        try:
            with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as books:
                rows = books.execute(_LETTERS).fetchall()
        except sqlite3.Error:
            return []
        return [
            Told(
                id=name,
                event=event,
                charge_id=charge_id,
                data=json.loads(data),
                at=datetime.fromtimestamp(at / 1_000_000, UTC),
                url="",
            )
            for name, event, charge_id, data, at in rows
        ]


class Receiver:
    """A merchant's web server, and how long its letters took from the payment's answer."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._paid_at: dict[str, float] = {}
        self._came_at: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    def url(self, name: str) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/{name}"

    def expect(self, name: str) -> None:
        self._paid_at[name] = time.monotonic()

    def taken(self) -> list[float]:
        """Seconds of each letter since the last time, and forget them."""
        found = [
            max(0.0, self._came_at[name] - at)
            for name, at in self._paid_at.items()
            if name in self._came_at
        ]
        for name in list(self._came_at):
            self._paid_at.pop(name, None)
        return found

    def missing(self) -> int:
        return sum(name not in self._came_at for name in self._paid_at)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = [line.partition(": ") for line in head.split("\r\n")]
            lengths = [int(value) for name, _, value in lines if name.lower() == "content-length"]
            await reader.readexactly(lengths[0] if lengths else 0)
            self._came_at.setdefault(head.split(" ")[1].removeprefix("/"), time.monotonic())
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()


class SilentNameServer(asyncio.DatagramProtocol):
    """It hears every question and answers none."""

    def __init__(self) -> None:
        self.asked = 0

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1
