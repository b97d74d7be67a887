"""Amounts as Stripe counts them."""

import pytest

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import EXPONENT, Money
from kassa.connectors.stripe.currencies import from_stripe, to_stripe


@pytest.mark.parametrize(
    ("money", "units"),
    [
        (Money(1099, "USD"), 1099),
        (Money(500, "JPY"), 500),
        (Money(5, "ISK"), 500),
        (Money(5, "UGX"), 500),
        (Money(1045, "HUF"), 1045),
        (Money(80045, "TWD"), 80045),
        (Money(5120, "KWD"), 5120),
        (Money(300, "MGA"), 3),
    ],
)
def test_an_amount_goes_there_and_comes_back(money: Money, units: int) -> None:
    assert to_stripe(money) == units
    assert from_stripe(units, money.currency.lower()) == money


@pytest.mark.parametrize("money", [Money(5124, "KWD"), Money(310, "MGA"), Money(1, "BHD")])
def test_what_stripe_cannot_take_exactly_is_not_rounded(money: Money) -> None:
    assert to_stripe(money) is None


@pytest.mark.parametrize("units", [1, 50, 501])
def test_a_fraction_that_there_is_not_is_refused(units: int) -> None:
    with pytest.raises(InvalidRequest):
        from_stripe(units, "isk")


def test_every_currency_comes_back_as_it_went() -> None:
    for currency in EXPONENT:
        money = Money(123_000, currency)
        units = to_stripe(money)
        assert units is not None
        assert from_stripe(units, currency.lower()) == money
