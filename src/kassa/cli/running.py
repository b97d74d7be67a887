"""How a command runs: on which database, for which side, and the line above what it says."""

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kassa import assembly, demo
from kassa.base.domain.errors import InvalidRequest, KassaError, PermissionDenied
from kassa.base.store.migrate import migrate
from kassa.base.usecases.bounds import named
from kassa.base.usecases.core import Core
from kassa.cli.serving import as_served, attach
from kassa.identity.domain.audit import Acting
from kassa.identity.domain.principals import Company, Mode
from kassa.identity.domain.staff import StaffActing
from kassa.identity.usecases import audit, companies
from kassa.identity.usecases.sign_in import acting_staff
from kassa.settings import Settings

Result = TypeVar("Result")
_SHOWN = 10  # companies in a sentence


def with_core(
    settings: Settings, work: Callable[[Core], Awaitable[Result]], *, as_nobody: bool = False
) -> Result:
    """Run `work` on the running database, or on the embedded one started for this command.

    `as_nobody`: who types it is about to say who they are.
    """
    postgres, addresses = attach(settings)
    settings = as_served(settings, addresses)
    if settings.demo and settings.simulator_port:
        settings = demo.prepare(settings)

    async def run() -> Result:
        await migrate(addresses.owner_url, live=settings.live)
        async with assembly.open_core(settings, addresses.app_url) as core:
            try:
                if not as_nobody:
                    audit.ACTING.set(await _acting(core))
                return await work(core)
            except KassaError as error:
                raise named(core, error) from None

    try:
        return asyncio.run(run())
    finally:
        if postgres is not None:
            postgres.stop()


async def _acting(core: Core) -> Acting:
    """The member of the staff whose session KASSA_STAFF is, or else whom the system knows.

    Raises: Unauthenticated.
    """
    if token := staff_token():
        return await acting_staff(core, token, address="local")
    return Acting(f"os:{_system_user()}", address="local")


def staff_token() -> str:
    """The session that whoever types this has, if any."""
    return os.environ.get("KASSA_STAFF", "")


def whoever_asks() -> str:
    """Who runs this command, as the books name them; to be asked while it runs."""
    acting = audit.ACTING.get()
    return f"operator:{acting.name}" if acting.kind == "os" else acting.who


def _system_user() -> str:
    """Whom the operating system runs this as; what the environment says counts for nothing."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # nobody's user id has a name here
        return str(os.getuid())


async def side_of(
    core: Core, settings: Settings, company: str, mode: Mode | None = None
) -> Company:
    """The side that --company names: ID, ID:test or ID:live. Without a name the demo company, or
    the only one that there is. Every command that is about one company asks here.

    Raises: NotFound, InvalidRequest where nothing says which.
    """
    if company:
        return await companies.find_side(core, company, mode)
    if demo.is_here(settings):
        return await companies.find_side(core, demo.here(settings).company_id, mode)
    known = list(dict.fromkeys(one.public_id for one, _ in await companies.list_companies(core)))
    if not known:
        raise InvalidRequest("there is no company yet: kassa company add makes one")
    if len(known) > 1:
        shown = ", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
        raise InvalidRequest(f"there are several companies; name one with --company: {shown}")
    return await companies.find_side(core, known[0], mode)


Work = Callable[[Core, Company], Awaitable[Result]]


def with_side(settings: Settings, company: str, work: Work[Result]) -> Result:
    """Run `work` for the side that --company names.

    Raises: as `side_of`.
    """

    if not (company or settings.database_url or settings.directory.exists()):
        demo.here(settings)  # refuses: nothing is made only to say that it is empty

    async def run(core: Core) -> Result:
        side = await side_of(core, settings, company)
        may_read(side.id)
        return await work(core, side)

    return with_core(settings, run)


def may_read(company_id: str | None) -> None:
    """Of staff, whether a role at that side lets them look; None: at all of them, which no role
    does.

    Raises: PermissionDenied.
    """
    acting = audit.ACTING.get()
    if isinstance(acting, StaffActing) and not acting.sees(company_id):
        where = f"at {company_id}" if company_id else "at every company: name one with --company"
        raise PermissionDenied(f"{acting.name} has no role {where}", reason="role_missing")


def told(settings: Settings, company: str, work: Work[str]) -> str:
    """What `work` says to a person, below the line that says whose side it is of.

    Raises: NotFound.
    """

    async def run(core: Core, side: Company) -> str:
        return f"{heading(side)}\n{await work(core, side)}"

    return with_side(settings, company, run)


def heading(side: Company) -> str:
    """The line by which everything printed for a person says test or live; JSON and exports have
    `mode` instead."""
    return f"{side.mode} side of {side.public_id}"


async def modes_of(core: Core) -> dict[str, Mode]:
    """Of every side, by its id."""
    return {side.id: side.mode for side, _ in await companies.list_companies(core)}


OfMany = Callable[[Core, str | None, dict[str, Mode]], Awaitable[str]]


def told_of_many(settings: Settings, company: str | None, work: OfMany, *, as_json: bool) -> str:
    """What `work` says of the side that --company names, or with None of every side; it is given
    the mode of each, and says it beside each.

    Raises: NotFound.
    """

    async def run(core: Core) -> str:
        if not company:
            may_read(None)
            return await work(core, None, await modes_of(core))
        side = await companies.find_side(core, company)
        may_read(side.id)
        said = await work(core, side.id, {side.id: side.mode})
        return said if as_json else f"{heading(side)}\n{said}"

    return with_core(settings, run)
