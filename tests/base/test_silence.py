"""A database that says nothing: nobody waits for it without an end, and nothing is guessed."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from bench.faults.proxy import Proxy

from kassa.base.domain.errors import AmbiguousCommit, ProviderUnavailable
from kassa.base.store import db as db_module
from kassa.base.store import pulse, wire
from kassa.base.store.db import Database
from kassa.base.store.wire import WireLimits

pytestmark = pytest.mark.anyio

_QUICKLY = 3.0  # far above what is set below, and far below what is set otherwise


@pytest.fixture(autouse=True)
def _short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db_module, "QUICK", WireLimits(0.5, 0.3))
    monkeypatch.setattr(db_module, "_FREE", 0.5)
    monkeypatch.setattr(db_module, "_COMMIT", 0.5)
    monkeypatch.setattr(wire, "_GRACE", 0.3)
    monkeypatch.setattr(wire, "_CONNECT", 0.5)
    monkeypatch.setattr(pulse, "_EVERY", 0.2)
    monkeypatch.setattr(pulse, "_FRESH", 0.2)


@pytest.fixture
async def proxy(owner_url: str) -> AsyncIterator[Proxy]:
    connection = await asyncpg.connect(owner_url)
    await connection.execute("create table t (id int primary key)")
    await connection.close()
    async with Proxy(owner_url) as started:
        yield started


@pytest.fixture
async def db(proxy: Proxy) -> AsyncIterator[Database]:
    opened = await Database(proxy.url, size=2).open(patience=4 * _QUICKLY)  # a busy machine
    yield opened
    proxy.thaw()
    await opened.close()


@asynccontextmanager
async def quickly() -> AsyncIterator[None]:
    began = time.monotonic()
    async with asyncio.timeout(4 * _QUICKLY):  # what has no end shall fail, too
        yield
    assert time.monotonic() - began < _QUICKLY


async def one(db: Database) -> int:
    async with db.connection() as connection:
        return int(await connection.fetchval("select 1"))


async def write(db: Database, number: int) -> None:
    async with db.transaction() as connection:
        await connection.execute("insert into t values ($1)", number)


async def until_it_works(db: Database) -> float:
    began = time.monotonic()
    while True:
        try:
            await one(db)
        except ProviderUnavailable:
            await asyncio.sleep(0.05)
        else:
            return time.monotonic() - began


async def test_a_statement_to_a_silent_server_ends_by_its_deadline(
    db: Database, proxy: Proxy
) -> None:
    await one(db)
    proxy.freeze()

    async with quickly():
        for end in await asyncio.gather(*(one(db) for _ in range(6)), return_exceptions=True):
            assert isinstance(end, ProviderUnavailable)
    proxy.thaw()

    assert await until_it_works(db) < _QUICKLY


async def test_a_connection_to_a_silent_server_is_not_waited_for(proxy: Proxy) -> None:
    proxy.freeze()

    async with quickly():
        with pytest.raises(ProviderUnavailable):
            await Database(proxy.url, size=2).open()


async def test_a_free_connection_is_not_waited_for_without_an_end(db: Database) -> None:
    holding = [await db._quick.take(1) for _ in range(2)]

    async with quickly():
        with pytest.raises(ProviderUnavailable):
            await one(db)

    for taken in holding:
        db._quick.give(taken)
    assert await one(db) == 1


async def test_a_transaction_of_a_silent_server_ends_by_its_deadline(
    db: Database, proxy: Proxy
) -> None:
    proxy.freeze()

    async with quickly():
        with pytest.raises(ProviderUnavailable):
            await write(db, 1)
    proxy.thaw()
    await until_it_works(db)

    async with db.connection() as connection:
        assert await connection.fetchval("select count(*) from t") == 0


async def test_after_a_failover_connections_that_went_silent_are_thrown_away(
    db: Database, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "_SILENT", 0.3)
    monkeypatch.setattr(db_module, "QUICK", WireLimits(30, 0.3))  # nobody's own deadline helps
    await asyncio.sleep(0.5)  # it has a pulse
    holding = [await db._quick.take(1), await db._quick.take(1)]
    for taken in holding:
        db._quick.give(taken)
    waiting = asyncio.create_task(one(db))
    proxy.fail_over()
    lost = asyncio.create_task(one(db))

    async with quickly():
        await asyncio.gather(waiting, lost, return_exceptions=True)
        assert await until_it_works(db) < _QUICKLY


async def test_idle_connections_that_went_silent_are_thrown_away(
    db: Database, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "_SILENT", 0.3)
    monkeypatch.setattr(db_module, "QUICK", WireLimits(30, 0.3))  # nobody's own deadline helps
    await asyncio.sleep(0.5)  # it has a pulse
    for taken in [await db._quick.take(1), await db._quick.take(1)]:
        db._quick.give(taken)
    proxy.fail_over()
    await asyncio.sleep(1.5)

    async with quickly():
        await until_it_works(db)


async def test_the_kernel_notices_a_server_that_is_gone(db: Database) -> None:
    taken = await db._quick.take(1)
    found = taken._transport.get_extra_info("socket")

    asked = [
        found.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        if hasattr(socket, name)
    ]

    assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert asked == [10, 5, 3, 10_000][: len(asked)]
    db._quick.give(taken)


async def test_who_commits_to_a_silent_server_is_told_that_it_is_unknown(
    db: Database, proxy: Proxy, owner_url: str
) -> None:
    proxy.silence_at_commit()

    async with quickly():
        with pytest.raises(AmbiguousCommit):
            await write(db, 1)

    connection = await asyncpg.connect(owner_url)
    assert await connection.fetchval("select count(*) from t") == 1
    await connection.close()
    async with quickly():
        await write(db, 2)


async def test_what_is_lost_while_it_writes_by_itself_is_unknown(
    db: Database, proxy: Proxy
) -> None:
    async def write_alone() -> None:
        async with db.connection(writes=True) as connection:
            await connection.execute("insert into t values (1)")

    await one(db)
    proxy.freeze()

    async with quickly():
        with pytest.raises(AmbiguousCommit):
            await write_alone()


async def test_whoever_leaves_in_the_middle_of_a_statement_leaves_its_connection_usable(
    owner_url: str,
) -> None:
    db = await Database(owner_url, size=1).open()

    async def sleep() -> None:
        async with db.connection() as connection:
            await connection.execute("select pg_sleep(20)")

    for _ in range(3):
        leaving = asyncio.create_task(sleep())
        await asyncio.sleep(0.05)
        leaving.cancel()
        async with quickly():
            assert await one(db) == 1

    await db.close()


async def test_readiness_is_told_at_once_whatever_the_server_does(
    db: Database, proxy: Proxy
) -> None:
    assert (await db.vitals(5)).written == "ok"
    proxy.freeze()
    await asyncio.sleep(0.5)

    async def ask() -> None:
        while True:
            began = time.monotonic()
            await db.vitals(0.1)
            assert time.monotonic() - began < 1
            await asyncio.sleep(0.05)

    async with quickly():
        with pytest.raises(ProviderUnavailable):
            await ask()


async def test_readiness_notices_that_nothing_can_be_written(owner_url: str) -> None:
    owner = await asyncpg.connect(owner_url)
    name = await owner.fetchval("select current_database()")
    await owner.execute(f'alter database "{name}" set default_transaction_read_only = on')
    await owner.close()
    db = await Database(owner_url, size=1).open()

    found = await db.vitals(5)

    assert found.state.read_only
    await db.close()
