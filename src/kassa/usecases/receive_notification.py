"""Take a provider's notification: verify, keep, apply once, acknowledge."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from kassa.connectors.base import News, Refused
from kassa.domain.errors import NotFound
from kassa.store import mailboxes, payments
from kassa.usecases.authenticate import company_by_number
from kassa.usecases.core import Core
from kassa.usecases.ids import company_number_of
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
    core: Core, account: str, headers: Mapping[str, str], body: bytes
) -> Received:
    """Verified over the raw bytes, stored, then applied exactly once, in any order.

    Anything not genuine has no effect and gets one constant refusal.
    """
    connector = core.connectors.get(account)
    if connector is None:
        return _REFUSED
    news = connector.parse_notification(headers, body)
    if isinstance(news, Refused):
        _log.warning("notification refused", account=account, reason=news.reason)
        return _REFUSED
    number = company_number_of(news.key, "at")
    company = await company_by_number(core, number) if number is not None else None
    if company is None:
        _log.warning("notification for nobody", account=account, key=news.key)
        return _REFUSED
    await _apply(core, company.id, account, news, body)
    return Received(200, *connector.acknowledgement)


async def _apply(core: Core, company_id: str, account: str, news: News, body: bytes) -> None:
    async with core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, company_id, news.key)
        if attempt is None or attempt.connector != account:
            raise NotFound("no attempt of that reference")
        fresh = await mailboxes.keep_news(
            connection, company_id, account, news.dedupe_key, attempt=attempt.id, body=body
        )
    if not fresh:
        return
    # Applying twice is harmless by the state tables; the mark only saves the work.
    payment = await take_news(
        core, attempt, news.outcome, actor=f"provider:{account}", how="notification"
    )
    async with core.db.connection() as connection:
        await mailboxes.mark_applied(
            connection, company_id, account, news.dedupe_key, payment.status
        )
