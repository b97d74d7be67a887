"""What notifications to a company are signed with, sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.proof.store.resealing import resealed

_HOME = "webhook_secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """`wrapped_by`: the version of the installation's key that it is sealed with."""

    company_id: str
    version: int
    sealed: bytes
    wrapped_by: int


class Sql(Queries):
    of_company: Rows[SealedSecret]
    is_derived: Value[bool]
    newest_version: Value[int]
    add: Value[bool]
    end_older: Command
    wrapped_by_others: Rows[SealedSecret]
    rewrap: Command


async def of_company(connection: Connection, company_id: str) -> Sequence[SealedSecret]:
    return await Sql.of_company.all(connection, company_id)


async def is_derived(connection: Connection, company_id: str) -> bool | None:
    """None where there is no such company."""
    return await Sql.is_derived.first(connection, company_id)


async def newest_version(connection: Connection, company_id: str) -> int:
    return await Sql.newest_version.one(connection, company_id)


async def add(
    connection: Connection, company_id: str, version: int, sealed: bytes, wrapped_by: int
) -> bool:
    """False when somebody else has made that version at the same moment."""
    where = "t.company_id = $1 and t.version = $2"
    async with resealed(connection, _HOME, where, company_id, version):
        return bool(await Sql.add.first(connection, company_id, version, sealed, wrapped_by))


async def end_older(
    connection: Connection, company_id: str, version: int, after: timedelta
) -> None:
    where = "t.company_id = $1 and t.version < $2"
    async with resealed(connection, _HOME, where, company_id, version):
        await Sql.end_older.run(connection, company_id, version, after)


async def wrapped_by_others(
    connection: Connection, wrapped_by: int, limit: int
) -> Sequence[SealedSecret]:
    return await Sql.wrapped_by_others.all(connection, wrapped_by, limit)


async def rewrap(
    connection: Connection, secret: SealedSecret, sealed: bytes, wrapped_by: int
) -> None:
    where = "t.company_id = $1 and t.version = $2"
    key = secret.company_id, secret.version
    async with resealed(connection, _HOME, where, *key):
        await Sql.rewrap.run(connection, *key, secret.wrapped_by, sealed, wrapped_by)
