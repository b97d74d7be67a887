"""Each card's whole story, as the core hears it."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from tests.connectors.sandbox.clock import Clock, Request

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    Connector,
    Declined,
    InDoubt,
    Pending,
    Unknown,
)
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.cards import MESSAGES
from kassa.connectors.sandbox.connector import SandboxConnector
from kassa.connectors.sandbox.translation import OUR_CODE

pytestmark = pytest.mark.anyio


def the_capture(outcome: object) -> Captured:
    assert isinstance(outcome, Captured)
    assert (outcome.amount, outcome.fee) == (Money(29999, "CNY"), Money(900, "CNY"))
    return outcome


def test_it_is_a_connector(connector: SandboxConnector) -> None:
    as_the_core_sees_it: Connector = connector

    assert as_the_core_sees_it.name == "sandbox"


def test_every_reason_of_the_provider_has_a_word_of_ours() -> None:
    assert set(OUR_CODE) == set(MESSAGES)


def test_a_secret_that_could_be_guessed_is_refused(books: SandboxBooks, clock: Clock) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        SandboxConnector(books, base_url="http://pay.test", secret=b"", clock=clock)


async def test_the_paid_card_is_captured_and_a_repeat_hears_the_same(
    connector: SandboxConnector, books: SandboxBooks, request_for: Request
) -> None:
    first = await connector.charge(request_for("4242 4242 4242 4242"))
    again = await connector.charge(request_for("4242 4242 4242 4242"))

    assert the_capture(first) == again == await connector.query("at_1")
    assert [str(taken) for taken in books.charges_of("at_1")] == ["299.99"]


@pytest.mark.parametrize("changed", [Money(30000, "CNY"), Money(29999, "USD")])
async def test_another_amount_under_the_same_key_is_refused_and_the_first_stands(
    connector: SandboxConnector, books: SandboxBooks, request_for: Request, changed: Money
) -> None:
    first = await connector.charge(request_for("pm_sandbox_paid"))

    assert isinstance(
        await connector.charge(request_for("pm_sandbox_paid", amount=changed)), InDoubt
    )
    assert await connector.query("at_1") == first
    assert len(books.charges_of("at_1")) == 1


@pytest.mark.parametrize(
    ("card", "code", "provider_code"),
    [
        ("4000000000000002", "card_declined", "card_declined"),
        ("4000000000009995", "insufficient_funds", "insufficient_funds"),
        ("4000000000000069", "expired_card", "expired_card"),
        ("4000000000000127", "incorrect_cvc", "incorrect_cvc"),
        ("4111111111111111", "card_not_supported", "not_a_sandbox_card"),
        ("4111111111111112", "invalid_card_number", "invalid_card_number"),
    ],
)
async def test_a_declined_card_says_why(
    connector: SandboxConnector, books: SandboxBooks, request_for: Request,
    card: str, code: str, provider_code: str,
) -> None:  # fmt: skip
    outcome = await connector.charge(request_for(card))

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.provider_code) == (code, provider_code)
    assert outcome.message == MESSAGES[provider_code]
    assert outcome == await connector.query("at_1")
    assert books.charges_of("at_1") == ()


async def test_a_challenge_leads_to_the_providers_page_until_the_charge_expires(
    connector: SandboxConnector, clock: Clock, request_for: Request
) -> None:
    request = request_for("4000000000003220")

    outcome = await connector.charge(request)

    assert isinstance(outcome, ActionNeeded)
    assert outcome.url == f"http://pay.test/sandbox/challenge/{outcome.reference}"
    assert outcome.expires_at == request.expires_at
    assert await connector.query("at_1") == outcome
    clock.now = request.expires_at
    late = await connector.query("at_1")
    assert isinstance(late, Declined)
    assert late.code == "payer_too_late"


async def test_paid_later_is_pending_for_two_seconds(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request
) -> None:
    assert isinstance(await connector.charge(request_for("4000000000000259")), Pending)

    clock.pass_by(1)
    assert isinstance(await connector.query("at_1"), Pending)
    assert books.charges_of("at_1") == ()
    clock.pass_by(1)
    the_capture(await connector.query("at_1"))


async def test_declined_later_is_pending_for_two_seconds(
    connector: SandboxConnector, clock: Clock, request_for: Request
) -> None:
    assert isinstance(await connector.charge(request_for("4000000000000341")), Pending)

    clock.pass_by(2)
    outcome = await connector.query("at_1")
    assert isinstance(outcome, Declined)
    assert outcome.code == "card_declined"


async def test_when_the_answer_is_lost_the_charge_exists_and_only_a_query_tells(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request
) -> None:
    assert isinstance(await connector.charge(request_for("4000000000000077")), InDoubt)

    the_capture(await connector.query("at_1"))
    assert books.take_due(now=clock.pass_by(3600), limit=10) == []


async def test_a_lost_request_is_unknown_at_first_and_declined_after_five_seconds(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request
) -> None:
    assert isinstance(await connector.charge(request_for("4000000000000119")), InDoubt)

    assert isinstance(await connector.query("at_1"), Unknown)
    clock.pass_by(5)
    outcome = await connector.query("at_1")
    assert isinstance(outcome, Declined)
    assert outcome.code == "not_received"
    assert books.charges_of("at_1") == ()
    assert books.take_due(now=clock.pass_by(3600), limit=10) == []


async def test_the_slow_card_is_paid_after_three_seconds(
    connector: SandboxConnector, clock: Clock, request_for: Request
) -> None:
    the_capture(await connector.charge(request_for("4000000000005126")))

    assert clock.slept == [3]


async def test_a_key_never_charged_is_unknown(connector: SandboxConnector) -> None:
    assert isinstance(await connector.query("at_other"), Unknown)


async def test_a_call_that_waited_too_long_is_not_made_so_that_not_found_becomes_final(
    connector: SandboxConnector, books: SandboxBooks, clock: Clock, request_for: Request
) -> None:
    start, reads = clock.now, iter([0, 21])
    behind_others = SandboxConnector(
        books,
        base_url="http://pay.test",
        secret=b"a secret for tests only",
        clock=lambda: start + timedelta(seconds=next(reads)),
    )

    assert isinstance(await behind_others.charge(request_for("pm_sandbox_paid")), InDoubt)

    assert isinstance(await connector.query("at_1"), Unknown)


async def test_a_request_that_cannot_be_booked_is_declined_and_leaves_nothing(
    connector: SandboxConnector, request_for: Request
) -> None:
    nothing = await connector.charge(request_for("pm_sandbox_paid", amount=Money(0, "CNY")))
    script = await connector.charge(
        request_for("pm_sandbox_paid", return_url="javascript:alert(1)")
    )

    assert isinstance(nothing, Declined)
    assert isinstance(script, Declined)
    assert isinstance(await connector.query("at_1"), Unknown)


async def test_books_that_do_not_answer_leave_us_in_doubt(
    connector: SandboxConnector, path: Path, request_for: Request
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)

    assert isinstance(await connector.charge(request_for("pm_sandbox_paid")), InDoubt)
    assert isinstance(await connector.query("at_1"), InDoubt)


async def test_the_books_outlive_the_process_and_hold_no_card_number(
    connector: SandboxConnector, path: Path, request_for: Request, clock: Clock
) -> None:
    first = await connector.charge(request_for("4242 4242 4242 4242"))
    await connector.close()

    kept = SandboxBooks(path)
    found = kept.find("at_1", now=clock.now + timedelta(days=1))

    assert found is not None
    assert found.reference == the_capture(first).reference
    kept.close()
    with sqlite3.connect(path) as file:
        dump = "\n".join(file.iterdump())
    assert "4242424242424242" not in dump.replace(" ", "")
