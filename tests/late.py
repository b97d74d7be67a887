"""What a provider tells late or of what was done beside us, and a look at what became of it."""

import itertools
from typing import Any

from tests.modifying import REFUND, modify
from tests.shop import Shop
from tests.telling import Telling, news, post

from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Captured,
    Declined,
    Done,
    ModificationEvent,
    ModificationOutcome,
    Pending,
)
from kassa.modifications.usecases.find_modifications import modifications_of
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.reconciliation.usecases.breaks import list_breaks

_numbers = itertools.count(1)
CLOSED_ACCOUNT = Declined(
    code="refund_failed", message="It came back.", reference="re_1", provider_code="expired_card"
)


def cny(minor: int) -> Money:
    return Money(minor, "CNY")


def done(minor: int, reference: str = "re_1") -> Done:
    return Done(reference=reference, amount=cny(minor))


def of_ours(key: str, outcome: ModificationOutcome, name: str = "") -> ModificationEvent:
    return ModificationEvent(
        dedupe_key=name or f"m-{next(_numbers)}", key=key, outcome=outcome, reference="re_1"
    )


def of_theirs(
    payment: Payment, outcome: ModificationOutcome, reference: str = "re_there", **more: Any
) -> ModificationEvent:
    return ModificationEvent(
        dedupe_key=f"t-{next(_numbers)}",
        key="",
        outcome=outcome,
        reference=reference,
        charge_reference=payment.provider_reference,
        **more,
    )


async def paid(shop: Shop, provider: Telling) -> Payment:
    order = await shop.payment(notify_url="https://shop.example/n", notify_kind="standard")
    payment = await shop.play(order, provider)
    assert payment.status is PaymentStatus.CAPTURED
    return payment


async def changes(shop: Shop, payment: Payment) -> list[Modification]:
    return await modifications_of(shop.core, shop.company.id, [payment.id])


async def refunded(shop: Shop, payment: Payment, minor: int) -> Modification:
    made = await modify(shop, payment, REFUND, minor)
    assert made.modification.status is ModificationStatus.SUCCEEDED
    return made.modification


async def announced(shop: Shop, payment: Payment) -> list[str]:
    rows = await shop.sql(
        "select event_type from announcement where payment_id = $1 order by version", payment.id
    )
    return [row["event_type"] for row in rows]


async def told(shop: Shop, payment: Payment) -> list[str]:
    """The kinds of its facts, in their order."""
    rows = await shop.sql(
        "select evidence ->> 'kind' as kind from payment_event where payment_id = $1 order by seq",
        payment.id,
    )
    return [row["kind"] for row in rows]


async def worked_out(shop: Shop) -> list[tuple[str, str]]:
    """(payment, words) of what people have to look at."""
    found = await list_breaks(shop.core, shop.company.id)
    return [(one.payment_id, one.details) for one in found]


async def late_money(shop: Shop, provider: Telling, **changes: Any) -> Payment:
    """A payment that had ended when its money came."""
    provider.answers.append(Pending(reference="ref late"))
    payment = await shop.play(await shop.payment(**changes), provider)
    [attempt] = await shop.attempts(payment)
    declined = Declined(code="card_declined", message="No.")
    await post(shop, provider.tell(news(attempt["id"], declined)))
    taken = Captured(reference="ref late", amount=cny(10_000))
    provider.answers_to_queries.append(taken)
    await post(shop, provider.tell(news(attempt["id"], taken)))
    return await shop.read(payment)


async def give_back(shop: Shop, payment: Payment) -> Modification:
    await return_overpayments(shop.core)
    [item] = await changes(shop, payment)
    return item


async def reserved(shop: Shop, provider: Telling) -> Payment:
    order = await shop.payment(capture_method=CaptureMethod.MANUAL)
    payment = await shop.play(order, provider)
    assert payment.status is PaymentStatus.AUTHORIZED
    return payment
