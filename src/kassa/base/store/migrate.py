"""Bring the schema up to date: numbered plain SQL, each file once, in its own transaction."""

import hashlib
import re
from functools import cache
from pathlib import Path

import asyncpg

from kassa.base.domain.errors import InvalidRequest
from kassa.base.store import wire

_LOCK = 0x6B617373  # one migration at a time, over all processes of a database
_NAME = re.compile(r"(\d{4})_\w{1,99}\.sql")

_TABLE = """
create table if not exists schema_migration (
  number integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now())
"""


def _scripts() -> list[tuple[int, str, str]]:
    found = []
    for item in Path(__file__).with_name("migrations").iterdir():
        if match := _NAME.fullmatch(item.name):
            found.append((int(match[1]), item.name, item.read_text(encoding="utf-8")))
    return sorted(found)


async def migrate(url: str, *, live: bool = False) -> int:
    """Apply what is missing and return how many scripts that were.

    `live`: whether the installation may take real money; scripts read it as `kassa.live`.

    Waits for another migrator. Refuses a database whose applied scripts differ from ours.
    Raises: InvalidRequest.
    """
    connection = await wire.connect(url, wire.MIGRATING)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        await connection.execute(
            "select set_config('kassa.live', $1, false)", "on" if live else "off"
        )
        rows = await connection.fetch("select number, checksum from schema_migration")
        applied = {row["number"]: row["checksum"] for row in rows}
        count = 0
        for number, name, text in _scripts():
            checksum = hashlib.sha256(text.encode()).hexdigest()
            if number in applied:
                if applied[number] != checksum:
                    raise InvalidRequest(
                        f"migration {name} is not the one this database was made with"
                    )
                continue
            await connection.begin("begin; set local lock_timeout = '5s'")
            await connection.execute(text)
            await connection.execute(
                "insert into schema_migration (number, name, checksum) values ($1, $2, $3)",
                number,
                name,
                checksum,
            )
            await connection.commit()
            count += 1
        role = await connection.fetchval("select 1 from pg_roles where rolname = 'kassa_app'")
        if role:
            await connection.execute("grant select on schema_migration to kassa_app")
        return count
    finally:
        connection.terminate()  # what is open is undone


async def is_current(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    """Whether every script we know has been applied."""
    try:
        newest = await connection.fetchval("select max(number) from schema_migration")
    except asyncpg.UndefinedTableError:
        return False
    return newest is not None and newest >= _newest()


@cache
def _newest() -> int:
    return max(number for number, _, _ in _scripts())
