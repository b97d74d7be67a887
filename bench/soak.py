"""`python -m bench.soak`: the same load for an hour, and whether anything grows meanwhile.

Orders are created and paid from a wallet at a steady rate, below what the machine can do. Each
minute it is written down how long answers took, how much memory each process has, how many rows
wait for workers, and how many files are open. What was in the second sixth of the time is compared
with what is in the last: what grows steadily has grown by then.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import asyncpg
import msgspec

from bench import calls, load, machine
from bench.gateway import Gateway
from bench.load import Load, Timed

_CREATED, _PAID = b'"order_id":"', b'"paymentResult":true'
_CALLERS = 16
_PARTS = 6  # of the time: the first is left out, the second and the last are compared
_HOUR, _SHORT = 3600.0, 600.0  # seconds, not money
_STEP = 60.0  # seconds, not money
_SETTLE_SECONDS = 10.0
_FLAT = 1.10
"""What is at most a tenth more at the end has not grown."""
_BACKLOGS = {
    "to be chained": "select count(*) from unchained",
    "to be announced": "select count(*) from announcement where state = 'waiting'",
    "providers' news": "select count(*) from provider_news where applied_at is null",
}


class Step(msgspec.Struct, kw_only=True):
    """What was seen in one minute. `memory_kib`: proportional, by process."""

    created: Timed
    paid: Timed
    memory_kib: dict[str, int]
    backlogs: dict[str, int]
    files: int
    payments: int


def _measure(gateway: Gateway, creates: float, pays: float, seconds: float) -> Step:
    """Both loads at once."""
    settling = min(_SETTLE_SECONDS, seconds / 4)
    busy = seconds - settling
    wanted = [
        Load(
            host="127.0.0.1",
            port=gateway.port,
            connections=_CALLERS,
            seconds=busy,
            warm_up_seconds=0.0,
            requests=requests,
            expect=expect,
            rate=rate,
        )
        for requests, expect, rate in (
            (calls.create_orders(gateway, int(creates * busy) + 1), _CREATED, creates),
            (calls.unsigned_pays(gateway, int(pays * busy) + 1), _PAID, pays),
        )
    ]
    with ThreadPoolExecutor() as pool:
        created, paid = pool.map(load.run, wanted)
    time.sleep(settling)
    backlogs, payments = asyncio.run(_counted(gateway.database_urls["owner_url"]))
    return Step(
        created=created,
        paid=paid,
        memory_kib=gateway.memory_kib(),
        backlogs=backlogs,
        files=_open_files(gateway),
        payments=payments,
    )


def _open_files(gateway: Gateway) -> int:
    found = 0
    for pid, name in gateway.processes().items():
        if name not in ("postgres", "ended"):
            with suppress(OSError):  # it has ended meanwhile
                found += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return found


async def _counted(url: str) -> tuple[dict[str, int], int]:
    connection = await asyncpg.connect(url)
    try:
        found = {name: await connection.fetchval(text) for name, text in _BACKLOGS.items()}
        return found, await connection.fetchval("select count(*) from payment")
    finally:
        await connection.close()


def _growth(steps: Sequence[Step]) -> list[tuple[str, float, float]]:
    """Name, in the second sixth of the time, in the last."""
    size = max(1, len(steps) // _PARTS)
    early, late = steps[size : 2 * size] or steps[:1], steps[-size:]

    def both(of: Callable[[Step], float]) -> tuple[float, float]:
        return median(map(of, early)), median(map(of, late))

    found = [
        ("create p50, ms", *both(lambda one: one.created.p50_us / 1000)),
        ("create p99, ms", *both(lambda one: one.created.p99_us / 1000)),
        ("pay p50, ms", *both(lambda one: one.paid.p50_us / 1000)),
        ("pay p99, ms", *both(lambda one: one.paid.p99_us / 1000)),
        ("open files", *both(lambda one: one.files)),
    ]
    for name in sorted(steps[-1].memory_kib):
        found.append((f"memory of {name}, MiB", *both(partial(_memory, name))))
    for name in _BACKLOGS:
        found.append((f"backlog {name}", *both(partial(_backlog, name))))
    return found


def _memory(name: str, step: Step) -> float:
    return step.memory_kib.get(name, 0) / 1024


def _backlog(name: str, step: Step) -> float:
    return step.backlogs[name]


def _report(steps: Sequence[Step], creates: float, pays: float, seconds: float) -> str:
    described = machine.describe()
    errors = sum(sum(t.errors.values()) for step in steps for t in (step.created, step.paid))
    lines = [
        "# The same load for long",
        "",
        "| | early | at the end | ratio |",
        "|---|---:|---:|---:|",
    ]
    for name, early, late in _growth(steps):
        ratio = f"{late / early:.2f}" if early else ("-" if not late else "from none")
        lines.append(f"| {name} | {early:,.1f} | {late:,.1f} | {ratio} |")
    lines += [
        "",
        f"{seconds / 60:.0f} minutes on {datetime.now(UTC):%Y-%m-%d}, {described.cpu},"
        f" {described.cores} cores, load average {described.load_before} at the end:"
        f" {creates:,.0f} orders created and {pays:,.0f} payments made from a wallet each second,",
        f"sent when they were due; {steps[-1].payments:,} payments at the end, {errors} errors."
        " Early is the median of the second sixth of the minutes, at",
        "the end that of the last. Backlogs are counted some seconds after each minute's load.",
        "",
        "| minute | create p50, p99 ms | pay p50, p99 ms | memory of http, all of Python MiB"
        " | postgres MiB | backlogs |",
        "|---:|---:|---:|---:|---:|---|",
    ]
    for number, step in enumerate(steps, 1):
        ours = sum(kib for name, kib in step.memory_kib.items() if name != "postgres") / 1024
        lines.append(
            f"| {number} | {step.created.p50_us / 1000:.1f}, {step.created.p99_us / 1000:.1f}"
            f" | {step.paid.p50_us / 1000:.1f}, {step.paid.p99_us / 1000:.1f}"
            f" | {step.memory_kib.get('http', 0) / 1024:.0f}, {ours:.0f}"
            f" | {step.memory_kib.get('postgres', 0) / 1024:.0f}"
            f" | {', '.join(map(str, step.backlogs.values()))} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=_HOUR)
    parser.add_argument("--short", action="store_true", help="ten minutes")
    parser.add_argument("--creates", type=float, default=400.0, help="per second")
    parser.add_argument("--pays", type=float, default=60.0, help="per second")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "SOAK.md")
    asked = parser.parse_args()
    seconds = _SHORT if asked.short else asked.seconds
    steps: list[Step] = []
    with Gateway() as gateway:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > _STEP / 4:
            steps.append(_measure(gateway, asked.creates, asked.pays, min(_STEP, left)))
            text = _report(steps, asked.creates, asked.pays, len(steps) * _STEP)
            print(text.splitlines()[-1], file=sys.stderr, flush=True)
            asked.out.write_text(text)
        verified = gateway.kassa("verify", "--company", gateway.demo["company_id"])
    print(text, verified.stdout, sep="\n", file=sys.stderr)
    grown = [name for name, early, late in _growth(steps) if _has_grown(name, early, late)]
    print("grown: " + (", ".join(grown) or "nothing"), file=sys.stderr)
    return 1 if verified.returncode or grown else 0


def _has_grown(name: str, early: float, late: float) -> bool:
    """PostgreSQL's memory grows with its caches until they are full; times are judged by eye."""
    if "ms" in name or "postgres" in name:
        return False
    return late > max(early * _FLAT, early + 100 if "backlog" in name else early + 2)


if __name__ == "__main__":
    sys.exit(main())
