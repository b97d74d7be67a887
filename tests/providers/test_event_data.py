"""What is kept of a provider's words is what was understood."""

from datetime import UTC, datetime

import pytest

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    AnyNews,
    Authorized,
    Captured,
    ChargeEvent,
    Declined,
    DisputeEvent,
    Done,
    InDoubt,
    ModificationEvent,
    ModificationOutcome,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)
from kassa.providers.usecases.event_data import read_news, read_outcome, write_news, write_outcome

NOW = datetime(2026, 11, 22, 10, 0, 0, 5, tzinfo=UTC)
MONEY = Money(10_000, "CNY")
OUTCOMES: list[Outcome | ModificationOutcome] = [
    Authorized(reference="r", amount=MONEY, expires_at=NOW),
    Captured(reference="r", amount=MONEY, fee=Money(29, "CNY")),
    ActionNeeded(reference="r", url="https://provider.example/"),
    Pending(reference="r"),
    Declined(code="c", message="m", reference="r", provider_code="05", soft=True),
    NotSent(reason="no route"),
    InDoubt(reason="no answer"),
    Unknown(reason="no such charge"),
    Done(reference="r", amount=MONEY),
]
NEWS: list[AnyNews] = [
    ChargeEvent(dedupe_key="n", key="at1_x", outcome=Captured(reference="r", amount=MONEY)),
    ChargeEvent(dedupe_key="n", key="", outcome=Pending(reference="r"), charge_reference="r"),
    ModificationEvent(dedupe_key="m", key="re1_x", outcome=Done(reference="r", amount=MONEY)),
    DisputeEvent(
        dedupe_key="d",
        key="at1_x",
        reference="r",
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount=MONEY,
        fee=None,
        reason="fraud",
        respond_by=NOW,
    ),
]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_comes_back_as_it_was(outcome: Outcome | ModificationOutcome) -> None:
    assert read_outcome(write_outcome(outcome)) == outcome


@pytest.mark.parametrize("news", NEWS)
def test_news_comes_back_as_it_was(news: AnyNews) -> None:
    assert read_news(write_news(news)) == news
