"""Normal traffic, and an attacker without credentials beside it: `python -m bench.faults soak`."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec

from bench import machine
from bench.faults import ledgers
from bench.faults.attacker import Assault, Report
from bench.faults.letters import Receiver, SilentNameServer
from bench.faults.paper import Asked, Goal, Section, Table
from bench.faults.traffic import PACE, Seen, Traffic, ready
from bench.gateway import Gateway, free_ports

_ATTACKER = "127.0.66.6"
_SLOW_LETTERS = 300
_RATIO = 2.0
_GROWTH, _SPARE_KIB = 1.3, 48 * 1024
_SAMPLE_SECONDS = 1.0
_WARM_UP_SECONDS = 3.0
_START_SECONDS = 60.0
_ROUND_SECONDS, _MOST_ROUNDS = 12.0, 5  # so that a change of the machine's load hits both
_LETTER = "merchant's letter"

_ABOUT = """\
A shop's traffic at a fixed pace, {pace:g} requests a second from sixteen addresses (orders, wallet
payments signed with RSA, cards at the sandbox and at a simulated provider, lists over REST and
gRPC, cashier pages, providers' notifications), by turns alone and beside an attacker. Time counts
from when a request was due. The attacker has no credentials and one address, and does all at once,
some two hundred requests a second: paths for regular expressions, 8,150 members, deep and long
JSON, gRPC messages of 3.8 MB, bodies and chunks that stop half way, hundreds of open connections,
wrong keys, secrets, signatures and tokens, guessed provider pages, sessions and notifications.
{slow} letters of another company lead to names whose name server never answers."""


class Found(msgspec.Struct, kw_only=True):
    """`alone`, `beside`: what came of the traffic before and after, and during the assault.
    `memory`: KiB of each process at each moment; `cpu`: the share of a processor that it used.
    `lost`: what is not as it was acknowledged."""

    alone: dict[str, list[float]]
    beside: dict[str, list[float]]
    failed_alone: dict[str, int]
    failed: dict[str, int]
    memory: dict[str, dict[str, int]]
    cpu: dict[str, dict[str, float]]
    report: Report
    lost: list[str]
    acknowledged: int
    guessed_calls: int
    slow_lookups: int
    verified: bool
    verify: str


def measure(asked: Asked) -> Section:
    described = machine.describe()
    found = run(asked.seconds)
    return Section(
        title="An attacker without credentials",
        place=1,
        about=_ABOUT.format(pace=sum(PACE.values()), slow=_SLOW_LETTERS),
        goals=goals(found),
        tables={
            "The shop's requests": _latencies(found),
            "Memory, MiB": _memory(found.memory),
            "Share of a processor": _cpu(found.cpu),
            "What the attacker was answered": _answers(found.report),
        },
        notes=_notes(found),
        seconds=asked.seconds,
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=described,
        load_after=Path("/proc/loadavg").read_text().split()[0],
    )


def run(seconds: float) -> Found:
    """The whole of it, against a gateway of its own."""
    simulator, names = free_ports(2)
    environment = {
        "KASSA_SIMULATOR_PORT": str(simulator),
        "KASSA_NAME_SERVERS": f"127.0.0.1:{names}",
    }
    with Gateway(environment=environment) as gateway:
        found = asyncio.run(_soak(gateway, seconds, names))
        verified = gateway.kassa("verify")
    found.verified = verified.returncode == 0
    found.verify = (verified.stdout or verified.stderr).strip().splitlines()[0]
    return found


async def _soak(gateway: Gateway, seconds: float, names: int) -> Found:
    loop = asyncio.get_running_loop()
    silence, heard = await loop.create_datagram_endpoint(
        SilentNameServer, local_addr=("127.0.0.1", names)
    )
    async with Receiver() as receiver:
        traffic = Traffic(gateway, receiver)
        await traffic.open()
        try:
            await _until_ready(gateway)
            await traffic.run(_WARM_UP_SECONDS)
            receiver.taken()
            await _slow_letters(gateway)
            memory = {"before": gateway.memory_kib()}
            cpu, rounds = _Cpu(gateway), max(1, min(_MOST_ROUNDS, int(seconds // _ROUND_SECONDS)))
            alone = [await _phase(traffic, receiver, max(5.0, seconds / 2 / (rounds + 1)))]
            cpu.note("alone")
            beside, reports = [], []
            for _ in range(rounds):
                assault, sampler = _attack(gateway, seconds / rounds), asyncio.Event()
                sampling = asyncio.create_task(_sample(gateway, memory, sampler))
                beside.append(await _phase(traffic, receiver, seconds / rounds))
                sampler.set()
                await sampling
                reports.append(await asyncio.to_thread(_reported, assault))
                cpu.note("attacked")
                alone.append(await _phase(traffic, receiver, max(5.0, seconds / 2 / (rounds + 1))))
                cpu.note("alone")
            memory["after"] = gateway.memory_kib()
            lost = await ledgers.lost(gateway, [*alone, *beside])
        finally:
            await traffic.close()
            silence.close()
    return Found(
        alone=_together(alone),
        beside=_together(beside),
        failed_alone=dict(sum((one.failed for one in alone), Counter())),
        failed=dict(sum((one.failed for one in beside), Counter())),
        memory=memory,
        cpu=cpu.shares,
        report=_added(reports),
        lost=lost,
        acknowledged=sum(
            len(one.orders) + len(one.wallet) + len(one.cards) for one in [*alone, *beside]
        ),
        guessed_calls=ledgers.guessed(gateway),
        slow_lookups=heard.asked,
        verified=False,
        verify="",
    )


def _together(phases: list[Seen]) -> dict[str, list[float]]:
    return {kind: [took for one in phases for took in one.took.get(kind, [])] for kind in _kinds()}


def _added(reports: list[Report]) -> Report:
    """All rounds' answers as one."""
    tried: Counter[str] = Counter()
    answers: dict[str, Counter[str]] = {}
    for one in reports:
        tried.update(one.tried)
        for kind, said in one.answers.items():
            answers.setdefault(kind, Counter()).update(said)
    return Report(tried=dict(tried), answers={kind: dict(said) for kind, said in answers.items()})


