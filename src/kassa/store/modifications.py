"""Captures, voids and refunds looked up outside of a change; disputes and fee rules likewise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kassa.domain.disputes import Dispute
from kassa.domain.fees import FeeKind, FeeRule
from kassa.domain.lifecycle import ModificationStatus
from kassa.domain.modifications import Modification
from kassa.domain.payments import OFFLINE
from kassa.store.companies import of_served_side
from kassa.store.connection import Connection
from kassa.store.payments import LOOKED_AT
from kassa.store.rows import (
    DISPUTE_COLUMNS,
    MODIFICATION_COLUMNS,
    columns,
    read_dispute,
    read_modification,
)
from kassa.store.statuses import one

_FAILED = one(ModificationStatus.FAILED)

_ALL = f"select {columns('m', MODIFICATION_COLUMNS)} from modification m"


async def by_id(
    connection: Connection, company_id: str, modification_id: str
) -> Modification | None:
    row = await connection.fetchrow(
        f"{_ALL} where m.company_id = $1 and m.id = $2", company_id, modification_id
    )
    return read_modification(row) if row else None


async def by_request(
    connection: Connection, company_id: str, scope: str, request_id: str
) -> Modification | None:
    """By the caller's own id of it."""
    row = await connection.fetchrow(
        f"{_ALL} where m.company_id = $1 and m.request_scope = $2 and m.request_id = $3",
        company_id,
        scope,
        request_id,
    )
    return read_modification(row) if row else None


async def of_payments(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> list[Modification]:
    rows = await connection.fetch(
        f"{_ALL} where m.company_id = $1 and m.payment_id = any($2) order by m.id",
        company_id,
        list(payment_ids),
    )
    return [read_modification(row) for row in rows]


async def due(
    connection: Connection, room: Mapping[str, int], limit: int, *, busy: Sequence[str] = ()
) -> list[Modification]:
    """What should be sent, or asked about, now.

    `room`: how many of each account may be taken; of the others none. `busy`: modifications that
    are being pursued already. The accounts take turns, and the companies of each.
    """
    rows = await connection.fetch(
        f"select {columns('d', MODIFICATION_COLUMNS)} from unnest($1::text[], $2::int[])"
        "   as r(account, room)"
        " cross join lateral (select t.*, row_number() over (order by t.turn, t.next_query_at)"
        "     as place"
        "   from (select o.*, row_number() over (partition by o.company_id"
        "       order by o.next_query_at) as turn"
        "     from (select m.* from modification m"
        "       where m.connector = r.account and m.next_query_at <= now()"
        "       and m.id <> all($3) order by m.next_query_at limit $5) o) t"
        "   order by t.turn, t.next_query_at limit r.room) d"
        " order by d.place, d.next_query_at limit $4",
        list(room),
        list(room.values()),
        list(busy),
        limit,
        LOOKED_AT,
    )
    return [read_modification(row) for row in rows]


async def to_release(
    connection: Connection,
    within: Any,
    limit: int,
    *,
    resting: Sequence[str] = (),
    live: bool = True,
) -> list[tuple[str, str]]:
    """(company, payment id)s whose reservation ends within that time, the `resting` left out.
    `live`: also of live sides."""
    rows = await connection.fetch(
        "select p.company_id, p.id from payment p"
        " where p.authorized_minor > p.captured_minor + p.released_minor"
        " and p.authorization_expires_at <= now() + $1::interval"
        f" and p.id <> all($3) and {of_served_side('p.company_id', '$4::boolean')}"
        " order by p.authorization_expires_at limit $2",
        within,
        limit,
        list(resting),
        live,
    )
    return [(row[0], row[1]) for row in rows]


async def with_surplus(
    connection: Connection, limit: int, *, resting: Sequence[str] = (), live: bool = True
) -> list[tuple[str, str]]:
    """(company, payment id)s that hold money to be given back which nothing is giving back, the
    `resting` left out. `live`: also of live sides."""
    rows = await connection.fetch(
        "select p.company_id, p.id from payment p"
        " where p.surplus_minor > p.surplus_returned_minor + p.surplus_reserved_minor"
        # What is a person's work already must not take the places of the others.
        " and not exists (select from report_break b where b.payment_id = p.id"
        "  and b.class = 'surplus_stuck' and b.company_id = p.company_id and b.file_id = '')"
        f" and p.id <> all($2) and {of_served_side('p.company_id', '$3::boolean')}"
        " order by p.id limit $1",
        limit,
        list(resting),
        live,
    )
    return [(row[0], row[1]) for row in rows]


@dataclass(frozen=True, slots=True)
class Stuck:
    """`problem`: a BreakClass. `minor`: how much it is about. `cause`: the attempt or modification,
    where it is one of several that a payment may have."""

    company_id: str
    payment_id: str
    problem: str
    connector: str
    currency: str
    minor: int
    cause: str = ""


async def stuck(connection: Connection, most_tries: int, limit: int) -> list[Stuck]:
    """What left twice, and surplus at the counter or refused `most_tries` times; not what has
    its break already."""
    rows = await connection.fetch(
        "select x.company_id, x.id, x.problem, x.connector, x.currency, x.minor from ("
        " select p.company_id, p.id, 'double_paid' as problem, p.connector, p.currency,"
        "  p.double_paid_minor as minor from payment p where p.double_paid_minor > 0"
        " union all"
        " select p.company_id, p.id, 'surplus_stuck', p.connector, p.currency,"
        "  p.surplus_minor - p.surplus_returned_minor - p.surplus_reserved_minor"
        " from payment p"
        " where p.surplus_minor > p.surplus_returned_minor + p.surplus_reserved_minor and ("
        "  exists (select from attempt a where a.company_id = p.company_id"
        "   and a.payment_id = p.id and a.surplus and a.method = any($3))"
        "  or (select count(*) from modification m where m.payment_id = p.id"
        f"   and m.company_id = p.company_id and m.surplus and m.status = {_FAILED}) >= $1)) x"
        " where not exists (select from report_break b where b.payment_id = x.id"
        "  and b.class = x.problem and b.company_id = x.company_id and b.file_id = '')"
        " limit $2",
        most_tries,
        limit,
        sorted(OFFLINE),
    )
    return [Stuck(*row) for row in rows]


async def disputes(
    connection: Connection, company_id: str, *, only_open: bool, limit: int
) -> list[Dispute]:
    """The company's disputes, the nearest deadline first."""
    rows = await connection.fetch(
        f"select {columns('d', DISPUTE_COLUMNS)} from dispute d where d.company_id = $1"
        " and (not $2 or d.closed_at is null)"
        " order by d.closed_at is not null, d.respond_by nulls last, d.id limit $3",
        company_id,
        only_open,
        limit,
    )
    return [read_dispute(row) for row in rows]


async def fee_rules(connection: Connection, companies: Sequence[str]) -> list[FeeRule]:
    rows = await connection.fetch(
        "select id, company_id, kind, connector, method, currency, rate_ppm, fixed_minor,"
        " valid_from, valid_until from fee_rule where company_id = any($1) order by id",
        list(companies),
    )
    return [FeeRule(**{**dict(row), "kind": FeeKind(row["kind"])}) for row in rows]
