"""Ask the provider what became of an undecided payment: for a worker, or because a client asks."""

from dataclasses import dataclass, replace

from kassa.base.domain.lifecycle import UNDECIDED, AttemptStatus
from kassa.base.domain.query_schedule import ask_soon
from kassa.base.usecases.core import Core
from kassa.connectors.base import Connector, Outcome
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.close_page import can_close, close_charge, known, waits_at_page
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.submit_payment import take_news
from kassa.providers.usecases.provider_accounts import refresh
from kassa.providers.usecases.provider_calls import Task, ask_provider
from kassa.providers.usecases.recovery import heard


@dataclass(frozen=True, slots=True)
class _Claimed:
    """The right to ask once. `close`: not what became of it, but that it be closed."""

    attempt: Attempt
    close: bool


async def sync_payment(
    core: Core, company_id: str, payment_id: str, *, actor: str, only_due: bool = False
) -> Payment:
    """The payment, after its provider was asked if that can tell anything new.

    At most one query per payment per `policy.query_interval`, however often this is called, by
    however many processes. A payment whose time is up while it waits at the provider's page is
    not asked about but closed there, where that can be done; then it expires. So is a page that
    its payer has left for another way to pay. `only_due`: what the schedule says, and else
    nothing.
    Raises: NotFound.
    """
    await refresh(core)
    payment = (await get_payment(core, company_id, payment_id)).payment
    # By the schedule it may be an attempt that the payment has left behind.
    if payment.connector not in core.connectors and not only_due:
        return payment
    claimed: list[_Claimed] = []

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        """Take the right to ask, so that many askers make one query."""
        claimed.clear()
        attempt = _to_ask(core, case, only_due)
        if attempt is None:
            return
        at_end = waits_to_be_closed(core, case, attempt)
        close = at_end or (_is_left(attempt) and can_close(core, attempt))
        if at_end and (attempt.undecided_since or attempt.created_at) < case.payment.expires_at:
            attempt = replace(attempt, undecided_since=case.now)  # its schedule begins anew
        claimed.append(_Claimed(attempt, close))
        next_query_at = attempt.next_query(case.now)
        case.put_attempt(replace(attempt, last_query_at=case.now, next_query_at=next_query_at))

    case = await change_payment(
        core, PaymentChange(company_id=company_id, payment_id=payment_id, decide=decide)
    )
    for one in claimed:
        if one.close:
            return await close_charge(core, one.attempt, end=facts.PaymentExpired, actor=actor)
        outcome = await ask_about(core, one.attempt)
        payment = await take_news(core, one.attempt, outcome, actor=actor, how="query")
        await heard(core, one.attempt.connector, outcome)
        return payment
    return case.payment


def _to_ask(core: Core, case: PaymentAggregate, only_due: bool) -> Attempt | None:
    """The attempt to ask about, unless one was asked about just now: the undecided one before
    those that were left behind; by the schedule, the one that has waited longest."""
    found = [
        one
        for one in case.attempts.values()
        if one.connector in core.connectors and (one.status in UNDECIDED or _is_left(one))
    ]
    if only_due:
        found = [one for one in found if one.next_query_at and one.next_query_at <= case.now]
    asked = [one.last_query_at for one in case.attempts.values() if one.last_query_at is not None]
    if asked and case.now - max(asked) < core.policy.query_interval:
        for one in found if only_due else ():
            case.put_attempt(replace(one, next_query_at=ask_soon(max(asked), case.now)))
        return None
    return min(
        found,
        key=lambda one: (
            _is_left(one) and not only_due,
            one.next_query_at or case.now,
            one.number,
        ),
        default=None,
    )


def _is_left(attempt: Attempt) -> bool:
    """An attempt that the payer left, or whose payment ended, is asked about for a while: money
    may still come."""
    return attempt.status is AttemptStatus.ABANDONED and attempt.next_query_at is not None


def waits_to_be_closed(core: Core, case: PaymentAggregate, attempt: Attempt) -> bool:
    """Whether the payer can still pay at the provider's page although the time is up, and the
    provider can end that."""
    return case.is_expired() and waits_at_page(core, case, attempt)


async def ask_about(core: Core, attempt: Attempt) -> Outcome:
    """What its provider says became of the charge; nothing is committed."""

    async def ask(connector: Connector) -> Outcome:
        return await connector.query(attempt.id, known(attempt))

    return await ask_provider(core, attempt.connector, Task.QUERY, ask)
