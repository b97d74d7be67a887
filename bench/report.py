"""What a run found, for machines (results.json) and for people (RESULTS.md)."""

from pathlib import Path
from typing import Any

import msgspec

from bench.machine import Machine
from bench.parts import Part

_MEANING = """\
## What the parts mean

- **(a) create**: `POST /v1/orders:create`, each another order, without an Idempotency-Key, over
  64 kept-alive connections that send the next request when the answer is there. Every answer
  comes after its commit is on the disk; calls that wait together share one.
- **(d) limit**: `pgbench` with 16 clients and prepared statements against the same server, in the
  same tables and through the same role: the three rows (order, payment, event) of one created
  order, one transaction each: BEGIN, three INSERTs, COMMIT. The second limit writes them in one
  statement that commits itself, which is as little as one order at a time can cost. Create and
  limit alternate, and medians are compared, so that drift of the machine does not decide.
- **(b) pay**: a wallet payment from request to captured money: order, payment, balance, ledger,
  timeline. *RSA* is `POST /v1/payments/pay` with a payment code: the server verifies the
  caller's RSA-2048 signature and signs its answer; the requests were signed before the clock
  started. *Without RSA* is the same movement of money asked for through
  `POST /gateway/payment-requests` with an API key. The third is a signed payment that
  waits for its payer at the cashier: no money moves yet.
- **card**: a card payment through `POST /gateway/payment-requests` at a provider in a process of
  its own, which speaks Stripe's protocol, answers 120 ms after it was asked, and then posts its
  signed notification. Two commits; in between no connection of the database is held.
- **(c) reads**: GetPayment of one among 500 payments, and ListPayments of the newest 20, over REST
  and over gRPC, each with 64 callers. gRPC has a process of its own. Their limit is
  `select * from payment` by its key through asyncpg, ten connections a process and as many
  processes, in turns with the calls: a caller who had the database in hand, and asked nothing more.
- **(e) seals**: processor time for all digests and MACs of what a create writes (order, payment
  and event), measured alone in a process without HTTP, over what the HTTP process spent on a
  created order in part (a).

## Once more

    make bench                          # about three minutes
    make bench ARGS="--quick"           # under a minute, rough
    make bench ARGS="--seconds 20"      # steadier

Compare ratios within one run rather than figures of two machines. `results.json` beside this file
holds every round.
"""


class Results(msgspec.Struct, kw_only=True):
    """`create_ratio`: created orders per second over the limit, medians of alternating rounds.

    `limit_one_statement_per_s`: what pgbench reaches when one statement writes and commits all.
    `get_rest_ratio`, `get_grpc_ratio`: payments read over rows selected by as many processes.
    `sealing_share`: of the processor time that the HTTP process spends on a created order.
    `memory_kib`: proportional set size by moment and process.
    """

    create_per_s: float
    limit_per_s: float
    create_ratio: float
    limit_one_statement_per_s: float
    create_ratio_one_statement: float
    get_rest_ratio: float  # of rates, not money
    get_grpc_ratio: float  # of rates, not money
    list_rest_per_s: float
    sealing_us_per_create: float  # time, not money
    sealing_share: float
    measured_on: str
    seconds_per_part: float
    machine: Machine
    parts: list[Part]
    memory_kib: dict[str, dict[str, int]]
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
    return f"""\
# What Kassa does on {machine.cores} cores

| | per second |
|---|---:|
| (a) orders created | {results.create_per_s:,.0f} |
| (d) the limit: one transaction per order | {results.limit_per_s:,.0f} |
| **(a) / (d)** | **{results.create_ratio:.2f}** |
| the same with each transaction in one statement | {results.limit_one_statement_per_s:,.0f} |
| (a) / that | {results.create_ratio_one_statement:.2f} |
| (c) GetPayment over REST / a bare SELECT of the row (goal: 0.5) | {results.get_rest_ratio:.2f} |
| (c) GetPayment over gRPC / a bare SELECT of the row (goal: 0.25) | {results.get_grpc_ratio:.2f} |
| (c) ListPayments of 20 over REST (goal: 1,500) | {results.list_rest_per_s:,.0f} |
| (e) seals: share of a create's processor time (goal: below 10 %) | {results.sealing_share:.1%} |

Measured on {results.measured_on}, {results.seconds_per_part:g} s a part, with durable commits
(`fsync`, `synchronous_commit` and `full_page_writes` on), the load generator on the same machine:

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

CPU is microseconds of processor time per request, by process. Errors are answers other than the
expected one; p50 and p99 are of the median round. *Of the limit* is per second over pgbench's
BEGIN, three INSERTs, COMMIT of the same run.

{_rounds(results.parts)}

## Memory

Proportional set size (`Pss` of `smaps_rollup`) in MiB: shared pages are split among their users.

{_memory(results.memory_kib)}

`kassa verify` of the company that was served, after all of it: {results.books}.
Ctrl-C stopped everything in {results.stopped_after_ms} ms.

{_MEANING}"""


def _table(parts: list[Part]) -> str:
    lines = [
        "| | callers | per second | of the limit | p50 ms | p99 ms | errors | CPU µs per request |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    limit = next(part.per_s for part in parts if part.key == "limit")
    for part in parts:
        timed = part.median.timed
        cpu = ", ".join(f"{name} {us}" for name, us in part.median.cpu_us.items())
        lines.append(
            f"| {part.title} | {part.concurrency} | {part.per_s:,.0f} | {part.per_s / limit:.2f}"
            f" | {timed.p50_us / 1000:.1f}"
            f" | {timed.p99_us / 1000:.1f} | {part.errors} | {cpu} |"
        )
    return "\n".join([*lines, *(f"\n{part.beside}" for part in parts if part.beside)])


def _rounds(parts: list[Part]) -> str:
    several = [part for part in parts if len(part.rounds) > 1]
    return "\n".join(
        f"Rounds of {part.key}: "
        + ", ".join(f"{one.timed.per_s:,.0f}" for one in part.rounds)
        + " per second."
        for part in several
    )


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
