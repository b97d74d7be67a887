"""`python -m bench.large`: what grows when payments do.

The same requests against one gateway twice: when it holds few payments, and when it holds many.
They come from few callers, so that what is timed is an answer and not a queue.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from bench import calls, load, machine
from bench.fill import fill, progress
from bench.gateway import Gateway
from bench.load import Load, Timed

_CALLERS = 4
_FEW = 10_000
_DEEP = 100  # pages of 500 before the deep one, where there are so many
_LISTED = b'"payments":['


class Point(msgspec.Struct, kw_only=True):
    """One request at one size. `cpu_us`: processor time of a request, by process."""

    title: str
    payments: int
    timed: Timed
    cpu_us: dict[str, int]


def _requests(gateway: Gateway) -> Iterator[tuple[str, list[bytes], bytes]]:
    yield "create an order", calls.create_orders(gateway, 20_000), b'"order_id":"'
    ids = calls.payment_ids(gateway)
    yield "GetPayment", calls.get_payments(gateway, ids), b'"orderId":"'
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
        yield title, calls.list_payments(gateway, **wanted), _LISTED
    token = _deep(gateway)
    yield "deep down", calls.list_payments(gateway, token=token), _LISTED


def _span(gateway: Gateway) -> tuple[str, str]:
    """The time of the oldest payment on the first page of 500, and of the newest."""
    listed = calls.listed(gateway, size=500)["payments"]
    return listed[-1]["createdTime"], listed[0]["createdTime"]


def _deep(gateway: Gateway) -> str:
    """The token of a page far down; of the last one where there are fewer."""
    token = ""
    for _ in range(_DEEP):
        following = calls.listed(gateway, size=500, token=token)["nextPageToken"]
        if not following:
            break
        token = following
    return token


def _measure(gateway: Gateway, payments: int, seconds: float) -> list[Point]:
    points = []
    for title, requests, expect in _requests(gateway):
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
        after = gateway.cpu_us()
        used = {
            name: (us - before.get(name, 0)) // max(timed.sent, 1) for name, us in after.items()
        }
        points.append(Point(title=title, payments=payments, timed=timed, cpu_us=used))
        _say(
            f"  {title:28} {timed.per_s:8,.0f}/s  p50 {timed.p50_us / 1000:6.1f} ms"
            f"  p99 {timed.p99_us / 1000:6.1f} ms  postgres {used.get('postgres', 0)} µs"
            + (f"  ERRORS {timed.errors}" if timed.errors else "")
        )
    return points


async def _bytes(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("select pg_database_size(current_database())"))
    finally:
        await connection.close()


def _table(few: list[Point], many: list[Point]) -> str:
    lines = [
        f"| | p99 ms at {few[0].payments:,} | at {many[0].payments:,} | ratio"
        " | postgres µs | then | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one, other in zip(few, many, strict=True):
        cost = [point.cpu_us.get("postgres", 0) for point in (one, other)]
        lines.append(
            f"| {one.title} | {one.timed.p99_us / 1000:.1f} | {other.timed.p99_us / 1000:.1f}"
            f" | {other.timed.p99_us / max(one.timed.p99_us, 1):.2f}"
            f" | {cost[0]} | {cost[1]} | {cost[1] / max(cost[0], 1):.2f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.large", description=__doc__)
    parser.add_argument("--payments", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each part")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "LARGE.md")
    asked = parser.parse_args()
    described = machine.describe()
    _say(f"on {described.cpu}, {described.cores} cores, load {described.load_before}")
    with Gateway() as gateway:
        owner, company = gateway.database_urls["owner_url"], gateway.demo["company_id"]
        asyncio.run(fill(owner, _FEW, company=company))
        few = _measure(gateway, _FEW, asked.seconds)
        began, more = time.perf_counter(), asked.payments - _FEW
        asyncio.run(fill(owner, more, progress(more), company=company, after=_FEW))
        _say(f"filled in {time.perf_counter() - began:.0f} s")
        many = _measure(gateway, asked.payments, asked.seconds)
        size = asyncio.run(_bytes(owner))
    text = _TEXT.format(
        table=_table(few, many),
        machine=f"{described.cpu}, {described.cores} cores, load average {described.load_before}",
        disk=f"{size / asked.payments:,.0f}",
        callers=_CALLERS,
    )
    asked.out.write_text(text)
    _say(text)
    return 1 if any(point.timed.errors for point in (*few, *many)) else 0


_TEXT = """# What grows when payments do

{table}

{callers} callers; {machine}. The database has {disk} bytes a payment, with its order, events,
postings and indexes. `python -m bench.large` measures it again.
"""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
