"""Payments as lists tell them: by their ids, page by page, and by what changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Queries, Rows, Value
from kassa.payments.domain.payments import PaymentFilter
from kassa.payments.domain.summaries import Summary
from kassa.payments.store.personal import reveal_summary

_EVERY_STATUS = sorted(PaymentStatus)
_LATER = ("refunds", "surplus_fee_minor", "taken")


class Change(NamedTuple):
    """A link of the chain, and the payment whose last change it tells; see `changes`."""

    seq: int
    payment_id: str | None
    complete_until: datetime | None


class Sql(Queries, readers=[reader(Summary, unstored=_LATER, opened=reveal_summary)]):
    of_payments: Rows[Summary]
    page: Rows[Summary]
    page_of_orders: Rows[Summary]
    page_of_statuses: Rows[Summary]
    page_of_businesses: Rows[Summary]
    changes: Rows[Change]
    links_before: Value[int]


async def of_payments(connection: Connection, keys: Sequence[tuple[str, str]]) -> list[Summary]:
    """Of these (company, payment id)s those that there are, in no order."""
    return await Sql.of_payments.all(
        connection, [company for company, _ in keys], [payment for _, payment in keys]
    )


async def page(
    connection: Connection,
    company_id: str,
    wanted: PaymentFilter,
    *,
    before: str,
    since: str,
    limit: int,
) -> list[Summary]:
    """The company's payments that are `wanted`, newest id first: `before` is above all of them, and
    none is below `since`."""
    where = company_id, limit, before, since, wanted.created_from, wanted.created_until
    orders, statuses, businesses = (
        sorted(set(one)) for one in (wanted.order_ids, wanted.statuses, wanted.business_ids)
    )
    if orders:
        narrowed = orders, statuses or None, businesses or None
        return await Sql.page_of_orders.all(connection, *where, *narrowed)
    if businesses:
        each = statuses or _EVERY_STATUS
        return await Sql.page_of_businesses.all(connection, *where, each, businesses)
    if statuses:
        return await Sql.page_of_statuses.all(connection, *where, statuses)
    return await Sql.page.all(connection, *where)


async def changes(
    connection: Connection, company_id: str, wanted: PaymentFilter, *, after: int, most: int
) -> list[Change]:
    """The links behind `after`, in their order, and before them how far the chain is."""
    lists = wanted.order_ids, wanted.statuses, wanted.business_ids
    narrowed: list[Any] = [list(one) or None for one in lists]
    made = wanted.created_from, wanted.created_until
    return await Sql.changes.all(connection, company_id, after, most, *made, *narrowed)


async def links_before(connection: Connection, company_id: str, moment: datetime) -> int:
    return await Sql.links_before.one(connection, company_id, moment)
