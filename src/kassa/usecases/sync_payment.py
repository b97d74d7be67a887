"""Ask the provider what became of an undecided payment: for a worker, or because a client asks."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from kassa.connectors.base import Connector, Known, Outcome
from kassa.domain.case import Case
from kassa.domain.lifecycle import AttemptStatus
from kassa.domain.payments import Attempt, Payment
from kassa.usecases.change_payment import Change, Purse, change_payment
from kassa.usecases.core import Core
from kassa.usecases.find_payments import get_payment
from kassa.usecases.learn import is_last_query, query_pause
from kassa.usecases.provider_calls import Task, ask_provider
from kassa.usecases.submit_payment import take_news

_UNDECIDED = frozenset({AttemptStatus.DISPATCHED, AttemptStatus.IN_DOUBT})


async def sync_payment(core: Core, company_id: str, payment_id: str, *, actor: str) -> Payment:
    """The payment, after its provider was asked if that can tell anything new.

    At most one query per payment per `policy.query_interval`, however often this is called.
    Raises: NotFound.
    """
    payment = (await get_payment(core, company_id, payment_id)).payment
    if not payment.connector or payment.connector not in core.connectors:
        return payment
    claimed: list[Attempt] = []

    def decide(case: Case, _: Purse | None) -> None:
        """Take the right to ask, so that many askers make one query."""
        claimed.clear()
        for attempt in list(case.attempts.values()):
            asked = attempt.last_query_at
            fresh = asked is not None and case.now - asked < core.policy.query_interval
            known = attempt.connector in core.connectors
            # An attempt whose payment expired is asked about for a while: money may still come.
            expired = (
                attempt.status is AttemptStatus.ABANDONED and attempt.next_query_at is not None
            )
            if expired and is_last_query(attempt.query_count):
                case.put_attempt(replace(attempt, next_query_at=None))
            elif (attempt.status in _UNDECIDED or expired) and known and not fresh:
                case.put_attempt(
                    replace(
                        attempt,
                        last_query_at=case.now,
                        next_query_at=case.now + query_pause(attempt.query_count),
                    )
                )
                claimed.append(case.attempts[attempt.id])

    case = await change_payment(
        core, Change(company_id=company_id, payment_id=payment_id, decide=decide)
    )
    payment = case.payment
    for attempt in claimed:
        outcome = await ask_provider(core, attempt.connector, Task.QUERY, _question(attempt))
        payment = await take_news(core, attempt, outcome, actor=actor, how="query")
    return payment


def _question(attempt: Attempt) -> Callable[[Connector], Awaitable[Outcome]]:
    known = Known(
        reference=attempt.provider_reference,
        amount=attempt.amount,
        asked_at=attempt.created_at,
    )
    return lambda connector: connector.query(attempt.id, known)
