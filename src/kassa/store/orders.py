"""Orders: created together with the payment that will collect them, and found again."""

from collections.abc import Sequence
from typing import Any

from kassa.domain.facts import PaymentCreated
from kassa.domain.facts_written import written
from kassa.domain.lifecycle import AT_PROVIDER, AttemptStatus, OrderStatus
from kassa.domain.orders import Order
from kassa.domain.payments import Payment
from kassa.store import making
from kassa.store.canon import event_digest
from kassa.store.companies import of_served_side
from kassa.store.connection import Connection, Row
from kassa.store.cover import with_seals
from kassa.store.rows import (
    ORDER_COLUMNS,
    PAYMENT_COLUMNS,
    columns,
    json_rows,
    order_row,
    payment_row,
    read_order,
    read_payment,
)
from kassa.store.seals import Seals, as_json, seals_of
from kassa.store.statuses import any_of, one

_ACTIVE = one(OrderStatus.ACTIVE)
_AT_PROVIDER = any_of(AT_PROVIDER)
_DISPATCHED = one(AttemptStatus.DISPATCHED)
_IN_DOUBT = one(AttemptStatus.IN_DOUBT)

_ORDER = ", ".join(ORDER_COLUMNS)
_WRITTEN_ORDER = ", ".join((*ORDER_COLUMNS, "birth"))
_WRITTEN_PAYMENT = (*PAYMENT_COLUMNS, "birth", "seal")

# One statement, one commit: an order that loses to an older one (same id, or same request id)
# takes no payment and no event with it, because both join what was really inserted.
# For an id that an open transaction inserts it waits a moment and no longer: a batch is behind it.
_INSERT = f"""
with wanted_order as materialized (
       select * from json_populate_recordset(null::orders, $1::json)),
     wanted_payment as materialized (
       select * from json_populate_recordset(null::payment, $2::json)),
     briefly as materialized (select set_config('lock_timeout', '100ms', true)),
     told as materialized (
       select count(pg_advisory_xact_lock_shared({making.LOCK}, key)) from unnest($4::int[]) key),
     fresh as materialized (
       select extract(epoch from clock_timestamp()) * 1000 < $5::bigint + {making.WINDOW} as yes
         from told),
     made_order as (
       insert into orders as o ({_WRITTEN_ORDER}) select {_WRITTEN_ORDER}
         from wanted_order, briefly, fresh where fresh.yes
       on conflict do nothing returning o.company_id, o.id),
     made_payment as (
       insert into payment as p ({", ".join(_WRITTEN_PAYMENT)})
       select {columns("w", _WRITTEN_PAYMENT)} from wanted_payment w
         join made_order m on m.company_id = w.company_id and m.id = w.order_id
       returning p.company_id, p.id, p.status, p.created_at),
     made_event as (
       insert into payment_event as e
         (company_id, payment_id, seq, event, from_status, to_status, actor, evidence, at, seal)
       select m.company_id, m.id, 1, 'create', null, m.status, a.actor, a.evidence, m.created_at,
           a.seal
         from made_payment m join json_to_recordset($3::json)
             as a(company_id text, id text, actor text, evidence jsonb, seal bytea)
           on a.company_id = m.company_id and a.id = m.id)
select company_id, id from made_order union all select null, null from fresh where not yes
"""
_ALWAYS = 2**62  # a millisecond that nothing is late for


async def insert(
    connection: Connection,
    rows: Sequence[tuple[Order, Payment, str]],
    *,
    since: int | None = None,
) -> set[tuple[str, str]] | None:
    """Store (order, payment, actor) triples; returns the (company, order id)s that were new.

    `since`: the millisecond before the first id was made; None where that was announced. None and
    nothing stored: it was so long ago that lists may have gone past these ids.
    """
    made = await connection.fetch(
        _INSERT,
        *(json_rows(part) for part in sealed(seals_of(connection), rows)),
        making.keys(order.company_id for order, _, _ in rows),
        _ALWAYS if since is None else since,
    )
    found = {(row[0], row[1]) for row in made}
    return None if (None, None) in found else found


