"""Money of which nobody knows what became, by provider account."""

from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Queries, Rows
from kassa.modifications.store.modifications import Stuck


@dataclass(frozen=True, slots=True)
class UnknownOutcomes:
    """Charges, captures, voids and refunds in the dark at one account, in one currency."""

    account: str
    currency: str
    minor: int
    oldest_seconds: int


class Sql(Queries, readers=[reader(UnknownOutcomes, sums=["minor"])]):
    doubts: Rows[UnknownOutcomes]
    long_undecided: Rows[Stuck]
    marked: Rows[Stuck]


async def doubts(connection: Connection, call: timedelta) -> list[UnknownOutcomes] | None:
    """Also what was sent longer than a `call` ago and is not decided: its process was killed, or
    the provider said that it is pending. Not what waits for its payer.

    Cheap: it reads only such rows, by their partial indexes. None: a row is such that nobody can
    reckon with it.
    """
    try:
        return await Sql.doubts.all(connection, call)
    except (asyncpg.DataError, asyncpg.FeatureNotSupportedError):
        return None


async def long_undecided(connection: Connection, for_: timedelta, limit: int) -> list[Stuck]:
    """What nobody has known for so long; not what waits for its payer, and not what has its break
    already."""
    return await Sql.long_undecided.all(connection, for_, limit)


async def marked(connection: Connection, limit: int) -> list[Stuck]:
    """What a provider says was another amount, and is nobody's work yet."""
    return await Sql.marked.all(connection, limit)
