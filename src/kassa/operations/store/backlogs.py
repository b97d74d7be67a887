"""How much work waits: each figure a statement of its own, so that one that fails fails alone."""

from collections.abc import Mapping

import asyncpg

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Queries, Value


class Sql(Queries):
    announcements_waiting: Value[int]
    attempts_undecided: Value[int]
    oldest_undecided_seconds: Value[int]
    modifications_undecided: Value[int]
    oldest_modification_seconds: Value[int]
    payments_with_surplus: Value[int]
    disputes_open: Value[int]
    provider_news_waiting: Value[int]
    provider_news_lost: Value[int]


_FIGURES: Mapping[str, Value[int]] = {
    "announcements_waiting": Sql.announcements_waiting,
    "attempts_undecided": Sql.attempts_undecided,
    "oldest_undecided_seconds": Sql.oldest_undecided_seconds,
    "modifications_undecided": Sql.modifications_undecided,
    "oldest_modification_seconds": Sql.oldest_modification_seconds,
    "payments_with_surplus": Sql.payments_with_surplus,
    "disputes_open": Sql.disputes_open,
    "provider_news_waiting": Sql.provider_news_waiting,
    "provider_news_lost": Sql.provider_news_lost,
}
Gauges = dict[str, int | None]
"""None: it could not be counted."""


async def count(connection: Connection) -> Gauges:
    """Every figure by its name. What is wrong with one row spoils no more than its figure."""
    found: Gauges = {}
    for name, figure in _FIGURES.items():
        try:
            found[name] = await figure.one(connection)
        except (
            asyncpg.DataError,
            asyncpg.FeatureNotSupportedError,
        ):  # a date or a number that nobody can reckon with
            found[name] = None
    return found
