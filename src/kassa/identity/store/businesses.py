"""The businesses of a company, beside its own."""

from collections.abc import Collection

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.identity.domain.principals import Business
from kassa.proof.store.resealing import resealed


class Sql(Queries):
    put: Command
    find: Rows[Business]
    known: Value[str]
    listed: Rows[Business]


async def put(connection: Connection, company_id: str, business: Business) -> None:
    """Store it, or give the one of that id its name."""
    async with resealed(
        connection, "business", "t.company_id = $1 and t.id = $2", company_id, business.id
    ):
        await Sql.put.run(connection, company_id, business.id, business.name)


async def find(connection: Connection, company_id: str, business_id: str) -> Business | None:
    return await Sql.find.first(connection, company_id, business_id)


async def known(connection: Connection, company_id: str, ids: Collection[str]) -> set[str]:
    return set(await Sql.known.all(connection, company_id, list(ids)))


async def listed(connection: Connection, company_id: str) -> list[Business]:
    return await Sql.listed.all(connection, company_id)
