"""`kassa serve`: PostgreSQL, schema, demo and processes, up and down in the right order."""

import asyncio
import errno
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path

import asyncpg
import msgspec

from kassa import private_files
from kassa.base.domain.errors import InvalidRequest
from kassa.base.store import db, wire
from kassa.base.store.migrate import migrate
from kassa.base.store.server import Demands
from kassa.cli import banner
from kassa.settings import Settings, check_transport
from kassa_embedded.place import make_data_dir
from kassa_embedded.postgres import EmbeddedPostgres
from kassa_embedded.supervisor import ChildSpec, Supervisor

_ADDRESSES = "run/database.json"
_PROCESS = "kassa.cli.process"  # imported late: other commands come here too, and need no doors
_BIND_PATIENCE_SECONDS = 8.0  # seconds, not money
_LOAD_PATIENCE_SECONDS = 60.0  # seconds, not money
_WORKERS_LATER = 0.5  # seconds, not money: whoever answers somebody goes first
_SIMULATOR_PORT = 8090
_OPS_PORT = 9091
_SIMULATOR_LATER = 2.0  # seconds, not money: nothing waits for it
_LOOPBACK = "127.0.0.1"
_A_MOMENT_SECONDS = 2.0  # seconds, not money
_GLANCE_SECONDS = 0.1  # seconds, not money


class Addresses(msgspec.Struct, frozen=True):
    """Where the running database is, for other commands on this machine.

    `base_url`: how payers and providers reach what runs on it; "" when nothing does.
    `simulator_port`: where the demo's providers are played, 0 where they are not. `ops_url`:
    where operators look; "" when nothing is served.
    """

    app_url: str
    owner_url: str
    base_url: str = ""
    simulator_port: int = 0
    ops_url: str = ""


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
    if "http" in names:
        check_transport(settings)
    make_data_dir(settings.directory)
    mark = settings.directory / _ADDRESSES  # there while we run, and after we were killed
    if "http" in names:
        patience = _BIND_PATIENCE_SECONDS if mark.exists() else 0
        for port in (settings.port, settings.grpc_port):
            _wait_for_port(settings.host, port, patience, "--host, --port or --grpc-port")
        settings = _with_ops(settings, killed=mark.exists())
    else:  # beside what serves, or elsewhere: the operators' port is that of `kassa serve`
        settings = msgspec.structs.replace(settings, ops_port=0)
    _share_metrics(settings.directory / "run" / f"metrics-{names[0]}")
    loading = _load_meanwhile()
    postgres, addresses = (open_database if "http" in names else attach)(settings)
    try:
        asyncio.run(migrate(addresses.owner_url, live=settings.live))
        if settings.live:
            asyncio.run(db.check(addresses.app_url, Demands(settings.database_standby_names)))
        if settings.demo and "http" in names:
            settings = _with_simulator(settings, killed=mark.exists())
            names = (*names, "simulator")
        if postgres is not None or settings.database_url:
            where = _served(settings, addresses) if "http" in names else addresses
            private_files.write(mark, msgspec.json.encode(where))
        if "http" in names:
            banner.show(settings)
        loading.join(_LOAD_PATIENCE_SECONDS)
        supervisor = Supervisor(_specs(settings, addresses, names), log=say, postgres=postgres)
    except BaseException:
        if postgres is not None:
            postgres.stop()
        raise
    status = supervisor.run()
    if postgres is not None or settings.database_url:
        mark.unlink(missing_ok=True)
    return status


def _served(settings: Settings, addresses: Addresses) -> Addresses:
    port = settings.simulator_port if settings.demo else 0
    return msgspec.structs.replace(
        addresses, base_url=settings.url, simulator_port=port, ops_url=settings.ops_url
    )


