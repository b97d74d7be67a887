"""How long a body may take to arrive, whoever reads it, and how many may be slow at once.

A body that is sent in one go is there before anybody waits for it. One that is sent a byte at a
time, or never, holds a connection, a task and memory for as long as we let it.
"""

import asyncio
import time
from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kassa.base.domain.errors import InvalidRequest, KassaError, RateLimited
from kassa.base.domain.rate_limits import Quota
from kassa.faces.peer import address_of

# seconds, not money
LONGEST_SECONDS = 10.0  # a whole body
_FIRST_SECONDS = 5.0  # may pass before the pace below is asked for
_SLOW_SECONDS = 0.5  # from then on it is counted as slow
_GLANCE_SECONDS = 0.1
_LETTING_GO_SECONDS = 0.1

_LEAST_BYTES = 1024  # a second
GIVEN_UP = "kassa.given_up"
"""Stands in the scope of a request whose connection is of no use any more."""

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
        self._waited_for: dict[_Body, asyncio.Task[object]] = {}
        self._slow: Counter[str] = Counter()  # by address
        self._is_watching = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive)

        async def receive_in_time() -> Message:
            if body.is_whole:
                return await receive()
            return await self._wait_for(body)

        async def send_status(message: Message) -> None:
            if body.refusal is not None and message["type"] == "http.response.start":
                if message["status"] == _BAD_REQUEST:
                    message["status"] = _TIMEOUT
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        try:
            await self._app(scope, receive_in_time, send_status)
        finally:
            if body.is_slow:
                self._slow[body.address] -= 1
            if body.refusal is not None:
                scope[GIVEN_UP] = True

    async def _wait_for(self, body: "_Body") -> Message:
        """What comes next of it. Almost always it is there already, so no timer is set for it: one
        look at all that are waited for, a few times a second, costs less.

        Raises: InvalidRequest, RateLimited.
        """
        task = asyncio.current_task()
        assert task is not None
        body.began = body.began or time.monotonic()
        self._waited_for[body] = task
        if not self._is_watching:
            self._is_watching = True
            asyncio.get_running_loop().call_later(_GLANCE_SECONDS, self._look)
        try:
            message = await body.receive()
        except asyncio.CancelledError:
            if body.refusal is None:
                raise
            task.uncancel()
            # The server lets go of the body in a thread of its own. An answer that overtakes that
            # is never sent, and its connection stays.
            await asyncio.sleep(_LETTING_GO_SECONDS)
            raise body.refusal from None
        finally:
            del self._waited_for[body]
        body.size += len(message.get("body", b""))
        body.is_whole = not message.get("more_body", False)
        return message

    def _look(self) -> None:
        now = time.monotonic()
        for body, task in self._waited_for.items():
            if body.refusal is None:
                body.refusal = self._judged(body, now - body.began)
                if body.refusal is not None:
                    task.cancel()
        self._slow = +self._slow  # without those at zero
        self._is_watching = bool(self._waited_for)
        if self._is_watching:
            asyncio.get_running_loop().call_later(_GLANCE_SECONDS, self._look)

    def _judged(self, body: "_Body", waited: float) -> KassaError | None:
        """Why it is given up, if it is. `waited`: in seconds."""
        if waited > min(self._longest, _FIRST_SECONDS + body.size / _LEAST_BYTES):
            return InvalidRequest("the body did not arrive in time", reason="body_incomplete")
        if waited > _SLOW_SECONDS and not body.is_slow:
            if self._slow.total() >= SLOW_AT_ONCE or self._slow[body.address] >= SLOW_OF_ONE:
                return self._too_many_slow(own=self._slow[body.address] >= SLOW_OF_ONE)
            body.is_slow = True
            self._slow[body.address] += 1
        return None

    def _too_many_slow(self, *, own: bool) -> RateLimited:
        """By then the slowest of them have ended, in one way or the other."""
        return RateLimited(
            "too many requests are still being sent; send this one again in one go",
            retry_after_seconds=max(1, int(self._longest)),
            quota=Quota("unfinished-requests", SLOW_OF_ONE, at_once=True) if own else None,
            many=not own,
        )


class _Body:
    """One body on its way. `began`: when it was first waited for."""

    __slots__ = ("_scope", "began", "is_slow", "is_whole", "receive", "refusal", "size")

    def __init__(self, scope: Scope, receive: Receive):
        self._scope = scope
        self.receive = receive
        self.began = 0.0  # seconds, not money
        self.size = 0
        self.is_whole = False
        self.is_slow = False
        self.refusal: KassaError | None = None

    @property
    def address(self) -> str:
        return address_of(self._scope)


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False
