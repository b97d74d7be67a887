"""What each documented instrument means, and what is kept of it."""

from pathlib import Path

import pytest

from kassa.base.domain.money import EXPONENT, Money
from kassa.connectors.sandbox import cards
from kassa.connectors.sandbox.amounts import BadAmount, digits_of, fee_on, read_amount
from kassa.connectors.sandbox.cards import MESSAGES, SCENARIOS, mask, scenario_for


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_number_and_its_token_tell_the_same_story(scenario: cards.Scenario) -> None:
    assert scenario_for(scenario.number) is scenario
    assert scenario_for(scenario.spaced_number) is scenario
    assert scenario_for(scenario.number.replace("0000", "0000-")) is scenario
    assert scenario_for(scenario.token) is scenario


def test_the_readme_lists_every_card() -> None:
    readme = Path(cards.__file__).with_name("README.md").read_text(encoding="utf-8")

    for scenario in SCENARIOS:
        line = f"| {scenario.spaced_number} | `{scenario.token}` | {scenario.happens} |"
        assert line in readme


def test_every_reason_has_words_for_the_payer() -> None:
    reasons = {scenario.reason for scenario in SCENARIOS if scenario.reason}

    assert reasons <= set(MESSAGES)


def test_full_width_digits_are_read_as_digits() -> None:
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in "4242424242424242")

    assert scenario_for(full_width).name == "paid"


@pytest.mark.parametrize(
    ("instrument", "reason"),
    [
        ("4111 1111 1111 1111", "not_a_sandbox_card"),
        ("pm_sandbox_nonsense", "not_a_sandbox_card"),
        ("pm_", "not_a_sandbox_card"),
        ("4242 4242 4242 4243", "invalid_card_number"),
        ("", "invalid_card_number"),
        ("hello", "invalid_card_number"),
        ("4242" * 1000, "invalid_card_number"),
        ("4242424242424242" + " " * 60, "invalid_card_number"),
        ("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "invalid_card_number"),
        ("\x00\ud800", "invalid_card_number"),
    ],
)
def test_what_is_no_sandbox_card_is_declined_with_the_reason(instrument: str, reason: str) -> None:
    assert scenario_for(instrument).reason == reason


@pytest.mark.parametrize(
    ("instrument", "kept"),
    [
        ("4242-4242 4242 4242", "•••• 4242"),
        ("pm_sandbox_paid", "pm_sandbox_paid"),
        ("4242 4242 4242 4243", "••••"),
        ("pm_sandbox_4242424242424242", "••••"),
        ("my card is 4242424242424242", "••••"),
    ],
)
def test_no_more_than_four_digits_of_a_number_are_kept(instrument: str, kept: str) -> None:
    assert mask(instrument) == kept


def test_both_sides_agree_on_the_digits_of_every_currency() -> None:
    assert {code: digits_of(code) for code in EXPONENT} == dict(EXPONENT)


@pytest.mark.parametrize("currency", ["CNY", "JPY", "KWD", "CLF"])
@pytest.mark.parametrize("minor", [1, 9, 10, 12345, 2**53 + 1, 2**63 - 1])
def test_an_amount_survives_the_border_both_ways(currency: str, minor: int) -> None:
    sent = Money(minor, currency)

    read = read_amount(f"{sent.major:f}", currency)

    assert read.units == minor
    assert Money.from_major(str(read), currency) == sent


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("0.00", "CNY"),
        ("-1.00", "CNY"),
        ("1", "CNY"),
        ("1.0", "CNY"),
        ("1.000", "CNY"),
        ("01.00", "CNY"),
        ("1e3", "CNY"),
        ("1.00\n", "CNY"),
        ("NaN", "CNY"),
        ("1.5", "JPY"),
        ("92233720368547758.08", "CNY"),
        ("1.00", "cny"),
        ("1.00", ""),
        ("١.٠٠", "CNY"),
    ],
)
def test_an_amount_that_is_not_exact_is_refused(text: str, currency: str) -> None:
    with pytest.raises(BadAmount):
        read_amount(text, currency)


@pytest.mark.parametrize(
    ("amount", "fee"),
    [("299.99", "9.00"), ("0.01", "0.01"), ("10.00", "0.59"), ("500.00", "14.80")],
)
def test_the_fee_is_whole_cents_and_never_more_than_the_amount(amount: str, fee: str) -> None:
    assert str(fee_on(read_amount(amount, "CNY"))) == fee
