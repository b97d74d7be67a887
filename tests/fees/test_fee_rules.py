"""Fee rules: what they come to, which one counts, and the provider's own figure afterwards."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.payments.cases import NOW

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.fees.domain.fees import MILLION, FeeKind, FeeRule, FeeSchedule, rate_of_percent

CARD = {"connector": "sandbox", "method": "credit_card"}


def a_rule(rate_ppm: int = 29_000, fixed_minor: int = 30, **changes: Any) -> FeeRule:
    members: dict[str, Any] = {
        "id": "fee_1",
        "company_id": "c1",
        "kind": FeeKind.PAYMENT,
        "connector": "",
        "method": "",
        "currency": "CNY",
        "rate_ppm": rate_ppm,
        "fixed_minor": fixed_minor,
        "valid_from": NOW,
        "valid_until": None,
    }
    return FeeRule(**{**members, **changes})


@given(
    minor=st.integers(0, 10**15),
    rate=st.integers(0, MILLION),
    fixed=st.integers(0, 10**6),
)
def test_a_fee_is_its_share_rounded_half_up_and_the_fixed_part(
    minor: int, rate: int, fixed: int
) -> None:
    fee = a_rule(rate, fixed).fee_on(Money(minor, "CNY"))

    exact = Fraction(minor * rate, MILLION) + fixed
    assert type(fee.minor) is int
    assert Fraction(-1, 2) < fee.minor - exact <= Fraction(1, 2)


@given(rate=st.integers(0, MILLION), minor=st.integers(0, 10**12), more=st.integers(0, 10**12))
def test_a_greater_amount_never_has_a_smaller_fee(rate: int, minor: int, more: int) -> None:
    rule = a_rule(rate)

    assert rule.fee_on(Money(minor, "CNY")).minor <= rule.fee_on(Money(minor + more, "CNY")).minor


@given(rate=st.integers(0, MILLION))
def test_every_rate_can_be_written_as_a_percentage(rate: int) -> None:
    assert rate_of_percent(f"{rate // 10_000}.{rate % 10_000:04d}") == rate


@pytest.mark.parametrize(
    "text, rate", [("2.9", 29_000), ("0", 0), ("100", MILLION), ("0.0001", 1), ("00.35", 3_500)]
)
def test_a_percentage_is_read_exactly(text: str, rate: int) -> None:
    assert rate_of_percent(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2,9",
        "2.90001",
        "-1",
        "100.0001",
        "101",
        ".5",
        "5.",
        "1e1",
        "2.9%",
        "٣",
        "9" * 999,
        " 1",
    ],
)
def test_what_is_no_percentage_of_four_decimals_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="at most 4 decimals") as refused:
        rate_of_percent(text)
    assert len(refused.value.message) < 150


# The name of each rule, and of the one that must count.
SAME = {"valid_from": NOW - timedelta(days=2)}
CHOICES: list[tuple[dict[str, dict[str, Any]], str]] = [
    ({"any": {}, "method": {"method": "credit_card"}}, "method"),
    ({"method": {"method": "credit_card"}, "provider": {"connector": "sandbox"}}, "provider"),
    ({"provider": {"connector": "sandbox"}, "both": dict(CARD)}, "both"),
    ({"new": {}, "old": SAME}, "new"),
    ({"exact and old": {**CARD, **SAME}, "new": {}}, "exact and old"),
    ({"to come": {"valid_from": NOW + timedelta(seconds=1)}, "old": SAME}, "old"),
    ({"ended": {**SAME, "valid_until": NOW, **CARD}, "old": SAME}, "old"),
    ({"ends later": {"valid_until": NOW + timedelta(seconds=1)}, "old": SAME}, "ends later"),
    ({"dollars": {"currency": "USD"}, "old": SAME}, "old"),
    ({"refunds": {"kind": FeeKind.REFUND}, "old": SAME}, "old"),
    ({"elsewhere": {"connector": "alipay"}, "old": SAME}, "old"),
    ({"1 made first": {}, "2 made later": {}}, "2 made later"),
]


@pytest.mark.parametrize("rules, counts", CHOICES)
def test_the_most_exact_rule_counts_and_then_the_newest(
    rules: dict[str, dict[str, Any]], counts: str
) -> None:
    made = [
        a_rule(0, number, **{"id": name, **changes})
        for number, (name, changes) in enumerate(rules.items(), 1)
    ]

    for order in (made, made[::-1]):
        fee = FeeSchedule(order).expected(FeeKind.PAYMENT, Money(100, "CNY"), at=NOW, **CARD)
        assert fee.minor == 1 + list(rules).index(counts)


def test_where_no_rule_covers_it_nothing_is_expected() -> None:
    fee = FeeSchedule().expected(FeeKind.PAYMENT, Money(100, "CNY"), at=NOW, **CARD)

    assert fee == Money(0, "CNY")
