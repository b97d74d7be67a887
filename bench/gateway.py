"""A fresh gateway, started as anybody starts it, and what its processes cost."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import msgspec

_START_PATIENCE_SECONDS = 180.0
_STOP_PATIENCE_SECONDS = 30.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Gateway:
    """`kassa serve --demo` on a data directory and ports of its own, its log in a file.

    `flags`, `environment`: further ones of the command. `data_dir`: one that is kept, and may be
    there already; else one that goes with it.
    """

    def __init__(
        self,
        *flags: str,
        environment: Mapping[str, str] = MappingProxyType({}),
        data_dir: Path | None = None,
    ) -> None:
        self._flags = flags
        self._environment = {**os.environ, **environment}
        self._place = tempfile.TemporaryDirectory(prefix="kassa-bench-")
        # Or PostgreSQL, which is another user where root measures, keeps its data elsewhere.
        Path(self._place.name).chmod(0o755)
        self.data_dir = data_dir or Path(self._place.name) / "data"
        self.started_after = 0.0  # seconds, not money
        self.log_file = Path(self._place.name) / "kassa.log"
        self.port, self.grpc_port = free_ports(2)
        self.demo: dict[str, Any] = {}
        self.database_urls: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        ports = ["--port", str(self.port), "--grpc-port", str(self.grpc_port)]
        argv = ["serve", *self._demo_flags(), *ports, *self._flags]
        began = time.monotonic()
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                self._kassa(*argv),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait_until_ready(self._process)
            self.started_after = time.monotonic() - began
            self._read_demo()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _demo_flags(self) -> list[str]:
        return ["--demo"]

    def _read_demo(self) -> None:
        self.demo = msgspec.json.decode(self.kassa("demo", "--json").stdout)
        file = self.data_dir / "run" / "database.json"
        self.database_urls = msgspec.json.decode(file.read_bytes())

    def stop(self) -> float:
        """Ask it to end; how many seconds that took."""
        began = time.monotonic()
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOP_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return time.monotonic() - began

    def kassa(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run another `kassa` command on the same data directory."""
        return subprocess.run(
            self._kassa(*argv),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def bare(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a `kassa` command that has no data directory."""
        return subprocess.run(
            [_program(), *argv], env=self._environment, capture_output=True, text=True, check=False
        )

    def _kassa(self, *argv: str) -> list[str]:
        return [_program(), *argv, "--data-dir", str(self.data_dir)]

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + _START_PATIENCE_SECONDS
        url = f"http://127.0.0.1:{self.port}/readyz"
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
                return
            time.sleep(0.02)
        last = self.log_file.read_text(errors="replace").splitlines()[-5:]
        sys.exit("bench: the gateway did not start: " + " | ".join(last))

    def cpu_us(self) -> dict[str, int]:
        """CPU time that each of its processes has used so far, by name, in microseconds."""
        used: dict[str, int] = defaultdict(int)
        for pid, name in self.processes().items():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
                # The server's main process answers for its children that have ended, too.
                ticks = fields[11:15] if name == "postgres" else fields[11:13]
                used[name] += sum(map(int, ticks)) * 1_000_000 // _TICKS_PER_S
        return dict(used)

    def memory_kib(self) -> dict[str, int]:
        """Each process's proportional share of memory, by name; PostgreSQL's are summed."""
        used: dict[str, int] = defaultdict(int)
        for pid, name in self.processes().items():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                used[name] += sum(int(line.split()[1]) for line in rollup if line[:4] == "Pss:")
        return dict(used)

    def processes(self) -> dict[int, str]:
        """Process ids below ours, named as a reader of `ps` would."""
        if self._process is None:
            return {}
        found = {self._process.pid: "supervisor"}
        children = _children()
        left = [self._process.pid]
        while left:
            for pid in children.get(left.pop(), ()):
                found[pid] = _name(pid)
                left.append(pid)
        return found


def _program() -> str:
    return str(Path(sys.executable).with_name("kassa"))


def _children() -> dict[int, list[int]]:
    below: dict[int, list[int]] = defaultdict(list)
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (place / "stat").read_text().rpartition(") ")[2].split()
            below[int(fields[1])].append(int(place.name))
    return below


def _name(pid: int) -> str:
    """A process of ours is called "kassa http-1", or as it may be."""
    try:
        words = Path(f"/proc/{pid}/comm").read_text().split()
    except OSError:
        return "ended"
    return words[-1].partition("-")[0] if words[0] == "kassa" else "postgres"


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, all different."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
