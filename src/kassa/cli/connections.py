"""How we listen: how long a connection may say nothing, and how many there may be.

The server closes what sends no whole head in time, and takes no more connections than it may.
It has no measure for one address, so what one address holds too many of is closed from here.
"""

import asyncio
import os
import resource
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from kassa.faces.intake import GIVEN_UP
from kassa.faces.peer import Network, Who, address_of, is_in, leave, plain

# seconds, not money
HEAD_SECONDS = 20.0  # for a request's head, and between two requests; longer than clients keep one
_GLANCE_SECONDS = 1.0
_ANSWERING_SECONDS = 2.0  # after which an answer has left, or nobody takes it

HEAD_BYTES = 32 * 1024
AT_ONCE = 4096  # of one process; more wait in the kernel's queue
OF_ONE = 256  # connections of one address that serve nobody
OF_ONE_IN_GRPC = 128  # each of which carries a hundred calls
_QUEUE = 1024
_OUR_OWN_FILES = 512  # databases, providers, logs

_log = structlog.get_logger("kassa.connections")


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
        backpressure=_allowed_files(),
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


def _allowed_files() -> int:
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


class Share:
    """Closes idle connections to a port of ours of an address that holds more than `most`.

    `busy`: those that serve somebody now, and how often; whoever serves keeps it true.
    `spared`: networks of proxies, whose connections are everybody's. A connection that is closed
    while it serves nobody is what HTTP allows at any time.
    """

    def __init__(self, port: int, *, spared: Sequence[Network] = (), most: int = OF_ONE):
        self.busy: Counter[Who] = Counter()
        self._port = port
        self._spared = spared
        self._most = most
        self._given_up: dict[Who, float] = {}  # seconds, not money
        self._minding: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._minding = asyncio.create_task(self._mind())

    async def stop(self) -> None:
        if self._minding is not None:
            self._minding.cancel()

    def give_up(self, who: Who) -> None:
        """Of no use any more: it is closed as soon as its answer has had time to leave."""
        self._given_up[who] = time.monotonic()

    async def _mind(self) -> None:
        while True:
            await asyncio.sleep(_GLANCE_SECONDS)
            if self._given_up or len(_open_files()) > self._most:
                closed = await asyncio.to_thread(self.close_surplus)
                if closed:
                    _log.warning("connections closed", number=closed)

    def close_surplus(self) -> int:
        """Close what each address holds beyond its share, and what was given up and whose end the
        server left open; how many that were."""
        answered = time.monotonic() - _ANSWERING_SECONDS
        given_up = {who for who, at in list(self._given_up.items()) if at < answered}
        busy = dict(self.busy)
        held: dict[str, list[tuple[Who, int]]] = {}
        for number in _open_files():
            if (who := self._client_of(number)) is not None:
                held.setdefault(address_of({"client": who}), []).append((who, number))
        closed = sum(
            _close(who, number)
            for connections in held.values()
            for who, number in connections
            if who in given_up
        )
        for who in given_up:
            del self._given_up[who]
        for connections in held.values():
            surplus = len(connections) - self._most
            if surplus <= 0 or is_in(connections[0][0][0], self._spared):
                continue
            idle = [each for each in connections if each[0] not in busy]
            closed += sum(_close(who, number) for who, number in idle[:surplus])
        return closed

    def _client_of(self, number: int) -> Who | None:
        """Whose connection to our port the open file is, if it is one."""
        with suppress(OSError), _socket_of(number) as one:
            ours = one.getsockname()
            if isinstance(ours, tuple) and ours[1] == self._port:
                return _who(one)
        return None


class Connections(Share):
    """ASGI middleware that knows which connections serve somebody."""

    def __init__(
        self, target: ASGIApp, port: int, *, spared: Sequence[Network] = (), most: int = OF_ONE
    ):
        super().__init__(port, spared=spared, most=most)
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


def _close(who: Who, number: int) -> bool:
    """End the connection, if the open file is still that one; whoever owns it sees its end."""
    with suppress(OSError), _socket_of(number) as one:
        if _who(one) == who:
            one.shutdown(socket.SHUT_RDWR)
            return True
    return False


def _who(one: socket.socket) -> Who:
    """Raises: OSError when nobody is at its other end any more."""
    host, port = one.getpeername()[:2]
    return plain(host), port


def _socket_of(number: int) -> socket.socket:
    """The same socket once more, so that it cannot become another one meanwhile.

    Raises: OSError when it is none, or gone.
    """
    again = os.dup(number)
    try:
        return socket.socket(fileno=again)
    except OSError:
        os.close(again)
        raise


def _open_files() -> list[int]:
    """Of this process; none where the system does not tell."""
    with suppress(OSError):
        return [int(name) for name in os.listdir("/dev/fd")]
    return []
