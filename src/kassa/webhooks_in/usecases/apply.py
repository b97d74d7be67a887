"""Apply what the inbox keeps: find what the news is about, and take it to that, once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from kassa.base.domain.errors import AmountTooLarge, IllegalTransition, InProgress, NotFound
from kassa.base.domain.lifecycle import UNDECIDED, AttemptStatus, BreakClass
from kassa.base.domain.money import CurrencyMismatch
from kassa.base.usecases.bounds import beyond_belief
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    AnyNews,
    Captured,
    ChargeEvent,
    Declined,
    DisputeEvent,
    Done,
    FailedLater,
    InDoubt,
    ModificationEvent,
    NotSent,
    Outcome,
    UnreadEvent,
)
from kassa.disputes.domain.disputing import NOT_CAPTURED
from kassa.disputes.usecases.disputes import take_dispute_news
from kassa.modifications.domain.captures import LAPSES
from kassa.modifications.usecases.found_changes import (
    NotCaptured,
    Unbookable,
    Waits,
    failed_if_refused,
    settle_contradiction,
    settle_found,
    take_found,
)
from kassa.modifications.usecases.modify_payment import take_modification_news
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import take_news
from kassa.payments.usecases.sync_payment import ask_about
from kassa.payments.usecases.take_outcome import REFUND_OPEN
from kassa.providers.usecases.event_data import read_news
from kassa.providers.usecases.provider_accounts import refresh
from kassa.reconciliation.store.reconciliation import BreakRow, insert_breaks
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_in.store.provider_events import KeptProviderEvent, ProviderEventKey
from kassa.webhooks_in.usecases.look_up import About, look_up

_log = structlog.get_logger("kassa.inbox")
LEASE = timedelta(seconds=10)  # longer than applying takes: then whoever had it must have died
_OVER = frozenset({AttemptStatus.DECLINED, AttemptStatus.ABANDONED})
_PARKED_SECONDS = (1, 2, 5, 10, 30, 60, 300, 900, 3600)
"""Before it is tried again while nothing is known of its charge; the last until it is late."""
_AT_ONCE = 50  # in one batch; fewer than one account has places for calls
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


async def apply_kept(core: Core, kept: KeptProviderEvent, found: About | None = None) -> None:
    """Apply it, or park it; whatever goes wrong, it is tried again.

    `found`: what it is about, where somebody has just looked.
    """
    news, about, doubt = None, None, ""
    try:
        news = read_news(kept.news)
        about = await _about(core, kept, news, found)
        words = beyond_belief(core, news) if about is not None else ""
        if about is not None and words and not beyond_belief(core, about.amount):
            await _give_up(core, kept, "beyond_belief", f"the provider told of {about.id}: {words}")
            return
        if about is not None:
            await _take_when_ripe(core, kept, news, about)
            return
    except NotFound as error:
        await _give_up(core, kept, "misaddressed", error.message)
        return
    except CurrencyMismatch as error:  # it would be the same at every other try
        await _give_up(core, kept, "other_currency", f"{kept.news.get('key', '')}: {error}", about)
        return
    except Unbookable as error:
        await _give_up(core, kept, "unbookable", str(error), about)
        return
    except Waits as error:
        doubt = str(error)
    except InProgress:  # somebody else has the payment just now
        doubt = ""
    except Exception:  # noqa: BLE001 - one notification's trouble is not the others'
        _log.exception("news could not be applied", account=kept.key.account, tries=kept.tries)
    if kept.is_late and about is None and _may_be_anothers(news):
        async with core.db.connection() as connection:
            await provider_events.give_up_news(connection, kept.key, "foreign")
        return
    if kept.is_late:
        if about is not None and not doubt:
            doubt = f"the provider told of {about.id} what could not be applied to it"
        await _give_up(core, kept, "unknown", doubt or _UNKNOWN, about)
        return
    pause = _PARKED_SECONDS[min(kept.tries, len(_PARKED_SECONDS) - 1)]
    async with core.db.connection() as connection:
        await provider_events.park_news(connection, kept.key, timedelta(seconds=pause))


async def _about(
    core: Core, kept: KeptProviderEvent, news: AnyNews, found: About | None
) -> About | None:
    """What was `found` a moment ago is new enough for money that is told as paid: of all else it
    depends on how it stands whether the provider is asked what is true. Raises: NotFound."""
    if found is not None and isinstance(news, ChargeEvent) and isinstance(news.outcome, Captured):
        return found
    found_now = await look_up(core, kept.key.account, news, company_id=kept.key.company_id)
    return found_now.about


def _may_be_anothers(news: AnyNews | None) -> bool:
    """A refund that names nothing of ours is, where nobody knows its charge, of one that was not
    made by us either: another shop's at the same account."""
    return isinstance(news, ModificationEvent) and not news.key and not news.charge_key


