"""Reservations: captured whole or in parts, voided, or run out."""

from datetime import timedelta

import pytest
from tests.connectors.sandbox.clock import Changing, Clock, Request, Reserve
from tests.connectors.sandbox.hearing import news_in, refused, taken

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Authorized,
    Captured,
    Capturer,
    ChargeEvent,
    Declined,
    Done,
    InDoubt,
    Refunder,
)
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector

pytestmark = pytest.mark.anyio


def test_it_can_reserve_and_give_back(connector: SandboxConnector) -> None:
    capturer: Capturer = connector
    refunder: Refunder = connector

    assert isinstance(capturer, Capturer)
    assert isinstance(refunder, Refunder)
    assert capturer.captures_in_parts


async def test_a_charge_that_only_reserves_takes_nothing(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, reserve: Reserve
) -> None:
    outcome = await reserve()

    assert isinstance(outcome, Authorized)
    assert outcome.amount == Money(29999, "CNY")
    assert outcome.expires_at == clock.now + timedelta(days=7)
    assert outcome == await reserve() == await connector.query("at_1")
    assert taken(books) == []
    assert books.totals() == []


async def test_reserving_under_the_key_of_a_charge_is_refused(
    connector: SandboxConnector, request_for: Request, reserve: Reserve
) -> None:
    first = await connector.charge(request_for("pm_sandbox_paid"))

    assert isinstance(await reserve(), InDoubt)
    assert await connector.query("at_1") == first


@pytest.mark.parametrize("card", ["paid_but_silent", "slow", "paid_later", "action_needed"])
async def test_every_card_that_pays_can_also_only_reserve(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, secret: bytes, card: str,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve(f"pm_sandbox_{card}")
    if card == "action_needed":
        reference = books.latest(now=clock.now)[0].reference
        books.decide(reference, approve=True, now=clock.now)
    clock.pass_by(2)

    outcome = await connector.query("at_1")

    assert isinstance(outcome, Authorized)
    assert taken(books) == []
    told = news_in(books, connector, secret, clock)
    if card in ("paid_later", "action_needed"):
        assert [one.outcome for one in told if isinstance(one, ChargeEvent)] == [outcome]
    else:
        assert told == []


async def test_a_capture_takes_all_once_however_often_it_is_asked(
    connector: SandboxConnector, books: SandboxBooks, changing: Changing,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve()

    first = await connector.capture(changing("mo_1"))
    again = await connector.capture(changing("mo_1"))

    assert isinstance(first, Done)
    assert (first.amount, first.fee) == (Money(29999, "CNY"), Money(900, "CNY"))
    assert first == again == await connector.query_modification(changing("mo_1"))
    assert taken(books) == taken(books, "mo_1") == ["299.99"]
    charge = await connector.query("at_1")
    assert isinstance(charge, Captured)
    assert (charge.amount, charge.fee) == (Money(29999, "CNY"), Money(900, "CNY"))
    refused(await connector.capture(changing("mo_2", 1)), "already_captured")
    refused(await connector.void(changing("mo_3")), "already_captured")
    assert taken(books) == ["299.99"]


async def test_a_reservation_is_captured_in_parts_and_never_beyond(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, changing: Changing,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve()

    assert isinstance(await connector.capture(changing("mo_1", 10000, is_last=False)), Done)
    part = await connector.query("at_1")
    assert isinstance(part, Captured)
    assert (part.amount, part.fee) == (Money(10000, "CNY"), Money(320, "CNY"))
    refused(await connector.capture(changing("mo_2", 20000, is_last=False)), "amount_too_large")
    assert isinstance(await connector.capture(changing("mo_3", 9999, is_last=True)), Done)
    refused(await connector.capture(changing("mo_4", 1)), "already_captured")

    assert taken(books) == ["100.00", "99.99"]
    charge = books.find("at_1", now=clock.now)
    assert charge is not None
    assert (str(charge.captured), charge.reserved.units) == ("199.99", 0)


async def test_the_last_part_ends_the_reservation_even_when_nobody_said_it_was_the_last(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, changing: Changing,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve()
    await connector.capture(changing("mo_1", 10000, is_last=False))
    await connector.capture(changing("mo_2", 19999, is_last=False))

    whole = books.find("at_1", now=clock.now)
    assert whole is not None
    assert whole.reserved_until is None
    refused(await connector.void(changing("mo_3")), "already_captured")
    charge = books.find("at_1", now=clock.pass_by(8 * 86400))
    assert charge is not None
    assert (str(charge.captured), charge.reserved_until) == ("299.99", None)


async def test_a_void_lets_go_and_nothing_can_be_captured_after_it(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, changing: Changing,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve()

    first = await connector.void(changing("mo_1"))

    assert isinstance(first, Done)
    assert (first.amount, first.fee) == (Money(29999, "CNY"), None)
    assert first == await connector.void(changing("mo_1"))
    refused(await connector.capture(changing("mo_2", 1)), "already_voided")
    refused(await connector.void(changing("mo_3")), "already_voided")
    refused(await connector.refund(changing("mo_4", 1)), "not_captured")
    refused(await connector.query("at_1"), "voided")
    assert taken(books) == []
    assert books.take_due(now=clock.pass_by(8 * 86400), limit=10) == []


async def test_a_void_after_a_part_was_captured_lets_go_of_the_rest(
    connector: SandboxConnector, books: SandboxBooks, changing: Changing,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve()
    await connector.capture(changing("mo_1", 10000, is_last=False))

    outcome = await connector.void(changing("mo_2", 19999))

    assert isinstance(outcome, Done)
    assert outcome.amount == Money(19999, "CNY")
    assert isinstance(await connector.query("at_1"), Captured)
    refused(await connector.capture(changing("mo_3", 1)), "already_captured")
    assert taken(books) == ["100.00"]


async def test_a_reservation_that_runs_out_is_let_go_and_told(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, secret: bytes,
    changing: Changing, reserve: Reserve,
) -> None:  # fmt: skip
    await reserve()
    clock.pass_by(7 * 86400 - 1)
    assert isinstance(await connector.query("at_1"), Authorized)

    clock.pass_by(1)

    refused(await connector.capture(changing("mo_1")), "authorization_expired")
    refused(await connector.void(changing("mo_2")), "authorization_expired")
    outcome = await connector.query("at_1")
    refused(outcome, "authorization_expired")
    (told,) = news_in(books, connector, secret, clock)
    assert isinstance(told, ChargeEvent)
    assert told.outcome == outcome
    assert taken(books) == []


async def test_what_was_not_captured_in_time_is_let_go(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, changing: Changing,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve()
    await connector.capture(changing("mo_1", 10000, is_last=False))
    clock.pass_by(7 * 86400)

    refused(await connector.capture(changing("mo_2", 1)), "already_captured")

    charge = await connector.query("at_1")
    assert isinstance(charge, Captured)
    assert charge.amount == Money(10000, "CNY")
    assert books.take_due(now=clock.now, limit=10) == []


@pytest.mark.parametrize("card", ["declined", "lost", "declined_later", "action_needed"])
async def test_what_was_never_reserved_cannot_be_captured_voided_or_refunded(
    connector: SandboxConnector, books: SandboxBooks, changing: Changing, card: str,
    reserve: Reserve,
) -> None:  # fmt: skip
    await reserve(f"pm_sandbox_{card}")

    for number, verb in enumerate((connector.capture, connector.void, connector.refund)):
        assert isinstance(await verb(changing(f"mo_{number}", 1)), Declined)
    assert taken(books) == []
    assert books.refunds_of("at_1") == ()
