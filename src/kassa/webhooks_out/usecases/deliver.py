"""Deliver the outbox: lease, commit, post, commit how it went."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import structlog

from kassa.base.domain.copying import replace
from kassa.base.usecases.core import Core, Postage, WebhookRequest
from kassa.connectors.http import Answered
from kassa.identity.domain.principals import Company
from kassa.identity.usecases.authenticate import company_by_id
from kassa.identity.usecases.sides import MODE_HEADER
from kassa.modifications.store import modifications
from kassa.orders.store import orders
from kassa.payments.domain.changes import News, WebhookEvent
from kassa.payments.store import payments
from kassa.wallet.store import agreements
from kassa.webhooks_out.store import deliveries
from kassa.webhooks_out.store.deliveries import DeliveryPlaces, Leased, Tried
from kassa.webhooks_out.usecases.pauses import pause_before
from kassa.webhooks_out.usecases.signing import signing_secrets

_log = structlog.get_logger("kassa.outbox")
_LEASE = timedelta(seconds=60)  # longer than a delivery can take
_KEPT_TEXT = 500  # of an answer, or of what was wrong
_AT_ONCE = 256  # seconds pass until a receiver that hangs is given up; the others go on meanwhile
_PER_COMPANY = 32  # in flight for one company, however many letters and addresses it has
_PER_ADDRESS = 8  # in flight to one address: a hanging receiver holds no more of us than this
_KEPT = 4  # one place in so many is for companies that have none in flight
_GONE = 410  # the receiver says: never again

_Write = Callable[[], WebhookRequest]


async def deliver_webhooks(
    core: Core, limit: int = 50, *, spread: Callable[[], float] = random.random
) -> int:
    """Deliver what is due; returns how many were tried.

    At least once each: a worker that dies between the post and its second commit leaves the
    lease to run out. `spread`: a number in [0, 1), the jitter.
    """
    courier = WebhookSender(at_once=limit, spread=spread)
    count = await courier.set_out(core)
    await courier.finish()
    return count


class WebhookSender:
    """Keeps deliveries under way without waiting for the slowest: one bad address delays no other,
    and one company with many letters, or many bad addresses, no other company.

    `at_once`: most deliveries in flight.
    """

    def __init__(self, at_once: int = _AT_ONCE, *, spread: Callable[[], float] = random.random):
        self._at_once = at_once
        self._spread = spread  # jitter, not money
        self._under_way: dict[asyncio.Task[None], tuple[str, str]] = {}

    async def set_out(self, core: Core) -> int:
        """Start what is due and fits; returns how many deliveries that were."""
        free = self._at_once - len(self._under_way)
        if free <= 0:
            return 0
        places = DeliveryPlaces(
            free=free,
            live=core.policy.live,
            kept=self._at_once // _KEPT,
            per_company=_PER_COMPANY,
            per_address=_PER_ADDRESS,
            companies=Counter(company for company, _ in self._under_way.values()),
            addresses=Counter(url for _, url in self._under_way.values()),
        )
        async with core.db.connection() as connection:
            leased = await deliveries.lease(connection, _LEASE, places)
        for item in leased:
            task = asyncio.create_task(_deliver(core, item, self._spread()))
            self._under_way[task] = (item.announcement.company_id, item.announcement.url)
            task.add_done_callback(self._landed)
        return len(leased)

    def _landed(self, task: "asyncio.Task[None]") -> None:
        del self._under_way[task]
        if not task.cancelled() and task.exception() is not None:
            _log.error("delivery failed", error=repr(task.exception()))

    async def finish(self) -> None:
        """Wait for what is under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)


