"""Wallet codes, of which only keyed hashes are kept, and the wrong ones that were tried."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from kassa.domain.money import Money
from kassa.domain.wallet_codes import CodeKind, WalletCode
from kassa.store.connection import Connection, Row, sole_row
from kassa.store.cover import seal_of
from kassa.store.resealing import resealed
from kassa.store.seals import seals_of

_COLUMNS = (
    "c.company_id, c.code_hash, c.id, c.user_id, c.kind, c.created_at, c.client_id, c.limit_minor,"
    " c.limit_currency, c.expires_at, c.used_at, c.used_for, c.revoked_at"
)
Subject = tuple[str, str]
"""The company ("" for what is everybody's) and who tries: "user:…", "client:…", "address:…"."""


def _read(row: Row) -> WalletCode:
    limit = None if row["limit_minor"] is None else Money(row["limit_minor"], row["limit_currency"])
    return WalletCode(
        company_id=row["company_id"],
        code_hash=row["code_hash"],
        id=row["id"],
        user_id=row["user_id"],
        kind=CodeKind(row["kind"]),
        created_at=row["created_at"],
        client_id=row["client_id"],
        limit=limit,
        expires_at=row["expires_at"],
        used_at=row["used_at"],
        used_for=row["used_for"],
        revoked_at=row["revoked_at"],
    )


async def find(
    connection: Connection, company_id: str, code_hash: bytes, subjects: Sequence[Subject]
) -> tuple[WalletCode | None, timedelta, datetime]:
    """The code, how long who tries it (or the user it belongs to) must still wait, and the hour."""
    row = await sole_row(
        connection,
        "select statement_timestamp() as now, greatest("
        " (select max(g.blocked_until) from wallet_guess g"
        "  join unnest($3::text[], $4::text[]) as k(c, s)"
        "  on g.company_id = k.c and g.subject = k.s),"
        " (select g.blocked_until from wallet_guess g"
        "  where g.company_id = $1 and g.subject = 'user:' || c.user_id),"
        f" statement_timestamp()) - statement_timestamp() as wait, {_COLUMNS}"
        " from (values (1)) as one"
        " left join wallet_code c on c.company_id = $1 and c.code_hash = $2",
        company_id,
        code_hash,
        *_keys(subjects),
    )
    return (_read(row) if row["id"] is not None else None), row["wait"], row["now"]


async def try_lock(
    connection: Connection, keys: Sequence[tuple[str, bytes]]
) -> dict[tuple[str, bytes], WalletCode]:
    """(company, hash)es to codes, locked; one that somebody else has is missing."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from wallet_code c"
        " join unnest($1::text[], $2::bytea[]) as k(c, h) on k.c = c.company_id"
        " and k.h = c.code_hash where c.company_id = any($1)"
        " order by c.company_id, c.code_hash for update of c skip locked",
        [company for company, _ in keys],
        [code_hash for _, code_hash in keys],
    )
    return {(row["company_id"], row["code_hash"]): _read(row) for row in rows}


async def save_used(connection: Connection, codes: Sequence[WalletCode]) -> None:
    await connection.execute(
        "update wallet_code c set used_at = w.t, used_for = w.p"
        " from unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::text[]) as w(c, h, t, p)"
        " where c.company_id = any($1) and c.company_id = w.c and c.code_hash = w.h",
        [code.company_id for code in codes],
        [code.code_hash for code in codes],
        [code.used_at for code in codes],
        [code.used_for for code in codes],
    )


async def add(connection: Connection, code: WalletCode) -> bool:
    """Whether it was new: no two codes of a company are alike."""
    limit = code.limit
    row = {
        "company_id": code.company_id,
        "code_hash": code.code_hash,
        "id": code.id,
        "user_id": code.user_id,
        "kind": code.kind.value,
        "created_at": code.created_at,
        "client_id": code.client_id,
        "limit_minor": limit and limit.minor,
        "limit_currency": limit.currency if limit else "",
        "expires_at": code.expires_at,
    }
    seals, unrevoked = seals_of(connection), {**row, "revoked_at": None}
    done = await connection.fetchval(
        f"insert into wallet_code ({', '.join(row)}, birth, seal)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " on conflict (company_id, code_hash) do nothing returning true",
        *row.values(),
        seal_of(seals, "wallet_code", "birth", row),
        seal_of(seals, "wallet_code", "seal", unrevoked),
    )
    return bool(done)


async def of_user(connection: Connection, company_id: str, user_id: str) -> list[WalletCode]:
    """The user's codes, newest first; of the pay codes only those that can still pay."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from wallet_code c where c.company_id = $1 and c.user_id = $2"
        " and (c.kind <> 'pay_code' or (c.used_at is null and c.expires_at > now()))"
        " order by c.created_at desc, c.id",
        company_id,
        user_id,
    )
    return [_read(row) for row in rows]


async def revoke(connection: Connection, company_id: str, code_id: str) -> bool:
    """Whether there is such a code; one that was revoked before keeps its date."""
    where = "t.company_id = $1 and t.id = $2"
    async with resealed(connection, "wallet_code", where, company_id, code_id):
        done = await connection.fetchval(
            "update wallet_code set revoked_at = coalesce(revoked_at, now())"
            " where company_id = $1 and id = $2 returning true",
            company_id,
            code_id,
        )
    return bool(done)


_MISSES = (
    "least($3::float8 + 20, 1 + greatest(0, g.misses"
    " - extract(epoch from statement_timestamp() - g.counted_at)::float8 / $4::float8))"
)


async def count_miss(
    connection: Connection,
    subject: Subject,
    *,
    free: int,
    forget: timedelta,
    first_pause: timedelta,
    longest_pause: timedelta,
) -> None:
    """One more wrong code: beyond the `free` ones each doubles the pause until the next try.

    One is forgotten in each `forget`, and no more are kept than make the longest pause.
    """
    company_id, name = subject
    await connection.execute(
        "insert into wallet_guess as g (company_id, subject, misses, counted_at, blocked_until)"
        " values ($1, $2, 1, statement_timestamp(), '-infinity')"
        f" on conflict (company_id, subject) do update set misses = {_MISSES},"
        f" counted_at = statement_timestamp(), blocked_until = case when {_MISSES} <= $3::float8"
        "  then g.blocked_until else statement_timestamp()"
        f"  + least($6::interval, $5::interval * power(2, ceil({_MISSES} - $3::float8) - 1)) end",
        company_id,
        name,
        free,
        forget.total_seconds(),
        first_pause,
        longest_pause,
    )


async def forget_misses(connection: Connection, older_than: timedelta, *, limit: int) -> int:
    """Delete counts that nothing was added to for so long; returns how many."""
    gone = await connection.fetch(
        "delete from wallet_guess where (company_id, subject) in"
        " (select company_id, subject from wallet_guess"
        "  where counted_at < now() - $1::interval limit $2 for update skip locked) returning 1",
        older_than,
        limit,
    )
    return len(gone)


def _keys(subjects: Sequence[Subject]) -> tuple[list[str], list[str]]:
    return [company for company, _ in subjects], [name for _, name in subjects]
