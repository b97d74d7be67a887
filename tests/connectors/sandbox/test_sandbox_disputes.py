"""Disputes: opened, reviewed, won and lost, as told and as the money moved."""

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from tests.connectors.sandbox.clock import START, Clock, Request

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus, next_dispute_status
from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, DisputeEvent, ModificationRequest, UnreadEvent
from kassa.connectors.sandbox import signing
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector

pytestmark = pytest.mark.anyio

Told = Callable[[], list[DisputeEvent]]


@pytest.fixture
def told(books: SandboxBooks, connector: SandboxConnector, secret: bytes, clock: Clock) -> Told:
    """Every news that is due, which must be of disputes; each is told once."""

    def read() -> list[DisputeEvent]:
        found = []
        for one in books.take_due(now=clock.now, limit=100):
            books.arrived(one, now=clock.now)
            at = int(clock.now.timestamp())
            headers = {signing.HEADER: signing.sign(secret, one.body, at=at)}
            news = connector.parse_notification(headers, one.body)
            assert isinstance(news, DisputeEvent)
            found.append(news)
        return found

    return read


@pytest.mark.parametrize("card", ["disputed", "dispute_won", "dispute_lost"])
async def test_two_seconds_after_the_capture_all_of_it_is_withdrawn_with_a_fee(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request,
    told: Told, card: str,
) -> None:  # fmt: skip
    charge = await connector.charge(request_for(f"pm_sandbox_{card}"))
    assert isinstance(charge, Captured)
    clock.pass_by(1)
    assert told() == []
    assert books.withdrawals_of("at_1") == ()

    clock.pass_by(1)
    (news,) = told()

    assert (news.key, news.stage, news.status) == (
        "at_1", DisputeStage.CHARGEBACK, DisputeStatus.NEEDS_RESPONSE,
    )  # fmt: skip
    assert (news.amount, news.fee) == (Money(29999, "CNY"), Money(1500, "CNY"))
    assert news.respond_by == clock.now + timedelta(days=7)
    assert news.reference not in ("", charge.reference)
    assert [str(one) for one in books.withdrawals_of("at_1")] == ["299.99"]
    assert str(books.total_disputed("CNY")) == "299.99"
    assert await connector.query("at_1") == charge


async def test_the_plain_disputed_card_stays_open(
    connector: SandboxConnector, clock: Clock, request_for: Request, told: Told
) -> None:
    await connector.charge(request_for("pm_sandbox_disputed"))
    clock.pass_by(2)
    assert len(told()) == 1

    clock.pass_by(30 * 86400)
    assert told() == []


@pytest.mark.parametrize(
    ("card", "end", "fee"),
    [("dispute_won", DisputeStatus.WON, 0), ("dispute_lost", DisputeStatus.LOST, 1500)],
)
async def test_a_dispute_is_reviewed_and_then_decided(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request,
    told: Told, card: str, end: DisputeStatus, fee: int,
) -> None:  # fmt: skip
    await connector.charge(request_for(f"pm_sandbox_{card}"))
    heard = []
    for _ in range(10):
        clock.pass_by(1)
        heard += told()

    assert [one.status for one in heard] == [
        DisputeStatus.NEEDS_RESPONSE,
        DisputeStatus.UNDER_REVIEW,
        end,
    ]
    for before, after in pairwise(heard):
        assert next_dispute_status(before.status, after.status) is after.status
    assert len({one.reference for one in heard}) == 1
    assert len({one.dedupe_key for one in heard}) == 3
    assert heard[-1].fee == Money(fee, "CNY")
    won = end is DisputeStatus.WON
    moved = ["299.99", "-299.99"] if won else ["299.99"]
    assert [str(one) for one in books.withdrawals_of("at_1")] == moved
    assert str(books.total_disputed("CNY")) == ("0.00" if won else "299.99")


async def test_when_nobody_looked_for_a_day_all_has_happened_at_its_own_time(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request,
    told: Told,
) -> None:  # fmt: skip
    await connector.charge(request_for("pm_sandbox_dispute_won"))
    clock.pass_by(86400)

    heard = told()

    assert [one.status.value for one in heard] == ["needs_response", "under_review", "won"]
    moments = [one["occurred_at"] for one in books.report(START, clock.now)]
    assert moments == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:06Z"]


async def test_what_was_only_reserved_is_not_disputed_and_a_part_only_as_a_part(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request,
    told: Told,
) -> None:  # fmt: skip
    await connector.charge(request_for("pm_sandbox_disputed", capture=False))
    clock.pass_by(10)
    assert told() == []
    capture = ModificationRequest(
        key="mo_1", charge_key="at_1", charge_reference="", amount=Money(10000, "CNY"),
        charge_amount=Money(29999, "CNY"), reason="", notify_url="", now=clock.now,
    )  # fmt: skip

    await connector.capture(capture)
    clock.pass_by(2)

    assert [one.amount for one in told()] == [Money(10000, "CNY")]
    assert [str(one) for one in books.withdrawals_of("at_1")] == ["100.00"]


@pytest.mark.parametrize(("currency", "fee"), [("JPY", 15), ("KWD", 15000)])
async def test_the_fee_is_fifteen_of_any_currency(
    connector: SandboxConnector, clock: Clock, request_for: Request, told: Told,
    currency: str, fee: int,
) -> None:  # fmt: skip
    await connector.charge(request_for("pm_sandbox_disputed", amount=Money(50000, currency)))
    clock.pass_by(2)

    assert [one.fee for one in told()] == [Money(fee, currency)]


@pytest.mark.parametrize(
    "change",
    [
        {"state": "melted"},
        {"state": "won"},
        {"type": "dispute.closed"},
        {"type": "dispute.melted"},
        {"stage": "melted"},
        {"amount": "299.999"},
        {"fee": "x"},
        {"respond_by": "tomorrow"},
        {"respond_by": "2026-01-08T00:00:02+08:00"},
        {"surprise": "1"},
        {"key": None},
    ],
    ids=str,
)
async def test_signed_news_that_breaks_the_contract_is_for_a_person_to_read(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, secret: bytes,
    request_for: Request, change: dict[str, object],
) -> None:  # fmt: skip
    await connector.charge(request_for("pm_sandbox_disputed"))
    clock.pass_by(2)
    (genuine,) = books.take_due(now=clock.now, limit=10)
    body = json.dumps(json.loads(genuine.body) | change).encode()
    headers = {signing.HEADER: signing.sign(secret, body, at=int(clock.now.timestamp()))}

    news = connector.parse_notification(headers, body)
    assert isinstance(news, UnreadEvent)
    assert news.for_people
