"""Take a provider's notification: verify, keep, acknowledge, apply once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from kassa.base.domain.errors import NotFound
from kassa.base.usecases.batch import to_the_end
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import company_number_of
from kassa.connectors.base import AnyNews, IrrelevantEvent, ModificationEvent, Refused
from kassa.identity.usecases.authenticate import company_by_number
from kassa.modifications.domain.captures import PREFIX
from kassa.providers.usecases.event_data import write_news
from kassa.providers.usecases.provider_accounts import account_of, refresh
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_in.store.provider_events import KeptProviderEvent, ProviderEventKey
from kassa.webhooks_in.usecases.apply import LEASE, apply_kept, is_ripe, look_up

_log = structlog.get_logger("kassa.inbox")
_TEXT = "text/plain; charset=utf-8"
_PATIENCE_SECONDS = 1.0  # seconds, not money: so long the provider waits for its news to be applied
_KEPT_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
NOBODY = "unknown"
"""The account of a notification for an account that there is not, when they are counted."""


@dataclass(frozen=True, slots=True)
class Received:
    """The HTTP answer for the provider. `account`, `outcome`: what to count it under; the outcome
    is applied, duplicate, irrelevant, refused or parked."""

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
    applies what a process that died has left. Anything not genuine, stale, or about what is not
    this account's has no effect, is not stored, and gets one constant refusal.
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
    company_id = await _company_of(core, account, news)
    if company_id is None or not _is_plain(news):
        return _refused(account, f"misaddressed: {news.key!r:.100}")
    try:
        about = await look_up(core, company_id, account, news)
    except NotFound as error:
        return _refused(account, f"misaddressed: {error.message}")
    async with core.db.connection() as connection:
        kept = await provider_events.keep_news(
            connection,
            ProviderEventKey(company_id, account, news.dedupe_key),
            headers=_headers_to_keep(headers),
            body=body,
            news=write_news(news),
            lease_for=LEASE,
        )
    if not kept.is_applied:
        await _apply_for_a_while(core, kept)
    if not kept.is_new:
        return Received(200, *thanks, account, "duplicate")
    can_be = about is not None and is_ripe(news, about)
    return Received(200, *thanks, account, "applied" if can_be else "parked")


def _refused(account: str, reason: str) -> Received:
    """One answer, whatever was wrong; the reason is for our log only."""
    _log.warning("notification refused", account=account, reason=reason)
    return Received(401, _TEXT, b"refused", account, "refused")


async def _company_of(core: Core, account: str, news: AnyNews) -> str | None:
    """Whose it is. Our references name their company; what names only the provider's is the
    account's company's, or "" where the account serves everybody. None: nobody's here."""
    receiver = account_of(core, account)
    prefixes = PREFIX.values() if isinstance(news, ModificationEvent) else ("at",)
    for prefix in prefixes:
        number = company_number_of(news.key, prefix)
        if number is not None:
            company = await company_by_number(core, number)
            return company.id if company and receiver.serves(company) else None
    if isinstance(news, ModificationEvent) or not news.charge_reference:
        return None
    return receiver.company_id


def _is_plain(news: AnyNews) -> bool:
    """Whether the names in it can be stored and shown."""
    names = [news.dedupe_key, news.key]
    if not isinstance(news, ModificationEvent):
        names.append(news.charge_reference)
    return bool(news.dedupe_key) and all(name.isprintable() for name in names)


def _headers_to_keep(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name not in _KEPT_SECRET and value.isprintable()
    }


async def _apply_for_a_while(core: Core, kept: KeptProviderEvent) -> None:
    """Begin to apply it, and wait a moment for that; it goes on when the moment is over."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await to_the_end(core, apply_kept(core, kept))
    except TimeoutError:
        _log.info("news is applied behind its acknowledgement", account=kept.key.account)
