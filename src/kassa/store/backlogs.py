"""How much work waits: each figure a statement of its own, so that one that fails fails alone."""

from collections.abc import Iterable, Mapping

import asyncpg

from kassa.store.connection import Connection, sole_row

_SECONDS = "coalesce(extract(epoch from now() - min(created_at))::bigint, 0)"
# fmt: off
_STATEMENTS: Mapping[tuple[str, ...], str] = {
    ("announcements_waiting",):
        "select count(*) from announcement where state = 'waiting'",
    ("attempts_undecided",):
        "select count(*) from attempt where next_query_at is not null",
    ("oldest_undecided_seconds",):
        f"select {_SECONDS} from attempt where next_query_at is not null",
    ("modifications_undecided",):
        "select count(*) from modification where next_query_at is not null",
    ("oldest_modification_seconds",):
        f"select {_SECONDS} from modification where next_query_at is not null",
    ("payments_with_surplus",):
        "select count(*) from payment"
        " where surplus_minor > surplus_returned_minor + surplus_reserved_minor",
    ("disputes_open",):
        "select count(*) from dispute where closed_at is null",
    ("provider_news_waiting", "provider_news_lost"):
        "select count(*), count(*) filter (where next_at is null)"
        " from provider_news where applied_at is null",
}
# fmt: on
Gauges = dict[str, int | None]
"""None: it could not be counted."""


async def count(connection: Connection) -> Gauges:
    """Every figure by its name. What is wrong with one row spoils no more than its figure."""
    found: Gauges = {}
    for names, statement in _STATEMENTS.items():
        try:
            row: Iterable[int | None] = await sole_row(connection, statement)
        except (
            asyncpg.DataError,
            asyncpg.FeatureNotSupportedError,
        ):  # a date or a number that nobody can reckon with
            row = [None] * len(names)
        found |= zip(names, row, strict=True)
    return found
