"""Take a provider's notification: verify, keep, acknowledge, apply once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from kassa.base.domain.errors import NotFound
from kassa.base.usecases.batch import Contended, batched, to_the_end
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    AnyNews,
    ForeignEvent,
    ForeignReason,
    IrrelevantEvent,
    ModificationEvent,
    PayoutEvent,
    Refused,
    UnreadEvent,
)
from kassa.providers.usecases.event_data import write_news
from kassa.providers.usecases.provider_accounts import account_of, refresh
from kassa.settlement.usecases.settlements import take_failed_payout
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_in.store.provider_events import (
    KeptProviderEvent,
    NewProviderEvent,
    ProviderEventKey,
)
from kassa.webhooks_in.usecases.apply import LEASE, apply_kept, is_ripe
from kassa.webhooks_in.usecases.look_up import About, look_up

_log = structlog.get_logger("kassa.inbox")
_TEXT = "text/plain; charset=utf-8"
_PATIENCE_SECONDS = 1.0  # seconds, not money: so long the provider waits for its news to be applied
_MOST_UNKNOWN = 1_000  # notifications of an account about what is not known here
_LONGEST_EVENT = 100
_KEPT_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
NOBODY = "unknown"
"""The account of a notification for an account that there is not, when they are counted."""


@dataclass(frozen=True, slots=True)
class Received:
    """The HTTP answer for the provider. `account`, `outcome`: what to count it under; the outcome
    is applied, duplicate, irrelevant, foreign, unread, refused or parked."""

    status: int
    content_type: str
    body: bytes
    account: str = field(default=NOBODY, compare=False)
    outcome: str = field(default="", compare=False)


async def receive_notification(
    core: Core, account: str, headers: Mapping[str, str], body: bytes, *, target: str = ""
) -> Received:
    """Verified over the raw bytes, stored, answered, and applied exactly once, in any order.

    It is applied before the answer where that takes no time, and otherwise behind it; a worker
    applies what a process that died has left. Anything not genuine or stale has no effect, is not
    stored, and gets one constant refusal. What is genuine and not ours is thanked for, and counted:
    a provider whose letters are refused too often posts none at all.
    """
    await refresh(core)
    connector = core.connectors.get(account)
    if connector is None:
        return _refused(NOBODY, "there is no such account")
    news = connector.parse_notification(headers, body, target=target, received_at=datetime.now(UTC))
    if isinstance(news, Refused):
        return _refused(account, news.reason)
    thanks = connector.acknowledgement
    if isinstance(news, IrrelevantEvent):
        return Received(200, *thanks, account, "irrelevant")
    if isinstance(news, PayoutEvent):
        return Received(200, *thanks, account, await _take_payout(core, account, news))
    try:
        company_id, about = await _whose(core, account, news)
        assert not isinstance(news, ForeignEvent)
        event = NewProviderEvent(
            key=ProviderEventKey(company_id, account, news.dedupe_key),
            headers=_headers_to_keep(headers),
            body=body,
            news=write_news(news),
        )
        kept = await _keep(core, _Arrived(event, is_known=about is not None))
        if kept is None:
            raise _NotOurs(_unknown(news))
    except _NotOurs as found:
        await _count_foreign(core, (account, found.why, found.event))
        return Received(200, *thanks, account, "foreign")
    if not kept.is_applied:
        await _apply_for_a_while(core, kept, about)
    if not kept.is_new:
        return Received(200, *thanks, account, "duplicate")
    can_be = about is not None and is_ripe(news, about)
    outcome = "unread" if isinstance(news, UnreadEvent) else "applied" if can_be else "parked"
    return Received(200, *thanks, account, outcome)


async def _take_payout(core: Core, account: str, news: PayoutEvent) -> str:
    """At once, without the inbox: told again it changes nothing, and reports tell it as well."""
    names = (*news.references, news.reason)
    company_id = account_of(core, account).company_id
    is_ours = bool(company_id) and all(name.isprintable() for name in names)
    if is_ours and await take_failed_payout(
        core, company_id, account, news.references, f"notification: {news.reason}"
    ):
        return "applied"
    await _count_foreign(core, (account, ForeignReason.REFERENCE, ""))
    return "foreign"


class _NotOurs(Exception):
    def __init__(self, why: str, event: str = ""):
        super().__init__(why)
        self.why, self.event = why, event[:_LONGEST_EVENT] if event.isprintable() else ""


async def _whose(
    core: Core, account: str, news: AnyNews | ForeignEvent
) -> tuple[str, About | None]:
    """The company that it is for, and what it is about; None while nothing of that is known here.

    That waits in the inbox, as our own answer may come behind it, or a backup may have been played
    back. Raises: _NotOurs.
    """
    if isinstance(news, ForeignEvent):
        raise _NotOurs(news.why, news.event)
    if not _is_plain(news):
        raise _NotOurs(_unknown(news))
    try:
        found = await look_up(core, account, news)
    except NotFound:
        raise _NotOurs(ForeignReason.ACCOUNT) from None
    unread = found.about is None and isinstance(news, UnreadEvent)
    if found.company_id is None or unread:
        raise _NotOurs(_unknown(news))
    return found.company_id, found.about


def _unknown(news: AnyNews) -> ForeignReason:
    return ForeignReason.UNREADABLE if isinstance(news, UnreadEvent) else ForeignReason.REFERENCE


@dataclass(frozen=True, slots=True)
class _Arrived:
    """`is_known`: what it is about is here."""

    event: NewProviderEvent
    is_known: bool


async def _keep_many(
    core: Core, arrived: Sequence[_Arrived]
) -> list[KeptProviderEvent | Contended | None]:
    """None, and nothing kept, for what is not known here where too much of that waits already:
    another installation at the same account has as many orders."""
    async with core.db.transaction(hot=True) as connection:
        room: dict[str, int] = {}
        for account in sorted({one.event.key.account for one in arrived if not one.is_known}):
            waiting = await provider_events.unknown_news(connection, account, _MOST_UNKNOWN)
            room[account] = _MOST_UNKNOWN - waiting
        taken = []
        for one in arrived:
            account = one.event.key.account
            if not one.is_known:
                room[account] -= 1
            if one.is_known or room[account] >= 0:
                taken.append(one)
        events = [one.event for one in taken]
        kept = await provider_events.keep_news(connection, events, LEASE) if events else []
    found = {id(one): result or Contended() for one, result in zip(taken, kept, strict=True)}
    return [found.get(id(one)) for one in arrived]


_keep = batched(_keep_many, key=lambda one: one.event.key)


async def _count_many(
    core: Core, found: Sequence[tuple[str, str, str]]
) -> Sequence[Exception | None]:
    async with core.db.connection() as connection:
        await provider_events.count_foreign(connection, found)
    return [None] * len(found)


_count_foreign = batched(_count_many)


def _refused(account: str, reason: str) -> Received:
    """One answer, whatever was wrong; the reason is for our log only."""
    _log.warning("notification refused", account=account, reason=reason)
    return Received(401, _TEXT, b"refused", account, "refused")


def _is_plain(news: AnyNews) -> bool:
    """Whether the names in it can be stored and shown."""
    names = [news.dedupe_key, news.key, news.charge_reference]
    if isinstance(news, ModificationEvent):
        names += [news.charge_key, news.reference]
    return bool(news.dedupe_key) and all(name.isprintable() for name in names)


def _headers_to_keep(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name not in _KEPT_SECRET and value.isprintable()
    }


async def _apply_for_a_while(core: Core, kept: KeptProviderEvent, about: About | None) -> None:
    """Begin to apply it, and wait a moment for that; it goes on when the moment is over."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await to_the_end(core, apply_kept(core, kept, about))
    except TimeoutError:
        _log.info("news is applied behind its acknowledgement", account=kept.key.account)