class _Cpu:
    """What each process uses of a processor, by phase."""

    def __init__(self, gateway: Gateway):
        self._gateway = gateway
        self._sums: dict[str, tuple[Counter[str], float]] = {}
        self._used, self._at = gateway.cpu_us(), time.monotonic()

    def note(self, phase: str) -> None:
        """That phase ends now; the next begins."""
        was, began = self._used, self._at
        self._used, self._at = self._gateway.cpu_us(), time.monotonic()
        sums, seconds = self._sums.get(phase, (Counter(), 0.0))
        sums.update({name: now - was.get(name, 0) for name, now in self._used.items()})
        self._sums[phase] = sums, seconds + self._at - began

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        return {
            phase: {name: us / 1e6 / seconds for name, us in sums.items()}
            for phase, (sums, seconds) in self._sums.items()
        }


def _kinds() -> list[str]:
    return [*PACE, _LETTER]


async def _until_ready(gateway: Gateway) -> None:
    """Until the simulator knows the demo's accounts."""
    until = time.monotonic() + _START_SECONDS
    while not ready(gateway) or not (gateway.data_dir / "simulator" / "simulator.sqlite").exists():
        if time.monotonic() > until:
            raise TimeoutError("the simulator did not start")
        await asyncio.sleep(0.2)
    await asyncio.sleep(2)


async def _phase(traffic: Traffic, receiver: Receiver, seconds: float) -> Seen:
    seen = await traffic.run(seconds)
    until = time.monotonic() + 10
    while receiver.missing() and time.monotonic() < until:
        await asyncio.sleep(0.1)
    if missing := receiver.missing():
        seen.failed[f"{_LETTER}: not there after 10 s"] += missing
    seen.took[_LETTER] = receiver.taken()
    return seen


async def _slow_letters(gateway: Gateway) -> None:
    """Another company ends orders, whose news is for hosts that no name server tells of."""
    added = gateway.kassa("company", "add", "Slow Names", "--currency", "CNY")
    client = json.loads(added.stdout)["orders"]
    headers = {"x-client-id": client["client_id"], "x-client-secret": client["client_secret"]}
    url = f"http://127.0.0.1:{gateway.port}"
    connector = aiohttp.TCPConnector(local_addr=("127.0.2.1", 0), limit=4)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def end(number: int) -> None:
            order = {
                "order_id": f"slow_{number}",
                "order_amount": 5,
                "customer_name": "Mallory",
                "customer_email": "mallory@example.com",
                "customer_phone": "9999999999",
                "order_meta": {"notify_url": f"http://slow{number}.example:8443/"},
            }
            await (await session.post(f"{url}/v1/orders:create", json=order)).read()
            await (
                await session.patch(
                    f"{url}/pg/orders/slow_{number}",
                    json={"order_status": "TERMINATED"},
                    headers={"x-api-version": "2023-08-01"},
                )
            ).read()

        await asyncio.gather(*(end(number) for number in range(_SLOW_LETTERS)))


