"""A test finds its database as if nobody had been there before."""

from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest
from tests.databases import Databases, Kept, in_database

Ask = Callable[..., list[Any]]

_INSERTED = """
insert into unchained (company_id, kind, keys, numbers) values ('cmp_001', 'event', '{x}', '{1}')
"""
_TABLES = "select tablename::text from pg_tables where schemaname = 'public'"
_SEQUENCES = "select sequencename, last_value from pg_sequences"
_SCHEMA = """
select relname::text, relkind::text, relacl::text, tgname::text, tgenabled::text, attname::text,
  attnotnull, prosrc
from pg_class c left join pg_trigger on tgrelid = c.oid and not tgisinternal
left join pg_attribute on attrelid = c.oid and attnum > 0
left join pg_proc on proname = 'chained'
where relnamespace = 'public'::regnamespace order by 1, 4, 6
"""
_END_ALL = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
"""
_MANY = """
insert into unchained (company_id, kind, keys, numbers)
select 'cmp_001', 'event', '{x}', '{1}' from generate_series(1, 5000)
"""


@pytest.fixture
def ask(databases: Databases) -> Iterator[Ask]:
    """Asks as the owner, over connections that are left open."""
    connections = []

    def ask(kept: Kept, *statements: str) -> list[Any]:
        url = in_database(databases.server.owner_url, kept.name)
        connection = databases.loop.run(asyncpg.connect(url))
        connections.append(connection)
        for statement in statements:
            found = databases.loop.run(connection.fetch(statement))
        return [tuple(row) for row in found]

    yield ask
    for connection in connections:
        connection.terminate()


def contents(ask: Ask, kept: Kept) -> tuple[list[Any], ...]:
    """Every row, and what the sequences give next."""
    names = [name for (name,) in ask(kept, _TABLES)]
    rows = " union all ".join(f"select '{name}', t::text from {name} t" for name in names)
    return ask(kept, f"{rows} order by 1, 2"), ask(kept, _SEQUENCES), ask(kept, _SCHEMA)


@pytest.mark.parametrize(
    "spoiling",
    [
        ["update company set name = 'Renamed'", _INSERTED],
        ["set session_replication_role = replica", "delete from entry", "delete from company"],
        ["select nextval('provider_account_version')"],
        ["select pg_advisory_lock(1)", "begin", "lock table payment"],
        [_MANY],
        ["alter table entry disable trigger user"],
        ["alter table fee_rule alter column method drop not null"],
        ["create table mine (id int)"],
        ["create or replace function chained(ids bigint[]) returns void language sql as ''"],
        ["revoke all on company from kassa_app"],
        ["drop schema public cascade"],
        [_END_ALL],
    ],
    ids=lambda statements: statements[-1].strip().partition(" (")[0][:40],
)
def test_whatever_a_test_did_the_next_one_sees_nothing_of_it(
    databases: Databases, ask: Ask, with_demo: str, spoiling: list[str]
) -> None:
    kept = databases.take(with_demo)
    before = contents(ask, kept)
    try:
        ask(kept, *spoiling)
    except asyncpg.PostgresConnectionError:
        assert "terminate" in spoiling[0]
    databases.give_back(with_demo, kept)

    again = databases.take(with_demo)

    assert contents(ask, again) == before
    assert ask(again, "select 1 from pg_locks where locktype = 'advisory'") == []
    databases.give_back(with_demo, again)


def test_a_database_serves_one_test_at_a_time_and_then_the_next(
    databases: Databases, ask: Ask, migrated: str
) -> None:
    one, other = databases.take(migrated), databases.take(migrated)
    ask(one, _INSERTED)

    assert one.name != other.name
    assert ask(other, "select * from unchained") == []

    databases.give_back(migrated, one)
    after = databases.take(migrated)
    assert after.name == one.name, "it was put back, not made anew"
    for kept in (after, other):
        databases.give_back(migrated, kept)
