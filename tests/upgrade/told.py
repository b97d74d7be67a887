"""A diary of payments, and short words for what happens to them. See `fill`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from kassa.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.domain.money import Money
from kassa.domain.payments import CaptureMethod
from kassa.store import payments
from kassa.usecases.disputes import take_dispute_news
from kassa.usecases.explain import Story, explain
from kassa.usecases.modify_payment import take_modification_news
from kassa.usecases.submit_payment import take_news
from tests.usecases.figures import figures, time
from tests.usecases.shop import Scripted, Shop

from kassa.connectors.base import (
    ActionNeeded,
    Declined,
    DisputeEvent,
    InDoubt,
)

NEWS = {"notify_url": "https://93.184.216.34/news", "notify_kind": "standard"}
DOUBT = InDoubt(reason="the line went dead")
NO = Declined(code="card_declined", message="The bank said no.", provider_code="05")
OVER = Declined(code="authorization_expired", message="It expired.")
PAGE = ActionNeeded(reference="page", url="https://provider.example/approve")
MANUAL = {"capture_method": CaptureMethod.MANUAL}


def yuan(minor: int) -> Money:
    return Money(minor, "CNY")


class Book:
    """The diary, by payment."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.names: dict[str, str] = {}
        self.told: dict[str, list[list[Any]]] = {}

    async def page(self, payment: Any, life: str = "") -> Any:
        story = await self.story(payment)
        if life:
            self.names[life] = payment.id
        pages = self.told.setdefault(payment.id, [])
        pages.append([time(story.steps[-1].event.at), figures(story)])
        return story

    async def story(self, payment: Any, moment: datetime | None = None) -> Story:
        return await explain(self.shop.core, payment.company_id, payment.id, moment)


async def hear(shop: Shop, payment: Any, number: int, outcome: Any) -> Any:
    """The provider says so, of that attempt, in a notification."""
    row = (await shop.attempts(payment))[number - 1]
    async with shop.core.db.connection() as connection:
        found = await payments.find_attempt(connection, payment.company_id, row["id"])
    assert found is not None
    return await take_news(shop.core, found, outcome, actor="provider:scripted", how="notification")


async def dispute(shop: Shop, payment: Any, status: DisputeStatus, **changes: Any) -> Any:
    attempt = (await explain(shop.core, payment.company_id, payment.id)).attempts[-1]
    members: dict[str, Any] = {
        "dedupe_key": f"news {status} of {attempt.id}",
        "key": attempt.id,
        "reference": f"dispute of {attempt.id}",
        "stage": DisputeStage.CHARGEBACK,
        "status": status,
        "amount": yuan(5_000),
        "fee": yuan(20),
        "reason": "fraudulent",
        "respond_by": datetime.now(UTC) + timedelta(days=7),
    }
    news = DisputeEvent(**{**members, **changes})
    return await take_dispute_news(shop.core, attempt, news, actor="provider:scripted")


async def heard(shop: Shop, modification: Any, outcome: Any) -> None:
    await take_modification_news(
        shop.core, modification, outcome, actor="provider:scripted", how="notification"
    )


def add_accounts(shop: Shop, **providers: Scripted) -> None:
    from tests.usecases.test_routing import add  # noqa: PLC0415

    add(shop, *providers)
    shop.core.connectors.update(providers)


class Closing(Scripted):
    """It closes its page when it is asked to."""

    async def close_charge(self, key: str, known: Any = None) -> Any:
        return Declined(code="closed", message="It was closed.")
