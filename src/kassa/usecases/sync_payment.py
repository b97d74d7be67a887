"""Ask the provider what became of an undecided payment: for a worker, or because a client asks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from kassa.connectors.base import Closer, Connector, Declined, Known, Outcome, Unknown
from kassa.domain.case import Case
from kassa.domain.lifecycle import OPEN, AttemptStatus, PaymentEvent, PaymentStatus
from kassa.domain.payments import Attempt, Payment
from kassa.usecases.change_payment import Change, Purse, change_payment
from kassa.usecases.core import Core
from kassa.usecases.find_payments import get_payment
from kassa.usecases.learn import learn
from kassa.usecases.plain_news import write_outcome
from kassa.usecases.provider_calls import Task, ask_provider
from kassa.usecases.submit_payment import take_news

_UNDECIDED = frozenset({AttemptStatus.DISPATCHED, AttemptStatus.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class _Claimed:
    """The right to ask once. `close`: not what became of it, but that it be closed."""

    attempt: Attempt
    close: bool


async def sync_payment(core: Core, company_id: str, payment_id: str, *, actor: str) -> Payment:
    """The payment, after its provider was asked if that can tell anything new.

    At most one query per payment per `policy.query_interval`, however often this is called, by
    however many processes. A payment whose time is up while it waits at the provider's page is
    not asked about but closed there, where that can be done; then it expires.
    Raises: NotFound.
    """
    payment = (await get_payment(core, company_id, payment_id)).payment
    if not payment.connector or payment.connector not in core.connectors:
        return payment
    claimed: list[_Claimed] = []

    def decide(case: Case, _: Purse | None) -> None:
        """Take the right to ask, so that many askers make one query."""
        claimed.clear()
        attempt = _to_ask(core, case)
        if attempt is None:
            return
        close = waits_to_be_closed(core, case, attempt)
        if close and (attempt.undecided_since or attempt.created_at) < case.payment.expires_at:
            attempt = replace(attempt, undecided_since=case.now)  # its schedule begins anew
        claimed.append(_Claimed(attempt, close))
        next_query_at = attempt.next_query(case.now)
        case.put_attempt(replace(attempt, last_query_at=case.now, next_query_at=next_query_at))

    case = await change_payment(
        core, Change(company_id=company_id, payment_id=payment_id, decide=decide)
    )
    for one in claimed:
        if one.close:
            return await _close(core, one.attempt, actor=actor)
        question = _question(one.attempt)
        outcome = await ask_provider(core, one.attempt.connector, Task.QUERY, question)
        return await take_news(core, one.attempt, outcome, actor=actor, how="query")
    return case.payment


def _to_ask(core: Core, case: Case) -> Attempt | None:
    """The attempt to ask about: the one that is due first, unless one was asked about just now."""
    asked = [one.last_query_at for one in case.attempts.values() if one.last_query_at is not None]
    if asked and case.now - max(asked) < core.policy.query_interval:
        return None
    found = [
        one
        for one in case.attempts.values()
        if one.connector in core.connectors and (one.status in _UNDECIDED or _may_be_paid_yet(one))
    ]
    return min(found, key=lambda one: (one.next_query_at or case.now, one.number), default=None)


def _may_be_paid_yet(attempt: Attempt) -> bool:
    """An attempt whose payment ended is asked about for a while: money may still come."""
    return attempt.status is AttemptStatus.ABANDONED and attempt.next_query_at is not None


def waits_to_be_closed(core: Core, case: Case, attempt: Attempt) -> bool:
    """Whether the payer can still pay at the provider's page although the time is up, and the
    provider can end that."""
    return (
        case.is_expired()
        and case.payment.status is PaymentStatus.REQUIRES_ACTION
        and attempt.status is AttemptStatus.DISPATCHED
        and isinstance(core.connectors.get(attempt.connector), Closer)
    )


def _known(attempt: Attempt) -> Known:
    return Known(
        reference=attempt.provider_reference,
        amount=attempt.amount,
        asked_at=attempt.created_at,
    )


def _question(attempt: Attempt) -> Callable[[Connector], Awaitable[Outcome]]:
    return lambda connector: connector.query(attempt.id, _known(attempt))


async def _close(core: Core, attempt: Attempt, *, actor: str) -> Payment:
    """Have it closed at the provider, and commit what came of that."""

    async def close(connector: Connector) -> Outcome:
        if not isinstance(connector, Closer):  # its settings have changed since
            return await connector.query(attempt.id, _known(attempt))
        return await connector.close_charge(attempt.id, _known(attempt))

    outcome = await ask_provider(core, attempt.connector, Task.MODIFY, close)

    def decide(case: Case, _: Purse | None) -> None:
        first = len(case.events)
        current = replace(case.attempts[attempt.id], last_query_at=case.now)
        current = replace(current, query_count=current.query_count + 1)
        case.put_attempt(current)
        closed = isinstance(outcome, Declined | Unknown)
        if closed and case.payment.status in OPEN and current.status is AttemptStatus.DISPATCHED:
            told = {"attempt": attempt.id, "by": "close"}
            case.close(PaymentEvent.EXPIRE, actor=actor, evidence=told)
            if isinstance(outcome, Declined):  # nobody can pay it any more
                case.put_attempt(replace(case.attempts[attempt.id], next_query_at=None))
        else:
            connector = core.connectors[attempt.connector]
            learn(case, current, outcome, connector=connector, actor=actor, how="query")
        case.decided_by_answer(first, about=current, outcome=write_outcome(outcome))

    change = Change(company_id=attempt.company_id, payment_id=attempt.payment_id, decide=decide)
    return (await change_payment(core, change)).payment
