"""Wallet codes, of which only keyed hashes are kept, and the wrong ones that were tried."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from kassa.base.store.connection import Connection, Row
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows, Value, affected
from kassa.base.store.seals import seals_of
from kassa.base.store.statuses import any_of
from kassa.proof.store import records
from kassa.proof.store.cover import seal_of
from kassa.proof.store.resealing import resealed
from kassa.wallet.domain.wallet_codes import LASTING, WalletCode

Subject = tuple[str, str]
"""The company ("" for what is everybody's) and who tries: "user:…", "client:…", "address:…"."""


class _Waiting(NamedTuple):
    company_id: str
    subject: str


_CODE = reader(WalletCode, currencies={"limit": "limit_currency"})


class Sql(Queries, readers=[_CODE], words={"lasting": any_of(LASTING)}):
    find: Rows[Row]
    these: Rows[WalletCode]
    waiting: Rows[_Waiting]
    try_lock: Rows[WalletCode]
    save_used: Command
    add: Value[bool]
    of_user: Rows[WalletCode]
    by_hash: Rows[WalletCode]
    agreement_of: Value[str]
    revoke: Value[bool]
    revoke_all: Command
    count_miss: Command
    forget_misses: Command


async def find(
    connection: Connection,
    company_id: str,
    hashes: Sequence[bytes],
    subjects: Sequence[Subject],
) -> tuple[WalletCode | None, timedelta, datetime]:
    """The code of one of these hashes, how long who tries it (or the user it belongs to) must still
    wait, and the hour."""
    row = await Sql.find.one(connection, company_id, list(hashes), *_keys(subjects))
    return (_CODE.read(row) if row["id"] is not None else None), row["wait"], row["now"]


async def these(
    connection: Connection, keys: Sequence[tuple[str, bytes]]
) -> dict[tuple[str, bytes], WalletCode]:
    """(company, hash)es to codes, as they stand; unknown ones are missing."""
    codes = await Sql.these.all(
        connection, [company for company, _ in keys], [code_hash for _, code_hash in keys]
    )
    return {(code.company_id, code.code_hash): code for code in codes}


async def waiting(connection: Connection, subjects: Sequence[Subject]) -> set[Subject]:
    """Those of them that have to wait before their next try."""
    return {row[:2] for row in await Sql.waiting.all(connection, *_keys(subjects))}


async def try_lock(
    connection: Connection, keys: Sequence[tuple[str, bytes]]
) -> dict[tuple[str, bytes], WalletCode]:
    """(company, hash)es to codes, locked; one that somebody else has is missing."""
    codes = await Sql.try_lock.all(
        connection, [company for company, _ in keys], [code_hash for _, code_hash in keys]
    )
    return {(code.company_id, code.code_hash): code for code in codes}


async def save_used(connection: Connection, codes: Sequence[WalletCode]) -> None:
    await Sql.save_used.run(
        connection,
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
        "agreement_id": code.agreement_id or None,
    }
    seals, unrevoked = seals_of(connection), {**row, "revoked_at": None}
    done = await Sql.add.first(
        connection,
        *row.values(),
        seal_of(seals, "wallet_code", "birth", row),
        seal_of(seals, "wallet_code", "seal", unrevoked),
        *records.first(connection, "wallet_code", unrevoked, code.company_id, code.created_at),
    )
    return bool(done)


async def of_user(connection: Connection, company_id: str, user_id: str) -> list[WalletCode]:
    """The user's codes, newest first; of those that serve once only what can still be used."""
    return await Sql.of_user.all(connection, company_id, user_id)


async def lock(connection: Connection, company_id: str, code_hash: bytes) -> WalletCode | None:
    """The code of that hash; nobody else uses it before this transaction has ended."""
    return await Sql.by_hash.first(connection, company_id, code_hash)


async def agreement_of(connection: Connection, company_id: str, code_id: str) -> str:
    """The agreement whose code that is; "" for a code of none, or no code at all."""
    return await Sql.agreement_of.first(connection, company_id, code_id) or ""


async def revoke_all(connection: Connection, company_id: str, agreement_id: str) -> None:
    """All codes and tokens of an agreement."""
    where = "t.company_id = $1 and t.agreement_id = $2"
    async with resealed(connection, "wallet_code", where, company_id, agreement_id):
        await Sql.revoke_all.run(connection, company_id, agreement_id)


async def revoke(connection: Connection, company_id: str, code_id: str) -> bool:
    """Whether there is such a code; one that was revoked before keeps its date."""
    where = "t.company_id = $1 and t.id = $2"
    async with resealed(connection, "wallet_code", where, company_id, code_id):
        return bool(await Sql.revoke.first(connection, company_id, code_id))


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
    await Sql.count_miss.run(
        connection,
        company_id,
        name,
        free,
        forget.total_seconds(),
        first_pause,
        longest_pause,
    )


async def forget_misses(connection: Connection, older_than: timedelta, *, limit: int) -> int:
    """Delete counts that nothing was added to for so long; returns how many."""
    return affected(await Sql.forget_misses.run(connection, older_than, limit))


def _keys(subjects: Sequence[Subject]) -> tuple[list[str], list[str]]:
    return [company for company, _ in subjects], [name for _, name in subjects]
