"""Charging at a simulated Stripe: by token, at the payer's bank, and on Stripe's page."""

from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from tests.connectors.stripe.conftest import charge_request, connected

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    InDoubt,
    KnownCharge,
    NotSent,
    Unknown,
)
from kassa.connectors.stripe.connector import StripeConnector
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio
USD_10_99 = Money(1099, "USD")


async def test_a_token_is_charged_at_once_and_the_fee_is_known(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    outcome = await stripe.charge(charge_request())

    assert isinstance(outcome, Captured)
    assert outcome.reference.startswith("pi_")
    assert (outcome.amount, outcome.fee) == (USD_10_99, Money(62, "USD"))
    assert simulator.money("stripe")["USD"]["charged_minor"] == 1099


async def test_a_repeat_under_the_same_key_charges_nothing_more(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    request = charge_request()

    assert await stripe.charge(request) == await stripe.charge(request)
    assert simulator.money("stripe")["USD"]["charges"] == 1


async def test_the_same_key_with_another_amount_is_a_doubt(stripe: StripeConnector) -> None:
    await stripe.charge(charge_request())

    again = await stripe.charge(charge_request(amount=Money(2000, "USD")))

    assert isinstance(again, InDoubt)


async def test_without_capture_the_money_is_only_reserved(stripe: StripeConnector) -> None:
    outcome = await stripe.charge(charge_request(capture=False))

    assert isinstance(outcome, Authorized)
    assert outcome.amount == USD_10_99
    assert outcome.expires_at is not None
    assert outcome.expires_at > datetime.now(UTC) + timedelta(days=6)


@pytest.mark.parametrize(
    ("token", "code", "provider_code", "soft"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline", False),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds", "insufficient_funds", 0),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card", False),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc", False),
        (
            "pm_card_chargeDeclinedProcessingError",
            "provider_unavailable",
            "processing_error",
            True,
        ),
    ],
)
async def test_a_declined_card_is_declined_in_our_words(
    stripe: StripeConnector, token: str, code: str, provider_code: str, soft: bool
) -> None:
    outcome = await stripe.charge(charge_request(instrument=token))

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.provider_code, outcome.soft) == (code, provider_code, soft)
    assert outcome.reference.startswith("pi_")
    assert await stripe.query("at1_key") == outcome


@pytest.mark.parametrize(
    ("amount", "code"),
    [(Money(20, "USD"), "amount_out_of_range"), (Money(5000, "CUP"), "currency_unsupported")],
)
async def test_what_stripe_takes_from_nobody_another_provider_may_take(
    stripe: StripeConnector, amount: Money, code: str
) -> None:
    outcome = await stripe.charge(charge_request(amount=amount))

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.soft) == (code, True)


@pytest.mark.parametrize("instrument", ["4242424242424242", "tok_visa"])
async def test_only_payment_methods_of_stripe_are_sent(
    stripe: StripeConnector, simulator: Simulator, instrument: str
) -> None:
    outcome = await stripe.charge(charge_request(instrument=instrument))

    assert isinstance(outcome, Declined)
    assert outcome.code == "card_not_supported"
    assert simulator.calls() == []


@pytest.mark.parametrize(
    ("action", "word"), [("pay", Captured), ("decline", Declined)], ids=["yes", "no"]
)
async def test_a_bank_that_asks_again_is_where_the_payer_goes(
    stripe: StripeConnector, simulator: Simulator, action: str, word: type
) -> None:
    asked = await stripe.charge(charge_request(instrument="pm_card_authenticationRequired"))
    assert isinstance(asked, ActionNeeded)
    assert asked.url.startswith(simulator.url)
    assert await stripe.query("at1_key") == asked

    simulator.act("stripe", asked.reference, action)

    outcome = await stripe.query("at1_key", KnownCharge(reference=asked.reference))
    assert isinstance(outcome, word)
    if isinstance(outcome, Declined):
        assert outcome.code == "payer_refused"


