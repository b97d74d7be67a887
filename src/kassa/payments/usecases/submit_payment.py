"""Send a payment to its provider: commit the intent, call, commit what was learned."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kassa.base.domain.errors import ProviderUnavailable, UnsupportedOperation
from kassa.base.domain.lifecycle import AT_PROVIDER, UNDECIDED, AttemptStatus, PaymentStatus
from kassa.base.domain.query_schedule import ask_soon
from kassa.base.usecases.batch import to_the_end
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    Capturer,
    ChargeRequest,
    Connector,
    Declined,
    InDoubt,
    NotSent,
    Outcome,
)
from kassa.orders.domain.orders import Order
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payer_limits import refuse_haste
from kassa.payments.domain.payments import Attempt, CaptureMethod, Method, Payment
from kassa.payments.usecases.change_payment import (
    Decide,
    PaymentChange,
    WalletBalances,
    change_payment,
)
from kassa.payments.usecases.take_outcome import take_outcome
from kassa.providers.usecases.event_data import write_outcome
from kassa.providers.usecases.provider_accounts import require_serving
from kassa.providers.usecases.provider_calls import Task, ask_provider, seconds_of_rest
from kassa.webhooks_in.store.provider_events import ProviderEventKey

PAYER = "payer"
"""The actor of what somebody did who has the payment's address, and no credentials."""
_MOST_FAILOVERS = 2
_EARLIER = timedelta(seconds=30)  # the provider ends it before we do, so that none pays in between


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Submission:
    """`instrument`: what the payer gave; a secret that goes to the provider and nowhere else.
    `connector`: the provider account. `fallbacks`: the accounts that follow, in this order, when
    nothing was sent or the refusal was soft; `because`: why these. `instrument_shown`: its masked
    form, which is kept. `claim`: decides, under the same lock, whether it is sent at all.
    """

    company_id: str
    payment_id: str
    method: Method
    connector: str
    instrument: str
    instrument_shown: str
    actor: str
    return_url: str
    claim: Callable[[PaymentAggregate], bool] | None = None
    extra: dict[str, Any] | None = None
    fallbacks: tuple[str, ...] = ()
    because: tuple[str, ...] = ()


async def submit_payment(core: Core, wanted: Submission) -> Payment:
    """Three steps, because a provider call cannot be rolled back:

    1. commit that we are about to call;
    2. call, with no transaction open;
    3. commit what we learned. In doubt, that is only the doubt: `sync_payment` asks later.

    A payment that is further along comes back as it is; nothing is sent twice.
    Raises: NotFound, IllegalTransition (expired, closed), ProviderUnavailable (nothing was sent),
    RateLimited (a payer who tries too often).
    Source: "foreign state mutations", https://brandur.org/idempotency-keys
    """
    await require_takers(core, wanted)
    started: list[Attempt] = []
    case = await change_payment(
        core,
        PaymentChange(
            company_id=wanted.company_id,
            payment_id=wanted.payment_id,
            decide=starting(core, wanted, started),
        ),
    )
    return await submit_started(core, wanted, case, started)


async def require_takers(core: Core, wanted: Submission) -> None:
    """Raises: UnsupportedOperation, ProviderUnavailable, where it cannot be sent at all."""
    if wanted.connector not in core.connectors:
        raise UnsupportedOperation(f"{wanted.method} cannot be paid here", reason="method_off")
    for account in (wanted.connector, *wanted.fallbacks):
        await require_serving(core, account, wanted.company_id)


async def submit_started(
    core: Core, wanted: Submission, case: PaymentAggregate, started: Sequence[Attempt]
) -> Payment:
    """Call for the attempt that is `started` and committed, if there is one, and commit what comes
    of it.

    Raises: ProviderUnavailable, when nothing was sent.
    """
    if not started:
        return case.payment
    return await to_the_end(core, _call(core, wanted, case, started[0]))


async def _call(
    core: Core, wanted: Submission, started: PaymentAggregate, attempt: Attempt
) -> Payment:
    """Steps 2 and 3. They run to their end even when the caller has gone away."""
    following = list(wanted.fallbacks[:_MOST_FAILOVERS])
    while True:
        request = charge_request(
            core,
            started.payment,
            started.order,
            attempt,
            instrument=wanted.instrument,
            back=wanted.return_url,
        )
        charge = _charging(request)
        outcome = await ask_provider(core, attempt.connector, Task.CHARGE, charge)
        after: list[Attempt] = []
        follow = _follow(core, wanted, following.pop(0), after) if following else None
        actor = f"provider:{attempt.connector}"
        payment = await take_news(core, attempt, outcome, actor=actor, follow=follow)
        if not after:
            break
        attempt = after[0]
    if isinstance(outcome, NotSent):
        accounts = (wanted.connector, *wanted.fallbacks)
        rest = min(seconds_of_rest(core, account, Task.CHARGE) for account in accounts)
        raise ProviderUnavailable(
            "the provider cannot be reached and nothing was sent; try again",
            retry_after_seconds=max(1, rest),
        )
    return payment


def _charging(request: ChargeRequest) -> Callable[[Connector], Awaitable[Outcome]]:
    return lambda connector: connector.charge(request)


Follow = Callable[[PaymentAggregate, Attempt, Outcome], bool]
"""Goes on with another account when this answer allows it; says whether it did."""


