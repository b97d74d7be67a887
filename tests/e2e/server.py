"""A real `kassa serve --demo`: started, asked, killed and stopped as a person would do it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.company import DemoCompany, read
from tests.e2e.wire import Call, Faces, Reply

from kassa.settings import Settings

KASSA = str(Path(sys.executable).with_name("kassa"))
START_SECONDS = 60.0  # patience on a busy machine, not what we promise
STOP_SECONDS = 30.0
_GLANCE = 0.02
_LISTENING = "0A"  # in /proc/net/tcp

Result = subprocess.CompletedProcess[str]


def until(true: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """The first true answer; asks until there is one."""
    deadline = time.monotonic() + seconds
    while not (answer := true()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(_GLANCE)
    return answer


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def kassa(*arguments: str, env: dict[str, str] | None = None, seconds: float = 60) -> Result:
    """Run one command to its end, in an environment with no settings but `env`."""
    return subprocess.run(
        [KASSA, *arguments],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KASSA_")}
    return kept | (extra or {})


def is_running(pid: int) -> bool:
    return _state(pid) not in ("", "Z", "X")


def _state(pid: int) -> str:
    try:
        return _stat(pid)[0]
    except (OSError, IndexError):
        return ""


def _stat(pid: int) -> list[str]:
    """State, parent and so on: what follows the program's name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def descendants(pid: int) -> list[int]:
    """The process and all that it started, itself first."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int(_stat(int(entry.name))[1])
        except (OSError, IndexError):
            continue  # gone meanwhile
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _open_files(pid: int) -> set[str]:
    try:
        return {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()


def command_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return []


def name_of(pid: int) -> str:
    """How the process calls itself: "kassa http-1", or as its program."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


class Server:
    """One data directory, its ports, and the processes that serve them while it runs."""

    def __init__(self, directory: Path, *, workers: int = 1, demo: bool = True):
        self.is_demo = demo
        self.data_dir = directory / "data"
        self.log_path = directory / "serve.log"
        self.workers = workers
        self.port, self.grpc_port, self.simulator_port, self.ops_port = free_ports(4)
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: set[int] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def grpc_target(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_started(self) -> bool:
        return self._process is not None

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def start(self) -> float:
        """Start it and wait until every door is open; how long the first answer took, in
        seconds."""
        began = time.monotonic()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(KASSA, "serve", *(["--demo"] if self.is_demo else [])),
                    *("--port", str(self.port), "--grpc-port", str(self.grpc_port)),
                    *("--data-dir", str(self.data_dir), "--workers", str(self.workers)),
                ],
                env=environment(
                    {
                        "KASSA_SIMULATOR_PORT": str(self.simulator_port) if self.is_demo else "0",
                        "KASSA_OPS_PORT": str(self.ops_port),
                    }
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self.answers, f"it answers:\n{self.log}", START_SECONDS)
        took = time.monotonic() - began
        until(self._is_open, "every interface is open", START_SECONDS)
        self.processes()
        return took

    def answers(self) -> bool:
        """Whether a request is answered now."""
        assert self._process is not None
        assert self._process.poll() is None, f"it ended at its start:\n{self.log}"
        try:
            return self.ask(Call("GET", "/readyz"), seconds=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _is_open(self) -> bool:
        """gRPC listens and the demo company is known, which is other processes' work."""
        if self.is_demo and not (self.data_dir / "demo" / "demo.json").exists():
            return False
        try:
            socket.create_connection(("127.0.0.1", self.grpc_port), 1).close()
        except OSError:
            return False
        return not self.is_demo or self.ask(self.faces().list_payments()).status == 200

    def ask(self, call: Call, seconds: float = 30) -> Reply:
        """One exchange on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(call.method, call.path, call.body or None, dict(call.headers))
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, headers, answer.read())
        finally:
            connection.close()

    def processes(self) -> list[int]:
        """The ids of all processes now, the supervisor's first."""
        found = descendants(self.pid)
        self._seen |= set(found)
        return found

    def children(self, name: str) -> list[int]:
        """The ids of the processes of a kind: http, grpc, workers or postgres."""
        found = []
        for pid in self.processes()[1:]:
            command = command_of(pid)
            is_ours = name_of(pid).partition("-")[0] == f"kassa {name}"
            is_postmaster = name == "postgres" and "-D" in command and name in command[0]
            if is_ours or is_postmaster:
                found.append(pid)
        return found

    def kill(self, *pids: int) -> None:
        """SIGKILL, and wait until they are gone."""
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self._process is not None and self.pid in pids:
            self._process.wait(STOP_SECONDS)
        until(lambda: not any(map(is_running, pids)), "what was killed is gone", STOP_SECONDS)

    def kill_everything(self) -> None:
        self.kill(*self.processes())
        self._process = None

    def stop(self, by: signal.Signals = signal.SIGINT) -> int:
        """Ask the process group to end, as Ctrl-C in a terminal does; the exit status."""
        assert self._process is not None
        self.processes()
        os.killpg(self.pid, by)
        status = self._process.wait(STOP_SECONDS)
        self._process = None
        return status

    def left_over(self) -> list[list[str]]:
        """The commands of the processes that outlived it."""
        return [command_of(pid) for pid in self._seen if is_running(pid)]

    def end(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self._process is not None and self._process.poll() is None:
            self.kill_everything()
        self.kill(*(pid for pid in self._seen if is_running(pid) and self._is_ours(pid)))

    def _is_ours(self, pid: int) -> bool:
        """Not somebody else who got the number of one that ended."""
        return str(self.data_dir) in " ".join(command_of(pid))

    def demo(self) -> DemoCompany:
        return read(Settings(data_dir=str(self.data_dir)))

    def faces(self) -> Faces:
        return Faces(self.demo())

    def run(self, *arguments: str) -> Result:
        """A `kassa` command on the same data."""
        return kassa(*arguments, "--data-dir", str(self.data_dir))

    def listeners(self) -> list[int]:
        """The processes that take connections on the HTTP port."""
        wanted = f":{self.port:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        sockets = {
            f"socket:[{line[9]}]"
            for line in lines
            if line[1].endswith(wanted) and line[3] == _LISTENING
        }
        return [pid for pid in self.children("http") if sockets & _open_files(pid)]

    def owner_url(self) -> str:
        """Where the database's owner connects while it runs."""
        kept = json.loads((self.data_dir / "run" / "database.json").read_text())
        return str(kept["owner_url"])


@contextmanager
def a_server(*, workers: int = 1, demo: bool = True) -> Iterator[Server]:
    """A started server in a directory of its own; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="kassa-e2e-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)  # PostgreSQL's own user passes through, when we are root
        server = Server(Path(name), workers=workers, demo=demo)
        try:
            server.start()
            yield server
        finally:
            server.end()
