"""Wallet users and their balances."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.identity.domain.principals import WalletUser
from kassa.proof.store.resealing import resealed


class _Balance(NamedTuple):
    """`balance_minor`: None where somebody else has it locked."""

    company_id: str
    account: str
    currency: str
    balance_minor: int | None


class _Spent(NamedTuple):
    company_id: str
    account: str
    currency: str
    spent_minor: int


class WalletBalance(NamedTuple):
    """A wallet user's money in one currency, minor units; `held_minor` is reserved for merchants.

    `spent_today_minor`: paid or reserved since midnight UTC, which the daily limit counts.
    """

    currency: str
    balance_minor: int
    held_minor: int
    spent_today_minor: int


class Sql(Queries, readers=[reader(WalletBalance, sums=["held_minor"])]):
    users: Rows[WalletUser]
    balances: Rows[_Balance]
    lock_balances: Rows[_Balance]
    try_lock_balances: Rows[_Balance]
    change_balances: Command
    spent_today: Rows[_Spent]
    holdings: Rows[WalletBalance]
    add_user: Command
    set_user_status: Value[bool]


async def users(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], WalletUser]:
    """(company, user id)s to users; unknown ones are missing."""
    found = await Sql.users.all(
        connection, [company for company, _ in keys], [user for _, user in keys]
    )
    return {(user.company_id, user.id): user for user in found}


async def balances(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """(company, account, currency)s to minor units as they are now; no row means nothing."""
    return _by_key(await Sql.balances.all(connection, *_keys(keys)))


async def lock_balances(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """As `balances`, locked in one order."""
    return _by_key(await Sql.lock_balances.all(connection, *_keys(keys)))


async def try_lock_balances(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> tuple[dict[tuple[str, str, str], int], set[tuple[str, str, str]]]:
    """As `balances`, locked where nobody else has them; and those that somebody else has."""
    rows = await Sql.try_lock_balances.all(connection, *_keys(keys))
    return _by_key(rows), {row[:3] for row in rows if row.balance_minor is None}


def _by_key(rows: Sequence[_Balance]) -> dict[tuple[str, str, str], int]:
    return {row[:3]: row.balance_minor for row in rows if row.balance_minor is not None}


async def change_balances(
    connection: Connection,
    changes: Mapping[tuple[str, str, str], int],
    spending: Mapping[tuple[str, str, str], int] | None = None,
) -> None:
    """Add signed minor units to each balance, and `spending` to what each account has spent today,
    under the lock of its balance. The table refuses to go below nothing."""
    spent = spending or {}
    keys = sorted(key for key, change in changes.items() if change)
    spenders = sorted(key for key, change in spent.items() if change)
    if keys or spenders:
        columns = *_columns(keys, changes), *_columns(spenders, spent)
        await Sql.change_balances.run(connection, *columns)


async def spent_today(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """(company, account, currency)s to what was spent since midnight UTC, in minor units."""
    rows = await Sql.spent_today.all(connection, *_keys(keys))
    return {row[:3]: row.spent_minor for row in rows}


async def holdings(
    connection: Connection, company_id: str, user_id: str, account: str
) -> list[WalletBalance]:
    """The user's money by currency."""
    return await Sql.holdings.all(connection, company_id, user_id, account)


def _keys(keys: Sequence[tuple[str, str, str]]) -> tuple[list[str], list[str], list[str]]:
    return [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]


def _columns(
    keys: Sequence[tuple[str, str, str]], changes: Mapping[tuple[str, str, str], int]
) -> tuple[list[str], list[str], list[str], list[int]]:
    return *_keys(keys), [changes[key] for key in keys]


async def add_user(connection: Connection, company_id: str, user_id: str) -> None:
    async with resealed(
        connection, "wallet_user", "t.company_id = $1 and t.id = $2", company_id, user_id
    ):
        await Sql.add_user.run(connection, company_id, user_id)


async def set_user_status(
    connection: Connection, company_id: str, user_id: str, status: str
) -> bool:
    async with resealed(
        connection, "wallet_user", "t.company_id = $1 and t.id = $2", company_id, user_id
    ):
        return bool(await Sql.set_user_status.first(connection, company_id, user_id, status))
