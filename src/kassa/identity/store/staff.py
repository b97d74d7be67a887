"""People who act for companies: their roles, what they prove themselves with, their sessions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from kassa.base.domain.lifecycle import StaffStatus
from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.identity.domain.audit import INSTALLATION
from kassa.identity.domain.staff import Grant, Role, StaffMember, StaffSession
from kassa.proof.store.resealing import resealed


class Proofs(NamedTuple):
    """What somebody proves who they are with. `sealed`: the secret of their one-time codes."""

    id: str
    login: str
    status: StaffStatus
    password_hash: str
    sealed: bytes | None
    totp_step: int


class LiveSession(NamedTuple):
    id: str
    staff_id: str
    last_seen_at: datetime
    login: str


class _Ending(NamedTuple):
    id: str


class _Role(NamedTuple):
    staff_id: str
    company_id: str
    business_id: str
    role: Role


class Sql(Queries):
    add: Value[bool]
    find: Rows[StaffMember]
    listed: Rows[StaffMember]
    proofs: Rows[Proofs]
    proofs_by_code: Rows[Proofs]
    ending: Rows[_Ending]
    set_status: Value[bool]
    set_proofs: Command
    wipe_proofs: Command
    renew_proofs: Command
    note_step: Value[bool]
    note_sign_in: Command
    put_role: Command
    roles: Rows[_Role]
    add_code: Command
    use_code: Value[bool]
    end_codes: Command
    codes_left: Value[int]
    add_session: Command
    live_session: Rows[LiveSession]
    seen: Command
    sessions: Rows[StaffSession]
    end_sessions: Value[str]
    wait: Value[timedelta]


async def add(connection: Connection, staff_id: str, login: str, created_by: str) -> bool:
    """Whether the name was free."""
    async with resealed(connection, "staff", "t.id = $1", staff_id):
        return bool(await Sql.add.first(connection, staff_id, login, created_by))


async def find(connection: Connection, name: str) -> StaffMember | None:
    """By id or login."""
    return await Sql.find.first(connection, name)


async def listed(connection: Connection, company_id: str | None) -> list[StaffMember]:
    """All, or those with a role for that side."""
    return await Sql.listed.all(connection, company_id)


async def proofs(connection: Connection, login: str) -> Proofs | None:
    """Locked, so that no one-time code serves twice."""
    return await Sql.proofs.first(connection, login)


async def proofs_by_code(connection: Connection, hashes: Sequence[bytes]) -> Proofs | None:
    """Of whom that invitation is for, while it can be used; locked."""
    return await Sql.proofs_by_code.first(connection, list(hashes))


async def set_status(connection: Connection, staff_id: str, status: StaffStatus) -> bool:
    async with resealed(connection, "staff", "t.id = $1", staff_id):
        return bool(await Sql.set_status.first(connection, staff_id, status))


async def set_proofs(
    connection: Connection, staff_id: str, password_hash: str, sealed: bytes
) -> None:
    async with resealed(connection, "staff", "t.id = $1", staff_id):
        await Sql.set_proofs.run(connection, staff_id, password_hash, sealed)


async def wipe_proofs(connection: Connection, staff_id: str) -> None:
    """What they had to prove themselves with is worth nothing any more."""
    async with resealed(connection, "staff", "t.id = $1", staff_id):
        await Sql.wipe_proofs.run(connection, staff_id)


async def renew_proofs(
    connection: Connection, staff_id: str, password_hash: str, sealed: bytes
) -> None:
    """The same ones, hashed and sealed as it is usual now."""
    async with resealed(connection, "staff", "t.id = $1", staff_id):
        await Sql.renew_proofs.run(connection, staff_id, password_hash, sealed)


async def note_step(connection: Connection, staff_id: str, step: int) -> bool:
    """Whether no code of this step or a later one had served."""
    return bool(await Sql.note_step.first(connection, staff_id, step))


async def note_sign_in(connection: Connection, staff_id: str, at: datetime) -> None:
    await Sql.note_sign_in.run(connection, staff_id, at)


async def put_role(connection: Connection, staff_id: str, grant: Grant, granted_by: str) -> None:
    key = staff_id, grant.company_id, grant.business_id
    where = "t.staff_id = $1 and t.company_id = $2 and t.business_id = $3"
    async with resealed(connection, "staff_role", where, *key):
        await Sql.put_role.run(connection, *key, grant.role, granted_by)


async def grants_of(connection: Connection, staff_ids: Sequence[str]) -> dict[str, list[Grant]]:
    """By staff id; roles that were taken away are left out."""
    found: dict[str, list[Grant]] = {one: [] for one in staff_ids}
    for row in await Sql.roles.all(connection, list(staff_ids)):
        found[row.staff_id].append(Grant(row.company_id, row.business_id, row.role))
    return found


async def add_code(
    connection: Connection, staff_id: str, code_hash: bytes, kind: str, expires_at: datetime | None
) -> None:
    where = "t.staff_id = $1 and t.code_hash = $2"
    async with resealed(connection, "staff_code", where, staff_id, code_hash):
        await Sql.add_code.run(connection, staff_id, code_hash, kind, expires_at)


async def use_code(
    connection: Connection, staff_id: str, hashes: Sequence[bytes], kind: str
) -> bool:
    """Whether there was one, which from now on serves nobody. `hashes`: all that it may be kept
    as."""
    where = "t.staff_id = $1 and t.code_hash = any($2::bytea[])"
    async with resealed(connection, "staff_code", where, staff_id, list(hashes)):
        return bool(await Sql.use_code.first(connection, staff_id, list(hashes), kind))


async def end_codes(connection: Connection, staff_id: str, kind: str) -> None:
    where = "t.staff_id = $1 and t.kind = $2"
    async with resealed(connection, "staff_code", where, staff_id, kind):
        await Sql.end_codes.run(connection, staff_id, kind)


async def codes_left(connection: Connection, staff_id: str) -> int:
    return await Sql.codes_left.one(connection, staff_id)


async def add_session(
    connection: Connection,
    session_id: str,
    staff_id: str,
    secret_hash: bytes,
    address: str,
    created_at: datetime,
    expires_at: datetime,
) -> None:
    values = session_id, staff_id, secret_hash, address, created_at, expires_at
    async with resealed(connection, "staff_session", "t.id = $1", session_id):
        await Sql.add_session.run(connection, *values)


async def live_session(
    connection: Connection, hashes: Sequence[bytes], idle: timedelta
) -> LiveSession | None:
    """`hashes`: all that its secret may be kept as."""
    return await Sql.live_session.first(connection, list(hashes), idle)


async def seen(connection: Connection, session_id: str) -> None:
    await Sql.seen.run(connection, session_id)


async def sessions(connection: Connection, staff_id: str, idle: timedelta) -> list[StaffSession]:
    """Those that can still be used, the newest first."""
    return await Sql.sessions.all(connection, staff_id, idle)


async def end_sessions(connection: Connection, staff_id: str, session_id: str = "") -> list[str]:
    """One of theirs, or all; which ended by it."""
    ids = [one.id for one in await Sql.ending.all(connection, staff_id, session_id)]
    async with resealed(connection, "staff_session", "t.id = any($1)", ids):
        return await Sql.end_sessions.all(connection, staff_id, session_id)


async def wait(connection: Connection, subjects: Sequence[str]) -> timedelta:
    """How long whoever tries as one of these still has to wait."""
    return await Sql.wait.one(connection, INSTALLATION, list(subjects))
