"""The private PostgreSQL of the zero-setup default: started, watched and stopped by us alone.

It listens on no network, trusts nobody but our own user of the operating system, dies with us,
and comes back after any of us was killed.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from kassa_embedded import cluster, place
from kassa_embedded.place import EmbeddedPostgresError, Runner
from kassa_embedded.processes import can_see_processes, die_with_parent, living_in, send

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

_LOG_LIMIT = 8 * 1024 * 1024  # bytes; one older piece of as many is kept beside it
# What makes a start worth trying again: a predecessor that is not quite gone.
_STILL_THERE = ("postmaster.pid", "shared memory block", "lock file")

# seconds, not money
_LOCK_PATIENCE = 2.0  # a supervisor that was just killed lets go of its lock at once
_ORPHAN_PATIENCE = 20.0  # for a server whose supervisor was killed to finish its shutdown
_ORPHAN_HINT = 1.0  # after which we ask it ourselves
_ORPHAN_PUSH = 12.0  # after which it ends without a checkpoint; its log replays at our start
_FAST_STOP = 20.0
_IMMEDIATE_STOP = 5.0
_GLANCE = 0.01


def _never() -> bool:
    return False


class EmbeddedPostgres:
    """One server over one data directory. Use it from the main thread of the supervising process:
    the kernel stops the server when the thread that started it ends.

    `durable=False` turns off everything that makes a commit last and lets the owner role create
    databases: for throw-away test clusters only.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        bin_dir: Path | None = None,
        log: Callable[[str], None],
        durable: bool = True,
        state_dir: Path = place.STATE_DIR,
    ) -> None:
        self._data_dir = Path(os.path.abspath(data_dir))
        self._wanted_bin_dir = bin_dir
        self._log = log
        self._durable = durable
        self._state_dir = state_dir
        self._sockets: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._locks: dict[Path, IO[str]] = {}

    @property
    def owner_url(self) -> str:
        """The role that owns the database and may migrate it. Known once started."""
        return self._url(cluster.OWNER_ROLE)

    @property
    def app_url(self) -> str:
        """The role that serves requests and may do only what the migrations grant it."""
        return self._url(cluster.APP_ROLE)

    def _url(self, role: str) -> str:
        if self._sockets is None:
            raise RuntimeError("PostgreSQL has no address before it is started")
        return cluster.url(self._sockets, role)

    @property
    def log_file(self) -> Path:
        return self._data_dir / "pg.log"

    @property
    def pid(self) -> int | None:
        """The server's main process, while we have one."""
        return self._child.pid if self._child else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, *, canceled: Callable[[], bool] = _never) -> str:
        """Make the cluster if there is none, start the server, wait until it answers.

        Return the owner's address. A crash is recovered from, however long the replay takes;
        `canceled` is asked meanwhile and ends the wait. Starting what runs changes nothing.
        Raises: EmbeddedPostgresError.
        """
        if self.poll() is None and self._child is not None:
            return self.owner_url
        try:
            place.make_data_dir(self._data_dir)
            self._take_lock(self._data_dir)
            home, runner = place.settle(self._data_dir, self._state_dir, self._log)
            # Of a data directory there may be copies that point to the same cluster.
            self._take_lock(home)
            self._launch(home, runner, canceled)
        except OSError as error:
            self.stop()
            whose = " Was it made by another user?" if isinstance(error, PermissionError) else ""
            raise EmbeddedPostgresError(
                f"the private PostgreSQL cannot be set up in {self._data_dir}: {error}.{whose}"
            ) from error
        except BaseException:
            self.stop()
            raise
        return self.owner_url

    def poll(self) -> int | None:
        """The exit code of the server's process, None while it runs. Call it now and then:
        it also keeps the log from growing without end."""
        self._trim_log()
        return self._child.poll() if self._child else None

    def stop(self, *, hurried: Callable[[], bool] = _never) -> None:
        """Shut down, ending all sessions; after a bounded wait without the final checkpoint.

        `hurried` is asked meanwhile and cuts the wait short. Nothing acknowledged is lost
        either way. Stopping what does not run changes nothing.
        """
        if self._child is not None:
            child, self._child = self._child, None
            for wanted, patience in (
                (signal.SIGINT, _FAST_STOP),
                (signal.SIGQUIT, _IMMEDIATE_STOP),
                (signal.SIGKILL, _IMMEDIATE_STOP),
            ):
                if child.poll() is None:
                    send(child.pid, wanted)
                impatient = hurried if wanted is signal.SIGINT else _never
                if _wait(lambda: child.poll() is not None, patience, impatient):
                    break
        while self._locks:
            self._locks.popitem()[1].close()

    def _take_lock(self, directory: Path) -> None:
        if directory in self._locks:
            return
        lock = open(directory / "pg.lock", "a+", opener=_for_us_alone)  # noqa: SIM115 - kept open

        def taken() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not _wait(taken, _LOCK_PATIENCE):
            lock.seek(0)
            holder = lock.read(20).strip() or "unknown"
            lock.close()
            raise EmbeddedPostgresError(
                f"another Kassa (process {holder}) is running on {self._data_dir}: stop it first,"
                " or choose another --data-dir."
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._locks[directory] = lock

    def _launch(self, home: Path, runner: Runner, canceled: Callable[[], bool]) -> None:
        bin_dir = place.reachable_binaries(
            place.find_binaries(self._wanted_bin_dir), runner, self._state_dir
        )
        version = cluster.read_version(bin_dir, runner)
        pgdata = home / "pg"
        if pgdata.exists():
            cluster.require_same_major(pgdata, version)
            _outlive_orphans(pgdata, canceled)
        else:
            cluster.create_cluster(home, bin_dir, version, runner, durable=self._durable)
        self._sockets = place.prepare_socket_dir(home, runner)
        _forget_the_dead(pgdata, self._sockets)
        settings = cluster.write_configuration(home, self._sockets, durable=self._durable)
        argv = [str(bin_dir / "postgres"), "-D", str(pgdata), "-c", f"config_file={settings}"]
        deadline = time.monotonic() + _ORPHAN_PATIENCE
        while not self._try_start(argv, pgdata, runner, canceled):
            if canceled() or time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL did not start; {self.log_file} ends with: {self._last_words()}"
                )
            time.sleep(20 * _GLANCE)
        self._log(f"PostgreSQL {version.text} runs on {pgdata}")

    def _try_start(
        self, argv: list[str], pgdata: Path, runner: Runner, canceled: Callable[[], bool]
    ) -> bool:
        """False: it ended at once because of a predecessor, or the wait was canceled."""
        written = self._log_size()
        with open(self.log_file, "ab", opener=_for_us_alone) as log:
            self._child = child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=place.plain_environment(),
                # Ctrl-C at the terminal is for us: the server is stopped last, by us.
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGINT),  # noqa: PLW1509 - see there
                user=runner.switch_uid,
                group=runner.switch_gid,
                extra_groups=runner.switch_groups,
                umask=0o077,
            )
        while not _answers(pgdata, child.pid):
            if child.poll() is not None:
                self._child = None
                words = self._words_since(written)
                if any(word in words for word in _STILL_THERE):
                    return False
                raise EmbeddedPostgresError(
                    f"PostgreSQL ended at start (status {child.returncode}); {self.log_file} ends"
                    f" with: {self._last_words()}"
                )
            if canceled():
                return False
            time.sleep(_GLANCE)
        return True

    def _log_size(self) -> int:
        try:
            return self.log_file.stat().st_size
        except FileNotFoundError:
            return 0

    def _trim_log(self) -> None:
        if self._log_size() > _LOG_LIMIT:
            # The server appends to the same open file: emptied in place, it goes on at the start.
            shutil.copyfile(self.log_file, self.log_file.with_suffix(".log.1"))
            os.truncate(self.log_file, 0)

    def _words_since(self, position: int) -> str:
        with open(self.log_file, "rb") as log:
            log.seek(position)
            return log.read(65536).decode(errors="replace")

    def _last_words(self) -> str:
        lines = self._words_since(max(0, self._log_size() - 4096)).splitlines()
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (fatal or lines or ["nothing"])[-1]


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _answers(pgdata: Path, pid: int) -> bool:
    """Whether the server `pid` says in its own pid file that it takes connections."""
    try:
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _outlive_orphans(pgdata: Path, canceled: Callable[[], bool]) -> None:
    """Wait for a server that lost its supervisor; we hold the lock, so whoever is left is one.

    Raises: EmbeddedPostgresError when it will not go.
    """
    began = time.monotonic()

    def gone() -> bool:
        waited = time.monotonic() - began
        left = living_in(pgdata, "postgres")
        # SIGINT and SIGQUIT are PostgreSQL's fast and immediate shutdown; both keep every commit.
        if waited > _ORPHAN_PUSH:
            for pid in left:
                send(pid, signal.SIGQUIT)
        elif waited > _ORPHAN_HINT and (main := _recorded_pid(pgdata)) in left:
            send(main, signal.SIGINT)
        return not left

    if not _wait(gone, _ORPHAN_PATIENCE, canceled, glance=5 * _GLANCE):
        raise EmbeddedPostgresError(
            f"an earlier PostgreSQL on {pgdata} (process {_recorded_pid(pgdata)}) does not end."
        )


def _forget_the_dead(pgdata: Path, sockets: Path) -> None:
    """Remove the lock files of a server that was killed; nobody works here any more.

    They name a process id that may be a zombie's or a stranger's by now, which PostgreSQL would
    take for a living server.
    """
    if can_see_processes():
        (pgdata / "postmaster.pid").unlink(missing_ok=True)
        (sockets / f".s.PGSQL.{place.SOCKET_PORT}.lock").unlink(missing_ok=True)


def _recorded_pid(pgdata: Path) -> int:
    try:
        return int((pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return 0


def _wait(
    done: Callable[[], bool],
    patience: float,
    impatient: Callable[[], bool] = _never,
    *,
    glance: float = _GLANCE,
) -> bool:
    """Ask `done` until it is so. False after `patience` seconds, or once `impatient`."""
    deadline = time.monotonic() + patience
    while not done():
        if impatient() or time.monotonic() > deadline:
            return False
        time.sleep(glance)
    return True
