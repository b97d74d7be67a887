"""Staff as they prove themselves: invited, let in with a password and a code, and out again."""

import base64
import hashlib
import hmac
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from kassa.base.domain.errors import InvalidRequest, NotFound, RateLimited, Unauthenticated
from kassa.base.domain.lifecycle import StaffStatus
from kassa.base.domain.secret import Secret
from kassa.base.store.connection import Connection
from kassa.base.store.envelope import seal, unseal
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.identity.domain.audit import INSTALLATION, Act, Acting
from kassa.identity.domain.staff import (
    IDLE,
    LONGEST,
    StaffActing,
    StaffSession,
    check_password,
    spelled,
    totp_step,
    totp_uri,
)
from kassa.identity.store import audits, staff
from kassa.identity.store.staff import LiveSession, Proofs
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import forget, hash_secret, remembered, secret_hashes
from kassa.identity.usecases.passwords import hash_password, is_password, is_weaker, turn
from kassa.identity.usecases.staff import INVITATION
from kassa.wallet.store.wallet_codes import count_miss

SESSION = "kst_"
"""How the token of a session begins."""

_REFUSED = "the name, the password or the code is wrong, or they do not let anybody in"
_DEAD = "the session is unknown, or has ended"
_INVITATION = "this invitation is unknown, was used, or has run out"
_SECRET_BYTES = 20
_RECOVERY_CODES, _RECOVERY_BYTES = 10, 7
_TRIES = 5  # wrong ones that are free, of a name from one address
_SHARED_FACTOR = 4  # an address speaks for many, and a name is tried by others, too
_FORGET = timedelta(minutes=10)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=30)
_SEEN_EVERY = timedelta(minutes=1)
_LONGEST_LOGIN = 40
TOO_MANY = "too_many_sign_ins"


@dataclass(frozen=True, slots=True, repr=False)
class Enrolment:
    """What goes into the person's app for one-time codes; shown this once. `uri`: as a QR code has
    it, `secret`: to be typed."""

    login: str
    secret: str
    uri: str


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """`token`: what proves the session from now on; shown this once."""

    token: str
    session_id: str
    login: str


_MARK = 2  # bytes that say by which version of the key a secret is sealed


def _about(staff_id: str, version: int) -> str:
    return f"staff|sealed|{staff_id}|{version}"


def _derived(pepper: Secret) -> bytes:
    return hmac.digest(pepper.reveal(), b"kassa: one-time codes of staff, 1", hashlib.sha256)


def _seal(core: Core, staff_id: str, secret: bytes) -> bytes:
    newest = core.secrets.of(Purpose.CREDENTIALS).current
    about = _about(staff_id, newest.number)
    return newest.number.to_bytes(_MARK, "big") + seal(_derived(newest.secret), secret, about)


def _opened(core: Core, known: Proofs) -> bytes | None:
    """None also where somebody edited the row, or brought it from another installation."""
    if known.sealed is None:
        return None
    version = int.from_bytes(known.sealed[:_MARK], "big")
    pepper = core.secrets.of(Purpose.CREDENTIALS).get(version)
    about = _about(known.id, version)
    return unseal(_derived(pepper), known.sealed[_MARK:], about) if pepper else None


async def begin_enrolment(core: Core, invitation: str, password: str) -> Enrolment:
    """Choose a password. Nobody is let in before `finish_enrolment`; begun anew, the secret of
    before is worth nothing.

    Raises: Unauthenticated, InvalidRequest.
    """
    async with core.db.transaction() as connection:
        known = await _invited(core, connection, invitation)
    check_password(password, known.login)
    async with turn(core):
        hashed = await hash_password(password)
    secret = secrets.token_bytes(_SECRET_BYTES)
    async with core.db.transaction() as connection:
        known = await _invited(core, connection, invitation)
        await staff.set_proofs(connection, known.id, hashed, _seal(core, known.id, secret))
    return Enrolment(known.login, spelled(secret), totp_uri(secret, known.login))


async def _invited(core: Core, connection: Connection, invitation: str) -> Proofs:
    known = None
    if invitation.startswith(INVITATION) and invitation.isprintable():
        known = await staff.proofs_by_code(connection, secret_hashes(core, invitation))
    if known is None or known.status is not StaffStatus.INVITED:
        raise Unauthenticated(_INVITATION)
    return known


