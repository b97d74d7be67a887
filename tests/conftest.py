"""A real PostgreSQL for every test that asks: started once, migrated once, cloned for each test.

"Once" is once in each process of `pytest -n`: none shares a server, a directory or a port.
"""

import asyncio
import hashlib
import itertools
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

# Before gRPC is imported: the tests start servers, and its own handlers of fork abort a child
# when another test's channel is still open.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from tests import company
from tests.asgi import Client

from kassa import app
from kassa import demo as demo_company
from kassa.settings import Settings
from kassa.store.migrate import migrate
from kassa.usecases.core import Core
from kassa_embedded.postgres import EmbeddedPostgres

_APP_ROLE = "kassa_app"
_ROLE_LOCK = 0x7465737473  # the processes of a run make the role one after the other


@dataclass(frozen=True)
class ExternalPostgres:
    """The server named by KASSA_TEST_DATABASE_URL; its role may create databases and roles."""

    owner_url: str
    app_url: str


@dataclass(frozen=True)
class Databases:
    """Makes and drops databases over one connection that lives as long as the session."""

    server: EmbeddedPostgres | ExternalPostgres
    loop: asyncio.Runner
    connection: "asyncpg.Connection[asyncpg.Record]"
    template: str

    def execute(self, statement: str) -> None:
        self.loop.run(self.connection.execute(statement))

    def clone(self, name: str) -> None:
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"')
        # A template hands on its tables' grants, but not those of the database itself.
        self.execute(
            f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;'
            f' GRANT CONNECT ON DATABASE "{name}" TO {_APP_ROLE}'
        )

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def in_database(url: str, name: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def reachable_dir() -> Iterator[Path]:
    """An empty directory that the user PostgreSQL runs as can pass through, also under root."""
    with tempfile.TemporaryDirectory(prefix="kassa-test-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        yield directory


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres | ExternalPostgres]:
    url = os.environ.get("KASSA_TEST_DATABASE_URL")
    if url:
        yield ExternalPostgres(owner_url=url, app_url=_let_app_role_in(url))
        return
    with tempfile.TemporaryDirectory(prefix="kassa-test-") as name:
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name) / "data", log=_ignore, durable=False) as server:
            yield server


def _ignore(line: str) -> None:
    pass


def _let_app_role_in(url: str) -> str:
    """Make the application's role on an external server, with a password of this run's own: all
    of the run's processes must end with the same one."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or secrets.token_hex(16)
    password = hashlib.sha256(f"{run} {url}".encode()).hexdigest()

    async def make() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("SELECT pg_advisory_lock($1)", _ROLE_LOCK)
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", _APP_ROLE):
            await connection.execute(f"CREATE ROLE {_APP_ROLE}")
        await connection.execute(f"ALTER ROLE {_APP_ROLE} LOGIN PASSWORD '{password}'")
        await connection.close()

    asyncio.run(make())
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{_APP_ROLE}:{password}@{where}"))


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres | ExternalPostgres) -> Iterator[Databases]:
    """The migrated template, and the means to clone it."""
    template = f"kassa_template_{os.getpid()}"
    template_url = in_database(postgres.owner_url, template)
    with asyncio.Runner() as loop:
        connection = loop.run(asyncpg.connect(in_database(postgres.owner_url, "postgres")))
        made = Databases(postgres, loop, connection, template)
        made.execute(f'CREATE DATABASE "{template}"')
        try:
            loop.run(migrate(template_url))
            yield made
        finally:
            made.drop(template)
            loop.run(connection.close())


_numbers = itertools.count(1)


@pytest.fixture
def fresh_database(databases: Databases) -> Iterator[str]:
    """The name of a migrated, empty database that lives for one test."""
    name = f"kassa_test_{os.getpid()}_{next(_numbers)}"
    databases.clone(name)
    yield name
    databases.drop(name)


@pytest.fixture
def database_url(databases: Databases, fresh_database: str) -> str:
    """The test's own database, as the role that serves requests."""
    return in_database(databases.server.app_url, fresh_database)


@pytest.fixture
def owner_url(databases: Databases, fresh_database: str) -> str:
    """The test's own database, as the role that owns it."""
    return in_database(databases.server.owner_url, fresh_database)


@pytest.fixture(scope="session")
def installation_dir() -> Iterator[Path]:
    """Keys and demo credentials: slow to make, so made once for all tests."""
    with tempfile.TemporaryDirectory(prefix="kassa-test-") as name:
        yield Path(name)


@pytest.fixture
def settings(installation_dir: Path, tmp_path: Path) -> Settings:
    """Demo settings over shared keys; what is written while running is the test's own."""
    for name in ("secrets", "demo"):
        (installation_dir / name).mkdir(exist_ok=True, mode=0o700)
        (tmp_path / name).symlink_to(installation_dir / name)
    return demo_company.prepare(Settings(data_dir=str(tmp_path), demo=True))


@pytest.fixture
async def core(settings: Settings, database_url: str) -> AsyncIterator[Core]:
    """A whole Core on the test's own database, with the sandbox provider and Alipay."""
    async with app.open_core(settings, database_url) as opened:
        yield opened


@pytest.fixture
async def demo(core: Core, settings: Settings) -> company.DemoCompany:
    """The demo company, registered in the test's database."""
    await demo_company.make(core, settings)
    return company.read(settings)


@pytest.fixture
async def client(core: Core, settings: Settings, demo: company.DemoCompany) -> Client:
    """Calls REST, cashier and inbound door in this process."""
    return Client(app.http_app(core, settings))
