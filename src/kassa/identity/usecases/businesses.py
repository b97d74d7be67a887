"""A company's businesses: places or brands, each with a name and an account of its own."""

import re
from collections.abc import Collection

from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.domain.principals import Business, Company, Principal
from kassa.identity.store import businesses
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import remembered

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_LONGEST_NAME = 200


async def add_business(core: Core, company: Company, business: Business) -> Business:
    """Keep it; the one of that id gets this name.

    Raises: InvalidRequest.
    """
    if not _ID.fullmatch(business.id):
        raise InvalidRequest(
            "a business's id is 1 to 64 letters, digits, _ or -", field="id", reason="id_invalid"
        )
    name = business.name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            f"a business's name is 1 to {_LONGEST_NAME} printable characters",
            field="name",
            reason="name_invalid",
        )
    if business.id == company.business_id:
        raise InvalidRequest(
            f"{business.id} is the company's own business, and is called as the company is",
            field="id",
            reason="id_taken",
        )
    kept = Business(business.id, name)
    async with core.db.transaction() as connection:
        await businesses.put(connection, company.id, kept)
        said = {"name": kept.name}
        await audit.note(core, connection, Act.BUSINESS_PUT, company.id, kept.id, after=said)
    return kept


async def list_businesses(core: Core, company: Company) -> list[Business]:
    """The company's own, and then the others, oldest first."""
    async with core.db.connection() as connection:
        others = await businesses.listed(connection, company.id)
    return [Business(company.business_id, company.name), *others]


async def find_business(core: Core, company: Company, business_id: str) -> Business | None:
    """At most half a second old; None where the company has no such business."""
    if business_id == company.business_id:
        return Business(business_id, company.name)
    if not _ID.fullmatch(business_id):
        return None

    async def look() -> Business | None:
        async with core.db.connection() as connection:
            return await businesses.find(connection, company.id, business_id)

    return await remembered(core, f"business:{company.id} {business_id}", look)


async def known_business(
    core: Core, asked_by: Principal, business_id: str, *, field: str = "business_id"
) -> None:
    """See that the company has that business. `field`: what the caller named it in.

    Raises: InvalidRequest.
    """
    if business_id == asked_by.business_id:
        return
    if await find_business(core, asked_by.company, business_id) is None:
        raise _unknown(field)


async def known_businesses(
    core: Core, asked_by: Principal, business_ids: Collection[str], *, field: str
) -> None:
    """As `known_business`, for all of them at once.

    Raises: InvalidRequest.
    """
    company = asked_by.company
    others = set(business_ids) - {asked_by.business_id, company.business_id}
    if not others:
        return
    if not all(map(_ID.fullmatch, others)):
        raise _unknown(field)
    async with core.db.connection() as connection:
        found = await businesses.known(connection, company.id, others)
    if found != others:
        raise _unknown(field)


def _unknown(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"{field}: the company has no business of that id",
        field=field,
        reason="business_unknown",
    )
