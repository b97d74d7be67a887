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
    requests; else they are messages of that gRPC method.
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
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=msgspec.msgpack.encode(load),
        stdout=subprocess.PIPE,
        timeout=load.seconds + load.warm_up_seconds + _PATIENCE_SECONDS,
        check=True,
    )
    return msgspec.msgpack.decode(done.stdout, type=Timed)
