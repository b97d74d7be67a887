"""Disputes: what providers say of them, and which ones wait for an answer."""

from datetime import datetime

from kassa.base.domain.errors import IllegalTransition
from kassa.base.usecases.core import Core
from kassa.connectors.base import DisputeEvent, DisputeTeller
from kassa.disputes.domain.disputing import NOT_CAPTURED, dispute
from kassa.modifications.store import modifications
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.disputes import BY_STAGE, Dispute, Telling
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.store import payments
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.webhooks_in.store.provider_events import ProviderEventKey


async def take_dispute_news(
    core: Core,
    attempt: Attempt,
    news: DisputeEvent,
    *,
    actor: str,
    key: ProviderEventKey | None = None,
) -> Payment:
    """Commit what a provider said of a dispute. Twice, or in another order, is harmless.

    `key`: the notification it was said in, which is applied with it and never again.
    Raises: IllegalTransition (not_captured), where nobody has told yet that it was captured.
    """

    teller = core.connectors.get(attempt.connector)
    order = teller.dispute_order if isinstance(teller, DisputeTeller) else BY_STAGE

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        try:
            dispute(
                case,
                case.attempts[attempt.id],
                reference=news.reference,
                telling=telling_of(news, case.now),
                movements=news.movements,
                order=order,
                actor=actor,
            )
        except IllegalTransition as error:
            if error.reason == NOT_CAPTURED:
                raise
            strange = facts.DisputeNotOurs(reference=news.reference, reason=error.message)
            case.record(strange, actor=actor)

    change = PaymentChange(
        company_id=attempt.company_id,
        payment_id=attempt.payment_id,
        decide=decide,
        news=key,
        about=attempt.id,
    )
    return (await change_payment(core, change)).payment


def telling_of(news: DisputeEvent, now: datetime) -> Telling:
    """What is said, as of the provider's time, or of `now` where it tells none."""
    return Telling(
        at=news.told_at or now,
        is_heard=news.told_at is None,
        stage=news.stage,
        status=news.status,
        amount=news.amount,
        fee=news.fee,
        taken=news.taken,
        reason=news.reason,
        respond_by=news.respond_by,
    )


async def list_disputes(
    core: Core, company_id: str, *, only_open: bool = True, limit: int = 100
) -> list[Dispute]:
    """The company's disputes, the nearest deadline first."""
    async with core.db.connection() as connection:
        return await modifications.disputes(
            connection, company_id, only_open=only_open, limit=limit
        )


async def disputes_of(core: Core, company_id: str, payment_id: str) -> list[Dispute]:
    """One payment's disputes, oldest first."""
    async with core.db.connection() as connection:
        return await payments.disputes_of(connection, [(company_id, payment_id)])