def _follow(core: Core, wanted: Submission, account: str, after: list[Attempt]) -> Follow:
    """Only where nothing was sent, or the refusal was soft; never on an unknown outcome."""

    def follow(case: PaymentAggregate, attempt: Attempt, outcome: Outcome) -> bool:
        after.clear()
        goes = isinstance(outcome, NotSent) or (isinstance(outcome, Declined) and outcome.soft)
        if not goes or account not in core.connectors or not case.can_reroute(attempt):
            return False
        actor = f"provider:{attempt.connector}"
        if isinstance(outcome, Declined):
            rerouted = facts.AttemptRerouted(
                attempt=attempt.id,
                code=outcome.code,
                message=outcome.message,
                provider_code=outcome.provider_code,
                next=account,
            )
            case.record(rerouted, actor=actor, by="charge")
        else:
            connector = core.connectors[attempt.connector]
            take_outcome(case, attempt, outcome, connector=connector, actor=actor, how="charge")
        started = case.start_attempt(
            wanted.method,
            account,
            actor=wanted.actor,
            instrument=wanted.instrument_shown,
            because=(f"{attempt.connector} could not take it", *wanted.because),
        )
        after.append(started)
        return True

    return follow


def starting(core: Core, wanted: Submission, started: list[Attempt]) -> Decide:
    """What begins an attempt, and puts it into `started`, where the payment can be sent."""

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        started.clear()
        if wanted.claim is not None and not wanted.claim(case):
            return
        status = case.payment.status
        if case.payment.is_paid or status in AT_PROVIDER:
            return
        if status is PaymentStatus.FAILED and not case.payment.retry_allowed:
            return
        require_reserving(core, case.payment, wanted.connector)
        if wanted.actor == PAYER:
            refuse_haste(case.attempts.values(), case.now)
        attempt = case.start_attempt(
            wanted.method,
            wanted.connector,
            actor=wanted.actor,
            instrument=wanted.instrument_shown,
            because=wanted.because,
        )
        if wanted.extra is not None:
            case.payment = replace(case.payment, extra={**case.payment.extra, **wanted.extra})
        started.append(attempt)

    return decide


def require_reserving(core: Core, payment: Payment, connector: str) -> None:
    """A payment to be claimed later goes only to a provider that can reserve funds.

    Raises: UnsupportedOperation.
    """
    manual = payment.capture_method is CaptureMethod.MANUAL
    if manual and not isinstance(core.connectors.get(connector), Capturer):
        raise UnsupportedOperation(
            f"{connector} cannot reserve funds first and claim them later", reason="method_off"
        )


def charge_request(
    core: Core, payment: Payment, order: Order, attempt: Attempt, *, instrument: str, back: str
) -> ChargeRequest:
    """What a provider is asked under this attempt. `back`: where the payer's browser returns.

    The words are the merchant's: a customer's own stand in their own trade only.
    """
    return ChargeRequest(
        key=attempt.id,
        amount=attempt.amount,
        order_id=payment.order_id,
        subject=order.description or payment.order_id,
        description="",
        instrument=instrument,
        return_url=back,
        notify_url=f"{core.policy.base_url}/providers/{attempt.connector}",
        expires_at=payment.expires_at - _EARLIER,
        now=datetime.now(UTC),
        capture=payment.capture_method is CaptureMethod.AUTOMATIC,
        method=attempt.method,
        customer=order.customer,
    )


async def take_news(
    core: Core,
    attempt: Attempt,
    outcome: Outcome,
    *,
    actor: str,
    how: str = "charge",
    news: ProviderEventKey | None = None,
    follow: Follow | None = None,
) -> Payment:
    """Commit what a provider said about an attempt, whoever asked or told. Twice is harmless.

    `news`: the notification it was said in, which is applied with it and never again. `follow`:
    tries another account where the answer allows it.
    """
    case = await change_payment(
        core,
        PaymentChange(
            company_id=attempt.company_id,
            payment_id=attempt.payment_id,
            decide=_news(core, attempt, outcome, actor, how, follow),
            news=news,
            about=attempt.id,
        ),
    )
    return case.payment


def _news(
    core: Core, attempt: Attempt, outcome: Outcome, actor: str, how: str, follow: Follow | None
) -> Callable[[PaymentAggregate, WalletBalances | None], None]:
    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        first, current = len(case.events), case.attempts[attempt.id]
        if how == "query":
            current = replace(current, query_count=current.query_count + 1, last_query_at=case.now)
            if current.status is AttemptStatus.SUCCEEDED and not isinstance(
                outcome, NotSent | InDoubt
            ):
                current = replace(current, next_query_at=None)  # asked again, and it is clear
            case.put_attempt(current)
        if follow is not None and follow(case, current, outcome):
            return
        connector = core.connectors[current.connector]
        take_outcome(
            case, case.attempts[attempt.id], outcome, connector=connector, actor=actor, how=how
        )
        if how == "query":
            case.decided_by_answer(first, about=current, outcome=write_outcome(outcome))
        current = case.attempts[attempt.id]
        if how == "notification" and current.status in UNDECIDED:  # it may know more by now
            soon = ask_soon(current.last_query_at, case.now)
            case.put_attempt(replace(current, next_query_at=soon))

    return decide
