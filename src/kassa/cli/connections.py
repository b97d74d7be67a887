"""How we listen: how long a connection may say nothing, and how many there may be.

The server closes what sends no whole head in time, and takes no more connections than it may.
Whose they are, and who goes first when there are too many, is judged in `places`.
"""

import asyncio
import resource
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from kassa.cli.places import AT_ONCE, HEAD_SECONDS, OF_ONE, Share
from kassa.faces.intake import GIVEN_UP
from kassa.faces.peer import Network, leave, plain

HEAD_BYTES = 32 * 1024
_QUEUE = 1024
_OUR_OWN_FILES = 512  # databases, providers, logs


async def listen(
    target: ASGIApp,
    host: str,
    port: int,
    stop: asyncio.Event,
    *,
    head_seconds: float = HEAD_SECONDS,  # seconds, not money
) -> None:
    """Serve until `stop`, or until the server ends by itself."""
    server = Server(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=_QUEUE,
        backpressure=allowed_files(),
        http1_settings=HTTP1Settings(
            header_read_timeout=int(head_seconds * 1000), max_buffer_size=HEAD_BYTES
        ),
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        server.stop()  # type: ignore[no-untyped-call]
    await serving


def is_taken(host: str, port: int) -> bool:
    """Whether nobody else may listen there. The server itself would share a port with another
    process of the same user, as several of ours do."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def allowed_files() -> int:
    """As many connections as wanted, or as the system lets us have open files for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = AT_ONCE + _OUR_OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return AT_ONCE
    return max(64, min(AT_ONCE, soft - _OUR_OWN_FILES))


class Connections(Share):
    """ASGI middleware that knows which connections serve somebody."""

    def __init__(
        self, target: ASGIApp, port: int, *, spared: Sequence[Network] = (), most: int = OF_ONE
    ):
        super().__init__(port, spared=spared, most=most, places=allowed_files())
        self._target = target

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client: Any = scope.get("client")
        if scope["type"] != "http" or not client:
            await self._target(scope, receive, send)
            return
        who = (plain(client[0]), int(client[1]))
        self.busy[who] += 1
        try:
            await self._target(scope, receive, send)
        finally:
            leave(self.busy, who)
            if scope.get(GIVEN_UP):
                self.give_up(who)
