"""What a run found, for machines (results.json) and for people (RESULTS.md)."""

from pathlib import Path
from typing import Any

import msgspec

from bench.goals import Goal, table
from bench.machine import Machine
from bench.parts import Part
from bench.starts import Starts

_MEANING = """\
## What the parts mean

- **create**: `POST /v1/orders:create`, each another order, without an Idempotency-Key, over
  64 kept-alive connections that send the next request when the answer is there. Every answer
  comes after its commit is on the disk; calls that wait together share one. With as many HTTP
  processes as `kassa serve` starts by itself, and with `--workers 1`, which is a second gateway
  beside the first, on a PostgreSQL of its own.
- **limit**: `pgbench` with 16 clients and prepared statements against the same server, in the
  same tables and through the same role: the three rows (order, payment, event) of one created
  order, one transaction each: BEGIN, three INSERTs, COMMIT. The second limit writes them in one
  statement that commits itself, which is as little as one order at a time can cost.
- **pay**: a wallet payment from request to captured money: order, payment, balance, ledger,
  timeline. *RSA* is `POST /v1/payments/pay` with a payment code: the server verifies the
  caller's RSA-2048 signature and signs its answer; the requests were signed before the clock
  started. *Without RSA* is the same movement of money asked for through
  `POST /gateway/payment-requests` with an API key.
- **card**: a card payment through `POST /gateway/payment-requests` at a provider in a process of
  its own, which speaks Stripe's protocol, answers 120 ms after it was asked, and then posts its
  signed notification, to which the same processes answer meanwhile. Two commits; in between no
  connection of the database is held (`tests/e2e/test_hanging_provider.py`).
- **reads**: GetPayment of one among 500 payments, and ListPayments of the newest 20, over REST
  and over gRPC, each with 64 callers. gRPC has a process of its own. Their limit is
  `select * from payment` by its key through asyncpg, ten connections a process and as many
  processes, in turns with the calls: a caller who had the database in hand, and asked nothing more.
- **due each second**: requests at half of the median rate of create, sent when they are due,
  whether or not earlier ones are answered, and timed from when they were due. **One caller alone**
  sends the next when it has its answer.
- **second start**: from calling `kassa serve --demo` on a data directory that was served before
  until `/readyz` says that it is ready; commands: the whole of them, as the shell calls them, the
  data command beside a server that runs. Medians of all rounds.
- **at rest**: all processes of `kassa serve --demo`, with the simulator and PostgreSQL,
  ten seconds after the start. *A serving process*: one of HTTP after all parts. Both are
  proportional set sizes: a page that several processes share is split among them.
- **seals**: processor time for all digests and MACs of what a create writes (order, payment
  and event), measured alone in a process without HTTP, over what the HTTP process spent on a
  created order.

The parts of a round come after each other, and the medians of all rounds are compared, so that
drift of the machine does not decide.

## Once more

    make bench                          # about five minutes
    make bench ARGS="--quick"           # a minute and a half, rough
    make bench ARGS="--seconds 10"      # steadier
    make bench-large                    # what grows when payments do: LARGE.md
    make bench-soak                     # an hour of load: SOAK.md

Compare ratios within one run rather than figures of two machines. `results.json` beside this file
holds every round.
"""


class Results(msgspec.Struct, kw_only=True):
    """`memory_kib`: proportional set size by moment and process. `sealing_share`: of the processor
    time that the HTTP process spends on a created order."""

    goals: list[Goal]
    measured_on: str
    took_seconds: float
    rounds: int
    seconds_per_part: float
    machine: Machine
    starts: Starts
    parts: list[Part]
    memory_kib: dict[str, dict[str, int]]
    sealing_us_per_create: float  # time, not money
    sealing_share: float
    stopped_after_ms: int
    books: str
    books_are_sound: bool


REPORTS = "## A report of a million lines"


