"""Apply what the inbox keeps: find what the news is about, and take it to that, once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from kassa.base.domain.errors import NotFound
from kassa.base.domain.lifecycle import AttemptStatus, BreakClass
from kassa.base.domain.money import CurrencyMismatch
from kassa.base.usecases.bounds import beyond_belief
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    AnyNews,
    DisputeEvent,
    InDoubt,
    ModificationEvent,
    UnreadEvent,
)
from kassa.disputes.usecases.disputes import take_dispute_news
from kassa.modifications.store import modifications
from kassa.modifications.usecases.modify_payment import take_modification_news
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import take_news
from kassa.providers.usecases.event_data import read_news
from kassa.providers.usecases.provider_accounts import account_of, refresh, serves
from kassa.reconciliation.store.reconciliation import BreakRow, insert_breaks
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_in.store.provider_events import KeptProviderEvent

_log = structlog.get_logger("kassa.inbox")
LEASE = timedelta(seconds=10)  # longer than applying takes: then whoever had it must have died
_PARKED_SECONDS = (1, 2, 5, 10, 30, 60, 300, 900, 3600)
"""Before it is tried again while nothing is known of its charge; the last until it is late."""
_AT_ONCE = 8
_UNREAD = "the provider told something in words that are not known here"
_UNKNOWN = (
    "the provider told of a charge or refund that is not known here: it may have been made"
    " beside Kassa or by another installation, under the same account"
)


async def apply_news(core: Core, limit: int = 100) -> int:
    """Apply what is due, or was left by a process that died; returns how much was looked at."""
    await refresh(core)
    async with core.db.connection() as connection:
        due = await provider_events.lease_news(connection, sorted(core.connectors), limit, LEASE)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def apply(kept: KeptProviderEvent) -> None:
        async with gate:
            await apply_kept(core, kept)

    await asyncio.gather(*(apply(kept) for kept in due))
    return len(due)


async def apply_kept(core: Core, kept: KeptProviderEvent) -> None:
    """Apply it, or park it; whatever goes wrong, it is tried again."""
    try:
        news = read_news(kept.news)
        about = await look_up(core, kept.key.company_id, kept.key.account, news)
        words = beyond_belief(core, news) if about is not None else ""
        if about is not None and words and not beyond_belief(core, about.amount):
            await _give_up(core, kept, "beyond_belief", f"the provider told of {about.id}: {words}")
            return
        if about is not None and is_ripe(news, about):
            await _take(core, kept, news, about)
            return
    except NotFound as error:
        await _give_up(core, kept, "misaddressed", error.message)
        return
    except CurrencyMismatch as error:  # it would be the same at every other try
        await _give_up(core, kept, "other_currency", f"{kept.news.get('key', '')}: {error}")
        return
    except Exception:  # noqa: BLE001 - one notification's trouble is not the others'
        _log.exception("news could not be applied", account=kept.key.account, tries=kept.tries)
    if kept.is_late:
        await _give_up(core, kept, "unknown", _UNKNOWN)
        return
    pause = _PARKED_SECONDS[min(kept.tries, len(_PARKED_SECONDS) - 1)]
    async with core.db.connection() as connection:
        await provider_events.park_news(connection, kept.key, timedelta(seconds=pause))


async def look_up(
    core: Core, company_id: str, account: str, news: AnyNews
) -> Attempt | Modification | None:
    """What the news is about; None while nothing of it is known.

    Raises: NotFound where it is another account's, or another company's: it is misaddressed.
    """
    about: Attempt | Modification | None
    async with core.db.connection() as connection:
        if isinstance(news, ModificationEvent) or is_of_change(news.key):
            about = await modifications.by_id(connection, company_id, news.key)
        else:
            about = None
            if news.key and company_id:
                about = await payments.find_attempt(connection, company_id, news.key)
            if about is None and news.charge_reference:
                about = await payments.attempt_of_reference(
                    connection, company_id, account, news.charge_reference
                )
    if about is None:
        return None
    if about.connector != account or not await serves(
        core, account_of(core, account), about.company_id
    ):
        raise NotFound(f"{about.id} is not the account {account}'s")
    return about


def is_of_change(key: str) -> bool:
    """Whether a reference is of a capture, void or refund, and not of a charge."""
    return bool(key) and not key.startswith("at")


def is_ripe(news: AnyNews, about: Attempt | Modification) -> bool:
    """Whether it can be understood by now: a dispute comes after the payment it is about, so it
    waits for that."""
    if isinstance(news, DisputeEvent) and isinstance(about, Attempt):
        return about.status is AttemptStatus.SUCCEEDED
    return True


async def _take(
    core: Core, kept: KeptProviderEvent, news: AnyNews, about: Attempt | Modification
) -> None:
    actor = f"provider:{kept.key.account}"
    if isinstance(news, UnreadEvent):
        await _ask_about(core, kept, news, about, actor)
        return
    if isinstance(news, ModificationEvent):
        assert isinstance(about, Modification)
        await take_modification_news(
            core, about, news.outcome, actor=actor, how="notification", news=kept.key
        )
        return
    assert isinstance(about, Attempt)
    if isinstance(news, DisputeEvent):
        await take_dispute_news(core, about, news, actor=actor, key=kept.key)
        return
    await take_news(core, about, news.outcome, actor=actor, how="notification", news=kept.key)


async def _ask_about(
    core: Core,
    kept: KeptProviderEvent,
    news: UnreadEvent,
    about: Attempt | Modification,
    actor: str,
) -> None:
    """What it told is asked for. What no question tells is somebody's work, and of a version that
    is not known one letter a day."""
    doubt, how = InDoubt(reason=news.why), "notification"
    if isinstance(about, Modification):
        await take_modification_news(core, about, doubt, actor=actor, how=how, news=kept.key)
    else:
        await take_news(core, about, doubt, actor=actor, how=how, news=kept.key)
    row = _work_of(core, kept, f"{_UNREAD}: {news.why}; it names {about.id}")
    if news.for_people:
        row = replace(row, payment_id=about.payment_id)
    else:
        row = replace(row, cause=_once_a_day(kept))
    async with core.db.transaction() as connection:
        await insert_breaks(connection, about.company_id, [row])


async def _give_up(core: Core, kept: KeptProviderEvent, result: str, words: str) -> None:
    """A person has to look at it; when it comes again it is tried again."""
    key = kept.key
    _log.error("news belongs to nothing", account=key.account, result=result, tries=kept.tries)
    async with core.db.transaction() as connection:
        await provider_events.give_up_news(connection, key, result)
        if not key.company_id:
            return  # nobody's in particular: the count of lost news tells the operator
        row = _work_of(core, kept, words)
        if result == "unknown":  # of another installation there may be many
            row = replace(row, cause=_once_a_day(kept))
        await insert_breaks(connection, key.company_id, [row])


def _work_of(core: Core, kept: KeptProviderEvent, words: str) -> BreakRow:
    key = kept.key
    return BreakRow(
        id=core.new_id("br"),
        problem=BreakClass.UNKNOWN_NEWS,
        connector=key.account,
        details=f"{words}; notification {key.dedupe_key}"[:500],
        cause=key.dedupe_key,
    )


def _once_a_day(kept: KeptProviderEvent) -> str:
    """The cause of work that the first such notification of a day stands for."""
    return f"{kept.key.account} {datetime.now(UTC).date()}"
