"""A real PostgreSQL for every test that asks: started once, migrated once, and put back after each.

"Once" is once in each process of `pytest -n`: none shares a server, a directory or a port.
"""

import asyncio
import hashlib
import os
import random
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

# Before gRPC is imported: the tests start servers, and its own handlers of fork abort a child
# when another test's channel is still open.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from tests import company
from tests.asgi import Client
from tests.databases import APP_ROLE, Databases, ExternalPostgres, Prover, in_database
from tests.shop import Shop, shop
from tests.sums import untrue_sums

from kassa import app, assembly
from kassa import demo as demo_company
from kassa.base.store.migrate import migrate
from kassa.base.usecases.core import Core
from kassa.settings import Settings
from kassa_embedded.postgres import EmbeddedPostgres

__all__ = ["shop"]


# Clusters, simulators' books and whatever else a test throws away, and the programs that it starts:
# in memory, where there is plenty. On a disk each commit of theirs waits for it.
_MEMORY, _PLENTY = Path("/dev/shm"), 4 << 30
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _PLENTY:
    tempfile.tempdir = os.environ.setdefault("TMPDIR", str(_MEMORY))

# What comes by domain and use cases without asking anything of their branches: to count those too
# costs a third of its time.
_FROM_OUTSIDE = tuple(
    f"tests/{folder}/"
    for folder in "cashier cli connectors e2e embedded money oracle simulator sown".split()
)
_ROLE_LOCK = 0x7465737473  # the processes of a run make the role one after the other


# The modules that take longest begin first, lest one process wait for them at the end.
_FIRST = (
    *("tests/e2e/", "tests/money/", "tests/oracle/"),
    *("tests/cashier/test_browser", "tests/cli/", "tests/base/"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """KASSA_TEST_SHUFFLE=<seed>: modules, and the tests in each, in an order of that seed. Whole
    modules, for those that start a server share it."""
    seed = os.environ.get("KASSA_TEST_SHUFFLE")
    if seed:
        order = random.Random(seed)
        modules = sorted({_module(item) for item in items})
        order.shuffle(modules)
        order.shuffle(items)
        items.sort(key=lambda item: modules.index(_module(item)))
    else:
        items.sort(key=lambda item: not _module(item).startswith(_FIRST))
    for item in items:
        if _module(item).startswith(_FROM_OUTSIDE):
            item.add_marker("no_cover")


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.fixture(autouse=True)
def _counted_by_nobody_else() -> Iterator[None]:
    """A command that serves, typed in this process, says where processes count together."""
    yield
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


@pytest.fixture
async def sound_in_the_end(shop: Shop) -> AsyncIterator[None]:
    """Whatever the test did, the books are sound after it, and the business face tells the sums
    that the settlements come to."""
    yield
    assert await shop.faults() == []
    assert await untrue_sums(shop) == []


@pytest.fixture
async def told_truly(shop: Shop) -> AsyncIterator[None]:
    """Whatever the test did, the business face tells the sums that the settlements come to."""
    yield
    assert await untrue_sums(shop) == []


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
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", APP_ROLE):
            await connection.execute(f"CREATE ROLE {APP_ROLE}")
        await connection.execute(f"ALTER ROLE {APP_ROLE} LOGIN PASSWORD '{password}'")
        await connection.close()

    asyncio.run(make())
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{APP_ROLE}:{password}@{where}"))


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres | ExternalPostgres) -> Iterator[Databases]:
    """The means to have a database."""
    with asyncio.Runner() as loop:
        connection = loop.run(asyncpg.connect(in_database(postgres.owner_url, "postgres")))
        made = Databases(postgres, loop, connection)
        try:
            yield made
        finally:
            made.drop_all()
            loop.run(connection.close())


@pytest.fixture(scope="session")
def prover(databases: Databases) -> Iterator[Prover]:
    made = Prover(databases)
    yield made
    made.close()


@pytest.fixture(scope="session")
def migrated(databases: Databases) -> str:
    """The template of an empty database."""
    name = databases.new("migrated")
    databases.loop.run(migrate(in_database(databases.server.owner_url, name)))
    return name


@pytest.fixture(scope="session")
def with_demo(databases: Databases, migrated: str, installation_dir: Path) -> str:
    """The template of a database in which the demo company is registered."""
    name = databases.new("demo", migrated)

    async def make(settings: Settings) -> None:
        url = in_database(databases.server.app_url, name)
        async with assembly.open_core(settings, url) as core:
            await demo_company.make(core, settings)

    with tempfile.TemporaryDirectory(prefix="kassa-test-") as directory:
        databases.loop.run(make(_settings(installation_dir, Path(directory))))
    return name


@pytest.fixture
def fresh_database(databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a migrated database that is this test's alone; with the demo company in it, if
    the test asks for that."""
    wanted = "with_demo" if "demo" in request.fixturenames else "migrated"
    template: str = request.getfixturevalue(wanted)
    taken = databases.take(template)
    yield taken.name
    databases.give_back(template, taken)


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


def _settings(installation_dir: Path, directory: Path) -> Settings:
    for name in ("secrets", "demo"):
        (installation_dir / name).mkdir(exist_ok=True, mode=0o700)
        (directory / name).symlink_to(installation_dir / name)
    return demo_company.prepare(Settings(data_dir=str(directory), demo=True))


@pytest.fixture
def settings(installation_dir: Path, tmp_path: Path) -> Settings:
    """Demo settings over shared keys; what is written while running is the test's own."""
    return _settings(installation_dir, tmp_path)


@pytest.fixture
async def core(settings: Settings, database_url: str) -> AsyncIterator[Core]:
    """A whole Core on the test's own database, with the sandbox provider and Alipay."""
    async with assembly.open_core(settings, database_url) as opened:
        yield opened


@pytest.fixture
async def demo(core: Core, settings: Settings) -> company.DemoCompany:
    """The demo company, registered in the test's database."""
    return company.read(settings)


@pytest.fixture
async def client(core: Core, settings: Settings, demo: company.DemoCompany) -> Client:
    """Calls REST, cashier and inbound door in this process."""
    return Client(app.http_app(core, settings))
