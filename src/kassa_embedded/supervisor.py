"""Keeps the processes of `kassa serve` running, PostgreSQL included, and ends them in order."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType, TracebackType
from typing import Self

from kassa_embedded.copies import Copy
from kassa_embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from kassa_embedded.processes import die_with_parent, send

# A child that ends with this status says that starting it again cannot help.
EXIT_HOPELESS = os.EX_CONFIG

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# seconds, not money
_STOP_PATIENCE = 10.0
_FIRST_PAUSE = 0.2  # before a crashed child is started again; doubles at each crash
_LONGEST_PAUSE = 10.0
_STEADY = 30.0  # a child that lived this long did not crash because of its start
_LONGEST_SLEEP = 10.0  # then PostgreSQL's log is looked at; all else wakes us by a signal
_ONE_GESTURE = 0.3  # signals closer than this are one: a terminal's and its shell's


class Restart(StrEnum):
    ALWAYS = "always"  # whatever its exit status
    NEVER = "never"  # it may end when it is done


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """`argv`: a program; or else `work`, which is done in a copy of this process and returns the
    exit status. `env` None: the child inherits ours. `after_seconds`: it lets others start first.
    """

    name: str
    argv: Sequence[str] = ()
    restart: Restart = Restart.ALWAYS
    env: Mapping[str, str] | None = None
    after_seconds: float = 0.0  # seconds, not money
    work: Callable[[], int] | None = None


class Supervisor:
    """Use it from the main thread: signals arrive there, and children end with their thread. Where
    a child is a copy, from the only one.

    `postgres`, when given, has been started; it is started again when it dies, and stopped at
    the end, after all children.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        log: Callable[[str], None],
        postgres: EmbeddedPostgres | None = None,
    ) -> None:
        self._log = log
        self._children = [_Child(spec, log) for spec in specs]
        self._postgres = postgres
        self._postgres_pause = _Pause()
        self._status = 0

    def run(self) -> int:
        """Start the children and mind them until SIGINT, SIGTERM or SIGHUP; a second one hurries.

        Return the exit status: 0, or EXIT_HOPELESS after a child ended with that.
        """
        with _Signals() as signals:
            try:
                while not signals.stop_asked and self._status == 0:
                    # PostgreSQL first, so that what is started beside it finds it.
                    wake_at = [self._mind_postgres(signals)]
                    wake_at += [self._mind(child) for child in self._children]
                    signals.wait(min(wake_at) - time.monotonic())
            finally:
                self._stop(signals)
        return self._status

    def _mind(self, child: "_Child") -> float:
        """Start the child if it is time to; return when to look again, unless a signal comes."""
        ended = child.look()
        if ended == EXIT_HOPELESS and child.spec.restart is Restart.ALWAYS:
            self._status = EXIT_HOPELESS
        return child.wake_at

    def _mind_postgres(self, signals: "_Signals") -> float:
        now = time.monotonic()
        later = now + _LONGEST_SLEEP
        if self._postgres is None or (status := self._postgres.poll()) is None:
            return later
        if now < self._postgres_pause.until:
            return self._postgres_pause.until
        self._log(f"PostgreSQL ended (status {status}); starting it again")
        self._postgres_pause.lengthen(now)
        try:
            self._postgres.start(canceled=lambda: signals.stop_asked)
        except EmbeddedPostgresError as error:
            if not signals.stop_asked:
                self._log(str(error))
            return self._postgres_pause.until
        return later

    def _stop(self, signals: "_Signals") -> None:
        running = [child for child in reversed(self._children) if child.is_running]
        for child in running:
            child.ask_to_end()
        deadline = time.monotonic() + _STOP_PATIENCE
        while any(child.is_running for child in running):
            left = deadline - time.monotonic()
            if left <= 0 or signals.hurry_asked:
                break
            signals.wait(left)
        for child in reversed(self._children):
            if child.is_running:
                self._log(f"{child.spec.name} did not end in time and is killed")
            child.kill()
        if self._postgres is not None:
            self._postgres.stop(hurried=lambda: signals.hurry_asked)


