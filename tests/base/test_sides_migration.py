"""An installation from before there were sides: what its companies and accounts become."""

import hashlib
from collections.abc import Iterator
from importlib.resources import files

import asyncpg
import pytest
from tests.databases import Databases, in_database

from kassa.base.store.migrate import migrate

pytestmark = pytest.mark.anyio
_SIDES = 13
_COMPANIES = {"cmp_plain": (), "cmp_real": ("live",), "cmp_both": ("test", "live")}
"""Companies, and the modes of the accounts each has."""


@pytest.fixture
def empty(databases: Databases) -> Iterator[str]:
    """The address of a database in which nothing has been made yet."""
    name = "kassa_before_sides"
    databases.execute(f'create database "{name}"')
    yield in_database(databases.server.owner_url, name)
    databases.drop(name)


async def _before(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """The schema as it was, and its companies with their accounts."""
    await connection.execute(
        "create table schema_migration (number integer primary key, name text not null,"
        " checksum text not null, applied_at timestamptz not null default now())"
    )
    folder = files("kassa.base.store").joinpath("migrations")
    for script in sorted(folder.iterdir(), key=lambda one: one.name):
        if not script.name.endswith(".sql") or int(script.name[:4]) >= _SIDES:
            continue
        text = script.read_text(encoding="utf-8")
        await connection.execute(text)
        await connection.execute(
            "insert into schema_migration (number, name, checksum) values ($1, $2, $3)",
            int(script.name[:4]),
            script.name,
            hashlib.sha256(text.encode()).hexdigest(),
        )
    for number, (company, modes) in enumerate(_COMPANIES.items(), 1):
        await connection.execute(
            "insert into company (id, number, name, currency, business_id)"
            " values ($1, $2, 'A shop', 'CNY', 'biz')",
            company,
            number,
        )
        await connection.execute("insert into company_key values ($1, 1, 1, '')", company)
        for mode in modes:
            await connection.execute(
                "insert into provider_account (company_id, name, connector, mode, settings,"
                " sealed, key_version) values ($1, $2, 'stripe', $3, '{}', '', 1)",
                company,
                f"{company}-{mode}",
                mode,
            )


@pytest.mark.parametrize("live", [False, True])
async def test_a_company_becomes_what_its_installation_was(empty: str, live: bool) -> None:
    connection = await asyncpg.connect(empty)
    try:
        await _before(connection)
        await migrate(empty, live=live)
        sides = await connection.fetch("select * from company order by number")
        accounts = await connection.fetch("select name, status from provider_account order by name")
    finally:
        await connection.close()

    plain = ("live", False) if live else ("test", True)
    assert {one["id"]: (one["mode"], one["sandbox"]) for one in sides} == {
        "cmp_plain": plain,
        "cmp_real": ("live", False),
        "cmp_both": ("live", False),
    }
    assert all(one["public_id"] == one["id"] for one in sides)
    assert {one["name"]: one["status"] for one in accounts} == {
        "cmp_both-live": "active",
        "cmp_both-test": "disabled",  # it had not been used beside the other
        "cmp_real-live": "active",
    }
