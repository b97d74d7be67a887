"""What comes after all was done: a refund that fails, a charge that its bank takes back."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.connectors.sandbox.clock import START, Changing, Clock, Request, Reserve
from tests.connectors.sandbox.hearing import news_in, refused
from tests.modifying import REFUND, modify
from tests.shop import Shop

from kassa import installation
from kassa.connectors.base import (
    ChargeEvent,
    Declined,
    Done,
    FailedLater,
    ModificationEvent,
)
from kassa.connectors.sandbox import signing
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector
from kassa.settings import Settings
from kassa.webhooks_in.usecases.receive import receive_notification

pytestmark = pytest.mark.anyio
RETURNED = "pm_sandbox_returned"


async def test_a_refund_that_was_done_fails_and_can_be_asked_for_again(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, secret: bytes,
    request_for: Request, changing: Changing,
) -> None:  # fmt: skip
    await connector.charge(request_for("pm_sandbox_refund_returned"))
    done = await connector.refund(changing("mo_1"))
    assert isinstance(done, Done)
    clock.pass_by(1)
    assert books.take_due(now=clock.now, limit=9) == []

    clock.pass_by(1)

    (news,) = news_in(books, connector, secret, clock)
    assert isinstance(news, ModificationEvent)
    assert isinstance(news.outcome, Declined)
    assert (news.key, news.outcome.code) == ("mo_1", "refund_failed")
    assert news.outcome.reference == done.reference
    refused(await connector.query_modification(changing("mo_1")), "refund_failed")
    assert [str(one) for one in books.refunds_of("mo_1")] == ["299.99", "-299.99"]
    assert [one["type"] for one in books.report(START, clock.pass_by(1))] == [
        "payment", "refund", "refund_reversal",
    ]  # fmt: skip
    assert isinstance(await connector.refund(changing("mo_2")), Done)


async def test_a_charge_is_taken_back_by_its_bank_and_cannot_be_refunded(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, secret: bytes,
    request_for: Request, changing: Changing,
) -> None:  # fmt: skip
    await connector.charge(request_for(RETURNED))
    clock.pass_by(2)

    (news,) = news_in(books, connector, secret, clock)

    assert isinstance(news, ChargeEvent)
    assert isinstance(news.outcome, FailedLater)
    assert (news.key, news.outcome.code) == ("at_1", "charge_failed")
    assert await connector.query("at_1") == news.outcome
    assert str(books.total_disputed("CNY")) == "299.99"
    refused(await connector.refund(changing("mo_1")), "charge_failed")


async def test_of_a_part_that_was_captured_the_rest_is_let_go(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, reserve: Reserve,
    changing: Changing,
) -> None:  # fmt: skip
    await reserve(RETURNED)
    await connector.capture(changing("mo_1", 10000, is_last=False))
    clock.pass_by(2)

    refused(await connector.capture(changing("mo_2", 100)), "already_captured")

    assert str(books.total_disputed("CNY")) == "100.00"


@pytest.mark.usefixtures("sound_in_the_end")
async def test_both_reach_our_books(shop: Shop, settings: Settings) -> None:
    secret = installation.sandbox_secret(settings.directory)
    later = timedelta(hours=1)
    refunded = await shop.submit(await shop.payment(), "refund_returned")
    await modify(shop, refunded, REFUND)
    returned = await shop.submit(await shop.payment(), "returned")

    for one in shop.books.take_due(now=datetime.now(UTC) + later, limit=10):
        at = int(datetime.now(UTC).timestamp())
        headers = {signing.HEADER: signing.sign(secret, one.body, at=at)}
        answer = await receive_notification(shop.core, "sandbox", headers, one.body)
        assert answer.status == 200

    rows = await shop.sql("select status, amount_minor from modification")
    assert [row["status"] for row in rows] == ["failed"]
    assert (await shop.read(refunded)).refunded.minor == 0
    assert (await shop.read(returned)).disputed_minor == returned.amount.minor
