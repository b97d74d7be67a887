"""What proves who asks: a small table, read through the use cases' short cache."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.identity.domain.principals import Company
from kassa.proof.store.resealing import resealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """`lookup`: its public half. `public_keys`: version or kid to PEM, `key_terms` what holds for
    each. `settings`: how a wallet client wants to be spoken to. `earlier_hash`: of the secret that
    a rotation replaced, good until `earlier_until`."""

    lookup: str
    company_id: str
    business_id: str
    kind: str
    name: str
    secret_hash: bytes | None
    public_keys: dict[str, str]
    settings: dict[str, Any]
    permissions: list[str]
    networks: list[str]
    key_terms: dict[str, Any]
    status: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    earlier_hash: bytes | None
    earlier_until: datetime | None
    last_used_at: datetime | None
    company_status: str
    company: Company


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """One to be stored. `permissions`: the words to keep, as `permissions.words_of` gives them."""

    lookup: str
    company: Company
    kind: str
    name: str
    secret_hash: bytes | None = None
    public_keys: Mapping[str, str] | None = None
    permissions: Sequence[str] = ()
    networks: Sequence[str] = ()
    key_terms: Mapping[str, Any] | None = None
    created_by: str = ""
    expires_at: datetime | None = None


class Sql(Queries):
    find: Rows[Credential]
    listed: Rows[Credential]
    put: Command
    set_settings: Value[bool]
    set_status: Value[bool]
    rotate: Value[bool]
    lock: Value[bool]
    set_keys: Value[bool]
    set_secret_hash: Value[bool]
    note_uses: Command


async def find(connection: Connection, lookup: str) -> Credential | None:
    return await Sql.find.first(connection, lookup)


async def listed(
    connection: Connection, company_id: str, after: str, limit: int
) -> list[Credential]:
    """`after`: the public half that the page begins behind."""
    return await Sql.listed.all(connection, company_id, after, limit)


async def put(connection: Connection, new: NewCredential) -> None:
    """Store a credential, or replace the secrets of the one of that name."""
    async with resealed(connection, "credential", "t.lookup = $1", new.lookup):
        await Sql.put.run(
            connection,
            new.lookup,
            new.company.id,
            new.company.business_id,
            new.kind,
            new.name,
            new.secret_hash,
            dict(new.public_keys or {}),
            list(new.permissions),
            list(new.networks),
            dict(new.key_terms or {}),
            new.created_by,
            new.expires_at,
        )


async def set_status(connection: Connection, lookup: str, status: str) -> bool:
    async with resealed(connection, "credential", "t.lookup = $1", lookup):
        return bool(await Sql.set_status.first(connection, lookup, status))


async def rotate(
    connection: Connection, lookup: str, secret_hash: bytes, earlier_until: datetime | None
) -> bool:
    async with resealed(connection, "credential", "t.lookup = $1", lookup):
        return bool(await Sql.rotate.first(connection, lookup, secret_hash, earlier_until))


async def lock(connection: Connection, lookup: str) -> None:
    """Nobody else changes it until this transaction ends."""
    await Sql.lock.first(connection, lookup)


async def set_keys(
    connection: Connection, lookup: str, keys: Mapping[str, str], terms: Mapping[str, Any]
) -> bool:
    async with resealed(connection, "credential", "t.lookup = $1", lookup):
        return bool(await Sql.set_keys.first(connection, lookup, dict(keys), dict(terms)))


async def set_secret_hash(
    connection: Connection, lookup: str, kept: bytes, secret_hash: bytes
) -> bool:
    """The same secret, hashed otherwise; False where somebody has done it, or changed the secret,
    since `kept` was read."""
    async with resealed(connection, "credential", "t.lookup = $1", lookup):
        return bool(await Sql.set_secret_hash.first(connection, lookup, kept, secret_hash))


async def set_settings(
    connection: Connection, lookup: str, kind: str, settings: Mapping[str, Any]
) -> bool:
    """False where there is no credential of that kind and public half."""
    async with resealed(connection, "credential", "t.lookup = $1", lookup):
        return bool(await Sql.set_settings.first(connection, lookup, kind, dict(settings)))


async def note_uses(connection: Connection, lookups: Collection[str]) -> None:
    await Sql.note_uses.run(connection, sorted(lookups))
