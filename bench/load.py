"""A load in a process of its own: what it is told, what it reports, and how it is started."""

import subprocess
import sys
from array import array
from typing import Annotated

import msgspec

_PATIENCE_SECONDS = 60  # beyond the load's own length, before it is given up


class Call(msgspec.Struct, frozen=True):
    """One gRPC method, by its full name, and the serialized messages to send it."""

    method: str
    metadata: list[tuple[str, str]]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """`requests`: exact bytes, sent in turn; `once`: never again from the start.

    `expect`: bytes that stand in each right answer. `call` None: the requests are whole HTTP/1.1
    requests; else they are messages of that gRPC method. `rate` 0: each connection sends the next
    when the answer is there; else so many are sent each second, whatever becomes of them, and
    waiting for a free connection counts as waiting for the answer.
    """

    host: str
    port: int
    connections: int
    seconds: float
    warm_up_seconds: float
    requests: list[bytes]
    expect: bytes
    once: bool = False
    call: Call | None = None
    rate: float = 0.0  # per second, not money


class Select(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of payments that are asked for by `connections` of one process."""

    url: str
    company: str
    ids: list[str]
    connections: int
    seconds: float
    warm_up_seconds: float


class Timed(msgspec.Struct, kw_only=True):
    """Latencies in whole microseconds. `sent` includes what came during the warm-up."""

    count: int
    sent: int
    per_s: Annotated[float, msgspec.Meta(ge=0)]
    p50_us: int
    p99_us: int
    max_us: int
    errors: dict[str, int]
    load_cpu_us: int = 0


def summarize(
    latencies_us: "array[int]", seconds: float, errors: dict[str, int], sent: int
) -> Timed:
    ordered = sorted(latencies_us) or [0]
    return Timed(
        count=len(latencies_us),
        sent=sent,
        per_s=round(len(latencies_us) / seconds, 1) if seconds > 0 else 0,
        p50_us=ordered[len(ordered) // 2],
        p99_us=ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        max_us=ordered[-1],
        errors=errors,
    )


def run(load: Load) -> Timed:
    """Start the generator, wait for its report."""
    module = "bench.http_load" if load.call is None else "bench.grpc_load"
    [timed] = _ended([_started(module, load)], load.seconds + load.warm_up_seconds)
    return timed


def select(wanted: Select, processes: int) -> Timed:
    """The same from so many processes at once, summed up; the slowest one's latencies."""
    started = [_started("bench.select_load", wanted) for _ in range(processes)]
    found = _ended(started, wanted.seconds + wanted.warm_up_seconds)
    slowest = max(found, key=lambda one: one.p99_us)
    return Timed(
        count=sum(one.count for one in found),
        sent=sum(one.sent for one in found),
        per_s=sum(one.per_s for one in found),
        p50_us=slowest.p50_us,
        p99_us=slowest.p99_us,
        max_us=slowest.max_us,
        errors={},
        load_cpu_us=sum(one.load_cpu_us for one in found),
    )


def _started(module: str, told: Load | Select) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.msgpack.encode(told))
    process.stdin.close()
    process.stdin = None  # so that it is not written to again
    return process


def _ended(started: "list[subprocess.Popen[bytes]]", seconds: float) -> list[Timed]:
    found = []
    for process in started:
        said, _ = process.communicate(timeout=seconds + _PATIENCE_SECONDS)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        found.append(msgspec.msgpack.decode(said, type=Timed))
    return found
