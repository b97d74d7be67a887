"""Webhook events as people look at them: what was told, to whom, and how each try went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Queries, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldEvent:
    """`state`: waiting, delivered or dead. `tries`: since it was first sent, or sent again.

    `content`: what it tells, as its interface words it; empty where that is written when it is
    sent. `order_id` "" for what is of no payment.
    """

    company_id: str
    id: str
    payment_id: str
    agreement_id: str
    order_id: str
    version: int
    kind: str
    url: str
    event_type: str
    state: str
    tries: int
    next_at: datetime | None
    last_status: int | None
    last_error: str
    created_at: datetime
    delivered_at: datetime | None
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One try. `status` None: no answer came, and `error` says why."""

    epoch: int
    at: datetime
    milliseconds: int
    status: int | None
    error: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which are meant; "" and None: any. `about`: a payment, order, agreement or event, by its id.
    `until`: before that."""

    company_id: str
    state: str = ""
    event_type: str = ""
    about: str = ""
    since: datetime | None = None
    until: datetime | None = None


class _Place(NamedTuple):
    created_at: datetime
    id: str


class _Id(NamedTuple):
    id: str


class _Epoch(NamedTuple):
    epoch: int


class Sql(Queries):
    newest: Rows[ToldEvent]
    one: Rows[ToldEvent]
    deliveries_of: Rows[Delivery]
    page: Rows[_Place]
    send_again: Rows[_Id]
    forget: Rows[_Epoch]


def _asked(query: EventQuery) -> tuple[str, str, str, str, datetime | None, datetime | None]:
    return (
        query.company_id,
        query.state,
        query.event_type,
        query.about,
        query.since,
        query.until,
    )


async def newest(connection: Connection, query: EventQuery, limit: int) -> list[ToldEvent]:
    return await Sql.newest.all(connection, *_asked(query), limit)


async def one(connection: Connection, company_id: str, event_id: str) -> ToldEvent | None:
    return await Sql.one.first(connection, company_id, event_id)


async def deliveries_of(connection: Connection, company_id: str, event_id: str) -> list[Delivery]:
    """Those that are still kept."""
    return await Sql.deliveries_of.all(connection, company_id, event_id)


async def page(
    connection: Connection, query: EventQuery, after: tuple[datetime, str] | None, size: int
) -> list[tuple[datetime, str]]:
    """Times and ids, oldest first, of what comes after that one."""
    at, last = after or (None, "")
    found = await Sql.page.all(connection, *_asked(query), at, last, size)
    return [(place.created_at, place.id) for place in found]


async def send_again(connection: Connection, company_id: str, ids: Sequence[str]) -> list[str]:
    """Those that will be."""
    return [one.id for one in await Sql.send_again.all(connection, company_id, list(ids))]


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """How many tries were dropped."""
    return len(await Sql.forget.all(connection, before, limit))
