"""Orders whose end was asked for while an attempt at them was open."""

from dataclasses import dataclass
from datetime import timedelta

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value


@dataclass(frozen=True, slots=True)
class Termination:
    company_id: str
    order_id: str
    payment_id: str
    actor: str
    tries: int


class Sql(Queries):
    add: Command
    exists: Value[bool]
    lease: Rows[Termination]
    remove: Command


async def add(
    connection: Connection, company_id: str, order_id: str, *, payment_id: str, actor: str
) -> None:
    """Remember it; asked for twice it is one."""
    await Sql.add.run(connection, company_id, order_id, payment_id, actor)


async def exists(connection: Connection, company_id: str, order_id: str) -> bool:
    return await Sql.exists.one(connection, company_id, order_id)


async def lease(
    connection: Connection, limit: int, pause: timedelta, *, live: bool = True
) -> list[Termination]:
    """Take due ones; one that nobody removes is due again after `pause`. `live`: also of live
    sides."""
    return await Sql.lease.all(connection, limit, pause, live)


async def remove(connection: Connection, company_id: str, order_id: str) -> None:
    await Sql.remove.run(connection, company_id, order_id)
