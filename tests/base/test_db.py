"""A commit is never cut short, and trouble with the database has its own words."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from kassa.base.domain.errors import AmbiguousCommit, InProgress, ProviderUnavailable
from kassa.base.store import migrate
from kassa.base.store.db import Database
from kassa.base.store.wire import Wire

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(owner_url: str) -> AsyncIterator[Database]:
    """As the owner, who may make a table to try things on."""
    opened = await Database(owner_url, size=3).open()
    async with opened.connection() as connection:
        await connection.execute("create table t (id int primary key)")
    yield opened
    await opened.close()


async def ids(db: Database) -> list[int]:
    async with db.connection() as connection:
        return [row[0] for row in await connection.fetch("select id from t order by id")]


async def write(db: Database, number: int, *, then: Any = None) -> None:
    async with db.transaction() as connection:
        await connection.execute("insert into t values ($1)", number)
        if then is not None:
            await then(connection)


async def test_a_block_that_ends_well_is_committed_and_one_that_fails_is_not(
    db: Database,
) -> None:
    async def fails(_: Any) -> None:
        raise KeyError("no")

    await write(db, 1)
    with pytest.raises(KeyError):
        await write(db, 2, then=fails)

    assert await ids(db) == [1]


async def commit_slowly(db: Database, seconds: str) -> None:
    async with db.connection() as connection:
        await connection.execute(
            "create function slow() returns trigger language plpgsql as"
            f" $$ begin perform pg_sleep({seconds}); return null; end $$;"
            " create constraint trigger slow after insert on t deferrable initially deferred"
            " for each row execute function slow()"
        )


async def pid_in_commit(owner_url: str) -> int:
    """The server process that is in the middle of a COMMIT."""
    watcher = await asyncpg.connect(owner_url)
    pid = None
    while pid is None:
        await asyncio.sleep(0.005)
        pid = await watcher.fetchval(
            "select pid from pg_stat_activity where query ilike 'commit%' and state = 'active'"
        )
    await watcher.close()
    return int(pid)


async def test_whoever_leaves_during_the_commit_does_not_cut_it_short(
    db: Database, owner_url: str
) -> None:
    await commit_slowly(db, "0.2")
    leaving = asyncio.create_task(write(db, 1))
    await pid_in_commit(owner_url)

    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving

    assert await ids(db) == [1]


async def test_a_connection_lost_in_the_middle_of_the_commit_is_told_as_unknown(
    db: Database, owner_url: str
) -> None:
    await commit_slowly(db, "20")
    writing = asyncio.create_task(write(db, 1))
    await kill(db, await pid_in_commit(owner_url))

    with pytest.raises(AmbiguousCommit):
        await writing

    assert await ids(db) == []


async def test_whoever_leaves_before_the_commit_leaves_nothing(db: Database) -> None:
    inside = asyncio.Event()

    async def stay(_: Any) -> None:
        inside.set()
        await asyncio.sleep(10)

    leaving = asyncio.create_task(write(db, 1, then=stay))
    await inside.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving

    assert await ids(db) == []


async def kill(db: Database, pid: int) -> None:
    async with db.connection() as connection:
        await connection.execute("select pg_terminate_backend($1, 5000)", pid)


async def test_a_connection_lost_before_the_commit_is_told_as_nothing_happened(
    db: Database,
) -> None:
    async def die(connection: Wire) -> None:
        await kill(db, connection.get_server_pid())
        await connection.execute("select 1")

    with pytest.raises(ProviderUnavailable):
        await write(db, 1, then=die)

    assert await ids(db) == []


async def test_a_connection_found_lost_before_the_commit_is_told_as_nothing_happened(
    db: Database,
) -> None:
    async def die(connection: Wire) -> None:
        await kill(db, connection.get_server_pid())

    with pytest.raises(ProviderUnavailable):
        await write(db, 1, then=die)

    assert await ids(db) == []


async def test_who_waits_for_each_other_is_told_to_come_again(db: Database) -> None:
    await write(db, 1)
    await write(db, 2)
    together = asyncio.Barrier(2)

    async def cross(first: int, second: int) -> None:
        async with db.transaction() as connection:
            await connection.execute("select from t where id = $1 for update", first)
            await together.wait()
            await connection.execute("select from t where id = $1 for update", second)

    ends = await asyncio.gather(cross(1, 2), cross(2, 1), return_exceptions=True)

    assert sorted(type(end).__name__ for end in ends) == ["InProgress", "NoneType"]
    assert any(isinstance(end, InProgress) for end in ends)


async def test_a_database_that_is_not_there_is_told_in_words(owner_url: str) -> None:
    db = await Database(owner_url, size=1).open()
    await db.close()

    with pytest.raises(ProviderUnavailable, match="cannot be reached") as caught:
        await ids(db)

    assert caught.value.reason == "database_unavailable"


RECOVERING = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"


async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What PostgreSQL says while it recovers."""
    writer.write(b"E" + (len(RECOVERING) + 4).to_bytes(4) + RECOVERING)
    writer.close()


async def test_who_opens_while_the_database_starts_waits_for_it(
    owner_url: str, reachable_dir: Path
) -> None:
    where = parse_qs(urlsplit(owner_url).query)
    if "host" not in where:
        pytest.skip("it needs the socket of the embedded server")
    (sockets,), (port,) = where["host"], where["port"]
    door = reachable_dir / f".s.PGSQL.{port}"
    db = Database(owner_url.replace(sockets, str(reachable_dir)), size=1)

    with pytest.raises(ProviderUnavailable):
        await db.open()
    opening = asyncio.create_task(db.open(20))
    await asyncio.sleep(0.1)
    async with await asyncio.start_unix_server(refuse, door):
        with pytest.raises(ProviderUnavailable, match="is starting up"):
            await db.open(0.1)
    door.unlink(missing_ok=True)
    door.symlink_to(Path(sockets) / door.name)

    await (await opening).close()


async def test_our_own_mistake_is_not_blamed_on_the_database(db: Database) -> None:
    with pytest.raises(asyncpg.DataError, match="int32"):
        await write(db, 2**40)


async def test_migrating_again_does_nothing_and_another_script_is_refused(
    owner_url: str,
) -> None:
    assert await migrate.migrate(owner_url) == 0
    connection = await asyncpg.connect(owner_url)
    await connection.execute("update schema_migration set checksum = 'another'")
    await connection.close()

    with pytest.raises(Exception, match="is not the one this database was made with"):
        await migrate.migrate(owner_url)


async def test_many_migrators_at_once_apply_each_script_once(owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    await connection.execute("drop schema public cascade; create schema public")
    await connection.close()

    applied = await asyncio.gather(*(migrate.migrate(owner_url) for _ in range(4)))

    assert sorted(applied)[:3] == [0, 0, 0]
    assert max(applied) >= 1
