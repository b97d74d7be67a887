"""Provider accounts and the keys their secrets are sealed with."""

from dataclasses import dataclass

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.proof.store.resealing import resealed
from kassa.providers.domain.providers import AccountStatus, ProviderAccount


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """An account with its sealed secrets."""

    account: ProviderAccount
    sealed: bytes
    key_version: int


@dataclass(frozen=True, slots=True, repr=False)
class WrappedKey:
    """A company's data key, wrapped by the installation's key number `wrapped_by`."""

    company_id: str
    version: int
    wrapped_by: int
    wrapped: bytes


class Sql(Queries, readers=[reader(Stored, prefixes={"account": ""}, unstored=["only_given"])]):
    newest_version: Value[int]
    all_accounts: Rows[Stored]
    find_account: Rows[Stored]
    put_account: Value[bool]
    set_status: Value[bool]
    keys_of: Rows[WrappedKey]
    all_keys: Rows[WrappedKey]
    add_key: Value[bool]
    rewrap_key: Command


async def newest_version(connection: Connection) -> int:
    """Grows whenever an account is added or changed; 0 while there is none."""
    return await Sql.newest_version.one(connection)


async def all_accounts(connection: Connection) -> list[Stored]:
    """Every account of the installation: they are few, and each process knows them all."""
    return await Sql.all_accounts.all(connection)


async def find_account(connection: Connection, name: str) -> Stored | None:
    return await Sql.find_account.first(connection, name)


async def put_account(
    connection: Connection, account: ProviderAccount, *, sealed: bytes, key_version: int
) -> bool:
    """Store it, or replace its settings; False when the name is another company's, or stands for
    another connector or mode."""
    async with resealed(connection, "provider_account", "t.name = $1", account.name):
        done = await Sql.put_account.first(
            connection,
            account.company_id,
            account.name,
            account.connector,
            account.mode,
            account.status,
            account.country,
            dict(account.settings),
            sealed,
            key_version,
        )
        return bool(done)


async def set_status(
    connection: Connection, company_id: str, name: str, status: AccountStatus
) -> bool:
    async with resealed(connection, "provider_account", "t.name = $1", name):
        return bool(await Sql.set_status.first(connection, company_id, name, status))


async def keys_of(connection: Connection, company_ids: list[str]) -> list[WrappedKey]:
    return await Sql.keys_of.all(connection, company_ids)


async def all_keys(connection: Connection) -> list[WrappedKey]:
    return await Sql.all_keys.all(connection)


async def add_key(connection: Connection, key: WrappedKey) -> bool:
    """False when somebody else has made that version at the same moment."""
    async with resealed(
        connection,
        "company_key",
        "t.company_id = $1 and t.version = $2",
        key.company_id,
        key.version,
    ):
        done = await Sql.add_key.first(
            connection, key.company_id, key.version, key.wrapped_by, key.wrapped
        )
        return bool(done)


async def rewrap_key(connection: Connection, key: WrappedKey) -> None:
    async with resealed(
        connection,
        "company_key",
        "t.company_id = $1 and t.version = $2",
        key.company_id,
        key.version,
    ):
        await Sql.rewrap_key.run(
            connection, key.company_id, key.version, key.wrapped_by, key.wrapped
        )
