"""Write down what is done with a privilege, in the transaction in which it is done; and show it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from kassa.base.domain.errors import InvalidRequest
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import (
    INSTALLATION,
    PROGRAM,
    Act,
    Acting,
    AuditQuery,
    AuditRow,
    Deed,
    row_of,
)
from kassa.identity.domain.staff import StaffActing
from kassa.identity.store import audits

ACTING: ContextVar[Acting] = ContextVar("acting", default=PROGRAM)
"""Who acts in this request or command. Whoever lets somebody in sets it, before any verb."""

PEOPLE = frozenset({"os", "staff", "operator"})
"""Kinds of actors that are people with a privilege, not a merchant's own programs."""

_MOST_SHOWN = 10_000
_PAGE = 1_000


def deed(
    act: Act,
    company_id: str,
    of: str = "",
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    business_id: str | None = "",
) -> Deed:
    """What whoever acts now does to `of`; for a verb that runs in a batch, where nobody acts.

    Of staff it is asked whether a role of theirs allows it: for that business, or with "" for all
    of the company's; with None `allowed` asks, when that is known.
    Raises: PermissionDenied.
    """
    made = Deed(
        company_id=company_id,
        act=act,
        by=ACTING.get(),
        object=of,
        before=before or {},
        after=after or {},
        reason=reason,
    )
    if business_id is not None:
        allowed(made, business_id)
    return made


def allowed(deed: Deed, business_id: str = "") -> None:
    """Of staff: whether a role of theirs allows it. Raises: PermissionDenied."""
    if isinstance(deed.by, StaffActing):
        deed.by.require(deed.act, deed.company_id, business_id)


async def note(
    core: Core,
    connection: Connection,
    act: Act,
    company_id: str,
    of: str = "",
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    business_id: str = "",
) -> None:
    """Write it down, in the caller's transaction: with the act, or not at all.

    `company_id`: the side it is of, or INSTALLATION. `of`: the id of what it is done to. No secret
    and nobody's personal data goes in: of those, say only that they changed.
    """
    await write(
        core,
        connection,
        [
            deed(
                act,
                company_id,
                of,
                before=before,
                after=after,
                reason=reason,
                business_id=business_id,
            )
        ],
    )


async def note_alone(
    core: Core,
    act: Act,
    company_id: str,
    of: str = "",
    *,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Of what only looks: what is shown or taken away is written down before it is."""
    async with core.db.transaction() as connection:
        await note(core, connection, act, company_id, of, after=after)


async def write(core: Core, connection: Connection, deeds: Sequence[Deed]) -> None:
    """The same, of several, each by whoever acted when it was made."""
    if deeds:
        at = await audits.moment(connection)
        await audits.add(connection, [row_of(one, core.new_id("au"), at) for one in deeds])


def is_persons() -> bool:
    """Whether a person with a privilege acts, and not a merchant's program or ours."""
    return ACTING.get().kind in PEOPLE


async def list_audit(core: Core, query: AuditQuery, *, limit: int = 100) -> list[AuditRow]:
    """The newest first.

    Raises: InvalidRequest.
    """
    if not 1 <= limit <= _MOST_SHOWN:
        raise InvalidRequest(f"limit must be 1 to {_MOST_SHOWN}, got {limit}", field="limit")
    _printable(query)
    async with core.db.connection(long=True) as connection:
        return await audits.newest(connection, query, limit)


async def export_audit(core: Core, query: AuditQuery) -> AsyncIterator[list[AuditRow]]:
    """All of it, the oldest first, a page at a time, at one moment; the export itself is the last
    thing that is written down before."""
    _printable(query)
    filters = {"who": query.who, "what": query.what, "object": query.object}
    asked = {name: value for name, value in filters.items() if value}
    await note_alone(core, Act.AUDIT_EXPORTED, query.company_id or INSTALLATION, after=asked)
    async with core.db.transaction(long=True) as connection:
        async for page in audits.pages(connection, query, _PAGE):
            yield page


def _printable(query: AuditQuery) -> None:
    if not (query.who + query.object).isprintable():
        raise InvalidRequest("who and object are printable text")