def is_ripe(news: AnyNews, about: About) -> bool:
    """Whether it can be understood by now: a dispute, or a refund that was not made by us, comes
    after the payment it is about, so it waits for that."""
    if isinstance(news, DisputeEvent | ModificationEvent) and isinstance(about, Attempt):
        return about.status is AttemptStatus.SUCCEEDED
    return True


async def _take_when_ripe(core: Core, kept: KeptProviderEvent, news: AnyNews, about: About) -> None:
    """Raises: as `_take`; Waits while it is about money that is not known to be here."""
    if is_ripe(news, about):
        try:
            await _take(core, kept, news, about)
            return
        except NotCaptured:
            if isinstance(about, Modification):
                raise
    assert isinstance(about, Attempt)
    await _take(core, kept, news, await _money_of(core, kept, news, about))


async def _money_of(
    core: Core, kept: KeptProviderEvent, news: AnyNews, attempt: Attempt
) -> Attempt:
    """The charge, once its money is here: what is told of it says that it was paid. While it is
    undecided that will be told. Else, when it was refused, left, or reserved alone, the provider
    is asked; what that does not know of either is a person's work at once.

    Raises: Waits, Unbookable.
    """
    if attempt.status in UNDECIDED or isinstance(news, ChargeEvent):  # that it was returned
        raise Waits(f"what was told of {attempt.id} waits for its money")
    if not _says_paid(news):
        return attempt
    answer = await ask_about(core, attempt)
    match answer:
        case Captured():
            await _take_charge(core, attempt, answer, how="query", actor=_actor(kept))
            async with core.db.connection() as connection:
                found = await payments.find_attempt(connection, attempt.company_id, attempt.id)
            return found or attempt
        case Declined() | FailedLater():
            what = news.what if isinstance(news, ModificationEvent) else "dispute"
            raise Unbookable(
                f"the {what} {_name(news)} of {attempt.id} was told, as of a charge that was paid,"
                f" and the provider says that it is not: {answer.message} Find out there what was"
                " moved"
            )
    raise Waits(f"what was told of {attempt.id} waits for its money, of which nobody tells")


def _name(news: AnyNews) -> str:
    return news.reference if isinstance(news, ModificationEvent | DisputeEvent) else ""


def _says_paid(news: AnyNews) -> bool:
    """Whether it could not be if its charge had not been paid."""
    return not isinstance(news, ModificationEvent) or isinstance(news.outcome, Done | InDoubt)


async def _take(core: Core, kept: KeptProviderEvent, news: AnyNews, about: About) -> None:
    actor = _actor(kept)
    if isinstance(news, UnreadEvent):
        await _ask_about(core, kept, news, about, actor)
        return
    if isinstance(about, Modification):
        assert isinstance(news, ModificationEvent)
        outcome, how = await settle_contradiction(core, about, news.outcome)
        await take_modification_news(core, about, outcome, actor=actor, how=how, news=kept.key)
        return
    if isinstance(news, ModificationEvent):
        told = await settle_found(core, about, news)
        await take_found(core, about, told, actor=actor, key=kept.key)
        return
    if isinstance(news, DisputeEvent):
        try:
            await take_dispute_news(core, about, news, actor=actor, key=kept.key)
        except IllegalTransition as error:
            raise _not_captured(error, news.reference) from None
        return
    said, how = await _settled(core, about, news.outcome)
    await _take_charge(core, about, said, how=how, actor=actor, news=kept.key)


