"""A provider of the test's own that also posts news, and the posting of it."""

import itertools
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from tests.modifying import Obedient
from tests.shop import Shop

from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    AnyNews,
    Captured,
    ChargeEvent,
    ForeignEvent,
    IrrelevantEvent,
    Outcome,
    Pending,
    Refused,
    Unknown,
)
from kassa.payments.domain.payments import Payment
from kassa.providers.usecases.event_data import write_news
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_in.store.provider_events import NewProviderEvent, ProviderEventKey
from kassa.webhooks_in.usecases.receive import Received, receive_notification

TAKEN = Captured(reference="ref", amount=Money(10_000, "CNY"))
NOTHING_THERE = Unknown(reason="no such charge")
_numbers = itertools.count(1)


class Telling(Obedient):
    """What it posts is genuine when it was made by `tell`."""

    acknowledgement: ClassVar[tuple[str, bytes]] = ("text/plain", b"thanks")

    def __init__(self, *answers: Any, queries: tuple[Outcome, ...] = ()) -> None:
        super().__init__()
        self.answers = list(answers)
        self.answers_to_queries = list(queries)
        self.told: dict[bytes, AnyNews | IrrelevantEvent | ForeignEvent] = {}
        self.heard_about: list[dict[str, Any]] = []

    def tell(self, news: AnyNews | IrrelevantEvent | ForeignEvent) -> bytes:
        """The body of its notification."""
        body = b"news %d" % next(_numbers)
        self.told[body] = news
        return body

    def parse_notification(  # type: ignore[override]
        self, headers: Mapping[str, str], body: bytes, **about: Any
    ) -> AnyNews | IrrelevantEvent | ForeignEvent | Refused:
        self.heard_about.append(about)
        return self.told.get(body, Refused(reason="it is not from us"))


class Silent(Telling):
    """It knows of nothing, which is no proof that there is nothing."""

    async def query(self, key: str, known: Any = None) -> Outcome:
        self.queried.append(key)
        return self.answers_to_queries.pop(0) if self.answers_to_queries else NOTHING_THERE


async def post(
    shop: Shop, body: bytes, *, core: Core | None = None, account: str = "scripted", **more: Any
) -> Received:
    """The provider posts it."""
    headers = {"x-mark": "m", "authorization": "Basic c2VjcmV0"}
    return await receive_notification(core or shop.core, account, headers, body, **more)


async def waiting(shop: Shop, provider: Telling) -> tuple[Payment, str]:
    """A payment that the provider has and has not decided, and our key of it."""
    provider.answers.append(Pending(reference=f"ref{next(_numbers)}"))
    payment = await shop.play(await shop.payment(), provider)
    [attempt] = await shop.attempts(payment)
    return payment, attempt["id"]


def news(key: str, outcome: Outcome = TAKEN, *, name: str = "", reference: str = "") -> ChargeEvent:
    """About that charge. `name`: what the provider calls the notification."""
    return ChargeEvent(
        dedupe_key=name or f"n-{next(_numbers)}",
        key=key,
        outcome=outcome,
        charge_reference=reference,
    )


async def kept(shop: Shop) -> list[tuple[str, bool]]:
    """(result, whether applied) of what the inbox holds, in the order in which it came."""
    rows = await shop.sql("select result, applied_at from provider_news order by received_at")
    return [(row["result"], row["applied_at"] is not None) for row in rows]


async def keep(
    shop: Shop, said: AnyNews, *, body: bytes = b"news", lease: timedelta, account: str = "scripted"
) -> None:
    """Keep it as whoever receives it does, who then dies."""
    arrived = NewProviderEvent(
        key=ProviderEventKey(shop.company.id, account, said.dedupe_key),
        headers={},
        body=body,
        news=write_news(said),
    )
    async with shop.core.db.connection() as connection:
        await provider_events.keep_news(connection, [arrived], lease)


async def due(shop: Shop) -> None:
    """Let every pause and lease of the inbox be over."""
    await shop.sql("update provider_news set next_at = now() where next_at is not null")
