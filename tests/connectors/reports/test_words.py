"""Amounts and times of single cells: exact, and the same by the quick way and the slow one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import EXPONENT, MAX_MINOR, Money
from kassa.connectors.reports import NotThatFormat
from kassa.connectors.reports.words import amount_of, amounts_with, moment_of, zone_of

quickly = settings(deadline=None, max_examples=300)
currencies = st.one_of(st.sampled_from(sorted(EXPONENT)), st.sampled_from(["", "XXX", "usd"]))
digits = st.text("0123456789", min_size=0, max_size=22)
numbers = st.builds(
    lambda sign, whole, point, part: f"{sign}{whole}{point}{part}",
    st.sampled_from(["", "-", "+", "--"]),
    digits,
    st.sampled_from(["", ".", ",", ".."]),
    digits,
)


def outcome(text: str, currency: str, *, quick: bool) -> Money | str:
    try:
        return amount_of(text, currency) if quick else Money.from_major(text, currency)
    except InvalidRequest as error:
        return error.message


# What keeps money exact here is that both ways agree on every text, to the words of a refusal.
# Seen to fail when the quick way took one more decimal than the currency has.
@quickly
@given(text=st.one_of(numbers, st.text(max_size=12)), currency=currencies)
def test_the_quick_way_reads_every_text_as_the_slow_one_does(text: str, currency: str) -> None:
    assert outcome(text, currency, quick=True) == outcome(text, currency, quick=False)


@quickly
@given(minor=st.integers(-MAX_MINOR, MAX_MINOR), currency=st.sampled_from(sorted(EXPONENT)))
def test_what_is_written_is_read_with_a_point_and_with_a_comma(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    text = f"{money.major:f}"

    assert amounts_with(".")(text, currency) == money
    assert amounts_with(",")(text.replace(".", ","), currency) == money


@pytest.mark.parametrize("text", ["1.234,56", "1.234", "1 234,56", "1,2,3"])
def test_nothing_may_separate_thousands_from_hundreds(text: str) -> None:
    with pytest.raises(InvalidRequest, match="not an amount"):
        amounts_with(",")(text, "EUR")


@pytest.mark.parametrize("text", ["12.345", "0.001", "1e-3"])
def test_too_many_digits_are_refused_and_not_rounded(text: str) -> None:
    with pytest.raises(InvalidRequest, match="EUR has 2 decimals"):
        amount_of(text, "EUR")


def test_a_time_is_in_its_own_zone_or_in_the_declared_one() -> None:
    shanghai = zone_of("Asia/Shanghai")
    nine = datetime(2026, 10, 3, 9, tzinfo=UTC)

    assert moment_of("2026-10-03 17:00:00", shanghai) == nine
    assert moment_of("2026-10-03T09:00:00Z", shanghai) == nine
    assert moment_of("2026-10-03T11:00:00.000+02:00", shanghai) == nine
    assert moment_of("2026-10-03", UTC) == datetime(2026, 10, 3, tzinfo=UTC)
    assert moment_of("", UTC) is None


@pytest.mark.parametrize(
    "text", ["yesterday", "03.10.2026", "2026-13-01", "0001-01-01T00:00+14:00"]
)
def test_a_time_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="not a time"):
        moment_of(text, UTC)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "", "\0"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(NotThatFormat, match="time zone"):
        zone_of(name)


@pytest.mark.parametrize("mark", ["", ";", "both"])
def test_a_decimal_mark_is_a_point_or_a_comma(mark: str) -> None:
    with pytest.raises(NotThatFormat, match="decimal mark"):
        amounts_with(mark)