async def test_without_a_token_the_payer_goes_to_stripes_page(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    request = charge_request(instrument="")

    outcome = await stripe.charge(request)

    assert isinstance(outcome, ActionNeeded)
    assert outcome.reference.startswith("cs_")
    assert outcome.expires_at is not None
    assert abs(outcome.expires_at - request.expires_at) < timedelta(seconds=2)
    async with aiohttp.ClientSession() as payer, payer.get(outcome.url) as page:
        assert "10.99" in await page.text()


@pytest.mark.parametrize("lasts", [timedelta(minutes=2), timedelta(days=9)])
async def test_the_page_lives_as_long_as_stripe_allows(
    stripe: StripeConnector, lasts: timedelta
) -> None:
    outcome = await stripe.charge(charge_request(instrument="", lasts=lasts))

    assert isinstance(outcome, ActionNeeded)
    assert outcome.expires_at is not None
    left = outcome.expires_at - datetime.now(UTC)
    assert timedelta(minutes=29) < left < timedelta(hours=24)


async def test_a_payment_whose_time_is_over_gets_no_page(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    outcome = await stripe.charge(charge_request(instrument="", lasts=timedelta(0)))

    assert isinstance(outcome, Declined)
    assert outcome.code == "expired"
    assert simulator.calls() == []


def charge_at(simulator: Simulator) -> str:
    """The id of the only charge there."""
    with simulator.books.deed():
        (charge,) = simulator.books.charges("stripe", "shop")
    return charge.id


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("capture", [True, False])
async def test_a_page_is_found_before_and_after_it_was_paid(
    stripe: StripeConnector, simulator: Simulator, known: bool, capture: bool
) -> None:
    request = charge_request(instrument="", capture=capture)
    asked = await stripe.charge(request)
    assert isinstance(asked, ActionNeeded)
    about = KnownCharge(
        reference=asked.reference if known else "", amount=USD_10_99, asked_at=request.now
    )
    assert await stripe.query("at1_key", about) == asked

    simulator.act("stripe", charge_at(simulator), "pay")

    paid = await stripe.query("at1_key", about)
    assert isinstance(paid, Captured if capture else Authorized)
    assert paid.reference.startswith("pi_")
    assert paid.amount == USD_10_99


@pytest.mark.parametrize("known", [True, False])
async def test_a_card_refused_on_the_page_may_be_followed_by_another(
    stripe: StripeConnector, simulator: Simulator, known: bool
) -> None:
    asked = await stripe.charge(charge_request(instrument=""))
    assert isinstance(asked, ActionNeeded)
    simulator.act("stripe", charge_at(simulator), "decline")

    about = KnownCharge(reference=asked.reference) if known else KnownCharge()

    assert await stripe.query("at1_key", about) == asked


async def test_a_page_whose_time_is_over_is_closed(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    request = charge_request(instrument="")
    asked = await stripe.charge(request)
    simulator.advance(timedelta(hours=2))

    outcome = await stripe.query("at1_key", KnownCharge(asked_at=request.now))

    assert isinstance(asked, ActionNeeded)
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.reference) == ("closed", asked.reference)


async def test_closing_a_page_lets_nobody_pay_there(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    asked = await stripe.charge(charge_request(instrument=""))
    assert isinstance(asked, ActionNeeded)

    closed = await stripe.close_charge("at1_key", KnownCharge(reference=asked.reference))

    assert isinstance(closed, Declined)
    assert closed.code == "closed"
    with pytest.raises(ValueError):
        simulator.act("stripe", charge_at(simulator), "pay")


async def test_closing_while_the_payer_is_at_the_bank_cancels_it(stripe: StripeConnector) -> None:
    asked = await stripe.charge(charge_request(instrument="pm_card_authenticationRequired"))
    assert isinstance(asked, ActionNeeded)

    closed = await stripe.close_charge("at1_key")

    assert isinstance(closed, Declined)
    assert (closed.code, closed.reference) == ("closed", asked.reference)
    assert await stripe.query("at1_key") == closed


async def test_closing_after_it_was_paid_or_reserved_tells_so(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    paid = await stripe.charge(charge_request("at1_paid"))
    held = await stripe.charge(charge_request("at1_held", capture=False))

    assert await stripe.close_charge("at1_paid") == paid
    assert await stripe.close_charge("at1_held") == held
    assert {call["operation"] for call in simulator.calls()} == {"charge", "query"}


async def test_what_never_came_is_unknown_and_not_to_be_closed(stripe: StripeConnector) -> None:
    known = KnownCharge(asked_at=datetime.now(UTC))

    assert isinstance(await stripe.query("at1_never", known), Unknown)
    assert isinstance(await stripe.close_charge("at1_never", known), Unknown)


@pytest.mark.parametrize(
    ("fault", "charged"),
    [
        ("reset_before", False),
        ("reset_after", True),
        ("garbage", True),
        ("error_500", False),
        ("error_500_after", True),
        ("not_found", False),
        ("busy", False),
    ],
)
@pytest.mark.parametrize("instrument", ["pm_card_visa", ""])
async def test_a_broken_answer_is_a_doubt_that_a_question_settles(
    stripe: StripeConnector, simulator: Simulator, fault: str, charged: bool, instrument: str
) -> None:
    operation = "charge" if instrument else "prepare"
    simulator.set_faults([{"provider": "stripe", "operation": operation, "fault": fault}])
    request = charge_request(instrument=instrument)

    outcome = await stripe.charge(request)

    assert isinstance(outcome, InDoubt)
    found = await stripe.query("at1_key", KnownCharge(amount=USD_10_99, asked_at=request.now))
    there = Captured if instrument else ActionNeeded
    assert isinstance(found, there if charged else Unknown)


async def test_too_many_requests_means_that_nothing_was_done(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    simulator.set_faults([{"provider": "stripe", "operation": "*", "fault": "rate_limited"}])

    assert isinstance(await stripe.charge(charge_request()), NotSent)
    assert isinstance(await stripe.query("at1_key"), NotSent)


@pytest.mark.parametrize("fault", ["wrong_amount", "wrong_currency"])
async def test_another_amount_is_told_as_stripe_says_it(
    stripe: StripeConnector, simulator: Simulator, fault: str
) -> None:
    simulator.set_faults([{"provider": "stripe", "operation": "*", "fault": fault}])

    paid = await stripe.charge(charge_request())
    asked = await stripe.charge(charge_request("at1_page", instrument=""))

    assert isinstance(paid, Captured)
    assert paid.amount != USD_10_99
    assert isinstance(asked, InDoubt)


async def test_an_answer_that_is_slow_or_written_twice_is_still_one_answer(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    rule = {"provider": "stripe", "operation": "charge", "fault": "duplicate_answer"}
    simulator.set_faults([rule])

    first = await stripe.charge(charge_request())

    assert isinstance(first, Captured)
    assert await stripe.query("at1_key") == first


async def test_a_connection_that_nobody_takes_sends_nothing() -> None:
    async with connected("http://127.0.0.1:1") as nowhere:
        assert isinstance(await nowhere.charge(charge_request()), NotSent)
        assert isinstance(await nowhere.query("at1_key"), NotSent)
        assert "cannot connect" in await nowhere.probe()


async def test_a_wrong_key_leaves_the_payment_payable_and_says_why(simulator: Simulator) -> None:
    async with connected(f"{simulator.url}/stripe", key="sk_test_of_somebody_else") as stranger:
        assert await stranger.charge(charge_request()) == NotSent(
            reason="Stripe does not accept the secret key"
        )
        assert await stranger.probe() == "Stripe does not accept the secret key"


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
async def test_the_right_key_is_right_however_the_address_ends(
    simulator: Simulator, end: str
) -> None:
    async with connected(f"{simulator.url}/stripe{end}") as stripe:
        assert await stripe.probe() == ""
