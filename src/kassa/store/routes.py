"""Routing rules, version by version, and how provider accounts have done lately."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kassa.domain.lifecycle import RATED, AttemptStatus
from kassa.store.connection import Connection
from kassa.store.cover import seal_of
from kassa.store.seals import seals_of
from kassa.store.statuses import any_of, one

_NEWEST = 2_000  # attempts that are counted at most


async def newest_rules(connection: Connection, company_id: str) -> tuple[int, list[Any]]:
    """The version in force and its rules; 0 and none where nobody has set any."""
    row = await connection.fetchrow(
        "select version, rules from route_rules where company_id = $1"
        " order by version desc limit 1",
        company_id,
    )
    return (row["version"], row["rules"]) if row else (0, [])


async def add_rules(
    connection: Connection, company_id: str, rules: list[Any], *, actor: str
) -> int:
    """Store the next version; returns its number."""
    await connection.execute("select from company where id = $1 for no key update", company_id)
    version: int = await connection.fetchval(
        "select coalesce(max(version), 0) + 1 from route_rules where company_id = $1", company_id
    )
    row = {"company_id": company_id, "version": version, "rules": rules, "actor": actor}
    await connection.execute(
        "insert into route_rules (company_id, version, rules, actor, birth)"
        " values ($1, $2, $3, $4, $5)",
        *row.values(),
        seal_of(seals_of(connection), "route_rules", "birth", row),
    )
    return version


async def all_rules(
    connection: Connection, company_id: str
) -> list[tuple[int, list[Any], str, datetime]]:
    """Every version, the newest first: number, rules, who set it, when."""
    rows = await connection.fetch(
        "select version, rules, actor, created_at from route_rules where company_id = $1"
        " order by version desc",
        company_id,
    )
    return [tuple(row) for row in rows]


async def lately(
    connection: Connection, company_id: str, since: timedelta
) -> Mapping[str, tuple[int, int]]:
    """By provider account: how many of the newest attempts succeeded, of how many."""
    rows = await connection.fetch(
        "select connector,"
        f" count(*) filter (where status = {one(AttemptStatus.SUCCEEDED)}), count(*)"
        " from (select connector, status from attempt where company_id = $1"
        "   and created_at > now() - $2::interval"
        f"   and status in {any_of(RATED)}"
        "   order by created_at desc limit $3) newest group by connector",
        company_id,
        since,
        _NEWEST,
    )
    return {row[0]: (row[1], row[2]) for row in rows}
