"""Trouble of the database's that passes is "not now" and a line in the log; ours is ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import structlog

from kassa.base.domain.errors import InProgress, KassaError, ProviderUnavailable
from kassa.base.store import trouble
from kassa.base.store.db import Database
from kassa.base.store.trouble import Complaints

pytestmark = pytest.mark.anyio

# Every code of these classes that a server raises while it is up: the others cannot be raised.
PASSING = """08006 25006 25P03 25P04 53000 53100 53200 53300 53400 57000 57014 57P01 57P02 57P03
 57P04 57P05 58000 58030""".split()
CONTENTION = ["40001", "40P01", "55P03"]
OUR_OWN = ["22003", "23505", "23514", "42501", "42P01", "P0001"]


@pytest.fixture
async def db(owner_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """With a function that fails as it is told, and a table that fails when it is committed."""
    monkeypatch.setattr(trouble, "complaints", Complaints())
    opened = await Database(owner_url, size=2).open()
    async with opened.connection() as connection:
        await connection.execute(
            "create function fail(code text) returns void language plpgsql as"
            " $$ begin raise exception 'row (4242424242424242)' using errcode = code; end $$;"
            " create table t (code text);"
            " create function fail_late() returns trigger language plpgsql as"
            " $$ begin perform fail(new.code); return null; end $$;"
            " create constraint trigger late after insert on t deferrable initially deferred"
            " for each row when (new.code <> '') execute function fail_late()"
        )
    yield opened
    await opened.close()


async def failing(db: Database, code: str) -> None:
    async with db.connection() as connection:
        await connection.execute("select fail($1)", code)


async def failing_inside(db: Database, code: str) -> None:
    async with db.transaction() as connection:
        await connection.execute("select fail($1)", code)


async def failing_at_commit(db: Database, code: str) -> None:
    async with db.transaction() as connection:
        await connection.execute("insert into t values ($1)", code)


WAYS = [failing, failing_inside, failing_at_commit]


@pytest.mark.parametrize("way", WAYS)
async def test_trouble_that_passes_is_not_now(db: Database, way: Any) -> None:
    for code in PASSING:
        if way is failing_at_commit and code.startswith("08"):
            continue  # it may as well be the driver that says so, and then nobody knows
        with pytest.raises(ProviderUnavailable) as caught:
            await way(db, code)
        assert caught.value.reason == "database_unavailable", code
        assert "4242" not in caught.value.message

    async with db.connection() as connection:
        assert await connection.fetchval("select count(*) from t") == 0


@pytest.mark.parametrize("way", WAYS)
async def test_contention_asks_to_come_again(db: Database, way: Any) -> None:
    for code in CONTENTION:
        with pytest.raises(InProgress):
            await way(db, code)


@pytest.mark.parametrize("way", WAYS)
async def test_an_items_content_and_our_own_mistakes_stay_what_they_are(
    db: Database, way: Any
) -> None:
    for code in OUR_OWN:
        with pytest.raises(asyncpg.PostgresError) as caught:
            await way(db, code)
        assert caught.value.sqlstate == code


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(db: Database) -> None:
    async def sleep() -> None:
        async with db.transaction() as connection:
            await connection.execute("set local statement_timeout = '50ms'")
            await connection.execute("select pg_sleep(20)")

    with pytest.raises(ProviderUnavailable):
        await asyncio.wait_for(sleep(), 5)


async def test_each_connection_has_its_deadlines(db: Database) -> None:
    asked = (
        "select current_setting('statement_timeout'), current_setting('lock_timeout'),"
        " current_setting('idle_in_transaction_session_timeout')"
    )
    async with (
        db.connection() as quick,
        db.transaction() as patient,
        db.transaction(long=True) as long,
    ):
        assert tuple(await quick.fetchrow(asked)) == ("8s", "500ms", "15s")
        assert tuple(await patient.fetchrow(asked)) == ("8s", "5s", "15s")
        assert tuple(await long.fetchrow(asked)) == ("10min", "5s", "10min")


async def test_a_read_only_server_is_not_now(db: Database) -> None:
    async def write() -> None:
        async with db.transaction() as connection:
            await connection.execute("set transaction read only")
            await connection.execute("insert into t values ('')")

    with pytest.raises(ProviderUnavailable):
        await write()


async def test_an_error_that_nobody_heeded_is_no_commit(db: Database) -> None:
    async def swallow() -> None:
        async with db.transaction() as connection:
            await connection.execute("insert into t values ('')")
            with suppress(asyncpg.PostgresError):
                await connection.execute("select fail('22003')")

    with pytest.raises(RuntimeError, match="not heeded"):
        await swallow()

    async with db.connection() as connection:
        assert await connection.fetchval("select count(*) from t") == 0


async def test_a_thousand_troubles_are_a_line_in_the_log(db: Database) -> None:
    with structlog.testing.capture_logs() as logs:
        for _ in range(100):
            with pytest.raises(KassaError):
                await failing(db, "53100")

    lines = [line for line in logs if line["event"] == "database trouble"]
    assert 1 <= len(lines) <= 5  # one in a second
    assert lines[0]["kind"] == "53100"
    assert not any("exc_info" in line or "4242" in str(line) for line in lines)


def test_what_was_left_unsaid_is_counted() -> None:
    now = [0.0]
    complaints = Complaints(lambda: now[0])

    with structlog.testing.capture_logs() as logs:
        for at in (0.0, 0.1, 0.2, 1.5):
            now[0] = at
            complaints.note("57014", TimeoutError())
            complaints.note("53100", TimeoutError())

    assert [(line["kind"], line["count"]) for line in logs] == [
        ("57014", 1),
        ("53100", 1),
        ("57014", 3),
        ("53100", 3),
    ]