def write(results: Results, directory: Path) -> None:
    document: dict[str, Any] = msgspec.to_builtins(results)
    for part, found in zip(document["parts"], results.parts, strict=True):
        part["per_s"] = found.per_s
        part["p50_us"] = found.median.timed.p50_us
        part["p99_us"] = found.median.timed.p99_us
        part["errors"] = found.errors
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    (directory / "results.json").write_bytes(text + b"\n")
    prose = directory / "RESULTS.md"
    before = prose.read_text() if prose.exists() else ""
    # What another bench has measured stands at the end, and stays.
    kept = before[before.index(REPORTS) :] if REPORTS in before else ""
    prose.write_text(f"{_prose(results).rstrip()}\n\n{kept}".rstrip() + "\n")


def _prose(results: Results) -> str:
    machine = results.machine
    met = sum(goal.met for goal in results.goals)
    return f"""\
# What Kassa does on {machine.cores} cores

{table(results.goals)}

{met} of {len(results.goals)} are met. Measured on {results.measured_on} in
{results.took_seconds:.0f} s, {results.rounds} rounds of {results.seconds_per_part:g} s a part, with
durable commits (`fsync`, `synchronous_commit` and `full_page_writes` on), PostgreSQL and the load
generator on the same machine:

| | |
|---|---|
| CPU | {machine.cpu}, {machine.cores} cores |
| memory | {machine.memory_mib:,} MiB |
| system | {machine.kernel} |
| Python | {machine.python} |
| PostgreSQL | {machine.postgresql}, embedded |
| load average before | {machine.load_before} |

## Each part

{_table(results.parts)}

CPU is microseconds of processor time per request, by process. Per second is the median of the
rounds, and beside it the slowest and the fastest. Errors are answers other than the expected one;
p50 and p99 are of the median round. *Of the limit* is per second over pgbench's BEGIN, three
INSERTs, COMMIT of the same run.

## Starts

| | seconds, by round |
|---|---|
| `kassa serve --demo` on an empty directory until it answers | {results.starts.first:.2f} |
| again | {_seconds(results.starts.again)} |
| `kassa --help` | {_seconds(results.starts.helped)} |
| `kassa fee list` | {_seconds(results.starts.listed)} |
| Ctrl-C until everything has ended | {results.starts.stopped_after:.2f} |

## Memory

Proportional set size (`Pss` of `smaps_rollup`) in MiB: shared pages are split among their users.

{_memory(results.memory_kib)}

`kassa verify` of the company that was served, after all of it: {results.books}.
Ctrl-C stopped everything in {results.stopped_after_ms} ms.

{_MEANING}"""


def _seconds(rounds: list[float]) -> str:
    return ", ".join(f"{one:.2f}" for one in rounds)


def _table(parts: list[Part]) -> str:
    lines = [
        "| | callers | per second | rounds | of the limit | p50 ms | p99 ms | errors"
        " | CPU µs per request |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    limit = next(part.per_s for part in parts if part.key == "limit")
    for part in parts:
        timed = part.median.timed
        cpu = ", ".join(f"{name} {us}" for name, us in part.median.cpu_us.items())
        lines.append(
            f"| {part.title} | {part.concurrency} | {part.per_s:,.0f}"
            f" | {part.spread[0]:,.0f} to {part.spread[1]:,.0f} | {part.per_s / limit:.2f}"
            f" | {timed.p50_us / 1000:.1f}"
            f" | {timed.p99_us / 1000:.1f} | {part.errors} | {cpu} |"
        )
    return "\n".join([*lines, *(f"\n{part.beside}" for part in parts if part.beside)])


def _memory(memory_kib: dict[str, dict[str, int]]) -> str:
    moments = list(memory_kib)
    names = sorted({name for one in memory_kib.values() for name in one})
    lines = [f"| | {' | '.join(moments)} |", "|---|" + "---:|" * len(moments)]
    for name in names:
        cells = " | ".join(f"{memory_kib[moment].get(name, 0) / 1024:.0f}" for moment in moments)
        lines.append(f"| {name} | {cells} |")
    sums = " | ".join(f"{sum(memory_kib[moment].values()) / 1024:.0f}" for moment in moments)
    lines.append(f"| all | {sums} |")
    return "\n".join(lines)
