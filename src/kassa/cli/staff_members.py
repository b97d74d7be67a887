"""What `kassa staff` does and says."""

import getpass
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.cli import running
from kassa.cli.running import may_read, told, told_of_many, with_core
from kassa.identity.domain.principals import Company, Mode
from kassa.identity.domain.staff import Role, StaffSession
from kassa.identity.usecases import sign_in as signing
from kassa.identity.usecases import staff
from kassa.identity.usecases.staff import Invited, StaffView
from kassa.settings import Settings


def _role(word: str) -> Role:
    if word not in tuple(Role):
        raise InvalidRequest(f"a role is one of {', '.join(Role)}, not {word[:40]!r}")
    return Role(word)


def _secret(what: str) -> str:
    """Asked for on a terminal without showing it; else the next line of the input."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{what}: ")
    return sys.stdin.readline().rstrip("\r\n")


def add(settings: Settings, company: str, login: str, role: str) -> str:
    wanted = _role(role)

    async def work(core: Core, side: Company) -> str:
        return _invited(await staff.add_staff(core, side, login, wanted))

    return told(settings, company, work)


def invite(settings: Settings, login: str) -> str:
    async def work(core: Core) -> str:
        return _invited(await staff.invite_again(core, login))

    return with_core(settings, work)


def _invited(made: Invited) -> str:
    return f"{made.member.login} is invited; kassa staff accept asks for\n{made.token}"


def enrol(settings: Settings) -> None:
    """Says each thing as soon as it is known: the app needs the secret before it makes a code."""
    invitation = _secret("Invitation").strip()
    password = _secret("New password")
    if sys.stdin.isatty() and _secret("The same again") != password:
        raise InvalidRequest("these are two passwords")

    async def work(core: Core) -> list[str]:
        begun = await signing.begin_enrolment(core, invitation, password)
        print(f"For your app: {begun.secret}\n{begun.uri}", flush=True)
        code = _secret("Code")
        return await signing.finish_enrolment(core, invitation, code, address="local")

    codes = with_core(settings, work)
    print("You can sign in. Each of these serves once, for when the app is lost:")
    print("\n".join(codes))


def list_all(settings: Settings, company: str | None, *, as_json: bool) -> str:
    async def work(core: Core, company_id: str | None, modes: Mapping[str, Mode]) -> str:
        found = await staff.list_staff(core, company_id)
        if as_json:
            return json.dumps([_plain(one, company_id, modes) for one in found], indent=2)
        return "\n".join(_line(one, company_id) for one in found) or "there is no staff"

    return told_of_many(settings, company, work, as_json=as_json)


def _line(one: StaffView, company_id: str | None = None) -> str:
    roles = [
        f"{grant.role} at {grant.company_id}"
        + (f" for {grant.business_id}" if grant.business_id else "")
        for grant in one.grants
        if company_id in (None, grant.company_id)
    ]
    seen = f"signed in {_shown(one.member.signed_in_at)}" if one.member.signed_in_at else "never in"
    return "  ".join([one.member.login, one.member.status, seen, ", ".join(roles) or "no role"])


def _plain(one: StaffView, company_id: str | None, modes: Mapping[str, Mode]) -> dict[str, Any]:
    mode = modes.get(company_id or "")
    return {
        "mode": mode.value if mode else None,
        "id": one.member.id,
        "login": one.member.login,
        "status": one.member.status,
        "created_at": one.member.created_at.isoformat(),
        "created_by": one.member.created_by,
        "signed_in_at": one.member.signed_in_at and one.member.signed_in_at.isoformat(),
        "recovery_codes": one.recovery_codes,
        "roles": [
            {
                "company": grant.company_id,
                "business": grant.business_id or None,
                "role": grant.role,
            }
            for grant in one.grants
            if company_id in (None, grant.company_id)
        ],
    }


def _shown(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def show(settings: Settings, login: str) -> str:
    async def work(core: Core) -> str:
        one = await staff.get_staff(core, login)
        may_read(one.grants[0].company_id if one.grants else None)
        lines = [_line(one), f"added {_shown(one.member.created_at)} by {one.member.created_by}"]
        lines.append(f"{one.recovery_codes} recovery codes are left")
        lines += [_session(each) for each in await signing.list_sessions(core, login)]
        return "\n".join(lines)

    return with_core(settings, work)


def _session(one: StaffSession) -> str:
    return (
        f"session {one.id} from {one.address or 'nowhere'} since {_shown(one.created_at)},"
        f" used {_shown(one.last_seen_at)}, until {_shown(one.expires_at)}"
    )


def role(settings: Settings, company: str, login: str, word: str, business: str) -> str:
    wanted = _role(word)

    async def work(core: Core, side: Company) -> str:
        await staff.set_role(core, side, login, wanted, business)
        what = "no role" if wanted is Role.NONE else f"the role {wanted}"
        return f"{login} has {what} here" + (f" for {business}" if business else "")

    return told(settings, company, work)


def switch(settings: Settings, login: str, *, active: bool) -> str:
    with_core(settings, lambda core: staff.switch_staff(core, login, active=active))
    return "enabled" if active else "disabled"


def sign_in(settings: Settings, login: str) -> str:
    password, code = _secret("Password"), _secret("Code")

    async def work(core: Core) -> str:
        return (await signing.sign_in(core, login, password, code, address="local")).token

    return with_core(settings, work, as_nobody=True)


def sign_out(settings: Settings) -> str:
    token = running.staff_token()
    with_core(settings, lambda core: signing.sign_out(core, token), as_nobody=True)
    return "signed out"


def end(settings: Settings, login: str, session: str) -> str:
    count = with_core(settings, lambda core: signing.end_sessions(core, login, session))
    return f"{count} sessions ended"
