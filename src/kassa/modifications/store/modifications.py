"""Captures, voids and refunds looked up outside of a change; disputes and fee rules likewise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import whole
from kassa.base.store.queries import Queries, Rows
from kassa.fees.domain.fees import FeeRule
from kassa.ledger.domain.ledger import FEE_EXPENSE_ACCOUNT
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import OFFLINE
from kassa.payments.store.payments import LOOKED_AT
from kassa.payments.store.rows import DISPUTE, MODIFICATION, WORDS


@dataclass(frozen=True, slots=True)
class Stuck:
    """`problem`: a BreakClass. `minor`: how much it is about. `cause`: the attempt or modification,
    where it is one of several that a payment may have. `is_return`: its bank returned the charge.
    """

    company_id: str
    payment_id: str
    problem: str
    connector: str
    currency: str
    minor: int
    cause: str = ""
    is_return: bool = False


class ModificationKey(NamedTuple):
    """What names a payment."""

    company_id: str
    id: str


class _Kept(NamedTuple):
    payment_id: str
    minor: Decimal


class Sql(
    Queries,
    readers=[MODIFICATION.reader, DISPUTE.reader],
    words={**WORDS, "fee_expense": repr(FEE_EXPENSE_ACCOUNT)},
):
    by_id: Rows[Modification]
    by_ids: Rows[Modification]
    told_by_event: Rows[Modification]
    by_request: Rows[Modification]
    of_payments: Rows[Modification]
    refunds_done: Rows[Modification]
    surplus_fees: Rows[_Kept]
    due: Rows[Modification]
    to_release: Rows[ModificationKey]
    with_surplus: Rows[ModificationKey]
    stuck: Rows[Stuck]
    disputes: Rows[Dispute]
    fee_rules: Rows[FeeRule]


async def by_id(
    connection: Connection, company_id: str, modification_id: str
) -> Modification | None:
    return await Sql.by_id.first(connection, company_id, modification_id)


async def by_ids(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Modification]:
    """Those of these (company, modification id)s that there are."""
    if not keys:
        return {}
    companies, ids = [company for company, _ in keys], [one for _, one in keys]
    found = await Sql.by_ids.all(connection, companies, ids)
    return {(one.company_id, one.id): one for one in found}


async def told_by_event(
    connection: Connection, company_id: str, payment_id: str, number: int
) -> Modification | None:
    """The one that this event of the payment's timeline is about."""
    return await Sql.told_by_event.first(connection, company_id, payment_id, number)


async def by_request(
    connection: Connection, company_id: str, scope: str, request_id: str
) -> Modification | None:
    """By the caller's own id of it."""
    return await Sql.by_request.first(connection, company_id, scope, request_id)


async def of_payments(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> list[Modification]:
    return await Sql.of_payments.all(connection, company_id, list(payment_ids))


async def refunds_done(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> list[Modification]:
    """All money that went back to the payers of these payments, oldest first."""
    if not payment_ids:
        return []
    return await Sql.refunds_done.all(connection, company_id, list(payment_ids))


async def surplus_fees(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> dict[str, int]:
    """What providers kept of these payments' money that nobody owed, in minor units."""
    if not payment_ids:
        return {}
    rows = await Sql.surplus_fees.all(connection, company_id, list(payment_ids))
    return {row.payment_id: whole(row.minor) for row in rows}


async def due(
    connection: Connection, room: Mapping[str, int], limit: int, *, busy: Sequence[str] = ()
) -> list[Modification]:
    """What should be sent, or asked about, now.

    `room`: how many of each account may be taken; of the others none. `busy`: modifications that
    are being pursued already. The accounts take turns, and the companies of each.
    """
    return await Sql.due.all(
        connection, list(room), list(room.values()), list(busy), limit, LOOKED_AT
    )


async def to_release(
    connection: Connection,
    within: timedelta,
    limit: int,
    *,
    resting: Sequence[str] = (),
    live: bool = True,
) -> list[ModificationKey]:
    """Payments whose reservation ends within that time, the `resting` left out.
    `live`: also of live sides."""
    return await Sql.to_release.all(connection, within, limit, list(resting), live)


async def with_surplus(
    connection: Connection, limit: int, *, resting: Sequence[str] = (), live: bool = True
) -> list[ModificationKey]:
    """Payments that hold money to be given back which nothing is giving back, the
    `resting` left out. `live`: also of live sides."""
    return await Sql.with_surplus.all(connection, limit, list(resting), live)


async def stuck(connection: Connection, most_tries: int, limit: int) -> list[Stuck]:
    """What left twice, and surplus at the counter or refused `most_tries` times; not what has
    its break already."""
    return await Sql.stuck.all(connection, most_tries, limit, sorted(OFFLINE))


async def disputes(
    connection: Connection, company_id: str, *, only_open: bool, limit: int
) -> list[Dispute]:
    """The company's disputes, the nearest deadline first."""
    return await Sql.disputes.all(connection, company_id, only_open, limit)


async def fee_rules(connection: Connection, companies: Sequence[str]) -> list[FeeRule]:
    return await Sql.fee_rules.all(connection, list(companies))
