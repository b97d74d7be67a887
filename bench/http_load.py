"""The HTTP load generator: kept-alive connections, parsing as little as it can.

Either each sends the next request when it has its answer, or requests are due at a fixed rate.
It shares the machine with what it measures, so it costs some 20 µs a request and no more.
"""

import asyncio
import itertools
import re
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from typing import cast

import msgspec
import uvloop

from bench.load import Load, summarize

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TICK_SECONDS = 0.001
_STILL_OPEN_SECONDS = 10.0  # for the last answers, after the clock has stopped


class Run:
    """What all connections share: the requests that are left and the clock."""

    def __init__(self, load: Load):
        self.load = load
        self.requests: Iterator[bytes] = (
            iter(load.requests) if load.once else itertools.cycle(load.requests)
        )
        self.latencies_us = array("Q")
        self.errors: Counter[str] = Counter()
        self.sent = 0
        self.open = 0
        self.done = asyncio.get_running_loop().create_future()
        began = time.perf_counter_ns()
        self.count_from = began + int(load.warm_up_seconds * 1e9)
        self.until = self.count_from + int(load.seconds * 1e9)
        self.last = began

    def note(self, began: int, answer: bytes) -> None:
        now = time.perf_counter_ns()
        if not answer.startswith(b"HTTP/1.1 200"):
            self.error(answer[9:12].decode("latin-1"), answer)
        elif self.load.expect not in answer:
            self.error("unexpected answer", answer)
        elif self.count_from <= now <= self.until:
            self.last = now
            self.latencies_us.append((now - began) // 1000)

    def error(self, kind: str, answer: bytes = b"") -> None:
        if not self.errors[kind]:
            print(f"bench: {kind}: {answer[-300:]!r}", file=sys.stderr)
        self.errors[kind] += 1

    def free(self, caller: "Caller") -> None:
        """The caller has its answer, or has just connected."""
        now = time.perf_counter_ns()
        if now < self.until and (request := next(self.requests, None)) is not None:
            self.sent += 1
            caller.send(request, now)
        else:
            caller.close()

    def closed(self) -> None:
        self.open -= 1
        if not self.open and not self.done.done():
            self.done.set_result(None)

    @property
    def seconds(self) -> float:
        """The time that was measured: all of it, or until the requests ran out."""
        end = self.last if self.load.once else self.until
        return (end - self.count_from) / 1e9


class Paced(Run):
    """Requests are due at a fixed rate, and each is timed from when it was due."""

    def __init__(self, load: Load):
        super().__init__(load)
        self._apart = 1e9 / load.rate
        self._next_due = float(self.count_from) - load.warm_up_seconds * 1e9
        self._due: deque[int] = deque()
        self._idle: deque[Caller] = deque()
        self._tick()

    def _tick(self) -> None:
        now = time.perf_counter_ns()
        while self._next_due <= min(now, self.until):
            self._due.append(int(self._next_due))
            self._next_due += self._apart
        while self._due and self._idle:
            self._give(self._idle.popleft())
        if now < self.until or self._due:
            asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)
        else:
            while self._idle:
                self._idle.popleft().close()

    def _give(self, caller: "Caller") -> None:
        self.sent += 1
        caller.send(next(self.requests), self._due.popleft())

    def free(self, caller: "Caller") -> None:
        if self._due:
            self._give(caller)
        elif time.perf_counter_ns() >= self.until:
            caller.close()
        else:
            self._idle.append(caller)


class Caller(asyncio.Protocol):
    """One connection: send, wait for the whole answer, say that it is free."""

    def __init__(self, run: Run):
        self._run = run
        self._waiting = False
        self._began = 0
        self._answer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is not one
        self._run.open += 1
        self._run.free(self)

    def send(self, request: bytes, began: int) -> None:
        """`began`: from when its answer is timed."""
        self._waiting = True
        self._began = began
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        answer = self._answer + data if self._answer else data
        head = answer.find(b"\r\n\r\n")
        length = _LENGTH.search(answer, 0, head + 2) if head >= 0 else None
        if length is None or len(answer) < head + 4 + int(length[1]):
            self._answer = answer
            return
        self._answer = b""
        self._waiting = False
        self._run.note(self._began, answer)
        self._run.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._run.error("connection lost")
        self._run.closed()


async def _measure(load: Load) -> Run:
    loop = asyncio.get_running_loop()
    run = Paced(load) if load.rate else Run(load)
    for _ in range(load.connections):
        await loop.create_connection(lambda: Caller(run), load.host, load.port)
    left = (run.until - time.perf_counter_ns()) / 1e9 + _STILL_OPEN_SECONDS
    try:
        await asyncio.wait_for(run.done, left)
    except TimeoutError:
        run.errors["no answer"] += max(1, run.open)
    return run


def main() -> None:
    load = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Load)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = runner.run(_measure(load))
    timed = summarize(run.latencies_us, run.seconds, dict(run.errors), run.sent)
    timed.load_cpu_us = time.process_time_ns() // 1000
    sys.stdout.buffer.write(msgspec.msgpack.encode(timed))


if __name__ == "__main__":
    main()