def _not_captured(error: IllegalTransition, name: str) -> Exception:
    if error.reason != NOT_CAPTURED:
        return error
    return NotCaptured(f"{name} was told of a charge that was not captured: {error.message}")


def _actor(kept: KeptProviderEvent) -> str:
    return f"provider:{kept.key.account}"


async def _take_charge(
    core: Core,
    attempt: Attempt,
    outcome: Outcome,
    *,
    actor: str,
    how: str,
    news: ProviderEventKey | None = None,
) -> None:
    """Commit what was said of the charge. Where it also says that more was refunded than can be
    booked, its money is booked all the same.

    Raises: Waits, Unbookable.
    """
    try:
        await take_news(core, attempt, outcome, actor=actor, how=how, news=news)
        return
    except AmountTooLarge as error:
        trouble: Exception = Unbookable(f"more was refunded than we know of: {error.message}")
    except IllegalTransition as error:
        if error.reason != REFUND_OPEN:
            raise _not_captured(error, attempt.id) from None
        words = f"more of {attempt.id} was refunded than we know of: {error.message}"
        trouble = Waits(words)
    if isinstance(outcome, Captured) and attempt.status is not AttemptStatus.SUCCEEDED:
        await take_news(core, attempt, replace(outcome, refunded=None), actor=actor, how=how)
    raise trouble


async def _ask_about(
    core: Core,
    kept: KeptProviderEvent,
    news: UnreadEvent,
    about: About,
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


async def _settled(core: Core, attempt: Attempt, outcome: Outcome) -> tuple[Outcome, str]:
    """What to take for true, and how it was learnt, when a charge that we have is told as refused:
    news of an earlier try of its payer, or of a debit that was returned; or when one that was
    refused is told as paid, which its return may have overtaken. The provider is asked.

    Raises: Waits.
    """
    has_money = attempt.status is AttemptStatus.SUCCEEDED
    if isinstance(outcome, Captured) and attempt.status in _OVER:
        return await _paid_after_all(core, attempt, outcome)
    if not has_money or not isinstance(outcome, Declined) or outcome.code in LAPSES:
        return outcome, "notification"
    answer = await ask_about(core, attempt)
    match answer:
        case InDoubt() | NotSent():
            raise Waits(f"{attempt.id} was paid, is told as refused, and nobody says which")
    return failed_if_refused(answer), "query"


async def _paid_after_all(core: Core, attempt: Attempt, outcome: Captured) -> tuple[Outcome, str]:
    """Whether it is still paid. Where the provider cannot tell, its letter is believed.

    Raises: Waits, while it does not answer.
    """
    answer = await ask_about(core, attempt)
    match answer:
        case Captured() if answer.refunded is None:  # which that letter may say
            return replace(answer, refunded=outcome.refunded), "notification"
        case Captured() | Declined() | FailedLater():
            return answer, "query"
        case InDoubt() | NotSent():
            raise Waits(f"{attempt.id} was over, is told as paid, and nobody says which")
    return outcome, "notification"


async def _give_up(
    core: Core,
    kept: KeptProviderEvent,
    result: str,
    words: str,
    about: About | None = None,
) -> None:
    """A person has to look at it; when it comes again it is tried again. `about`: what it is
    about, where that is known, so that the work names the payment."""
    key = kept.key
    _log.error("news belongs to nothing", account=key.account, result=result, tries=kept.tries)
    async with core.db.transaction() as connection:
        await provider_events.give_up_news(connection, key, result)
        company_id = about.company_id if about is not None else key.company_id
        if not company_id:
            return  # nobody's in particular: the count of lost news tells the operator
        row = _work_of(core, kept, words)
        if about is not None:
            row = replace(row, payment_id=about.payment_id)
        elif result == "unknown":  # of another installation there may be many
            row = replace(row, cause=_once_a_day(kept))
        await insert_breaks(connection, company_id, [row])


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
