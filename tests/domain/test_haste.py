"""How often a payer may try: a few at once, then one for each that is long enough ago."""

from datetime import UTC, datetime, timedelta

import pytest

from kassa.domain.errors import RateLimited
from kassa.domain.haste import AT_ONCE, IN_ALL, WINDOW, refuse_haste
from kassa.domain.lifecycle import AttemptStatus
from kassa.domain.money import Money
from kassa.domain.payments import Attempt, Method

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def begun(*ago: timedelta) -> list[Attempt]:
    return [
        Attempt(
            company_id="cmp_1",
            id=f"at1_{number}",
            payment_id="py_1",
            number=number,
            connector="stripe",
            method=Method.CREDIT_CARD,
            status=AttemptStatus.DECLINED,
            amount=Money(100, "EUR"),
            created_at=NOW - one,
            updated_at=NOW - one,
        )
        for number, one in enumerate(ago, 1)
    ]


def test_a_few_tries_are_let_through() -> None:
    refuse_haste(begun(*[timedelta(0)] * (AT_ONCE - 1)), NOW)


def test_then_each_waits_until_an_old_one_is_long_ago() -> None:
    tries = begun(timedelta(minutes=4), *[timedelta(minutes=1)] * (AT_ONCE - 1))
    with pytest.raises(RateLimited) as refused:
        refuse_haste(tries, NOW)
    assert refused.value.retry_after_seconds == 6 * 60
    refuse_haste(tries, NOW + timedelta(minutes=6))


def test_a_payment_has_only_so_many_tries_in_all() -> None:
    with pytest.raises(RateLimited):
        refuse_haste(begun(*[WINDOW * 2] * IN_ALL), NOW)
    refuse_haste(begun(*[WINDOW * 2] * (IN_ALL - 1)), NOW)
