"""The payees that a company has registered."""

from collections.abc import Sequence

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Queries, Rows, Value
from kassa.proof.store.resealing import resealed
from kassa.providers.domain.payees import Payee


class Sql(Queries):
    put: Value[str]
    find: Rows[Payee]
    hash_of: Value[bytes]
    has_some: Value[bool]
    listed: Rows[Payee]
    set_status: Value[bool]


async def put(connection: Connection, payee: Payee, account_hash: bytes) -> str:
    """Register it, or give the payee of that account number new particulars; returns its id."""
    async with resealed(
        connection,
        "payee",
        "t.company_id = $1 and t.account_hash = $2",
        payee.company_id,
        account_hash,
    ):
        return await Sql.put.one(
            connection,
            payee.company_id,
            payee.id,
            payee.account_type,
            account_hash,
            payee.account_shown,
            payee.account_name,
            payee.bank_name,
            payee.provider_account,
        )


async def find(
    connection: Connection, company_id: str, hashes: Sequence[bytes]
) -> tuple[Payee | None, bool]:
    """The payee whose account number has one of these hashes, and whether the company has
    registered any at all."""
    if not await Sql.has_some.one(connection, company_id):
        return None, False
    return await Sql.find.first(connection, company_id, list(hashes)), True


async def hash_of(connection: Connection, company_id: str, hashes: Sequence[bytes]) -> bytes | None:
    """The one of these under which a payee is kept."""
    return await Sql.hash_of.first(connection, company_id, list(hashes))


async def listed(connection: Connection, company_id: str) -> list[Payee]:
    return await Sql.listed.all(connection, company_id)


async def set_status(connection: Connection, company_id: str, payee_id: str, status: str) -> bool:
    async with resealed(
        connection, "payee", "t.company_id = $1 and t.id = $2", company_id, payee_id
    ):
        return bool(await Sql.set_status.first(connection, company_id, payee_id, status))
