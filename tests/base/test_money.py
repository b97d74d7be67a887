"""Money: read exactly or refused, never rounded, never a float, never beyond what is kept."""

from decimal import Decimal
from typing import Any

import iso4217
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import EXPONENT, MAX_MINOR, Money, payable

quickly = settings(deadline=None, max_examples=150)
currencies = st.sampled_from(sorted(EXPONENT))
minors = st.integers(-MAX_MINOR, MAX_MINOR)


def as_text(minor: int, exponent: int) -> str:
    """Major units written by string arithmetic alone: a second opinion, without Decimal."""
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    whole, part = (digits[:-exponent], digits[-exponent:]) if exponent else (digits, "")
    return ("-" if minor < 0 else "") + whole + ("." + part if part else "")


def refusal(amount: Any, currency: str = "CNY") -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        Money.from_major(amount, currency)
    return caught.value


def test_every_currency_of_the_standard_has_its_digits() -> None:
    standard = {each.code: each.exponent for each in iso4217.Currency}

    assert {code: standard[code] for code in EXPONENT} == EXPONENT
    # Metals, baskets and test codes have no minor unit, so nobody can be asked to pay in them.
    assert {code for code in standard if code not in EXPONENT} == {
        code for code, exponent in standard.items() if exponent is None
    }
    assert set(EXPONENT.values()) == {0, 2, 3, 4}


@quickly
@given(minor=minors, currency=currencies)
def test_what_is_written_in_major_units_is_read_back_to_the_last_unit(
    minor: int, currency: str
) -> None:
    text = as_text(minor, EXPONENT[currency])

    read = Money.from_major(text, currency)

    assert read == Money(minor, currency) == Money.from_major(Decimal(text), currency)
    assert str(read) == f"{text} {currency}"
    assert Money.from_major(read.major, currency) == read


@quickly
@given(minor=minors, currency=currencies, zeros=st.integers(1, 15))
def test_zeros_after_the_last_digit_say_nothing_new(minor: int, currency: str, zeros: int) -> None:
    text = as_text(minor, EXPONENT[currency])
    longer = (text if "." in text else text + ".") + "0" * zeros

    assert Money.from_major(longer, currency) == Money(minor, currency)


