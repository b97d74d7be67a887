"""Routing rules, version by version, and how provider accounts have done lately."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows
from kassa.base.store.seals import seals_of
from kassa.proof.store import records
from kassa.proof.store.cover import seal_of

_NEWEST = 2_000  # attempts that are counted at most


class _Rules(NamedTuple):
    version: int
    rules: list[Any]


class Version(NamedTuple):
    """`actor`: who set it."""

    version: int
    rules: list[Any]
    actor: str
    created_at: datetime


class _Lately(NamedTuple):
    connector: str
    succeeded: int
    tried: int


class _Next(NamedTuple):
    version: int
    at: datetime


class Sql(Queries):
    newest_rules: Rows[_Rules]
    hold_rules: Command
    next_version: Rows[_Next]
    add_rules: Command
    all_rules: Rows[Version]
    lately: Rows[_Lately]


async def newest_rules(connection: Connection, company_id: str) -> tuple[int, list[Any]]:
    """The version in force and its rules; 0 and none where nobody has set any."""
    return await Sql.newest_rules.first(connection, company_id) or (0, [])


async def add_rules(
    connection: Connection, company_id: str, rules: list[Any], *, actor: str
) -> int:
    """Store the next version; returns its number."""
    await Sql.hold_rules.run(connection, company_id)
    version, at = await Sql.next_version.one(connection, company_id)
    row = {"company_id": company_id, "version": version, "rules": rules, "actor": actor}
    await Sql.add_rules.run(
        connection,
        *row.values(),
        seal_of(seals_of(connection), "route_rules", "birth", row),
        *records.first(connection, "route_rules", row, company_id, at),
    )
    return version


async def all_rules(connection: Connection, company_id: str) -> Sequence[Version]:
    """Every version, the newest first."""
    return await Sql.all_rules.all(connection, company_id)


async def lately(
    connection: Connection, company_id: str, since: timedelta
) -> Mapping[str, tuple[int, int]]:
    """By provider account: how many of the newest attempts succeeded, of how many."""
    rows = await Sql.lately.all(connection, company_id, since, _NEWEST)
    return {row.connector: (row.succeeded, row.tried) for row in rows}
