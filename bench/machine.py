"""The machine that was measured, in the words a reader compares with their own."""

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


def _after(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""
