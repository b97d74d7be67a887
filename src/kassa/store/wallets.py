"""Wallet users and their balances."""

from collections.abc import Mapping, Sequence
from typing import Any

from kassa.domain.lifecycle import WalletUserStatus
from kassa.domain.principals import WalletUser
from kassa.store.connection import Connection
from kassa.store.resealing import resealed
from kassa.store.rows import whole
from kassa.store.statuses import one


async def users(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], WalletUser]:
    """(company, user id)s to users; unknown ones are missing."""
    rows = await connection.fetch(
        "select u.company_id, u.id, u.status, u.created_at from wallet_user u"
        " join unnest($1::text[], $2::text[]) as k(c, id) on k.c = u.company_id and k.id = u.id"
        " where u.company_id = any($1)",
        [company for company, _ in keys],
        [user for _, user in keys],
    )
    return {
        (row[0], row[1]): WalletUser(company_id=row[0], id=row[1], status=row[2], created_at=row[3])
        for row in rows
    }


_BALANCES = (
    "select b.company_id, b.account, b.currency, b.balance_minor from wallet_balance b"
    " where b.company_id = any($1) and b.account = any($2)"
    " and (b.company_id, b.account, b.currency) in"
    " (select * from unnest($1::text[], $2::text[], $3::text[]))"
)


async def balances(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """(company, account, currency)s to minor units as they are now; no row means nothing."""
    rows = await connection.fetch(_BALANCES, *_keys(keys))
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def lock_balances(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """As `balances`, locked in one order."""
    rows = await connection.fetch(
        f"{_BALANCES} order by b.company_id, b.account, b.currency for update", *_keys(keys)
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def try_lock_balances(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> tuple[dict[tuple[str, str, str], int], set[tuple[str, str, str]]]:
    """As `balances`, locked where nobody else has them; and those that somebody else has."""
    rows = await connection.fetch(
        f"with held as materialized ({_BALANCES} order by b.company_id, b.account, b.currency"
        "   for update skip locked)"
        " select b.company_id, b.account, b.currency, h.balance_minor"
        f" from ({_BALANCES}) b left join held h on h.company_id = b.company_id"
        " and h.account = b.account and h.currency = b.currency",
        *_keys(keys),
    )
    held = {(row[0], row[1], row[2]): row[3] for row in rows if row[3] is not None}
    return held, {(row[0], row[1], row[2]) for row in rows if row[3] is None}


async def change_balances(
    connection: Connection, changes: Mapping[tuple[str, str, str], int]
) -> None:
    """Add signed minor units to each balance. The table refuses to go below nothing."""
    keys = sorted(key for key, change in changes.items() if change)
    if not keys:
        return
    await connection.execute(
        "insert into wallet_balance as t (company_id, account, currency, balance_minor)"
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])"
        " as w(c, a, y, m) where w.m > 0"
        " on conflict (company_id, account, currency)"
        " do update set balance_minor = t.balance_minor + excluded.balance_minor",
        *_columns(keys, changes),
    )
    await connection.execute(
        "update wallet_balance as t set balance_minor = t.balance_minor + w.m"
        " from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as w(c, a, y, m)"
        " where w.m < 0 and t.company_id = any($1) and t.company_id = w.c"
        " and t.account = w.a and t.currency = w.y",
        *_columns(keys, changes),
    )


async def spent_today(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """(company, account, currency)s to what was spent since midnight UTC, in minor units."""
    rows = await connection.fetch(
        "select d.company_id, d.account, d.currency, d.spent_minor from wallet_day d"
        " where d.company_id = any($1) and d.account = any($2)"
        " and d.on_day = (statement_timestamp() at time zone 'UTC')::date"
        " and (d.company_id, d.account, d.currency) in"
        " (select * from unnest($1::text[], $2::text[], $3::text[]))",
        *_keys(keys),
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def holdings(
    connection: Connection, company_id: str, user_id: str, account: str
) -> list[Any]:
    """The user's money by currency: (currency, balance, reserved, spent today), minor units."""
    rows = await connection.fetch(
        "select b.currency, b.balance_minor,"
        " coalesce((select sum(p.authorized_minor - p.captured_minor - p.released_minor)"
        "  from payment p where p.authorized_minor > p.captured_minor + p.released_minor"
        "  and p.company_id = $1"
        "  and p.method = 'wallet' and p.instrument = $2 and p.currency = b.currency), 0),"
        " coalesce((select d.spent_minor from wallet_day d where d.company_id = $1"
        "  and d.account = $3 and d.currency = b.currency"
        "  and d.on_day = (statement_timestamp() at time zone 'UTC')::date), 0)"
        " from wallet_balance b where b.company_id = $1 and b.account = $3 order by b.currency",
        company_id,
        user_id,
        account,
    )
    return [(row[0], row[1], whole(row[2]), row[3]) for row in rows]


async def add_spending(connection: Connection, changes: Mapping[tuple[str, str, str], int]) -> None:
    """Add to what each account has spent today, under the lock of its balance."""
    keys = sorted(key for key, change in changes.items() if change)
    if keys:
        await connection.execute(
            "insert into wallet_day as t (company_id, account, currency, on_day, spent_minor)"
            " select c, a, y, (statement_timestamp() at time zone 'UTC')::date, m"
            " from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as w(c, a, y, m)"
            " on conflict (company_id, account, currency, on_day)"
            " do update set spent_minor = t.spent_minor + excluded.spent_minor",
            *_columns(keys, changes),
        )


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
        await connection.execute(
            "insert into wallet_user (company_id, id, status)"
            f" values ($1, $2, {one(WalletUserStatus.ACTIVE)})"
            " on conflict do nothing",
            company_id,
            user_id,
        )


async def set_user_status(
    connection: Connection, company_id: str, user_id: str, status: str
) -> bool:
    async with resealed(
        connection, "wallet_user", "t.company_id = $1 and t.id = $2", company_id, user_id
    ):
        done = await connection.fetchval(
            "update wallet_user set status = $3 where company_id = $1 and id = $2 returning true",
            company_id,
            user_id,
            status,
        )
        return bool(done)
