"""Captures and refunds of our charges that were made at the provider, beside us.

Somebody pressed a button in the provider's own pages, or another program did it. The money has
moved, so it is booked: found by the provider's names, once however often and by whomever it is
told, and never beyond what was captured; what cannot be booked is a person's work.
"""

from collections.abc import Sequence

from kassa.base.domain.errors import AmountTooLarge
from kassa.base.domain.lifecycle import BreakClass, ModificationKind, ModificationStatus
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    Connector,
    Declined,
    Done,
    FailedLater,
    InDoubt,
    ModificationEvent,
    ModificationOutcome,
    ModificationSource,
    NotSent,
    Outcome,
    RefundSource,
)
from kassa.modifications.domain.captures import LAPSES
from kassa.modifications.domain.refunds import refund_found
from kassa.modifications.store import modifications
from kassa.modifications.usecases.late_failures import watch
from kassa.modifications.usecases.modify_payment import (
    ask_about_change,
    take_modification_news,
    take_outcome,
)
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.modifications import (
    Modification,
    is_reserved_surplus,
    made_there,
)
from kassa.payments.domain.payments import Attempt
from kassa.payments.store import payments
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.close_page import known
from kassa.providers.usecases.provider_calls import Task, ask_provider
from kassa.reconciliation.store.reconciliation import BreakRow, insert_breaks
from kassa.webhooks_in.store.provider_events import ProviderEventKey


class Waits(Exception):
    """It cannot be understood yet; the words say why, should it stay so."""


class Unbookable(Exception):
    """It has happened at the provider, and the books cannot hold it; the words say why."""


class NotCaptured(Unbookable):
    """It is about more than is captured here; what is reserved may have been captured there."""


async def take_found(
    core: Core,
    attempt: Attempt,
    news: ModificationEvent,
    *,
    actor: str,
    how: str = "notification",
    key: ProviderEventKey | None = None,
) -> None:
    """Commit what was told of a change of this charge that has no reference of ours.

    Raises: Waits, Unbookable; then nothing is committed.
    """

    reserved = False

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        nonlocal reserved
        reserved = _is_reserved(case, case.attempts[attempt.id])
        _found(case, case.attempts[attempt.id], news, actor, how)
        if (found := _known_as(case, news)) is not None:
            watch(core, case, found)

    async with core.db.connection() as connection:
        scope = made_there(attempt.connector)
        same = await modifications.by_request(connection, attempt.company_id, scope, news.reference)
    if same is not None and same.payment_id != attempt.payment_id:
        raise Unbookable(f"{news.reference} was found before, of another payment: {same.id}")
    change = PaymentChange(
        company_id=attempt.company_id,
        payment_id=attempt.payment_id,
        decide=decide,
        news=key,
        about=attempt.id,
    )
    try:
        await change_payment(core, change)
    except AmountTooLarge as error:
        words = f"a refund {news.reference} made at the provider cannot be booked: {error.message}"
        if await _own_refund_is_open(core, attempt):
            raise Waits(words) from None
        raise (NotCaptured if reserved else Unbookable)(words) from None


def _found(
    case: PaymentAggregate, attempt: Attempt, news: ModificationEvent, actor: str, how: str
) -> None:
    theirs = attempt.provider_reference
    if news.charge_reference and theirs and news.charge_reference != theirs:
        return  # of another try of the payer, whose money was never ours
    old = _known_as(case, news)
    if old is not None:
        take_outcome(case, old, news.outcome, actor=actor, how=how)
        return
    match news.outcome:
        case Done(amount=amount, fee=fee) if news.what is ModificationKind.REFUND:
            refund_found(
                case, attempt, amount, reference=news.reference, fee=fee, actor=actor, by=how
            )
        case InDoubt(reason=reason):
            raise Unbookable(f"a {news.what} {news.reference} made at the provider: {reason}")


def _known_as(case: PaymentAggregate, news: ModificationEvent) -> Modification | None:
    """The change that this is, should we have it: found before, or made by us after all."""
    for item in case.modifications.values():
        if item.kind is not news.what:
            continue
        if item.is_made_there:
            is_it = item.request_id == news.reference
        else:  # some providers name a refund by its charge: that is no name of one refund
            is_it = item.provider_reference == news.reference != news.charge_reference
        if is_it:
            return item
    return None


def _is_reserved(case: PaymentAggregate, attempt: Attempt) -> bool:
    """Whether more of the charge's money may have been captured there than we have heard of."""
    if is_reserved_surplus(attempt, case.modifications):
        return True
    return attempt is case.holder and case.payment.held.minor > 0


