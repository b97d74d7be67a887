"""Orders whose payment begins in the same transaction: what stands in their way, and their rows."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Queries, Rows
from kassa.base.store.seals import seals_of
from kassa.base.store.vault import vault_of
from kassa.orders.domain.orders import Order
from kassa.orders.store.orders import Key
from kassa.payments.store.personal import conceal
from kassa.payments.store.rows import ORDER, WORDS, json_rows
from kassa.proof.store.cover import with_seals


class Before(NamedTuple):
    """`now`: by the database's clock. `closed`: companies that are. `taken`: places, from 1 on, of
    the orders that exist already."""

    now: datetime
    closed: list[str]
    taken: list[int]


class Sql(Queries, words=WORDS):
    before: Rows[Before]
    insert: Rows[Key]


async def before(connection: Connection, wanted: Sequence[Order]) -> Before:
    """How it stands as these orders are to be made."""
    return await Sql.before.one(
        connection,
        sorted({order.company_id for order in wanted}),
        [order.company_id for order in wanted],
        [order.id for order in wanted],
        [order.request_scope for order in wanted],
        [order.request_id for order in wanted],
    )


async def insert(connection: Connection, made: Collection[Order]) -> set[Key]:
    """Store them; returns those that were new."""
    orders = conceal(vault_of(connection), [ORDER.row(order) for order in made])
    rows = with_seals(seals_of(connection), "orders", orders)
    return set(await Sql.insert.all(connection, json_rows(rows)))