def _with_simulator(settings: Settings, *, killed: bool) -> Settings:
    """The demo pays through providers that are played beside it, at the usual port or another.

    `killed`: a predecessor was, and its simulator may hold the port for a moment.
    Raises: InvalidRequest when the port that the settings name is taken.
    """
    port, patience = settings.simulator_port, _BIND_PATIENCE_SECONDS if killed else 0
    if port:
        _wait_for_port(_LOOPBACK, port, patience, "KASSA_SIMULATOR_PORT")
    else:
        port = _usual_port(_LOOPBACK, _SIMULATOR_PORT, patience, settings)
    return msgspec.structs.replace(settings, simulator_port=port)


def _with_ops(settings: Settings, *, killed: bool) -> Settings:
    """Operators have a port of their own, the usual one or another. See `_with_simulator`.

    Raises: InvalidRequest.
    """
    port, patience = settings.ops_port, _BIND_PATIENCE_SECONDS if killed else 0
    if port:
        _wait_for_port(settings.ops_host, port, patience, "KASSA_OPS_HOST or KASSA_OPS_PORT")
    else:
        port = _usual_port(settings.ops_host, _OPS_PORT, patience, settings)
    return msgspec.structs.replace(settings, ops_port=port)


def _usual_port(host: str, usual: int, patience: float, settings: Settings) -> int:
    """`usual`, or a free one where that is taken or ours already."""
    if usual not in (settings.port, settings.grpc_port, settings.ops_port):
        with suppress(InvalidRequest):
            _wait_for_port(host, usual, min(patience, _A_MOMENT_SECONDS), "")
            return usual
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(host: str, port: int, patience: float, chosen_by: str) -> None:
    """Wait until nobody holds the port: children of a killed predecessor let go of it soon, but
    a stranger does not. `patience`: in seconds.

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
                        f" with {chosen_by}"
                    ) from None
            else:
                return
        time.sleep(_GLANCE_SECONDS)


def _share_metrics(directory: Path) -> None:
    """Let several processes count together. What counts reads this when it is imported."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in directory.glob("*.db"):
        old.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)


def _load_meanwhile() -> threading.Thread:
    """Import what the processes are made of while PostgreSQL starts. What goes wrong with it shows
    when they are made."""

    def load() -> None:
        with suppress(Exception):
            import_module(_PROCESS)

    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    return loading


def _specs(settings: Settings, addresses: Addresses, names: tuple[str, ...]) -> list[ChildSpec]:
    process = import_module(_PROCESS)
    specs = []
    if "simulator" in names:
        names = tuple(name for name in names if name != "simulator")
        work = partial(_simulate, settings)
        # It is an outsider: neither settings nor keys of ours are for it.
        env = {name: value for name, value in os.environ.items() if not name.startswith("KASSA_")}
        specs.append(ChildSpec("simulator", env=env, after_seconds=_SIMULATOR_LATER, work=work))
    for name in names:
        many = settings.http_processes if name == "http" else 1
        for number in range(many):
            title = f"{name}-{number + 1}" if many > 1 else name
            specs.append(
                ChildSpec(
                    title,
                    after_seconds=_WORKERS_LATER if name == "workers" and len(names) > 1 else 0.0,
                    work=partial(
                        process.run, name, settings, addresses.app_url, is_first=number == 0
                    ),
                )
            )
    return specs


def _simulate(settings: Settings) -> int:
    """It has nothing of the settings but where it listens and keeps its books."""
    simulating = import_module("kassa.cli.simulating")
    simulating.simulate(
        port=settings.simulator_port, data_dir=str(settings.directory / "simulator"), quiet=True
    )
    return 0


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


def as_served(settings: Settings, addresses: Addresses) -> Settings:
    """The settings of a command beside what runs: with its address, and its demo's providers."""
    if settings.base_url or not addresses.base_url:
        return settings
    return msgspec.structs.replace(
        settings,
        base_url=addresses.base_url,
        demo=settings.demo or bool(addresses.simulator_port),
        simulator_port=addresses.simulator_port,
    )


async def _answers(url: str) -> bool:
    try:
        connection = await wire.connect(url, wire.QUICK)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    connection.terminate()
    return True
