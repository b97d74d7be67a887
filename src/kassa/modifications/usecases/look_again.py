"""Ask about charges whose money is there, because something was heard of them since.

A refund that was refused as too much, or a charge that says that more of it went back than we
know of: what was done to it at the provider is found, and booked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from kassa.base.domain.errors import AmountTooLarge, IllegalTransition
from kassa.base.domain.lifecycle import AttemptStatus
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.connectors.base import Captured, FailedLater, RefundSource
from kassa.disputes.domain.disputing import NOT_CAPTURED
from kassa.modifications.store import modifications
from kassa.modifications.usecases.found_changes import (
    failed_if_refused,
    look_for_refunds,
    open_break,
)
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.modifications import went_back
from kassa.payments.domain.payments import Attempt
from kassa.payments.store import payments
from kassa.payments.store.payments import ToQuery
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.submit_payment import take_news
from kassa.payments.usecases.sync_payment import ask_about
from kassa.providers.usecases.fair_queue import Asking, QueuedQuery, ask_all

_ACTOR = "worker:again"
_LATER = timedelta(minutes=10)  # should the answer not come, or whoever asks die


async def look_again(core: Core, limit: int = 100) -> int:
    """Ask about every one that is due; returns how many those were."""
    return await ask_all(core, looker(limit), limit)


def looker(limit: int = 100) -> "Asking[ToQuery]":
    """What keeps looking."""
    return Asking(
        QueuedQuery(
            name="again",
            find=_find,
            account=lambda due: due.connector,
            key=lambda due: due.payment_id,
            ask=_ask,
        ),
        limit,
    )


async def _find(
    connection: Connection, room: Mapping[str, int], limit: int, busy: Sequence[str]
) -> list[ToQuery]:
    return await payments.to_query(connection, room, limit, busy=busy, again=True)


async def _ask(core: Core, due: ToQuery) -> None:
    claimed: list[Attempt] = []

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        """Take the right to ask, so that many askers make one query."""
        claimed.clear()
        for one in case.attempts.values():
            is_due = one.next_query_at is not None and one.next_query_at <= case.now
            if is_due and one.status is AttemptStatus.SUCCEEDED:
                later = case.now + _LATER
                case.put_attempt(replace(one, last_query_at=case.now, next_query_at=later))
                claimed.append(one)

    await change_payment(
        core, PaymentChange(company_id=due.company_id, payment_id=due.payment_id, decide=decide)
    )
    for attempt in claimed:
        await _look_at(core, attempt)


async def _look_at(core: Core, attempt: Attempt) -> None:
    outcome = failed_if_refused(await ask_about(core, attempt))
    try:
        await take_news(core, attempt, outcome, actor=_ACTOR, how="query")
    except AmountTooLarge as error:
        words = f"more was refunded at the provider than we know of: {error.message}"
        await open_break(core, attempt, words, cause=attempt.id)
        return
    except IllegalTransition as error:
        if error.reason != NOT_CAPTURED:
            raise
        return  # its capture is told as well, or not known yet: it is asked about again
    lists = isinstance(core.connectors.get(attempt.connector), RefundSource)
    if isinstance(outcome, FailedLater) and lists:  # refunded before, perhaps
        await look_for_refunds(core, attempt, actor=_ACTOR)
    if not isinstance(outcome, Captured) or not lists:
        return
    async with core.db.connection() as connection:
        own = await modifications.of_payments(connection, attempt.company_id, [attempt.payment_id])
    known = went_back(attempt, {item.id: item for item in own})
    if outcome.refunded is None or outcome.refunded.minor > known.minor:
        await look_for_refunds(core, attempt, actor=_ACTOR)