@quickly
@given(
    minor=st.integers(-(10**9), 10**9),
    currency=currencies,
    gap=st.integers(0, 25),
    digit=st.integers(1, 9),
)
def test_a_digit_the_currency_does_not_have_is_refused_and_never_rounded(
    minor: int, currency: str, gap: int, digit: int
) -> None:
    text = as_text(minor, EXPONENT[currency])
    text = (text if "." in text else text + ".") + "0" * gap + str(digit)

    error = refusal(text, currency)

    assert error.reason == "amount_precision"
    assert f"{currency} has {EXPONENT[currency]} decimals" in error.message


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1000.12", "CNY", 100012),
        ("-0", "CNY", 0),
        ("-0.00", "CNY", 0),
        ("+5", "CNY", 500),
        (".5", "CNY", 50),
        ("1E3", "CLP", 1000),
        ("1e-3", "KWD", 1),
        ("100e-2", "JPY", 1),
        ("0.0001", "CLF", 1),
        (Decimal("0.1") + Decimal("0.2"), "USD", 30),
        (9007199254740993, "JPY", 2**53 + 1),
        ("92233720368547758.07", "CNY", MAX_MINOR),
        ("-92233720368547758.07", "CNY", -MAX_MINOR),
    ],
)
def test_an_amount_is_read_as_it_stands(
    amount: str | int | Decimal, currency: str, minor: int
) -> None:
    assert Money.from_major(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        ("NaN", "amount_out_of_range"),
        ("sNaN", "amount_out_of_range"),
        (Decimal("NaN"), "amount_out_of_range"),
        ("Infinity", "amount_out_of_range"),
        ("-inf", "amount_out_of_range"),
        ("1e999", "amount_out_of_range"),
        ("1e999999999999999999", "amount_out_of_range"),
        ("-1e41", "amount_out_of_range"),
        ("92233720368547758.08", "amount_out_of_range"),
        (2**63, "amount_out_of_range"),
        pytest.param(10**5000, "amount_out_of_range", id="a huge integer"),
        pytest.param("9" * 5000, "amount_out_of_range", id="thousands of digits"),
        pytest.param("1." + "0" * 5000 + "1", "amount_precision", id="thousands of decimals"),
        ("1e-999999", "amount_precision"),
        ("1000.123", "amount_precision"),
        ("1e-7", "amount_precision"),
        ("0.005", "amount_precision"),
        ("", "amount_invalid"),
        ("ten", "amount_invalid"),
        ("1,000.00", "amount_invalid"),
        ("1_000", "amount_invalid"),
        (" 1", "amount_invalid"),
        ("1\n", "amount_invalid"),
        ("１２", "amount_invalid"),
        ("0x10", "amount_invalid"),
        ("1..2", "amount_invalid"),
        ("--1", "amount_invalid"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(
    amount: str | int | Decimal, reason: str
) -> None:
    error = refusal(amount)

    assert error.reason == reason
    assert len(error.message) < 200


@pytest.mark.parametrize("code", ["XXX", "XAU", "cny", "CNY ", "", "ＣＮＹ", "C" * 100])
def test_what_is_no_currency_is_refused_by_name(code: str) -> None:
    error = refusal("1", code)

    assert error.reason == "currency_unknown"


@pytest.mark.parametrize("amount", [0.5, 1.0, True, float("nan"), None, b"1"])
def test_a_float_is_no_amount_even_when_it_looks_exact(amount: Any) -> None:
    with pytest.raises(TypeError):
        Money.from_major(amount, "CNY")
    with pytest.raises(TypeError):
        Money(amount, "CNY")


@pytest.mark.parametrize("minor", [2**63, -(2**63), 10**30])
def test_minor_units_beyond_what_the_database_keeps_are_refused(minor: int) -> None:
    with pytest.raises(InvalidRequest, match="no amount is larger"):
        Money.from_minor(minor, "CNY")


def test_a_sum_may_be_beyond_64_bits_and_does_not_wrap() -> None:
    assert (Money(MAX_MINOR, "CNY") + Money(1, "CNY")).minor == 2**63
    with pytest.raises(InvalidRequest, match="beyond all sums"):
        Money(10**34 + 1, "CNY")


@pytest.mark.parametrize("minor", [0, -1, -MAX_MINOR])
def test_nobody_is_asked_for_nothing_or_less(minor: int) -> None:
    with pytest.raises(InvalidRequest, match="more than zero"):
        payable(Money(minor, "CNY"))


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="do not mix"):
        Money(1, "CNY") + Money(1, "USD")
    with pytest.raises(ValueError, match="do not mix"):
        Money(1, "CNY") - Money(1, "USD")
    assert Money(1, "CNY") != Money(1, "USD")


@quickly
@given(one=minors, other=minors)
def test_what_is_added_and_taken_away_again_leaves_what_was(one: int, other: int) -> None:
    together = Money(one, "KWD") + Money(other, "KWD")

    assert together - Money(other, "KWD") == Money(one, "KWD")
    assert together + -together == Money(0, "KWD")


@quickly
@given(
    minor=minors,
    currency=currencies,
    weights=st.lists(st.integers(0, 10**12), min_size=1, max_size=20).filter(any),
)
def test_a_split_loses_nothing(minor: int, currency: str, weights: list[int]) -> None:
    parts = Money(minor, currency).split(weights)

    assert sum(part.minor for part in parts) == minor
    assert all(type(part.minor) is int and part.currency == currency for part in parts)
    for part, weight in zip(parts, weights, strict=True):
        fair = minor * weight // sum(weights)
        assert part.minor in ((fair, fair + 1) if weight else (0,))


def test_what_is_left_over_goes_to_the_earliest() -> None:
    assert [part.minor for part in Money(100, "JPY").split([1, 0, 1, 1])] == [34, 0, 33, 33]


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [-1, 2], [1, -1]])
def test_weights_that_share_nothing_out_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot split"):
        Money(1, "CNY").split(weights)
