"""Give back what nobody owed: money that came late, or twice."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from kassa.base.domain.errors import KassaError
from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus
from kassa.base.usecases.backoff import backoff_of
from kassa.base.usecases.core import Core
from kassa.modifications.store import modifications
from kassa.modifications.usecases.modify_payment import (
    ModifyPayment,
    modify_payment,
)
from kassa.payments.domain.modifications import (
    Modification,
    claimed_surplus,
    is_reserved_surplus,
)
from kassa.payments.domain.payments import OFFLINE, Attempt
from kassa.payments.store import payments

_log = structlog.get_logger("kassa.surplus")
SCOPE = "surplus"
ACTOR = "worker:surplus"
_PAUSES = (timedelta(0), timedelta(minutes=1), timedelta(hours=1), timedelta(hours=12))
"""Before the first, second, … try; after the last a person has to look at it."""
MOST_TRIES = len(_PAUSES)


async def return_overpayments(core: Core, limit: int = 1_000) -> int:
    """Start a refund for each attempt that holds surplus; returns how many were started.

    Its request id is made from the attempt's, so that however many workers see it, it goes back
    once. A refusal is tried again later, each time under the next id.
    """
    resting = backoff_of(core, "surplus")
    async with core.db.connection() as connection:
        keys = await modifications.with_surplus(
            connection, limit, resting=resting.keys(), live=core.policy.live
        )
        attempts = await payments.attempts_of(connection, keys) if keys else []
        done = await payments.modifications_of(connection, keys) if keys else []
        now = await payments.clock(connection)
    due = []
    for attempt in attempts:
        own = {item.id: item for item in done if item.attempt_id == attempt.id and item.surplus}
        if is_reserved_surplus(attempt, own) and not claimed_surplus(attempt, own):
            continue  # its void lets it go
        tries = [item for item in own.values() if item.kind is ModificationKind.REFUND]
        if _is_due(attempt, tries, now):
            due.append((attempt, len(tries) + 1))
    # All at once: a provider that hangs must not keep the others' payers waiting.
    started = await asyncio.gather(*(_return(core, *one) for one in due))
    went = {one.payment_id for (one, _), done in zip(due, started, strict=True) if done}
    resting.went_on(went)
    for failed in {one.payment_id for one, _ in due} - went:
        resting.failed(failed)
    return sum(started)


def _is_due(attempt: Attempt, tries: Sequence[Modification], now: datetime) -> bool:
    if not attempt.surplus or attempt.method in OFFLINE or len(tries) >= MOST_TRIES:
        return False
    if any(item.status is not ModificationStatus.FAILED for item in tries):
        return False
    ended = [item.completed_at for item in tries if item.completed_at is not None]
    return not ended or max(ended) + _PAUSES[len(tries)] <= now


async def _return(core: Core, attempt: Attempt, number: int) -> int:
    wanted = ModifyPayment(
        company_id=attempt.company_id,
        payment_id=attempt.payment_id,
        kind=ModificationKind.REFUND,
        amount=attempt.amount,
        actor=ACTOR,
        request_scope=SCOPE,
        request_id=attempt.id if number == 1 else f"{attempt.id}#{number}",
        surplus_of=attempt.id,
    )
    try:
        await modify_payment(core, wanted)
    except KassaError as error:
        _log.warning(
            "surplus stays", payment=attempt.payment_id, attempt=attempt.id, reason=error.reason
        )
        return 0
    except Exception:  # noqa: BLE001 - one payment's trouble is not the others'
        _log.exception("surplus stays", payment=attempt.payment_id, attempt=attempt.id)
        return 0
    return 1
