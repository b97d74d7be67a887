"""Have a charge closed at the provider, so that nobody can pay it at a page that stands open."""

from dataclasses import replace

from kassa.base.domain.lifecycle import AttemptStatus, OrderStatus, PaymentStatus
from kassa.base.usecases.core import Core
from kassa.connectors.base import Closer, Connector, Declined, KnownCharge, Outcome, Unknown
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.take_outcome import take_outcome
from kassa.providers.usecases.event_data import write_outcome
from kassa.providers.usecases.provider_accounts import refresh
from kassa.providers.usecases.provider_calls import Task, ask_provider

Ending = type[facts.PaymentCanceled] | type[facts.PaymentExpired]


def known(attempt: Attempt) -> KnownCharge:
    """What a provider may need to find the charge."""
    return KnownCharge(
        reference=attempt.provider_reference,
        amount=attempt.amount,
        asked_at=attempt.created_at,
    )


def can_close(core: Core, attempt: Attempt) -> bool:
    return isinstance(core.connectors.get(attempt.connector), Closer)


def waits_at_page(core: Core, case: PaymentAggregate, attempt: Attempt) -> bool:
    """Whether the payer can pay at the provider's page, and the provider can end that."""
    return (
        case.payment.status is PaymentStatus.REQUIRES_ACTION
        and attempt.status is AttemptStatus.DISPATCHED
        and can_close(core, attempt)
    )


async def close_open_page(
    core: Core, company_id: str, payment_id: str, *, end: Ending, actor: str
) -> bool:
    """Where the payment waits at a page that can be closed: commit that, close it, commit what
    came of it; returns whether it does. Closed, the payment takes `end`; found paid, it is
    paid."""
    await refresh(core)
    found: list[Attempt] = []

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        found[:] = [one for one in case.attempts.values() if waits_at_page(core, case, one)]
        for one in found:
            case.put_attempt(replace(one, last_query_at=case.now))

    change = PaymentChange(company_id=company_id, payment_id=payment_id, decide=decide)
    await change_payment(core, change)
    for one in found:
        await close_charge(core, one, end=end, actor=actor)
    return bool(found)


async def close_charge(core: Core, attempt: Attempt, *, end: Ending, actor: str) -> Payment:
    """Have it closed at the provider, and commit what came of that.

    A payment that waited for it takes `end`, expired or canceled; one that goes another way, or is
    over, is not touched by that.
    """

    async def close(connector: Connector) -> Outcome:
        if not isinstance(connector, Closer):  # its settings have changed since
            return await connector.query(attempt.id, known(attempt))
        return await connector.close_charge(attempt.id, known(attempt))

    outcome = await ask_provider(core, attempt.connector, Task.MODIFY, close)

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        first = len(case.events)
        current = replace(case.attempts[attempt.id], last_query_at=case.now)
        current = replace(current, query_count=current.query_count + 1)
        case.put_attempt(current)
        if isinstance(outcome, Declined | Unknown) and _waits(case, current):
            case.close(end(attempt=attempt.id), actor=actor, by="close")
            if isinstance(outcome, Declined):  # nobody can pay it any more
                case.put_attempt(replace(case.attempts[attempt.id], next_query_at=None))
        else:
            connector = core.connectors[attempt.connector]
            take_outcome(case, current, outcome, connector=connector, actor=actor, how="query")
        case.decided_by_answer(first, about=current, outcome=write_outcome(outcome))

    change = PaymentChange(
        company_id=attempt.company_id, payment_id=attempt.payment_id, decide=decide
    )
    return (await change_payment(core, change)).payment


def _waits(case: PaymentAggregate, attempt: Attempt) -> bool:
    return (
        case.payment.status is PaymentStatus.REQUIRES_ACTION
        and attempt.status is AttemptStatus.DISPATCHED
        and case.order.status is OrderStatus.ACTIVE
    )
