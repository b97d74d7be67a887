"""Provider accounts and the keys their secrets are sealed with."""

from dataclasses import dataclass

from kassa.domain.principals import Mode
from kassa.domain.providers import AccountStatus, ProviderAccount
from kassa.store.connection import Connection, Row
from kassa.store.resealing import resealed

_COLUMNS = (
    "company_id, name, connector, mode, status, country, settings, version, created_at,"
    " sealed, key_version"
)


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


async def newest_version(connection: Connection) -> int:
    """Grows whenever an account is added or changed; 0 while there is none."""
    newest: int = await connection.fetchval(
        "select coalesce(max(version), 0) from provider_account"
    )
    return newest


async def all_accounts(connection: Connection) -> list[Stored]:
    """Every account of the installation: they are few, and each process knows them all."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from provider_account order by company_id, created_at, name"
    )
    return [_stored(row) for row in rows]


async def find_account(connection: Connection, name: str) -> Stored | None:
    row = await connection.fetchrow(
        f"select {_COLUMNS} from provider_account where name = $1", name
    )
    return _stored(row) if row else None


async def put_account(
    connection: Connection, account: ProviderAccount, *, sealed: bytes, key_version: int
) -> bool:
    """Store it, or replace its settings; False when the name is another company's, or stands for
    another connector or mode."""
    async with resealed(connection, "provider_account", "t.name = $1", account.name):
        done = await connection.fetchval(
            "insert into provider_account as t (company_id, name, connector, mode, status, country,"
            " settings, sealed, key_version) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            " on conflict (name) do update set settings = excluded.settings,"
            " sealed = excluded.sealed, key_version = excluded.key_version,"
            " status = excluded.status,"
            " country = excluded.country, updated_at = now(),"
            " version = nextval('provider_account_version')"
            " where t.company_id = excluded.company_id and t.connector = excluded.connector"
            " and t.mode = excluded.mode returning true",
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
        done = await connection.fetchval(
            "update provider_account set status = $3, updated_at = now(),"
            " version = nextval('provider_account_version')"
            " where company_id = $1 and name = $2 returning true",
            company_id,
            name,
            status,
        )
        return bool(done)


async def keys_of(connection: Connection, company_ids: list[str]) -> list[WrappedKey]:
    rows = await connection.fetch(
        "select company_id, version, wrapped_by, wrapped from company_key"
        " where company_id = any($1) order by company_id, version",
        company_ids,
    )
    return [WrappedKey(*row) for row in rows]


async def all_keys(connection: Connection) -> list[WrappedKey]:
    rows = await connection.fetch(
        "select company_id, version, wrapped_by, wrapped from company_key"
        " order by company_id, version"
    )
    return [WrappedKey(*row) for row in rows]


async def add_key(connection: Connection, key: WrappedKey) -> bool:
    """False when somebody else has made that version at the same moment."""
    async with resealed(
        connection,
        "company_key",
        "t.company_id = $1 and t.version = $2",
        key.company_id,
        key.version,
    ):
        done = await connection.fetchval(
            "insert into company_key (company_id, version, wrapped_by, wrapped)"
            " values ($1, $2, $3, $4) on conflict do nothing returning true",
            key.company_id,
            key.version,
            key.wrapped_by,
            key.wrapped,
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
        await connection.execute(
            "update company_key set wrapped_by = $3, wrapped = $4"
            " where company_id = $1 and version = $2",
            key.company_id,
            key.version,
            key.wrapped_by,
            key.wrapped,
        )


def _stored(row: Row) -> Stored:
    account = ProviderAccount(
        company_id=row["company_id"],
        name=row["name"],
        connector=row["connector"],
        mode=Mode(row["mode"]),
        status=AccountStatus(row["status"]),
        country=row["country"],
        settings=row["settings"],
        version=row["version"],
        created_at=row["created_at"],
    )
    return Stored(account, row["sealed"], row["key_version"])