async def finish_enrolment(
    core: Core, invitation: str, code: str, *, address: str = ""
) -> list[str]:
    """Show that the app makes the right codes; gives the recovery codes, each of which serves once
    in place of one. From now on the person can sign in.

    Raises: Unauthenticated, InvalidRequest for a wrong code.
    """
    async with core.db.transaction() as connection:
        known = await _invited(core, connection, invitation)
        if not await _takes_step(core, connection, known, code):
            raise InvalidRequest("the code is wrong; is the clock of the device right?")
        hashes = secret_hashes(core, invitation)
        await staff.use_code(connection, known.id, hashes, "invitation")
        await staff.set_status(connection, known.id, StaffStatus.ACTIVE)
        made = [_recovery_code() for _ in range(_RECOVERY_CODES)]
        await staff.end_codes(connection, known.id, "recovery")
        for one in made:
            hashed = hash_secret(core, _bare(known.id, one))
            await staff.add_code(connection, known.id, hashed, "recovery", None)
        by = Acting(f"staff:{known.login}", address)
        await _note(core, connection, Act.ENROLLED, known.login, by)
        return made


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower().rstrip("=")
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def _bare(staff_id: str, code: str) -> str:
    """A recovery code as it is hashed, however it was typed."""
    return f"recovery|{staff_id}|{''.join(one for one in code.lower() if one.isalnum())}"


async def _takes_step(core: Core, connection: Connection, known: Proofs, code: str) -> bool:
    secret = _opened(core, known)
    if secret is None:
        return False
    step = totp_step(secret, code, await audits.moment(connection), known.totp_step)
    return step is not None and await staff.note_step(connection, known.id, step)


async def _note(core: Core, connection: Connection, act: Act, login: str, by: Acting) -> None:
    """Who signs in acts before anybody has let them in."""
    before = audit.ACTING.set(by)
    try:
        await audit.note(core, connection, act, INSTALLATION, login)
    finally:
        audit.ACTING.reset(before)


async def sign_in(
    core: Core, login: str, password: str, code: str, *, address: str = ""
) -> SignedIn:
    """Let somebody in by password and one-time code, or a recovery code in its place.

    Wrong ones are counted by name, by address, and by both, and make the next wait longer and
    longer. `address`: from where they try.
    Raises: Unauthenticated in the same words whatever was wrong, RateLimited.
    """
    name = login if len(login) <= _LONGEST_LOGIN and login.isprintable() else ""
    subjects = _subjects(name, address)
    async with turn(core):
        async with core.db.transaction() as connection:
            await _wait(connection, subjects)
            known = await staff.proofs(connection, name) if name else None
        is_right = await is_password(known.password_hash if known else "", password)
        if is_right and known is not None:
            again = await hash_password(password) if is_weaker(known.password_hash) else ""
            done = await _let_in(core, known, code, address, again)
            if done is not None:
                return done
        await _refuse(core, known.login if known else "", subjects, address)
    raise Unauthenticated(_REFUSED)


async def _wait(connection: Connection, subjects: Sequence[str]) -> None:
    wait = await staff.wait(connection, subjects)
    if wait:
        seconds = max(1, math.ceil(wait.total_seconds()))
        raise RateLimited(
            f"too many wrong passwords or codes; come back in {seconds} s",
            retry_after_seconds=seconds,
            reason=TOO_MANY,
        )


def _subjects(login: str, address: str) -> list[str]:
    """Who is counted; the first is one name from one address. Always locked in this order."""
    return [f"staff {login} from {address}", f"staff {login}", f"staff from {address}"]


async def _let_in(
    core: Core, proven: Proofs, code: str, address: str, again: str
) -> SignedIn | None:
    """None where the code is wrong, or they were disabled or given another password meanwhile.
    `again`: the password hashed as it is usual now."""
    async with core.db.transaction() as connection:
        known = await staff.proofs(connection, proven.login)
        if known is None or known.status is not StaffStatus.ACTIVE:
            return None
        if known.password_hash != proven.password_hash:
            return None
        by = Acting(f"staff:{known.login}", address)
        if not await _takes_step(core, connection, known, code):
            hashes = secret_hashes(core, _bare(known.id, code))
            if not await staff.use_code(connection, known.id, hashes, "recovery"):
                return None
            await _note(core, connection, Act.RECOVERY_USED, known.login, by)
        await _renew(core, connection, known, again)
        token, now = SESSION + secrets.token_urlsafe(32), await audits.moment(connection)
        session_id = core.new_id("ss")
        await staff.add_session(
            connection,
            session_id,
            known.id,
            hash_secret(core, token),
            address,
            now,
            now + LONGEST,
        )
        await staff.note_sign_in(connection, known.id, now)
        await _note(core, connection, Act.SIGNED_IN, known.login, by)
    return SignedIn(token, session_id, known.login)


