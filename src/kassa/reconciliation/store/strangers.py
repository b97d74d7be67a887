"""Payments that a line of a bank may be about, although it does not name their transfer."""

from collections.abc import Sequence
from dataclasses import dataclass

from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Queries, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """`reference`: what its payer was told to write; "" where no transfer is expected."""

    order_id: str
    payment_id: str
    reference: str
    amount: Money


class Sql(Queries, readers=[reader(Candidate)]):
    awaited: Rows[Candidate]
    called: Rows[Candidate]


async def awaited(
    connection: Connection, company_id: str, amount: Money, limit: int
) -> list[Candidate]:
    """Those whose transfer of exactly that amount has not come."""
    return await Sql.awaited.all(connection, company_id, amount.minor, amount.currency, limit)


async def called(connection: Connection, company_id: str, names: Sequence[str]) -> list[Candidate]:
    """The payments of the orders of these ids; three say that it is not clear which."""
    return await Sql.called.all(connection, company_id, list(names))
