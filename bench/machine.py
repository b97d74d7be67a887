"""The machine that was measured, in the words a reader compares with their own."""

import contextlib
import os
import platform
import subprocess
from pathlib import Path

import msgspec

from kassa_embedded import place


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    cpu: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    postgresql: str
    load_before: str


def describe() -> Machine:
    """`load_before`: the 1-minute load average before we add ours; above 0.5 others were busy."""
    server = str(place.find_binaries(None) / "postgres")
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=True)
    memory = _after("/proc/meminfo", "MemTotal").split()[0]
    return Machine(
        cpu=_after("/proc/cpuinfo", "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=int(memory) // 1024,
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        postgresql=said.stdout.split()[-1],
        load_before=Path("/proc/loadavg").read_text().split()[0],
    )


def processor_below(root: int) -> float:
    """Seconds of processor that the processes below that one have used, with those that ended."""
    stats = {}
    for one in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            stats[int(one.name)] = (one / "stat").read_text().rpartition(") ")[2].split()
    found, left = 0, [root]
    while left:
        parent = str(left.pop())
        below = [pid for pid, fields in stats.items() if fields[1] == parent]
        found += sum(sum(map(int, stats[pid][11:15])) for pid in below)
        left += below
    return found / os.sysconf("SC_CLK_TCK")  # seconds, not money


def _after(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""
