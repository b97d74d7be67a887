"""Wallet users, the codes that let a merchant charge them, and their balances."""

from collections.abc import Mapping, Sequence
from typing import Any

from kassa.domain.principals import WalletUser


async def user_of_code(connection: Any, company_id: str, code_hash: bytes) -> str | None:
    """Whose code this is; None when nobody's, or revoked."""
    user: str | None = await connection.fetchval(
        "select user_id from wallet_code where company_id = $1 and code_hash = $2"
        " and revoked_at is null",
        company_id,
        code_hash,
    )
    return user


async def users(
    connection: Any, keys: Sequence[tuple[str, str]]
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


async def lock_balances(
    connection: Any, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """(company, account, currency)s to minor units, locked in one order; no row means nothing."""
    rows = await connection.fetch(
        "select b.company_id, b.account, b.currency, b.balance_minor from wallet_balance b"
        " where b.company_id = any($1) and (b.company_id, b.account, b.currency) in"
        " (select * from unnest($1::text[], $2::text[], $3::text[]))"
        " order by b.company_id, b.account, b.currency for update",
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def change_balances(connection: Any, changes: Mapping[tuple[str, str, str], int]) -> None:
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


def _columns(
    keys: Sequence[tuple[str, str, str]], changes: Mapping[tuple[str, str, str], int]
) -> tuple[list[str], list[str], list[str], list[int]]:
    return (
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
        [changes[key] for key in keys],
    )


async def add_user(connection: Any, company_id: str, user_id: str) -> None:
    await connection.execute(
        "insert into wallet_user (company_id, id, status) values ($1, $2, 'active')"
        " on conflict do nothing",
        company_id,
        user_id,
    )


async def set_user_status(connection: Any, company_id: str, user_id: str, status: str) -> bool:
    done = await connection.fetchval(
        "update wallet_user set status = $3 where company_id = $1 and id = $2 returning true",
        company_id,
        user_id,
        status,
    )
    return bool(done)


async def add_code(connection: Any, company_id: str, code_hash: bytes, user_id: str) -> None:
    await connection.execute(
        "insert into wallet_code (company_id, code_hash, user_id) values ($1, $2, $3)"
        " on conflict do nothing",
        company_id,
        code_hash,
        user_id,
    )
