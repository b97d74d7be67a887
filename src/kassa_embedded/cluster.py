"""The private PostgreSQL's cluster: made whole or not at all, and configured anew at each start."""

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from kassa_embedded.place import SOCKET_PORT, EmbeddedPostgresError, Runner, our_user_name
from kassa_embedded.processes import die_with_parent

DATABASE = "kassa"
OWNER_ROLE = "kassa"  # owns the database and migrates it
APP_ROLE = "kassa_app"  # serves requests; the migrations grant it what it may do

_OLDEST_MAJOR = 15
_PARTIAL = "pg.init-"

# Nobody can log in as the bootstrap superuser: pg_ident.conf maps no one to it.
_SUPERUSER = "kassa_bootstrap"
_SETUP = f"""\
CREATE ROLE {OWNER_ROLE} LOGIN NOSUPERUSER NOBYPASSRLS;
CREATE ROLE {APP_ROLE} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE};
REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
GRANT CONNECT ON DATABASE {DATABASE} TO {APP_ROLE};
"""
# Tests clone databases, must be able to end a session that a failed one left behind, and put a
# database back without its triggers.
_SETUP_FOR_TESTS = f"""\
ALTER ROLE {OWNER_ROLE} CREATEDB;
GRANT pg_signal_backend TO {OWNER_ROLE};
GRANT {APP_ROLE} TO {OWNER_ROLE};
GRANT SET ON PARAMETER session_replication_role TO {OWNER_ROLE};
"""

_SETTINGS = """\
# Written by Kassa at each start: changes made here do not last.
cluster_name = 'kassa'
listen_addresses = ''
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
hba_file = '{hba}'
ident_file = '{ident}'
max_connections = 100

# What was acknowledged is on the disk.
fsync = {durable}
synchronous_commit = {durable}
full_page_writes = {durable}
wal_level = replica
max_wal_senders = 0
wal_buffers = 16MB
min_wal_size = 160MB
max_wal_size = 1GB
checkpoint_timeout = 10min

# A small machine, many short transactions: no plan here is worth a second process or a compiler.
shared_buffers = 128MB
effective_cache_size = 512MB
random_page_cost = 1.1
jit = off
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
max_logical_replication_workers = 0
idle_in_transaction_session_timeout = 60s

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
datestyle = 'iso, ymd'
default_text_search_config = 'pg_catalog.simple'

# Rows may hold what must not be in a log: no parameters, no DETAIL lines.
log_line_prefix = '%m [%p] '
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""


class Version(NamedTuple):
    major: int
    text: str  # as in "18.6"


def read_version(bin_dir: Path, runner: Runner) -> Version:
    """The version of the server programs.

    Raises: EmbeddedPostgresError unless it is 15 or later.
    """
    answer = runner.run([str(bin_dir / "postgres"), "--version"])
    found = re.search(r"\(PostgreSQL\) (\d{1,4}+)(\S{0,40}+)", answer.stdout)
    if answer.returncode != 0 or found is None:
        why = answer.stderr.strip().splitlines()[-1:] or ["it does not say its version"]
        raise EmbeddedPostgresError(f"{bin_dir}/postgres does not work here: {why[0]}.")
    if int(found[1]) < _OLDEST_MAJOR:
        raise EmbeddedPostgresError(
            f"{bin_dir} holds PostgreSQL {found[1]}; Kassa needs {_OLDEST_MAJOR} or later."
        )
    return Version(int(found[1]), found[1] + found[2])


def require_same_major(cluster: Path, version: Version) -> None:
    """Raises: EmbeddedPostgresError when another major version made the cluster."""
    made_by = (cluster / "PG_VERSION").read_text().strip()
    if made_by != str(version.major):
        raise EmbeddedPostgresError(
            f"the database in {cluster} was made by PostgreSQL {made_by} and the programs here are"
            f" of version {version.text}: point postgres_bin at a PostgreSQL {made_by}, or dump it"
            " there and restore it here."
        )


def create_cluster(
    home: Path, bin_dir: Path, version: Version, runner: Runner, *, durable: bool
) -> None:
    """Make `home`/pg with its roles and database. Killed half-way, it leaves nothing in the way.

    Raises: EmbeddedPostgresError.
    """
    for leftover in home.glob(f"{_PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=home))
    runner.give(partial, 0o700)
    setup = _SETUP if durable else _SETUP + _SETUP_FOR_TESTS
    _run(runner, _initdb(bin_dir, partial, version.major, durable))
    # -j: a command ends at a semicolon and an empty line.
    single_user = [str(bin_dir / "postgres"), "--single", "-j", "-c", "exit_on_error=true"]
    single_user += [] if durable else ["-F"]
    _run(runner, [*single_user, "-D", str(partial), "postgres"], setup.replace("\n", "\n\n"))
    partial.rename(home / "pg")
    if durable:
        _flush_directory(home)


def _initdb(bin_dir: Path, cluster: Path, major: int, durable: bool) -> list[str]:
    if major >= 17:
        # Built in: sorting cannot change under our indexes when the system's C library does.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        locale = ["--locale=C.UTF-8", "--locale-provider=libc"]
    return [
        str(bin_dir / "initdb"),
        f"--pgdata={cluster}",
        f"--username={_SUPERUSER}",
        "--auth-local=peer",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        *locale,
        "--data-checksums",
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]


def _run(runner: Runner, argv: list[str], text: str | None = None) -> None:
    done = runner.run(argv, text=text, preexec=die_with_parent(signal.SIGKILL))
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        wrong = [line for line in said if "FATAL" in line or "error:" in line.lower()] or said[-1:]
        raise EmbeddedPostgresError(
            f"the database could not be made: {Path(argv[0]).name} ended with"
            f" {done.returncode}: {' '.join(wrong) or 'no word'}"
        )


def _flush_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_configuration(home: Path, sockets: Path, *, durable: bool) -> Path:
    """Write the server's settings and who may log in; return the settings file.

    Peer authentication alone: the kernel says who is calling, and only our own user of the
    system may be `kassa` or `kassa_app`. They lie beside the cluster, where the server's own
    user cannot change them.
    """
    directory = home / "pg.conf"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    hba, ident = directory / "pg_hba.conf", directory / "pg_ident.conf"
    me = our_user_name().replace('"', '""')
    _write(hba, "".join(f"local all {role} peer map=kassa\n" for role in (OWNER_ROLE, APP_ROLE)))
    _write(ident, "".join(f'kassa "{me}" {role}\n' for role in (OWNER_ROLE, APP_ROLE)))
    settings = directory / "postgresql.conf"
    text = _SETTINGS.format(
        port=SOCKET_PORT,
        sockets=_quoted(sockets),
        hba=_quoted(hba),
        ident=_quoted(ident),
        durable="on" if durable else "off",
    )
    _write(settings, text)
    return settings


def _quoted(path: Path) -> str:
    # Within quotes PostgreSQL's settings file doubles quotes and reads backslashes.
    return str(path).replace("\\", "\\\\").replace("'", "''")


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)  # the server may run as another user than the one that writes; no secret here


def url(sockets: Path, role: str) -> str:
    """An address asyncpg and libpq understand, naming every part that PG* variables could bend."""
    return (
        f"postgresql://{role}@/{DATABASE}?host={quote(str(sockets), safe='/')}&port={SOCKET_PORT}"
    )
