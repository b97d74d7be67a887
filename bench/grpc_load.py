"""The gRPC load generator: closed loops of unary calls over a few channels."""

import asyncio
import itertools
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc
import msgspec

from bench.load import Call, Load, Timed, summarize

_CHANNELS = 4  # each is one connection; the callers share them


async def _call(
    load: Load, unary: Any, call: Call, messages: Iterator[bytes], seen: "tuple[array[int], Any]"
) -> int:
    latencies_us, errors = seen
    sent = 0
    count_from = time.perf_counter_ns() + int(load.warm_up_seconds * 1e9)
    until = count_from + int(load.seconds * 1e9)
    while (began := time.perf_counter_ns()) < until:
        sent += 1
        try:
            answer = await unary(next(messages), metadata=call.metadata)
        except grpc.aio.AioRpcError as error:
            errors[error.code().name] += 1
            continue
        now = time.perf_counter_ns()
        if load.expect not in answer:
            errors["unexpected answer"] += 1
        elif count_from <= now <= until:
            latencies_us.append((now - began) // 1000)
    return sent


async def _measure(load: Load) -> Timed:
    assert load.call is not None
    options = [("grpc.use_local_subchannel_pool", 1)]
    target = f"{load.host}:{load.port}"
    channels = [grpc.aio.insecure_channel(target, options=options) for _ in range(_CHANNELS)]
    messages = itertools.cycle(load.requests)
    latencies_us = array("Q")
    errors: Counter[str] = Counter()
    callers = [
        _call(
            load,
            # Without (de)serializers messages are the bytes on the wire.
            channels[number % _CHANNELS].unary_unary(load.call.method),
            load.call,
            messages,
            (latencies_us, errors),
        )
        for number in range(load.connections)
    ]
    sent = sum(await asyncio.gather(*callers))
    for channel in channels:
        await channel.close()
    return summarize(latencies_us, load.seconds, dict(errors), sent)


def main() -> None:
    load = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Load)
    timed = asyncio.run(_measure(load))
    timed.load_cpu_us = time.process_time_ns() // 1000
    sys.stdout.buffer.write(msgspec.msgpack.encode(timed))


if __name__ == "__main__":
    main()
