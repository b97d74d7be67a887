"""The supervisor restarts what crashes, and ends everything in order when it is asked to."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Runs the specs in argv[2] (and a PostgreSQL on argv[3], if given) as `kassa serve` would: as
# programs, or, with argv[1], each in a copy of the supervisor.
_SUPERVISE = """\
import json, sys
from functools import partial
from pathlib import Path
from kassa_embedded.supervisor import ChildSpec, Restart, Supervisor
from kassa_embedded.postgres import EmbeddedPostgres

def log(line):
    print("log", line, flush=True)

def play(script, name):
    sys.argv = ["-c", name]
    exec(script, {"__name__": "__main__"})
    return 0

specs = []
for name, argv, restart in json.loads(sys.argv[2]):
    work = partial(play, *argv[-2:]) if sys.argv[1] == "copies" else None
    specs.append(ChildSpec(name, [] if work else argv, Restart(restart), work=work))
postgres = None
if len(sys.argv) > 3:
    postgres = EmbeddedPostgres(Path(sys.argv[3]), log=log, durable=False)
    postgres.start()
    print("postgres", postgres.pid, flush=True)
sys.exit(Supervisor(specs, log=log, postgres=postgres).run())
"""

# Says its pid and when it is asked to end, and ends.
OBEDIENT = """\
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print(sys.argv[1], "runs", os.getpid(), flush=True)
signal.sigwait([signal.SIGTERM])
print(sys.argv[1], "ends", flush=True)
"""
STUBBORN = """\
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(sys.argv[1], "runs", os.getpid(), flush=True)
time.sleep(60)
"""
# Leaves a child of its own behind when it is killed.
PARENT = """\
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "60"])
print(sys.argv[1], "runs", os.getpid(), child.pid, flush=True)
time.sleep(60)
"""
BRIEF = "import sys; print(sys.argv[1], 'runs', 0, flush=True)"
# Says what it has open and how it is called, and leaves a word unwritten.
OPEN = """\
import os, sys
files = sorted(int(name) for name in os.listdir("/proc/self/fd"))
print(sys.argv[1], "runs", *files, os.readlink("/proc/self/fd/0"), flush=True)
print(sys.argv[1], "is", open("/proc/self/comm").read(), flush=True)
print(sys.argv[1], "has last words")
"""
INHERITS = "import os, sys; print(sys.argv[1], 'has', os.environ.get('OF_OURS'), flush=True)"
HOPELESS = "import os, sys; print(sys.argv[1], 'runs', 0, flush=True); sys.exit(os.EX_CONFIG)"

Spec = tuple[str, list[str], str]


def spec(name: str, script: str, restart: str = "always") -> Spec:
    return name, [sys.executable, "-S", "-E", "-c", script, name], restart


class Watched:
    """A supervisor in a process of its own, and what it and its children said."""

    def __init__(self, kind: str, specs: list[Spec], data_dir: Path | None) -> None:
        argv = [sys.executable, "-c", _SUPERVISE, kind, json.dumps(specs)]
        self.process = subprocess.Popen(
            argv if data_dir is None else [*argv, str(data_dir)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.said: list[list[str]] = []

    def next(self, *beginning: str) -> list[str]:
        """Read on to the next line that begins with these words; return its other words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            words = line.split()
            self.said.append(words)
            if words[: len(beginning)] == list(beginning):
                return words[len(beginning) :]
        raise AssertionError(f"never said {beginning}; said {self.said}")

    def rest(self) -> list[str]:
        assert self.process.stdout is not None
        return [line.strip() for line in self.process.stdout]

    def ended(self) -> int:
        return self.process.wait(15)


Supervise = Callable[..., Watched]


