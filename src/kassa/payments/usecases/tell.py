"""News is written in the commit that it tells of: what merchants hear never changes afterwards."""

from collections.abc import Iterable

import structlog

from kassa.base.domain.copying import replace
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.orders.store import orders
from kassa.payments.domain.changes import News, PaymentChanges, WebhookEvent
from kassa.payments.store import payments

_log = structlog.get_logger("kassa.payments")


async def write_news(core: Core, connection: Connection, cases: Iterable[PaymentChanges]) -> None:
    """Put into words what these cases announce; to be called before they are saved.

    What a change of the payment alone has not read, its order and what banks have of it, is read
    here: it stays as it is while the payment's order is locked.
    """
    telling = [case for case in cases if len(case.announcements) > len(case.letters)]
    if not telling:
        return
    lacking = sorted(
        {
            (case.payment.company_id, case.payment.id)
            for case in telling
            for news in case.announcements
            if news.order is None
        }
    )
    if lacking:
        views = await orders.by_payment(connection, lacking)
        taken = await payments.taken_back_of(connection, lacking)
    for case in telling:
        for news in case.announcements[len(case.letters) :]:
            whole = news
            if news.order is None:
                view = views[case.payment.company_id, case.payment.id]
                whole = replace(news, order=view.order, taken=taken[case.payment.id])
            case.letters.append(_letter(core, whole))


def _letter(core: Core, news: News) -> WebhookEvent:
    """Without content where it cannot be written: that must not keep the payment from moving, and
    the delivery tries it again."""
    try:
        words, order = core.writers()[news.event.kind], news.order
        if order is None:
            raise LookupError("no such order")
        return replace(
            news.event, content=words.content(news, order), recipient=words.recipient(news)
        )
    except Exception:  # noqa: BLE001 - the trouble of this letter alone
        _log.exception("news could not be written", announcement=news.event.id)
        return news.event
