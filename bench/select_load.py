"""The limit of reading: one payment's row by its key, through the driver that the gateway has, and
nothing else. One process; each of its connections asks again when the row is there."""

import asyncio
import itertools
import sys
import time
from array import array
from collections.abc import Iterator

import asyncpg
import msgspec
import uvloop

from bench.load import Select, summarize

_ROW = "select * from payment where company_id = $1 and id = $2"


async def _ask(
    wanted: Select, ids: Iterator[str], latencies_us: "array[int]", count_from: int, until: int
) -> int:
    connection = await asyncpg.connect(wanted.url)
    sent = 0
    while (began := time.perf_counter_ns()) < until:
        row = await connection.fetchrow(_ROW, wanted.company, next(ids))
        assert row is not None
        sent += 1
        now = time.perf_counter_ns()
        if count_from <= now <= until:
            latencies_us.append((now - began) // 1000)
    await connection.close()
    return sent


async def _measure(wanted: Select) -> tuple["array[int]", int]:
    latencies_us = array("Q")
    count_from = time.perf_counter_ns() + int(wanted.warm_up_seconds * 1e9)
    until = count_from + int(wanted.seconds * 1e9)
    ids = itertools.cycle(wanted.ids)
    asking = [_ask(wanted, ids, latencies_us, count_from, until) for _ in range(wanted.connections)]
    return latencies_us, sum(await asyncio.gather(*asking))


def main() -> None:
    wanted = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Select)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        latencies_us, sent = runner.run(_measure(wanted))
    timed = summarize(latencies_us, wanted.seconds, {}, sent)
    timed.load_cpu_us = time.process_time_ns() // 1000
    sys.stdout.buffer.write(msgspec.msgpack.encode(timed))


if __name__ == "__main__":
    main()
