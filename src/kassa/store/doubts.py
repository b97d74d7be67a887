"""Money of which nobody knows what became, by provider account."""

from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from kassa.domain.lifecycle import (
    PENDING,
    UNDECIDED,
    AttemptStatus,
    ModificationStatus,
    PaymentStatus,
)
from kassa.store.connection import Connection
from kassa.store.modifications import Stuck
from kassa.store.rows import whole
from kassa.store.statuses import any_of, one

_UNDECIDED = any_of(UNDECIDED)
_DISPATCHED = one(AttemptStatus.DISPATCHED)
_IN_DOUBT = one(AttemptStatus.IN_DOUBT)
_PROCESSING = one(PaymentStatus.PROCESSING)
_WITH_PAYER = one(PaymentStatus.REQUIRES_ACTION)
_SENT = one(ModificationStatus.PROCESSING)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Charges, captures, voids and refunds in the dark at one account, in one currency."""

    account: str
    currency: str
    minor: int
    oldest_seconds: int


async def doubts(connection: Connection, call: timedelta) -> list[Doubt] | None:
    """Also what was sent longer than a `call` ago and is not decided: its process was killed, or
    the provider said that it is pending. Not what waits for its payer.

    Cheap: it reads only such rows, by their partial indexes. None: a row is such that nobody can
    reckon with it.
    """
    try:
        return await _doubts(connection, call)
    except (asyncpg.DataError, asyncpg.FeatureNotSupportedError):
        return None


async def _doubts(connection: Connection, call: timedelta) -> list[Doubt]:
    rows = await connection.fetch(
        "select connector, currency, sum(amount_minor),"
        " greatest(0, extract(epoch from now() - min(since)))::bigint from ("
        " select connector, currency, amount_minor, coalesce(undecided_since, created_at) as since"
        f"   from attempt where status = {_IN_DOUBT}"
        " union all"
        " select a.connector, a.currency, a.amount_minor,"
        "   coalesce(a.undecided_since, a.created_at)"
        "   from payment p join attempt a on a.company_id = p.company_id and a.payment_id = p.id"
        f"   where p.status = {_PROCESSING} and a.status = {_DISPATCHED}"
        "   and a.created_at <= now() - $1::interval"
        " union all"
        " select connector, currency, amount_minor, coalesce(undecided_since, created_at)"
        f"   from modification where status = {_SENT}) x"
        " group by connector, currency order by connector, currency",
        call,
    )
    return [Doubt(row[0], row[1], whole(row[2]), row[3]) for row in rows]


async def long_undecided(connection: Connection, for_: timedelta, limit: int) -> list[Stuck]:
    """What nobody has known for so long; not what waits for its payer, and not what has its break
    already."""
    rows = await connection.fetch(
        "select x.company_id, x.payment_id, 'undecided', x.connector, x.currency, x.amount_minor,"
        " x.id from ("
        " select a.company_id, a.payment_id, a.connector, a.currency, a.amount_minor, a.id"
        "   from attempt a join payment p on p.company_id = a.company_id and p.id = a.payment_id"
        f"   where a.status in {_UNDECIDED} and a.created_at <= now() - $1::interval"
        "   and coalesce(a.undecided_since, a.created_at) <= now() - $1::interval"
        f"   and (a.status = {_IN_DOUBT} or p.status = {_PROCESSING}"
        f"     or (p.status = {_WITH_PAYER} and p.expires_at <= now() - $1::interval))"
        " union all"
        " select m.company_id, m.payment_id, m.connector, m.currency, m.amount_minor, m.id"
        f"   from modification m where m.status in {any_of(PENDING)}"
        "   and m.created_at <= now() - $1::interval"
        "   and coalesce(m.undecided_since, m.created_at) <= now() - $1::interval) x"
        " where not exists (select from report_break b where b.payment_id = x.payment_id"
        "  and b.class = 'undecided' and b.cause = x.id and b.company_id = x.company_id"
        "  and b.file_id = '') limit $2",
        for_,
        limit,
    )
    return [Stuck(*row) for row in rows]