def sealed(
    seals: Seals, rows: Sequence[tuple[Order, Payment, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Orders, payments and first events as they are written."""
    return (
        with_seals(seals, "orders", [order_row(order) for order, _, _ in rows]),
        with_seals(seals, "payment", [payment_row(payment) for _, payment, _ in rows]),
        [_created(seals, order, payment, actor) for order, payment, actor in rows],
    )


def _created(seals: Seals, order: Order, payment: Payment, actor: str) -> dict[str, Any]:
    """What the payment's first event says that its row does not."""
    company_id, payment_id = payment.company_id, payment.id
    evidence = written(PaymentCreated(face=order.face, order=order.id))
    digest = event_digest(
        company_id,
        payment_id,
        1,
        "create",
        None,
        payment.status,
        actor,
        evidence,
        payment.created_at,
    )
    return {
        "company_id": company_id,
        "id": payment_id,
        "actor": actor,
        "evidence": evidence,
        "seal": as_json(seals.of("payment_event", digest)),
    }


_VIEW = f"{columns('p', PAYMENT_COLUMNS)}, {columns('o', ORDER_COLUMNS)}"
_JOIN = "payment p join orders o on o.company_id = p.company_id and o.id = p.order_id"
_WIDTH = len(PAYMENT_COLUMNS)


def read_view(row: Row) -> tuple[Payment, Order]:
    """A row of payment columns followed by order columns."""
    order = read_order(row[_WIDTH:])
    return read_payment(row[:_WIDTH], order), order


async def by_payment(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[Payment, Order]]:
    """(company, payment id)s to payment and order; unknown keys are simply missing."""
    rows = await connection.fetch(
        f"select {_VIEW} from {_JOIN}"
        " join unnest($1::text[], $2::text[]) as k(c, id) on k.c = p.company_id and k.id = p.id"
        " where p.company_id = any($1) and p.id = any($2)",
        [company for company, _ in keys],
        [payment for _, payment in keys],
    )
    return {(row[0], row[1]): read_view(row) for row in rows}


async def by_order(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[tuple[Payment, Order]]]:
    """(company, order id)s to their payments, oldest first."""
    rows = await connection.fetch(
        f"select {_VIEW} from {_JOIN}"
        " join unnest($1::text[], $2::text[]) as k(c, id) on k.c = o.company_id and k.id = o.id"
        " where o.company_id = any($1) and o.id = any($2) order by p.company_id, p.id",
        [company for company, _ in keys],
        [order for _, order in keys],
    )
    found: dict[tuple[str, str], list[tuple[Payment, Order]]] = {}
    for row in rows:
        payment, order = read_view(row)
        found.setdefault((order.company_id, order.id), []).append((payment, order))
    return found


async def by_request(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], tuple[Payment, Order]]:
    """(company, scope, request id)s to the first payment made under each."""
    rows = await connection.fetch(
        f"select {_VIEW} from {_JOIN} join unnest($1::text[], $2::text[], $3::text[])"
        " as k(c, scope, request) on k.c = o.company_id and k.scope = o.request_scope"
        " and k.request = o.request_id where o.company_id = any($1)"
        " and o.request_id = any($3) order by p.id desc",
        [company for company, _, _ in keys],
        [scope for _, scope, _ in keys],
        [request for _, _, request in keys],
    )
    found: dict[tuple[str, str, str], tuple[Payment, Order]] = {}
    for row in rows:
        payment, order = read_view(row)
        found[order.company_id, order.request_scope, order.request_id or ""] = payment, order
    return found


async def by_number(
    connection: Connection, company_id: str, number: int
) -> tuple[Payment, Order] | None:
    row = await connection.fetchrow(
        f"select {_VIEW} from {_JOIN} where p.company_id = $1 and p.number = $2",
        company_id,
        number,
    )
    return read_view(row) if row else None


async def by_session(connection: Connection, company_id: str, token: str) -> Order | None:
    row = await connection.fetchrow(
        f"select {_ORDER} from orders where company_id = $1 and session_token = $2",
        company_id,
        token,
    )
    return read_order(row) if row else None


async def page(
    connection: Connection,
    company_id: str,
    order_ids: Sequence[str],
    *,
    before: str | None,
    limit: int,
) -> list[tuple[Payment, Order]]:
    """The company's payments, newest id first, older than `before`; of `order_ids` when given."""
    conditions = ["p.company_id = $1", "o.company_id = $1"]
    values: list[Any] = [company_id, limit]
    if order_ids:
        values.append(list(order_ids))
        conditions.append(f"p.order_id = any(${len(values)})")
    if before is not None:
        values.append(before)
        conditions.append(f"p.id < ${len(values)}")
    rows = await connection.fetch(
        f"select {_VIEW} from {_JOIN} where {' and '.join(conditions)} order by p.id desc limit $2",
        *values,
    )
    return [read_view(row) for row in rows]


async def due(
    connection: Connection, limit: int, *, resting: Sequence[str] = (), live: bool = True
) -> list[tuple[str, str]]:
    """(company, order id)s whose time has run out by the database's clock, the `resting` left out.
    `live`: also of live sides.

    Not those with a payment whose outcome is open, nor those whose provider was asked since and
    will be asked again: they wait for it, and would block the queue.
    """
    rows = await connection.fetch(
        f"select o.company_id, o.id from orders o where o.status = {_ACTIVE}"
        " and o.expires_at <= now() and not exists (select from payment p"
        "   where p.company_id = o.company_id and p.order_id = o.id"
        f"   and (p.status in {_AT_PROVIDER} or exists (select from attempt a"
        "     where a.company_id = p.company_id and a.payment_id = p.id"
        f"     and (a.status = {_IN_DOUBT} or (a.status = {_DISPATCHED}"
        "       and a.last_query_at >= o.expires_at and a.next_query_at > now())))))"
        f" and o.id <> all($2) and {of_served_side('o.company_id', '$3::boolean')}"
        " order by o.expires_at limit $1",
        limit,
        list(resting),
        live,
    )
    return [(row[0], row[1]) for row in rows]
