"""Take a provider's notification: verify, keep, apply once, acknowledge."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from kassa.connectors.base import (
    AnyNews,
    DisputeNews,
    Irrelevant,
    ModificationNews,
    News,
    Refused,
)
from kassa.domain.claims import PREFIX
from kassa.domain.errors import NotFound
from kassa.domain.modifications import Modification
from kassa.domain.payments import Attempt
from kassa.domain.principals import Company
from kassa.store import mailboxes, modifications, payments
from kassa.usecases.authenticate import company_by_number
from kassa.usecases.core import Core
from kassa.usecases.disputes import take_dispute_news
from kassa.usecases.ids import company_number_of
from kassa.usecases.modify_payment import take_modification_news
from kassa.usecases.provider_accounts import refresh
from kassa.usecases.submit_payment import take_news

_log = structlog.get_logger("kassa.inbox")
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Received:
    """The HTTP answer for the provider."""

    status: int
    content_type: str
    body: bytes


_REFUSED = Received(401, _TEXT, b"refused")  # one answer, whatever was wrong


async def receive_notification(
    core: Core, account: str, headers: Mapping[str, str], body: bytes, *, target: str = ""
) -> Received:
    """Verified over the raw bytes, stored, then applied exactly once, in any order.

    Anything not genuine has no effect and gets one constant refusal.
    """
    await refresh(core)
    connector = core.connectors.get(account)
    if connector is None:
        return _REFUSED
    news = connector.parse_notification(headers, body, target=target, received_at=datetime.now(UTC))
    if isinstance(news, Refused):
        _log.warning("notification refused", account=account, reason=news.reason)
        return _REFUSED
    if isinstance(news, Irrelevant):
        return Received(200, *connector.acknowledgement)
    company = await _company_of(core, news)
    if company is None:
        _log.warning("notification for nobody", account=account, key=news.key)
        return _REFUSED
    await _apply(core, company.id, account, news, body)
    return Received(200, *connector.acknowledgement)


async def _company_of(core: Core, news: AnyNews) -> Company | None:
    """Our references name the company they belong to."""
    prefixes = PREFIX.values() if isinstance(news, ModificationNews) else ("at",)
    for prefix in prefixes:
        number = company_number_of(news.key, prefix)
        if number is not None:
            return await company_by_number(core, number)
    return None


async def _apply(core: Core, company_id: str, account: str, news: AnyNews, body: bytes) -> None:
    async with core.db.connection() as connection:
        about: Attempt | Modification | None
        if isinstance(news, ModificationNews):
            about = await modifications.by_id(connection, company_id, news.key)
        else:
            about = await payments.find_attempt(connection, company_id, news.key)
        if about is None or about.connector != account:
            raise NotFound("nothing of that reference")
        fresh = await mailboxes.keep_news(
            connection, company_id, account, news.dedupe_key, attempt=about.id, body=body
        )
    if not fresh:
        return
    # Applying twice is harmless by the state tables; the mark only saves the work.
    result = await _take(core, news, about, actor=f"provider:{account}")
    async with core.db.connection() as connection:
        await mailboxes.mark_applied(connection, company_id, account, news.dedupe_key, result)


async def _take(core: Core, news: AnyNews, about: Attempt | Modification, *, actor: str) -> str:
    """What the payment is afterwards, in a word."""
    if isinstance(news, ModificationNews) and isinstance(about, Modification):
        case = await take_modification_news(
            core, about, news.outcome, actor=actor, how="notification"
        )
        return case.modifications[about.id].status
    assert isinstance(about, Attempt)
    if isinstance(news, DisputeNews):
        return (await take_dispute_news(core, about, news, actor=actor)).status
    assert isinstance(news, News)
    return (await take_news(core, about, news.outcome, actor=actor, how="notification")).status
