"""`kassa serve`: PostgreSQL, schema, demo and processes, up and down in the right order."""

import asyncio
import errno
import os
import socket
import sys
import time
from pathlib import Path

import asyncpg
import msgspec

from kassa import private_files
from kassa.cli import banner
from kassa.cli.children import environment
from kassa.cli.supervisor import ChildSpec, Supervisor
from kassa.domain.errors import InvalidRequest
from kassa.settings import Settings
from kassa.store.embedded import EmbeddedPostgres
from kassa.store.embedded_place import make_data_dir
from kassa.store.migrate import migrate

_ADDRESSES = "run/database.json"
_BIND_PATIENCE_SECONDS = 8.0  # seconds, not money
_WORKERS_LATER = 1.5  # seconds, not money
_GLANCE_SECONDS = 0.1  # seconds, not money


class Addresses(msgspec.Struct, frozen=True):
    """Where the running database is, for other commands on this machine."""

    app_url: str
    owner_url: str


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def open_database(settings: Settings) -> tuple[EmbeddedPostgres | None, Addresses]:
    """The configured database, or the embedded one, started.

    Raises: EmbeddedPostgresError.
    """
    if settings.database_url:
        return None, Addresses(settings.database_url, settings.database_url)
    bin_dir = Path(settings.postgres_bin) if settings.postgres_bin else None
    postgres = EmbeddedPostgres(settings.directory, bin_dir=bin_dir, log=say)
    postgres.start()
    return postgres, Addresses(postgres.app_url, postgres.owner_url)


def serve(settings: Settings, names: tuple[str, ...]) -> int:
    """Run the named processes until a signal; returns the exit status."""
    make_data_dir(settings.directory)
    mark = settings.directory / _ADDRESSES  # there while we run, and after we were killed
    if "http" in names:
        patience = _BIND_PATIENCE_SECONDS if mark.exists() else 0
        for port in (settings.port, settings.grpc_port):
            _wait_for_port(settings.host, port, patience)
    postgres, addresses = (open_database if "http" in names else attach)(settings)
    try:
        asyncio.run(migrate(addresses.owner_url))
        if postgres is not None or settings.database_url:
            private_files.write(mark, msgspec.json.encode(addresses))
        if "http" in names:
            banner.show(settings)
        metrics = _share_metrics(settings.directory / "run" / f"metrics-{names[0]}")
        supervisor = Supervisor(
            _specs(settings, addresses, names, metrics), log=say, postgres=postgres
        )
    except BaseException:
        if postgres is not None:
            postgres.stop()
        raise
    status = supervisor.run()
    if postgres is not None or settings.database_url:
        mark.unlink(missing_ok=True)
    return status


def _wait_for_port(host: str, port: int, patience: float) -> None:  # seconds, not money
    """Wait until nobody holds the port: children of a killed predecessor let go of it soon, but
    a stranger does not.

    Raises: InvalidRequest when it stays taken.
    """
    until = time.monotonic() + patience
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if time.monotonic() >= until or error.errno != errno.EADDRINUSE:
                    raise InvalidRequest(
                        f"cannot listen on {host}:{port}: {error.strerror}; choose another"
                        " with --host, --port or --grpc-port"
                    ) from None
            else:
                return
        time.sleep(_GLANCE_SECONDS)


def _share_metrics(directory: Path) -> dict[str, str]:
    """The environment that lets several processes count together."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in directory.glob("*.db"):
        old.unlink()
    return {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}


def _specs(
    settings: Settings, addresses: Addresses, names: tuple[str, ...], metrics: dict[str, str]
) -> list[ChildSpec]:
    env = {
        **{name: value for name, value in metrics.items() if not name.startswith("KASSA_")},
        **environment(settings, addresses.app_url),
        "PYTHONUNBUFFERED": "1",
    }
    specs = []
    for name in names:
        for number in range(settings.workers if name == "http" else 1):
            title = f"{name}-{number + 1}" if settings.workers > 1 and name == "http" else name
            specs.append(
                ChildSpec(
                    title,
                    (sys.executable, "-m", "kassa.cli.process", name, str(number)),
                    env=env,
                    # Three processes that import at once on two cores would all be late.
                    after_seconds=_WORKERS_LATER if name == "workers" and len(names) > 1 else 0.0,
                )
            )
    return specs


def attach(settings: Settings) -> tuple[EmbeddedPostgres | None, Addresses]:
    """The database of a running `kassa serve`, or else the same database started for us.

    Raises: EmbeddedPostgresError.
    """
    if settings.database_url:
        return open_database(settings)
    path = settings.directory / _ADDRESSES
    if path.exists():
        addresses = msgspec.json.decode(path.read_bytes(), type=Addresses)
        if asyncio.run(_answers(addresses.app_url)):
            return None, addresses
    if not settings.directory.exists():
        say(f"kassa: there is nothing in {settings.directory} yet; it is made now")
    make_data_dir(settings.directory)
    return open_database(settings)


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=3)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True
