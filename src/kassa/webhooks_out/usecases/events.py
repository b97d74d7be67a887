"""Look at what merchants were told, and tell it again."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from kassa.base.domain.copying import replace
from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.usecases import audit
from kassa.webhooks_out.store import events
from kassa.webhooks_out.store.events import Delivery, EventQuery, ToldEvent

_STATES = ("waiting", "delivered", "dead")
_MOST_SHOWN = 10_000
_MOST_NAMED = 1_000
_PAGE = 1_000


async def list_events(core: Core, query: EventQuery, *, limit: int = 100) -> list[ToldEvent]:
    """The newest first.

    Raises: InvalidRequest.
    """
    _check(query)
    if not 1 <= limit <= _MOST_SHOWN:
        raise InvalidRequest(f"limit must be 1 to {_MOST_SHOWN}, got {limit}", field="limit")
    async with core.db.connection(long=True) as connection:
        return await events.newest(connection, query, limit)


async def show_event(
    core: Core, company_id: str, event_id: str
) -> tuple[ToldEvent, list[Delivery]]:
    """The event, and its tries that are still kept.

    Raises: NotFound.
    """
    async with core.db.connection() as connection:
        event = await events.one(connection, company_id, event_id) if _is_plain(event_id) else None
        if event is None:
            raise NotFound(f"no event {event_id!r} here; kassa events list shows them")
        return event, await events.deliveries_of(connection, company_id, event_id)


async def resend(core: Core, company_id: str, ids: Sequence[str], *, reason: str = "") -> list[str]:
    """Send these again now, whatever became of them: the same bytes under the same id. Those that
    are tried this very moment are left alone; the ids of the others are given back.

    Raises: NotFound, for the first that there is none of; then none is sent.
    """
    if len(ids) > _MOST_NAMED:
        raise InvalidRequest(f"at most {_MOST_NAMED} ids at once; kassa events replay takes more")
    async with core.db.transaction() as connection:
        for event_id in ids:
            known = _is_plain(event_id) and await events.one(connection, company_id, event_id)
            if not known:
                raise NotFound(f"no event {event_id!r} here; kassa events list shows them")
        sent = await events.send_again(connection, company_id, ids)
        for event_id in sent:
            await audit.note(
                core, connection, Act.EVENT_SENT_AGAIN, company_id, event_id, reason=reason
            )
    return sent


async def replay(
    core: Core,
    query: EventQuery,
    *,
    reason: str = "",
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Send all of these again, oldest first, a page in each commit; how many.

    `told`: hears how many it is by now. What happens meanwhile is not sent twice.
    Raises: InvalidRequest.
    """
    _check(query)
    now = datetime.now(UTC)
    query = replace(query, until=min(query.until or now, now))
    after: tuple[datetime, str] | None = None
    many = 0
    while True:
        async with core.db.transaction(long=True) as connection:
            places = await events.page(connection, query, after, _PAGE)
            if not places:
                return many
            ids = [event_id for _, event_id in places]
            many += len(await events.send_again(connection, query.company_id, ids))
            span = {"first": ids[0], "last": ids[-1], "events": len(ids)}
            await audit.note(
                core,
                connection,
                Act.EVENTS_REPLAYED,
                query.company_id,
                after=span,
                reason=reason,
            )
        after = places[-1]
        told(many)


async def forget_deliveries(core: Core, *, limit: int = 5_000) -> int:
    """Drop tries that are older than they are kept; how many."""
    before = datetime.now(UTC) - core.policy.deliveries_kept
    async with core.db.transaction() as connection:
        return await events.forget(connection, before, limit)


def _check(query: EventQuery) -> None:
    if query.state and query.state not in _STATES:
        raise InvalidRequest(
            f"state must be {', '.join(_STATES)}, got {query.state!r}", field="state"
        )
    for name, text in (("type", query.event_type), ("about", query.about)):
        if text and not _is_plain(text):
            raise InvalidRequest(f"{name} must be printable text", field=name)


def _is_plain(text: str) -> bool:
    return text.isprintable() and len(text) <= 500