async def _own_refund_is_open(core: Core, attempt: Attempt) -> bool:
    """A refund of ours that is on its way may be refused for this one's sake, and free its
    amount."""
    async with core.db.connection() as connection:
        own = await modifications.of_payments(connection, attempt.company_id, [attempt.payment_id])
    return any(item.is_open and item.kind is ModificationKind.REFUND for item in own)


async def settle_contradiction(
    core: Core, modification: Modification, outcome: ModificationOutcome
) -> tuple[ModificationOutcome, str]:
    """What to take for true, and how it was learnt, when a notification says that a refund is done
    which had failed: letters overtake each other, so the provider is asked.

    Raises: Waits.
    """
    if modification.status is not ModificationStatus.FAILED or not isinstance(outcome, Done):
        return outcome, "notification"
    if not isinstance(core.connectors[modification.connector], ModificationSource):
        return outcome, "notification"
    async with core.db.connection() as connection:
        key = modification.company_id, modification.payment_id
        attempts = await payments.attempts_of(connection, [key])
    [attempt] = [one for one in attempts if one.id == modification.attempt_id]
    answer = await ask_about_change(core, modification, attempt)
    match answer:
        case Done() | Declined():
            return answer, "query"
        case InDoubt() | NotSent():
            raise Waits(f"{modification.id} had failed, is told as done, and nobody says which")
    return outcome, "notification"


def failed_if_refused(outcome: Outcome) -> Outcome:
    """What an answer means that was asked for when the charge's money was known to be ours."""
    if not isinstance(outcome, Declined) or outcome.code in LAPSES:
        return outcome
    return FailedLater(
        code=outcome.code,
        message=outcome.message,
        reference=outcome.reference,
        provider_code=outcome.provider_code,
    )


async def settle_found(core: Core, attempt: Attempt, news: ModificationEvent) -> ModificationEvent:
    """What to take for true when a refund that we do not know is told as done: its failure may
    have come before, and meant nothing then, so it is looked for in the provider's list.

    Raises: Waits.
    """
    lists = isinstance(core.connectors.get(attempt.connector), RefundSource)
    if not lists or not isinstance(news.outcome, Done) or news.what is not ModificationKind.REFUND:
        return news
    listed = await _listed(core, attempt)
    return next((one for one in listed if _is_certainly(one, news)), news)


def _is_certainly(one: ModificationEvent, news: ModificationEvent) -> bool:
    """Whether a row of a list is of the same refund, and says how that stands: what cannot be
    read, and what names another charge, says nothing about it."""
    if one.reference != news.reference or isinstance(one.outcome, InDoubt):
        return False
    return not one.charge_reference or one.charge_reference == news.charge_reference


async def look_for_refunds(core: Core, attempt: Attempt, *, actor: str) -> None:
    """Have the provider list the refunds of this charge, and book those that we do not know.

    One that cannot be booked holds up none behind it; it is a work item that names the payment.
    """
    try:
        listed = await _listed(core, attempt)
    except Waits as error:
        await open_break(core, attempt, str(error), cause=attempt.id)
        return
    for news in listed:
        try:
            if news.key:
                await _take_own(core, attempt, news, actor)
            else:
                await take_found(core, attempt, news, actor=actor, how="query")
        except (Waits, Unbookable) as error:
            await open_break(core, attempt, str(error), cause=attempt.id)


async def _listed(core: Core, attempt: Attempt) -> Sequence[ModificationEvent]:
    async def ask(connector: Connector) -> Sequence[ModificationEvent] | NotSent | InDoubt:
        assert isinstance(connector, RefundSource)
        return await connector.refunds_of(attempt.id, known(attempt))

    answer = await ask_provider(core, attempt.connector, Task.QUERY, ask)
    if isinstance(answer, NotSent | InDoubt):
        raise Waits(f"more of it was refunded at the provider than we know of: {answer.reason}")
    return answer


async def _take_own(core: Core, attempt: Attempt, news: ModificationEvent, actor: str) -> None:
    async with core.db.connection() as connection:
        own = await modifications.by_id(connection, attempt.company_id, news.key)
    if own is None or own.attempt_id != attempt.id:
        raise Unbookable(f"a refund {news.reference} at the provider has a key of ours, {news.key}")
    if own.is_open:
        await take_modification_news(core, own, news.outcome, actor=actor, how="query")


async def open_break(core: Core, about: Attempt | Modification, words: str, *, cause: str) -> None:
    """Somebody has to look at this payment; once for each cause."""
    row = BreakRow(
        id=core.new_id("br"),
        problem=BreakClass.REFUND_MISSING,
        connector=about.connector,
        details=words[:500],
        payment_id=about.payment_id,
        cause=cause,
    )
    async with core.db.transaction() as connection:
        await insert_breaks(connection, about.company_id, [row])
