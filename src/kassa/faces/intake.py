"""How long a body may take to arrive, whoever reads it, and how many may be slow at once.

A body that is sent in one go is there before anybody waits for it. One that is sent a byte at a
time, or never, holds a connection, a task and memory for as long as we let it.
"""

import asyncio
from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kassa.domain.errors import InvalidRequest, RateLimited
from kassa.faces.peer import address_of

# seconds, not money
LONGEST_SECONDS = 10.0  # a whole body
_FIRST_SECONDS = 5.0  # may pass before the pace below is asked for
_SLOW_SECONDS = 0.5  # from then on it is counted as slow

_LEAST_BYTES = 1024  # a second
SLOW_AT_ONCE = 256  # in this process
SLOW_OF_ONE = 32  # of one address

_BAD_REQUEST, _TIMEOUT = 400, 408


class Intake:
    """ASGI middleware: gives up on bodies that are slow, and closes their connections.

    Whoever reads gets InvalidRequest (`body_incomplete`), or RateLimited when too many are slow
    already, and says so in the words of its interface; on the wire a refusal becomes a 408.
    """

    def __init__(self, app: ASGIApp, *, longest_seconds: float = LONGEST_SECONDS):
        self._app = app
        self._longest = longest_seconds
        self._slow: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = _Body(self._slow, address_of(scope), receive, self._longest)

        async def send_status(message: Message) -> None:
            if body.given_up and message["type"] == "http.response.start":
                if message["status"] == _BAD_REQUEST:
                    message["status"] = _TIMEOUT
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        try:
            await self._app(scope, body.receive, send_status)
        finally:
            body.end()


class _Body:
    """One body on its way. `slow`: how many are, by address."""

    def __init__(self, slow: Counter[str], address: str, receive: Receive, longest: float):
        self.given_up = False
        self._slow = slow
        self._address = address
        self._receive = receive
        self._longest = longest
        self._began = 0.0  # seconds, not money: when it was first waited for
        self._bytes = 0
        self._is_whole = False
        self._is_slow = False
        self._is_refused = False

    async def receive(self) -> Message:
        """What comes next.

        Raises: InvalidRequest, RateLimited.
        """
        if self._is_whole:
            return await self._receive()
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        patience = min(self._longest, _FIRST_SECONDS + self._bytes / _LEAST_BYTES)
        try:
            async with asyncio.timeout_at(self._began + patience) as waiting:
                glance = loop.call_at(self._began + _SLOW_SECONDS, self._look, waiting)
                try:
                    message = await self._receive()
                finally:
                    glance.cancel()
        except TimeoutError:
            raise self._give_up() from None
        self._bytes += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        return message

    def _look(self, waiting: asyncio.Timeout) -> None:
        """It is slow now: count it, or end the wait when there are too many."""
        if self._is_slow:
            return
        if self._slow.total() >= SLOW_AT_ONCE or self._slow[self._address] >= SLOW_OF_ONE:
            self._is_refused = True
            waiting.reschedule(0)
            return
        self._is_slow = True
        self._slow[self._address] += 1

    def _give_up(self) -> InvalidRequest | RateLimited:
        self.given_up = True
        if self._is_refused:
            return RateLimited(
                "too many requests are still being sent; send this one again in one go",
                retry_after_seconds=int(self._longest),
            )
        return InvalidRequest("the body did not arrive in time", reason="body_incomplete")

    def end(self) -> None:
        if self._is_slow:
            self._slow[self._address] -= 1
            if not self._slow[self._address]:
                del self._slow[self._address]


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False