@pytest.fixture(params=["programs", "copies"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def supervise(kind: str) -> Iterator[Supervise]:
    started: list[Watched] = []

    def begin(*specs: Spec, data_dir: Path | None = None) -> Watched:
        watched = Watched(kind, list(specs), data_dir)
        started.append(watched)
        return watched

    yield begin
    for watched in started:
        watched.process.kill()
        watched.process.wait()
        assert watched.process.stdout is not None
        watched.process.stdout.close()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} still lives"
        time.sleep(0.01)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_the_children_and_then_itself_with_success(
    supervise: Supervise, asked: signal.Signals
) -> None:
    watched = supervise(spec("web", OBEDIENT), spec("worker", OBEDIENT))
    assert {watched.next()[0] for _ in range(2)} == {"web", "worker"}  # in either order

    watched.process.send_signal(asked)

    assert sorted(watched.rest()) == ["web ends", "worker ends"]
    assert watched.ended() == 0


def test_a_killed_child_is_started_again(supervise: Supervise) -> None:
    watched = supervise(spec("web", OBEDIENT))
    (first,) = watched.next("web", "runs")

    os.kill(int(first), signal.SIGKILL)

    assert watched.next("log", "web", "ended") == ["(status", "-9);", "starting", "it", "again"]
    assert watched.next("web", "runs") != [first]


def test_a_child_that_always_crashes_is_started_ever_more_slowly(supervise: Supervise) -> None:
    watched = supervise(spec("web", BRIEF))
    moments = []
    for _ in range(4):
        watched.next("web", "runs")
        moments.append(time.monotonic())

    pauses = [later - sooner for sooner, later in itertools.pairwise(moments)]

    assert pauses[0] > 0.15
    assert pauses[2] > pauses[1] > pauses[0]


def test_a_child_that_may_end_is_not_started_again(supervise: Supervise) -> None:
    watched = supervise(spec("once", BRIEF, "never"), spec("web", OBEDIENT))
    watched.next("web", "runs")
    time.sleep(0.5)  # longer than the first pause before a restart

    watched.process.terminate()

    assert watched.rest().count("once runs 0") + watched.said.count(["once", "runs", "0"]) == 1


def test_a_child_that_says_it_is_hopeless_ends_everything(supervise: Supervise) -> None:
    watched = supervise(spec("worker", OBEDIENT), spec("web", HOPELESS))

    assert watched.ended() == os.EX_CONFIG


def test_what_a_killed_child_leaves_behind_is_ended_too(supervise: Supervise) -> None:
    watched = supervise(spec("web", PARENT))
    pid, left_behind = watched.next("web", "runs")

    os.kill(int(pid), signal.SIGKILL)

    watched.next("web", "runs")
    wait_until_gone(int(left_behind))


def test_a_second_signal_ends_a_child_that_does_not_listen(supervise: Supervise) -> None:
    watched = supervise(spec("web", STUBBORN))
    watched.next("web", "runs")
    began = time.monotonic()
    watched.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert watched.process.poll() is None

    watched.process.send_signal(signal.SIGINT)

    assert watched.ended() == 0
    assert time.monotonic() - began < 5


def test_the_children_end_with_a_supervisor_that_is_killed(supervise: Supervise) -> None:
    watched = supervise(spec("web", OBEDIENT))
    (pid,) = watched.next("web", "runs")

    watched.process.kill()

    wait_until_gone(int(pid))


@pytest.mark.parametrize("kind", ["copies"], indirect=True)
def test_a_copy_has_a_name_and_nothing_of_the_supervisor_open(
    supervise: Supervise, reachable_dir: Path
) -> None:
    # The lock on the data directory, PostgreSQL's pipe and the supervisor's signals are not its.
    watched = supervise(spec("web", OPEN, "never"), data_dir=reachable_dir / "data")

    files = watched.next("web", "runs")
    name = watched.next("web", "is")
    last = watched.next("web", "has")

    assert files == ["0", "1", "2", "3", "/dev/null"]  # 3 is the directory that it looked into
    assert name == ["kassa", "web"]
    assert last == ["last", "words"]  # written at its end, by nobody else


def test_a_child_inherits_the_environment_where_none_is_named(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_OURS", "kept")

    watched = supervise(spec("web", INHERITS, "never"))

    assert watched.next("web", "has") == ["kept"]


def test_it_sleeps_while_nothing_happens(supervise: Supervise) -> None:
    watched = supervise(spec("web", OBEDIENT))
    watched.next("web", "runs")
    time.sleep(0.2)

    def count() -> int:
        status = Path(f"/proc/{watched.process.pid}/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("voluntary")).split()[1])

    before = count()
    time.sleep(1)

    assert count() - before <= 5


def test_postgresql_is_started_again_and_stopped_last(
    supervise: Supervise, reachable_dir: Path
) -> None:
    watched = supervise(spec("web", OBEDIENT), data_dir=reachable_dir / "data")
    (first,) = watched.next("postgres")
    watched.next("web", "runs")

    os.kill(int(first), signal.SIGKILL)

    watched.next("log", "PostgreSQL", "ended")
    watched.next("log", "PostgreSQL")
    server = int((reachable_dir / "data/pg/postmaster.pid").read_text().split()[0])
    assert is_alive(server)
    watched.process.terminate()
    assert watched.rest() == ["web ends"]
    assert watched.ended() == 0
    assert not is_alive(server)
