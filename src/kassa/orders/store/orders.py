"""Orders: created together with the payment that will collect them, and found again."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Queries, Rows
from kassa.base.store.seals import Seals, as_json, seals_of
from kassa.base.store.vault import vault_of
from kassa.orders.domain.orders import Order
from kassa.orders.store import making
from kassa.payments.domain.facts import PaymentCreated
from kassa.payments.domain.facts_written import written
from kassa.payments.domain.payments import Payment
from kassa.payments.store.personal import conceal
from kassa.payments.store.rows import (
    ORDER,
    PAYMENT,
    VIEW,
    WHOLE_ORDER,
    WORDS,
    PaymentRow,
    json_rows,
)
from kassa.proof.store.canon import event_digest
from kassa.proof.store.cover import with_seals


class Key(NamedTuple):
    """What names an order."""

    company_id: str
    id: str


class _Made(NamedTuple):
    """None: it was too late, and nothing was made."""

    company_id: str | None
    id: str | None


class Sql(
    Queries,
    readers=[WHOLE_ORDER, VIEW],
    words={**WORDS, "making": str(making.LOCK), "window": str(making.WINDOW)},
):
    insert: Rows[_Made]
    by_payment: Rows[PaymentRow]
    by_order: Rows[PaymentRow]
    by_request: Rows[PaymentRow]
    by_number: Rows[PaymentRow]
    by_session: Rows[Order]
    due: Rows[Key]


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
    made = await Sql.insert.all(
        connection,
        *(json_rows(part) for part in sealed(connection, rows)),
        making.keys(order.company_id for order, _, _ in rows),
        _ALWAYS if since is None else since,
    )
    found = {(one.company_id, one.id) for one in made if one.company_id and one.id}
    return found if len(found) == len(made) else None


def sealed(
    connection: Connection, rows: Sequence[tuple[Order, Payment, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Orders, payments and first events as they are written."""
    seals = seals_of(connection)
    orders = conceal(vault_of(connection), [ORDER.row(order) for order, _, _ in rows])
    return (
        with_seals(seals, "orders", orders),
        with_seals(seals, "payment", [PAYMENT.row(payment) for _, payment, _ in rows]),
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


async def by_payment(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], PaymentRow]:
    """(company, payment id)s to payment and order; unknown keys are simply missing."""
    found = await Sql.by_payment.all(
        connection, [company for company, _ in keys], [payment for _, payment in keys]
    )
    return {(view.payment.company_id, view.payment.id): view for view in found}


async def by_order(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[PaymentRow]]:
    """(company, order id)s to their payments, oldest first."""
    views = await Sql.by_order.all(
        connection, [company for company, _ in keys], [order for _, order in keys]
    )
    found: dict[tuple[str, str], list[PaymentRow]] = {}
    for view in views:
        found.setdefault((view.order.company_id, view.order.id), []).append(view)
    return found


async def by_request(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> Mapping[tuple[str, str, str], PaymentRow]:
    """(company, scope, request id)s to the first payment made under each."""
    found = await Sql.by_request.all(
        connection,
        [company for company, _, _ in keys],
        [scope for _, scope, _ in keys],
        [request for _, _, request in keys],
    )
    return {
        (view.order.company_id, view.order.request_scope, view.order.request_id or ""): view
        for view in found
    }


async def by_number(connection: Connection, company_id: str, number: int) -> PaymentRow | None:
    return await Sql.by_number.first(connection, company_id, number)


async def by_session(connection: Connection, company_id: str, token: str) -> Order | None:
    return await Sql.by_session.first(connection, company_id, token)


async def due(
    connection: Connection, limit: int, *, resting: Sequence[str] = (), live: bool = True
) -> list[Key]:
    """Orders whose time has run out by the database's clock, the `resting` left out.
    `live`: also of live sides.

    Not those with a payment whose outcome is open, nor those whose provider was asked since and
    will be asked again: they wait for it, and would block the queue.
    """
    return await Sql.due.all(connection, limit, list(resting), live)