async def _renew(core: Core, connection: Connection, known: Proofs, again: str) -> None:
    """Only now the password is known, and both are kept as it is usual by now."""
    newest = core.secrets.of(Purpose.CREDENTIALS).current.number
    secret = _opened(core, known)
    if secret is None or known.sealed is None:
        return
    if again or int.from_bytes(known.sealed[:_MARK], "big") != newest:
        hashed, sealed = again or known.password_hash, _seal(core, known.id, secret)
        await staff.renew_proofs(connection, known.id, hashed, sealed)


async def _refuse(core: Core, login: str, subjects: Sequence[str], address: str) -> None:
    async with core.db.transaction() as connection:
        for place, subject in enumerate(subjects):
            await count_miss(
                connection,
                (INSTALLATION, subject),
                free=_TRIES if place == 0 else _TRIES * _SHARED_FACTOR,
                forget=_FORGET,
                first_pause=_FIRST_PAUSE,
                longest_pause=_LONGEST_PAUSE,
            )
        by = Acting("stranger:sign-in", address)
        await _note(core, connection, Act.SIGN_IN_REFUSED, login, by)


async def acting_staff(core: Core, token: str, *, address: str = "") -> StaffActing:
    """Who holds this session, and what they may do, at most half a second old.

    Raises: Unauthenticated.
    """
    if not token.startswith(SESSION) or len(token) > 100 or not token.isprintable():
        raise Unauthenticated(_DEAD)
    keys = secret_hashes(core, token)

    async def look() -> tuple[LiveSession, StaffActing] | None:
        async with core.db.connection() as connection:
            live = await staff.live_session(connection, keys, IDLE)
            if live is None:
                return None
            now = await audits.moment(connection)
            if now - live.last_seen_at > _SEEN_EVERY:
                await staff.seen(connection, live.id)
            grants = (await staff.grants_of(connection, [live.staff_id]))[live.staff_id]
        return live, StaffActing(f"staff:{live.login}", address, grants=tuple(grants))

    found = await remembered(core, _memory(core, token), look)
    if found is None:
        raise Unauthenticated(_DEAD)
    return found[1]


def _memory(core: Core, token: str) -> str:
    return f"staff session {hash_secret(core, token).hex()}"


async def sign_out(core: Core, token: str) -> None:
    """End the session of that token. Raises: Unauthenticated."""
    keys = secret_hashes(core, token)
    async with core.db.transaction() as connection:
        live = await staff.live_session(connection, keys, IDLE)
        if live is None:
            raise Unauthenticated(_DEAD)
        await staff.end_sessions(connection, live.staff_id, live.id)
        await _note(core, connection, Act.SIGNED_OUT, live.login, Acting(f"staff:{live.login}"))
    forget(core, _memory(core, token))


async def list_sessions(core: Core, login: str) -> list[StaffSession]:
    """Somebody's that can be used, the newest first. Raises: NotFound."""
    async with core.db.connection() as connection:
        member = await staff.find(connection, login) if login.isprintable() else None
        if member is None:
            raise NotFound(f"nobody of the staff is called {login!r}")
        return await staff.sessions(connection, member.id, IDLE)


async def end_sessions(core: Core, login: str, session_id: str = "") -> int:
    """End one session of somebody's, or all; within a second everywhere. Gives how many.

    Raises: NotFound, PermissionDenied.
    """
    acting = audit.ACTING.get()
    async with core.db.transaction() as connection:
        member = await staff.find(connection, login) if login.isprintable() else None
        if member is None:
            raise NotFound(f"nobody of the staff is called {login!r}")
        ended = await staff.end_sessions(connection, member.id, session_id)
        if session_id and not ended:
            raise NotFound(f"{login} has no such session: {session_id!r}")
        said = {"sessions": ended}
        if acting.who == f"staff:{login}":  # one's own
            await audit.note(core, connection, Act.SIGNED_OUT, INSTALLATION, login, after=said)
            return len(ended)
        grants = (await staff.grants_of(connection, [member.id]))[member.id]
        for side in sorted({one.company_id for one in grants}) or [INSTALLATION]:
            await audit.note(core, connection, Act.SESSIONS_ENDED, side, login, after=said)
    return len(ended)