class _Pause:
    """Grows with each crash, so that a child that cannot live does not eat the machine."""

    def __init__(self) -> None:
        self.until = 0.0
        self._length = _FIRST_PAUSE
        self._began = 0.0

    def lengthen(self, now: float) -> None:
        if now - self._began > _STEADY:
            self._length = _FIRST_PAUSE
        self._began = self.until = now + self._length
        self._length = min(2 * self._length, _LONGEST_PAUSE)


class _Child:
    def __init__(self, spec: ChildSpec, log: Callable[[str], None]) -> None:
        self.spec = spec
        self._log = log
        self._process: subprocess.Popen[bytes] | Copy | None = None
        self._pause = _Pause()
        self._pause.until = time.monotonic() + spec.after_seconds
        self._is_done = False

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def wake_at(self) -> float:
        now = time.monotonic()
        if self._is_done or self._process is not None:
            return now + _LONGEST_SLEEP
        return max(now, self._pause.until)

    def look(self) -> int | None:
        """Start it when it is due; note its end. Return the exit status it ended with just now."""
        if self._is_done:
            return None
        now = time.monotonic()
        if self._process is None:
            if now >= self._pause.until:
                self._start(now)
            return None
        status = self._process.poll()
        if status is None:
            return None
        self.kill()
        self._pause.lengthen(now)
        self._is_done = self.spec.restart is Restart.NEVER
        if not self._is_done and status != EXIT_HOPELESS:
            self._log(f"{self.spec.name} ended (status {status}); starting it again")
        return status

    def _start(self, now: float) -> None:
        spec = self.spec
        try:
            if spec.work is not None:
                self._process = Copy(
                    spec.name, spec.work, os.environ if spec.env is None else spec.env
                )
                return
            self._process = subprocess.Popen(
                list(spec.argv),
                stdin=subprocess.DEVNULL,
                env=spec.env,
                # A group of its own: Ctrl-C reaches us alone, and we end them in order.
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - see there
            )
        except OSError as error:
            self._log(f"{self.spec.name} cannot be started: {error}")
            self._pause.lengthen(now)

    def ask_to_end(self) -> None:
        if self._process is not None:
            send(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End what is left of the child: itself, and its own children, who may hold its port."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class _Signals:
    """While entered, the signals that matter wake `wait` instead of interrupting us."""

    def __init__(self) -> None:
        self._stops: list[float] = []
        self._inbox, self._outbox = socket.socketpair()
        self._before: dict[signal.Signals, object] = {}
        self._wakeup_before = -1

    @property
    def stop_asked(self) -> bool:
        return bool(self._stops)

    @property
    def hurry_asked(self) -> bool:
        return bool(self._stops) and self._stops[-1] - self._stops[0] > _ONE_GESTURE

    def __enter__(self) -> Self:
        self._inbox.setblocking(False)
        self._outbox.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._outbox.fileno(), warn_on_full_buffer=False)
        for number in _STOPS:
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: it shall outlive its terminal
            self._before[number] = signal.signal(number, self._note_stop)
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _wake_only)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal() itself returned
        signal.set_wakeup_fd(self._wakeup_before)
        self._inbox.close()
        self._outbox.close()

    def _note_stop(self, number: int, frame: FrameType | None) -> None:
        self._stops.append(time.monotonic())

    def wait(self, patience: float) -> None:
        """Sleep until a signal or for `patience` seconds. A signal that came before wakes too."""
        select.select([self._inbox], [], [], max(0.0, patience))
        with contextlib.suppress(BlockingIOError):
            while self._inbox.recv(4096):
                pass


def _wake_only(number: int, frame: FrameType | None) -> None:
    """A signal that is ignored would not wake us; the bytes it sends are all we want of it."""