def _attack(gateway: Gateway, seconds: float) -> "subprocess.Popen[bytes]":
    assault = Assault(
        port=gateway.port, grpc_port=gateway.grpc_port, seconds=seconds, source=_ATTACKER
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.faults.attacker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(assault))
    process.stdin.close()
    process.stdin = None
    return process


def _reported(process: "subprocess.Popen[bytes]") -> Report:
    said, _ = process.communicate(timeout=120)
    return msgspec.json.decode(said, type=Report)


async def _sample(gateway: Gateway, memory: dict[str, dict[str, int]], stop: asyncio.Event) -> None:
    """The highest of each process while it lasts, and what it is at the end."""
    peak: dict[str, int] = memory.get("peak", {})
    while not stop.is_set():
        now = await asyncio.to_thread(gateway.memory_kib)
        peak = {name: max(now.get(name, 0), peak.get(name, 0)) for name in now.keys() | peak}
        memory["peak"], memory["at its end"] = peak, now
        await asyncio.sleep(_SAMPLE_SECONDS)


def percentile(took: list[float], share: float) -> float:
    ordered = sorted(took) or [0.0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def p99_ratio(found: Found) -> float:
    """Of all requests together, letters aside: those have a pace of their own."""
    alone = [one for kind in PACE for one in found.alone[kind]]
    beside = [one for kind in PACE for one in found.beside[kind]]
    return percentile(beside, 0.99) / max(percentile(alone, 0.99), 0.001)


def grown(memory: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The processes whose peak is more than a third above what they were, and 48 MiB."""
    before = memory["before"]
    return [
        f"{name} {was >> 10} → {memory['peak'].get(name, 0) >> 10} MiB"
        for name, was in before.items()
        if memory["peak"].get(name, 0) > was * _GROWTH + _SPARE_KIB
    ]


def goals(found: Found) -> list[Goal]:
    ratio, bigger, failed = p99_ratio(found), grown(found.memory), sum(found.failed.values())
    return [
        Goal(
            wanted=f"p99 of the shop's requests at most {_RATIO:g} times what it is alone",
            found=f"{ratio:.2f} times",
            held=ratio <= _RATIO,
        ),
        Goal(
            wanted="every request of the shop is answered well",
            found=f"{failed} were not" if failed else "all were",
            held=not failed,
        ),
        Goal(
            wanted="memory stays flat",
            found="; ".join(bigger) or "no process grew",
            held=not bigger,
        ),
        Goal(
            wanted="nothing acknowledged is lost, and the providers' books agree",
            found=f"{len(found.lost)} of {found.acknowledged:,} differ",
            held=not found.lost,
        ),
        Goal(
            wanted="no call to a provider for what a stranger made up",
            found=f"{found.guessed_calls} calls",
            held=found.guessed_calls == 0,
        ),
        Goal(wanted="`kassa verify` finds nothing", found=found.verify, held=found.verified),
    ]


def _latencies(found: Found) -> Table:
    rows = []
    for kind in _kinds():
        alone, beside = found.alone[kind], found.beside[kind]
        cells = [f"{len(beside):,}"]
        for share in (0.5, 0.99):
            cells += [f"{percentile(took, share) * 1000:,.0f}" for took in (alone, beside)]
        rows.append([kind, *cells])
    head = ["", "requests", "p50 ms alone", "attacked", "p99 ms alone", "attacked"]
    return Table(head=head, rows=rows)


def _memory(memory: dict[str, dict[str, int]]) -> Table:
    names = sorted({name for one in memory.values() for name in one})
    rows = [[name, *(f"{one.get(name, 0) >> 10}" for one in memory.values())] for name in names]
    return Table(head=["", *memory], rows=rows)


def _cpu(shares: dict[str, dict[str, float]]) -> Table:
    names = sorted({name for one in shares.values() for name in one})
    rows = [[name, *(f"{one.get(name, 0):.2f}" for one in shares.values())] for name in names]
    return Table(head=["", *shares], rows=rows)


def _answers(report: Report) -> Table:
    rows = []
    for kind, tried in report.tried.items():
        said = report.answers.get(kind, {})
        shown = ", ".join(f"{what} × {many}" for what, many in sorted(said.items()))
        rows.append([kind, f"{tried:,}", shown])
    return Table(head=["", "tried", "answers"], rows=rows)


def _notes(found: Found) -> list[str]:
    notes = [
        f"{found.slow_lookups:,} questions went to the name server that never answers. The attacker"
        f" runs on the same {os.cpu_count()} cores, at low priority."
    ]
    for what, failed in (("alone", found.failed_alone), ("while attacked", found.failed)):
        if failed:
            notes.append(f"Not answered well {what}: {failed}.")
    if found.lost:
        notes.append(f"What differs: {'; '.join(found.lost[:5])}.")
    return notes
