"""`python -m bench.large`: what grows when payments do.

The same requests at two gateways, one with few payments and one with many, in turns, so that a
machine that drifts hits both. They come from few callers, so that what is timed is an answer and
not a queue. With `--keep` the large one is filled once, and measured as often as wanted.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import msgspec

from bench import calls, load, machine
from bench.fill import fill, progress
from bench.gateway import Gateway
from bench.load import Load, Timed

_CALLERS = 4
_FEW = 10_000
_ROUNDS = 5
_DEEP = 100  # pages of 500 before the deep one, where there are so many
_LISTED = b'"payments":['


Asked = tuple[list[bytes], bytes]
"""Requests, and what stands in each right answer."""


class Point(msgspec.Struct, kw_only=True):
    """One request at one size, by round. `cpu_us`: PostgreSQL's processor time of a request."""

    timed: list[Timed] = msgspec.field(default_factory=list)
    cpu_us: list[int] = msgspec.field(default_factory=list)

    @property
    def p50_us(self) -> float:
        return median(one.p50_us for one in self.timed)

    @property
    def p99_us(self) -> float:
        return median(one.p99_us for one in self.timed)

    @property
    def postgres_us(self) -> float:
        return median(self.cpu_us)


def _requests(gateway: Gateway) -> Iterator[tuple[str, Asked]]:
    yield "create an order", (calls.create_orders(gateway, 20_000), b'"order_id":"')
    ids = calls.payment_ids(gateway)
    yield "GetPayment", (calls.get_payments(gateway, ids), b'"orderId":"')
    first, last = _span(gateway)
    half = {"startTime": first, "endTime": last}
    asked: dict[str, dict[str, Any]] = {
        "ListPayments of 20": {},
        "of a status": {"filter": {"statuses": ["FAILED"]}},
        "of a status that none has": {"filter": {"statuses": ["PROCESSING"]}},
        "of a business": {"filter": {"businessIds": [gateway.demo["business_id"]]}},
        "of a time": {"filter": {"createdTime": half}},
        "of a status and a time": {"filter": {"statuses": ["FAILED"], "createdTime": half}},
        "changed since": {"filter": {"updatedAfter": first}},
    }
    for title, wanted in asked.items():
        yield title, (calls.list_payments(gateway, **wanted), _LISTED)
    for name, pages in (("deep down", _DEEP), ("half as deep", _DEEP // 2)):
        token = _deep(gateway, pages)
        yield name, (calls.list_payments(gateway, token=token), _LISTED)
        yield (
            f"{name}, of a status",
            (
                calls.list_payments(
                    gateway,
                    token=_deep(gateway, pages // 10, **asked["of a status"]),
                    **asked["of a status"],
                ),
                _LISTED,
            ),
        )


def _span(gateway: Gateway) -> tuple[str, str]:
    """The time of the oldest payment on the first page of 500, and of the newest."""
    listed = calls.listed(gateway, size=500)["payments"]
    return listed[-1]["createdTime"], listed[0]["createdTime"]


def _deep(gateway: Gateway, pages: int, **wanted: Any) -> str:
    """The token of the page behind so many; of the last one where there are fewer."""
    token = ""
    for _ in range(pages):
        following = calls.listed(gateway, size=500, token=token, **wanted)["nextPageToken"]
        if not following:
            break
        token = following
    return token


def _measure(gateway: Gateway, asked: Asked, seconds: float, point: Point) -> None:
    requests, expect = asked
    wanted = Load(
        host="127.0.0.1",
        port=gateway.port,
        connections=_CALLERS,
        seconds=seconds,
        warm_up_seconds=0.5,
        requests=requests,
        expect=expect,
    )
    before, timed = gateway.cpu_us(), load.run(wanted)
    used = gateway.cpu_us()["postgres"] - before["postgres"]
    point.timed.append(timed)
    point.cpu_us.append(used // max(timed.sent, 1))


def _compare(few: Gateway, many: Gateway, seconds: float, rounds: int) -> dict[str, list[Point]]:
    """Of each request, a point for few payments and one for many."""
    asked = [dict(_requests(gateway)) for gateway in (few, many)]
    found = {title: [Point(), Point()] for title in asked[0]}
    for _ in range(rounds):
        for title, points in found.items():
            for gateway, said, point in zip((few, many), asked, points, strict=True):
                _measure(gateway, said[title], seconds, point)
            _say(
                f"  {title:28} p99 "
                + ", ".join(f"{point.timed[-1].p99_us / 1000:.1f}" for point in points)
                + " ms; postgres "
                + ", ".join(str(point.cpu_us[-1]) for point in points)
                + " µs"
                + "".join(
                    f"; ERRORS {point.timed[-1].errors}"
                    for point in points
                    if point.timed[-1].errors
                )
            )
    return found


async def _bytes(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("select pg_database_size(current_database())"))
    finally:
        await connection.close()


async def _unchain(url: str) -> None:
    """What was written past the program gets no link, and shall not be looked at again and again
    while something is measured."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("truncate unchained")
    finally:
        await connection.close()


def _fill(gateway: Gateway, payments: int) -> float:
    """Up to so many; what it was filled with before stays. Returns bytes a payment."""
    owner, company = gateway.database_urls["owner_url"], gateway.demo["company_id"]
    there = asyncio.run(_estimated(owner))
    if there < payments * 0.9:  # seconds and ratios, not money
        began = time.perf_counter()
        asyncio.run(fill(owner, payments, progress(payments), company=company))
        asyncio.run(_unchain(owner))
        _say(f"filled in {time.perf_counter() - began:.0f} s")
    return asyncio.run(_bytes(owner)) / payments


async def _estimated(url: str) -> float:
    """Payments that are there, about; -1 where nobody has counted yet."""
    connection = await asyncpg.connect(url)
    try:
        begun = await connection.fetchval("select to_regclass('bench_fill') is not null")
        told = "select reltuples from pg_class where relname = 'payment'"
        return -1 if begun else float(await connection.fetchval(told))
    finally:
        await connection.close()


def _table(found: dict[str, list[Point]], payments: int) -> str:
    lines = [
        f"| | p50 ms at {_FEW:,} | at {payments:,} | p99 ms at {_FEW:,} | at {payments:,}"
        " | ratio of p99 | postgres µs | then | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for title, (few, many) in found.items():
        lines.append(
            f"| {title} | {few.p50_us / 1000:.1f} | {many.p50_us / 1000:.1f}"
            f" | {few.p99_us / 1000:.1f} | {many.p99_us / 1000:.1f}"
            f" | {many.p99_us / max(few.p99_us, 1):.2f} | {few.postgres_us:.0f}"
            f" | {many.postgres_us:.0f} | {many.postgres_us / max(few.postgres_us, 1):.2f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.large", description=__doc__)
    parser.add_argument("--payments", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each part")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of which medians are taken")
    parser.add_argument("--keep", type=Path, help="a data directory for the large one, that stays")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "LARGE.md")
    asked = parser.parse_args()
    described = machine.describe()
    _say(f"on {described.cpu}, {described.cores} cores, load {described.load_before}")
    with Gateway() as few, Gateway(data_dir=asked.keep) as many:
        _fill(few, _FEW)
        disk = _fill(many, asked.payments)
        found = _compare(few, many, asked.seconds, asked.rounds)
    text = _TEXT.format(
        table=_table(found, asked.payments),
        rounds=asked.rounds,
        machine=f"{described.cpu}, {described.cores} cores, load average {described.load_before}",
        disk=f"{disk:,.0f}",
        callers=_CALLERS,
        deep=_DEEP,
        day=f"{datetime.now(UTC):%Y-%m-%d}",
    )
    asked.out.write_text(text)
    _say(text)
    points = [point for both in found.values() for point in both]
    return 1 if any(timed.errors for point in points for timed in point.timed) else 0


_TEXT = """# What grows when payments do

{table}

Medians of {rounds} rounds, few and many in turns, {callers} callers; {day}, {machine}. The database
has {disk} bytes a payment, with its order, events, postings and indexes. *Deep down* is behind
{deep} pages of 500, with a filter behind a tenth of those.

`make bench-large ARGS="--payments 2000000 --keep DIR"` measures it again; what DIR was filled with
stays. The goals: p99 of lists at most 1.3 times, a create's cost at most 1.2 times.
"""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
