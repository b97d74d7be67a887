"""Orders whose end was asked for while an attempt at them was open."""

from dataclasses import dataclass
from datetime import timedelta

from kassa.store.companies import of_served_side
from kassa.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Termination:
    company_id: str
    order_id: str
    payment_id: str
    actor: str
    tries: int


async def add(
    connection: Connection, company_id: str, order_id: str, *, payment_id: str, actor: str
) -> None:
    """Remember it; asked for twice it is one."""
    await connection.execute(
        "insert into orders_termination"
        " (company_id, order_id, payment_id, actor, tries, next_at, asked_at)"
        " values ($1, $2, $3, $4, 0, now(), now()) on conflict (company_id, order_id) do nothing",
        company_id,
        order_id,
        payment_id,
        actor,
    )


async def exists(connection: Connection, company_id: str, order_id: str) -> bool:
    found = await connection.fetchval(
        "select true from orders_termination where company_id = $1 and order_id = $2",
        company_id,
        order_id,
    )
    return found is True


async def lease(
    connection: Connection, limit: int, pause: timedelta, *, live: bool = True
) -> list[Termination]:
    """Take due ones; one that nobody removes is due again after `pause`. `live`: also of live
    sides."""
    rows = await connection.fetch(
        "with due as (select company_id, order_id from orders_termination"
        f"   where next_at <= now() and {of_served_side('company_id', '$3::boolean')}"
        "   order by next_at limit $1 for update skip locked)"
        " update orders_termination t set next_at = now() + $2::interval, tries = t.tries + 1"
        " from due where t.company_id = due.company_id and t.order_id = due.order_id"
        " returning t.company_id, t.order_id, t.payment_id, t.actor, t.tries",
        limit,
        pause,
        live,
    )
    return [Termination(*row) for row in rows]


async def remove(connection: Connection, company_id: str, order_id: str) -> None:
    await connection.execute(
        "delete from orders_termination where company_id = $1 and order_id = $2",
        company_id,
        order_id,
    )
