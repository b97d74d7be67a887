"""No money is taken where an acknowledged payment may be lost, on a server that keeps what it has
acknowledged: fsync and all, and settings that are changed under our feet."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kassa.base.domain.errors import AmbiguousCommit, KassaError, ProviderUnavailable
from kassa.base.store import db as db_module
from kassa.base.store import pulse, server
from kassa.base.store.db import Database
from kassa.base.store.server import Demands, ServerState
from kassa_embedded import cluster
from kassa_embedded.postgres import EmbeddedPostgres

pytestmark = pytest.mark.anyio

SOUND = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "data_checksums": "on",
    "synchronous_standby_names": "",
}


@dataclass
class Server:
    """A durable server of the test's own, whose settings can be changed while it runs."""

    postgres: EmbeddedPostgres
    home: Path
    original: str = field(init=False)

    def __post_init__(self) -> None:
        self.original = self._file.read_text()

    @property
    def _file(self) -> Path:
        return self.home / "pg.conf" / "postgresql.conf"

    def set(self, **settings: str) -> None:
        """Change settings as ALTER SYSTEM and a reload would; without any, all are as before."""
        more = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        self._file.write_text(self.original + more)
        pid = int((self.home / "pg" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGHUP)

    @property
    def url(self) -> str:
        return self.postgres.owner_url


@pytest.fixture(scope="module")
def durable() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        # A server without senders waits for no standby.
        text = cluster._SETTINGS.replace("max_wal_senders = 0", "max_wal_senders = 2")
        patch.setattr(cluster, "_SETTINGS", text)
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name) / "data", log=lambda _: None) as postgres:
            home = next(Path(name).rglob("postmaster.pid"), None)
            where = home.parent.parent if home else embedded_home(postgres)
            yield Server(postgres, where)


def embedded_home(postgres: EmbeddedPostgres) -> Path:
    (location,) = postgres._data_dir.glob("pg.location")
    return Path(location.read_text().strip())


@pytest.fixture
async def database(durable: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(db_module, "_COMMIT", 5.0)
    monkeypatch.setattr(pulse, "_EVERY", 0.1)
    monkeypatch.setattr(pulse, "_FRESH", 0.1)
    opened = await Database(durable.url, size=2, demands=Demands()).open()
    async with opened.connection() as connection:
        await connection.execute("create table if not exists t (id int)")
    yield opened
    durable.set()
    await opened.close()


async def write(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("insert into t values (1)")


async def write_alone(database: Database) -> None:
    async with database.connection(writes=True) as connection:
        await connection.execute("insert into t values (1)")


async def eventually(database: Database, wanted: type[Exception] | None) -> KassaError | None:
    """Write until it ends as wanted, as a client would; within seconds."""
    async with asyncio.timeout(5):
        while True:
            try:
                await write(database)
            except KassaError as error:
                if wanted is not None and isinstance(error, wanted):
                    return error
            else:
                if wanted is None:
                    return None
            await asyncio.sleep(0.05)


async def waiting_for_standby(watcher: Any) -> int:
    async with asyncio.timeout(5):
        while True:
            pid = await watcher.fetchval(
                "select pid from pg_stat_activity where wait_event = 'SyncRep'"
            )
            if pid is not None:
                return int(pid)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
@pytest.mark.parametrize("way", [write, write_alone])
async def test_a_commit_whose_wait_for_the_standby_was_cut_short_is_unknown(
    database: Database, durable: Server, how: str, way: Any
) -> None:
    watcher = await asyncpg.connect(durable.url)
    await watcher.execute("set synchronous_commit = local")
    durable.set(synchronous_standby_names="ghost")
    await asyncio.sleep(0.2)
    writing = asyncio.create_task(way(database))

    await watcher.fetchval(f"select {how}($1)", await waiting_for_standby(watcher))
    with pytest.raises(AmbiguousCommit):
        await asyncio.wait_for(writing, 5)

    durable.set()
    await eventually(database, None)
    await watcher.close()


async def test_a_commit_that_waits_for_the_standby_is_told_as_unknown_and_goes_on(
    database: Database, durable: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_module, "_COMMIT", 0.3)
    monkeypatch.setattr(db_module, "_FREE", 0.3)
    watcher = await asyncpg.connect(durable.url)
    before = await watcher.fetchval("select count(*) from t")
    durable.set(synchronous_standby_names="ghost")
    await asyncio.sleep(0.2)

    for _ in range(2):
        with pytest.raises(AmbiguousCommit):
            await write(database)
    with pytest.raises(ProviderUnavailable):
        await write(database)  # all connections wait: no more backends than those
    leaving = asyncio.create_task(database.vitals(0.1))
    assert "waiting" in (await leaving).written or await waiting_for_standby(watcher)
    assert await watcher.fetchval("select count(*) from t") == before

    durable.set()
    await eventually(database, None)
    assert await watcher.fetchval("select count(*) from t") == before + 3
    await watcher.close()


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_a_change_of_the_server_stops_it_from_taking_money_within_seconds(
    database: Database, durable: Server, name: str
) -> None:
    await write(database)

    durable.set(**{name: "off"})
    refused = await eventually(database, ProviderUnavailable)
    assert refused is not None
    assert f"{name} is off" in refused.message
    assert "ALTER SYSTEM SET" in refused.message
    with pytest.raises(ProviderUnavailable, match=name):
        await Database(durable.url, demands=Demands()).open()

    durable.set()
    await eventually(database, None)


async def test_what_is_set_for_a_role_counts(database: Database, durable: Server) -> None:
    owner = await asyncpg.connect(durable.url)
    await owner.execute("alter role kassa set synchronous_commit = off")
    try:
        with pytest.raises(ProviderUnavailable, match="ALTER ROLE"):
            await Database(durable.url, demands=Demands()).open()
    finally:
        await owner.execute("alter role kassa reset synchronous_commit")
        await owner.close()


async def test_standbys_have_to_be_those_that_the_settings_name(durable: Server) -> None:
    with pytest.raises(ProviderUnavailable, match="database_standby_names"):
        await Database(durable.url, demands=Demands("ANY 1 (one, two)")).open()


async def test_without_demands_anything_will_do(database_url: str) -> None:
    database = await Database(database_url).open()
    await database.close()


@pytest.mark.parametrize(
    "changed",
    [{"fsync": "off"}, {"data_checksums": "off"}, {"synchronous_commit": "remote_write"}],
)
def test_each_setting_that_may_lose_commits_is_named(changed: dict[str, str]) -> None:
    state = ServerState(standby=False, read_only=False, settings={**SOUND, **changed})

    assert list(server.shortcomings(state, Demands())) == list(changed)
    assert next(iter(changed)) in server.refusal(state, Demands())


def test_a_standby_takes_no_money_and_sound_servers_do() -> None:
    names = {"synchronous_standby_names": "ANY 1 (one,two)"}
    sound = ServerState(standby=False, read_only=False, settings={**SOUND, **names})

    assert server.refusal(sound, Demands()) == ""
    assert server.refusal(sound, Demands("any 1 (one, two)")) != ""
    assert server.refusal(sound, Demands("ANY 1 (one, two)")) == ""
    assert "primary" in server.refusal(ServerState(True, True, SOUND), Demands())
