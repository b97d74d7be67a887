"""The tries of settlements' payouts."""

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows
from kassa.proof.store.resealing import resealed
from kassa.settlement.domain.settlements import PayoutTry

_THIS = "t.company_id = $1 and t.id = $2"


class Sql(Queries):
    of_settlement: Rows[PayoutTry]
    add: Command
    end_try: Command


async def of_settlement(
    connection: Connection, company_id: str, settlement_id: str
) -> list[PayoutTry]:
    """The first one first."""
    return await Sql.of_settlement.all(connection, company_id, settlement_id)


async def add(connection: Connection, one: PayoutTry) -> None:
    async with resealed(connection, "payout", _THIS, one.company_id, one.id):
        await Sql.add.run(
            connection,
            one.company_id,
            one.id,
            one.settlement_id,
            one.number,
            one.reference,
            one.amount.currency,
            one.amount.minor,
            one.status,
            one.begun_at,
            one.ended_at,
            one.posting_id,
            one.return_posting_id,
            one.why,
        )


async def end(connection: Connection, one: PayoutTry) -> None:
    """Write how it ended."""
    async with resealed(connection, "payout", _THIS, one.company_id, one.id):
        await Sql.end_try.run(
            connection,
            one.company_id,
            one.id,
            one.status,
            one.ended_at,
            one.return_posting_id,
            one.why,
        )