async def _deliver(core: Core, leased: Leased, spread: float) -> None:  # jitter, not money
    news = leased.announcement
    sender: Postage
    if news.agreement_id:
        sender = core.agreement_writers()[news.kind]
        company, write = await _about_agreement(core, news)
    else:
        sender = core.writers()[news.kind]
        company, write = await _about_payment(core, news)
    if company is None:
        return
    letter = _written(write, leased)
    if letter is None:  # tried again as well: whatever it lacks may come, but not for ever
        tried, retry_after = Tried(delivered=False, error="it could not be written"), ""
    else:
        tried, retry_after = await _post(core, sender, news, letter, company)
    pause = None
    if not tried.delivered and tried.status != _GONE:
        pause = pause_before(
            sender.schedule, leased.tries, spread, status=tried.status, retry_after=retry_after
        )
    async with core.db.connection() as connection:
        await deliveries.report(connection, leased, tried=tried, next_in=pause)
    _log.info(
        "notification tried",
        announcement=news.id,
        **({"payment": news.payment_id} if news.payment_id else {"agreement": news.agreement_id}),
        mode=company.mode.value,
        delivered=tried.delivered,
        tries=leased.tries,
        status=tried.status,
        milliseconds=tried.milliseconds,
    )


async def _about_payment(core: Core, news: WebhookEvent) -> tuple[Company | None, _Write]:
    """The company, and how the letter is signed."""
    company = await company_by_id(core, news.company_id)
    untold = None if news.content else await _as_it_stands(core, news)
    secrets = await signing_secrets(core, news.company_id)

    def write() -> WebhookRequest:
        if company is None:
            raise LookupError("no such company")
        words = core.writers()[news.kind]
        event = news
        if untold is not None and untold.order is not None:
            content, recipient = words.content(untold, untold.order), words.recipient(untold)
            event = replace(news, content=content, recipient=recipient)
        return words.sign(core, event, company, secrets)

    return company, write


async def _as_it_stands(core: Core, event: WebhookEvent) -> News:
    """What a letter tells whose content an earlier release did not keep."""
    key = event.company_id, event.payment_id
    async with core.db.connection() as connection:
        payment, order = (await orders.by_payment(connection, [key]))[key]
        about = await modifications.told_by_event(connection, *key, event.version)
        taken = (await payments.taken_back_of(connection, [key]))[payment.id]
    return News(event=event, payment=payment, order=order, about=about, taken=taken)


async def _about_agreement(core: Core, news: WebhookEvent) -> tuple[Company | None, _Write]:
    company = await company_by_id(core, news.company_id)
    async with core.db.connection() as connection:
        agreement = await agreements.find(connection, news.company_id, news.agreement_id)

    def write() -> WebhookRequest:
        if agreement is None:
            raise LookupError("no such agreement")
        return core.agreement_writers()[news.kind].write(core, news, agreement)

    return company, write


def _written(write: _Write, leased: Leased) -> WebhookRequest | None:
    try:
        return write()
    except Exception:  # noqa: BLE001 - the trouble of this letter alone
        _log.exception(
            "letter could not be written", announcement=leased.announcement.id, tries=leased.tries
        )
        return None


async def _post(
    core: Core, sender: Postage, news: WebhookEvent, letter: WebhookRequest, company: Company
) -> tuple[Tried, str]:
    """How it went, and the receiver's `Retry-After`."""
    began = time.monotonic()
    answer = await core.egress.post(
        news.url,
        headers={**letter.headers, MODE_HEADER: company.mode.value},
        body=letter.body,
        allow_loopback=core.policy.allow_loopback,
        company=news.company_id,
    )
    took = round((time.monotonic() - began) * 1_000)  # seconds, not money
    if not isinstance(answer, Answered):
        return Tried(delivered=False, error=answer.reason[:_KEPT_TEXT], milliseconds=took), ""
    delivered = sender.arrived(answer.status, answer.body)
    tried = Tried(
        delivered=delivered,
        status=answer.status,
        error="" if delivered else f"answered {answer.status}",
        answer=_start_of(answer.body),
        milliseconds=took,
    )
    return tried, answer.headers.get("retry-after", "")


def _start_of(body: bytes) -> str:
    """As text that the database takes."""
    return body[:_KEPT_TEXT].decode("utf-8", "replace").replace("\0", "\ufffd")
