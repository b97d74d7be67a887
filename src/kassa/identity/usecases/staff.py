"""Staff as those see them who let them in: added, given roles, disabled."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from kassa.base.domain.errors import InvalidRequest, NotFound, PermissionDenied
from kassa.base.domain.lifecycle import StaffStatus
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import INSTALLATION, Act
from kassa.identity.domain.principals import Company
from kassa.identity.domain.staff import INVITED_FOR, Grant, Role, StaffActing, StaffMember
from kassa.identity.store import audits, staff
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import hash_secret
from kassa.identity.usecases.businesses import find_business

_LOGIN = re.compile(r"[a-z][a-z0-9._-]{1,39}", re.ASCII)
INVITATION = "kin_"
"""How an invitation begins."""


@dataclass(frozen=True, slots=True, repr=False)
class Invited:
    """`token`: what the person chooses a password with, once; shown this once."""

    member: StaffMember
    token: str


@dataclass(frozen=True, slots=True)
class StaffView:
    """`recovery_codes`: how many of them are left."""

    member: StaffMember
    grants: Sequence[Grant]
    recovery_codes: int


async def add_staff(core: Core, company: Company, login: str, role: Role) -> Invited:
    """Somebody new, with a role at that side, and an invitation that is good for three days.

    Raises: InvalidRequest, PermissionDenied.
    """
    if not _LOGIN.fullmatch(login):
        raise InvalidRequest(
            "a name of staff is 2 to 40 small letters, digits, ., _ or -, a letter first; it stands"
            " in the audit for ever, so it is no address",
            field="login",
        )
    async with core.db.transaction() as connection:
        staff_id = core.new_id("sf")
        if not await staff.add(connection, staff_id, login, audit.ACTING.get().who):
            raise InvalidRequest(f"there is somebody called {login!r} already", field="login")
        said = {"role": role}
        await audit.note(core, connection, Act.STAFF_ADDED, company.id, login, after=said)
        await staff.put_role(
            connection, staff_id, Grant(company.id, "", role), audit.ACTING.get().who
        )
        return Invited(await _found(connection, login), await _invite(core, connection, staff_id))


async def _invite(core: Core, connection: Connection, staff_id: str) -> str:
    token = INVITATION + secrets.token_urlsafe(32)
    until = await audits.moment(connection) + INVITED_FOR
    await staff.end_codes(connection, staff_id, "invitation")
    await staff.add_code(connection, staff_id, hash_secret(core, token), "invitation", until)
    return token


async def invite_again(core: Core, login: str) -> Invited:
    """For who has lost the password, the codes, or the invitation: all they had ends.

    Raises: NotFound, PermissionDenied.
    """
    async with core.db.transaction() as connection:
        member = await _found(connection, login)
        await _note_everywhere(core, connection, Act.STAFF_INVITED, member)
        await staff.set_status(connection, member.id, StaffStatus.INVITED)
        await staff.wipe_proofs(connection, member.id)
        await staff.end_sessions(connection, member.id)
        await staff.end_codes(connection, member.id, "recovery")
        token = await _invite(core, connection, member.id)
        return Invited(await _found(connection, login), token)


async def set_role(
    core: Core, company: Company, login: str, role: Role, business_id: str = ""
) -> None:
    """What somebody may do at that side, or at one business of it; Role.NONE: nothing any more.
    Everywhere within a second.

    Raises: NotFound, InvalidRequest, PermissionDenied also for one's own role.
    """
    acting = audit.ACTING.get()
    if isinstance(acting, StaffActing) and acting.name == login:
        raise PermissionDenied("nobody changes their own role", reason="own_role")
    if business_id and await find_business(core, company, business_id) is None:
        raise NotFound(f"no such business: {business_id!r}; kassa business list shows them")
    async with core.db.transaction() as connection:
        member = await _found(connection, login)
        grants = (await staff.grants_of(connection, [member.id]))[member.id]
        key = company.id, business_id
        was = [one.role for one in grants if (one.company_id, one.business_id) == key]
        await staff.put_role(
            connection, member.id, Grant(company.id, business_id, role), acting.who
        )
        await audit.note(
            core,
            connection,
            Act.ROLE_SET,
            company.id,
            login,
            before={"role": was[0] if was else Role.NONE, "business": business_id or None},
            after={"role": role, "business": business_id or None},
        )


async def switch_staff(core: Core, login: str, *, active: bool) -> None:
    """Let them in no longer, which ends their sessions, or again.

    Raises: NotFound, InvalidRequest, PermissionDenied also for oneself.
    """
    acting = audit.ACTING.get()
    if isinstance(acting, StaffActing) and acting.name == login:
        raise PermissionDenied("nobody disables or enables themselves", reason="own_role")
    async with core.db.transaction() as connection:
        member = await _found(connection, login)
        known = await staff.proofs(connection, login)
        is_ready = known is not None and known.sealed is not None
        if active and (not is_ready or member.status is StaffStatus.INVITED):
            raise InvalidRequest(f"{login} has no password yet: kassa staff invite {login}")
        status = StaffStatus.ACTIVE if active else StaffStatus.DISABLED
        await staff.set_status(connection, member.id, status)
        if not active and member.status is StaffStatus.INVITED:  # what was begun is not finished
            await staff.wipe_proofs(connection, member.id)
        if not active:
            await staff.end_sessions(connection, member.id)
            await staff.end_codes(connection, member.id, "invitation")
        act = Act.STAFF_ENABLED if active else Act.STAFF_DISABLED
        await _note_everywhere(core, connection, act, member)


async def _note_everywhere(
    core: Core, connection: Connection, act: Act, member: StaffMember
) -> None:
    """At each side where they have a role: so whoever does that needs the right at all of them."""
    grants = (await staff.grants_of(connection, [member.id]))[member.id]
    sides = sorted({one.company_id for one in grants}) or [INSTALLATION]
    was = {"status": member.status}
    for side in sides:
        await audit.note(core, connection, act, side, member.login, before=was)


async def list_staff(core: Core, company_id: str | None = None) -> list[StaffView]:
    """All of them, or those with a role at that side."""
    async with core.db.connection() as connection:
        members = await staff.listed(connection, company_id)
        grants = await staff.grants_of(connection, [one.id for one in members])
        return [
            StaffView(one, grants[one.id], await staff.codes_left(connection, one.id))
            for one in members
        ]


async def _found(connection: Connection, login: str) -> StaffMember:
    member = await staff.find(connection, login) if login.isprintable() else None
    if member is None:
        raise NotFound(f"nobody of the staff is called {login!r}; kassa staff list shows them")
    return member


async def get_staff(core: Core, login: str) -> StaffView:
    """Raises: NotFound."""
    async with core.db.connection() as connection:
        member = await _found(connection, login)
        grants = (await staff.grants_of(connection, [member.id]))[member.id]
        return StaffView(member, grants, await staff.codes_left(connection, member.id))
