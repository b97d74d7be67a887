"""How often a payer may try: a few at once, then one for each that is long enough ago."""

from datetime import UTC, datetime, timedelta

import pytest

from kassa.base.domain.errors import RateLimited
from kassa.base.domain.lifecycle import AttemptStatus
from kassa.base.domain.money import Money
from kassa.payments.domain.payer_limits import AT_ONCE, FOR_GOOD, IN_ALL, WINDOW, refuse_haste
from kassa.payments.domain.payments import Attempt, Method

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


def test_the_numbers_are_those_that_are_promised() -> None:
    assert AT_ONCE == 10
    assert IN_ALL == 100
    assert timedelta(minutes=10) == WINDOW


def test_a_few_tries_are_let_through() -> None:
    refuse_haste([], NOW)
    refuse_haste(begun(*[timedelta(0)] * (AT_ONCE - 1)), NOW)


def test_then_each_waits_until_an_old_one_is_long_ago() -> None:
    tries = begun(timedelta(minutes=4), *[timedelta(minutes=1)] * (AT_ONCE - 1))
    with pytest.raises(RateLimited) as refused:
        refuse_haste(tries, NOW)
    assert refused.value.retry_after_seconds == 6 * 60
    refuse_haste(tries, NOW + timedelta(minutes=6))


def test_of_more_tries_than_at_once_the_oldest_of_the_newest_counts() -> None:
    old = [timedelta(minutes=9)] * 3
    with pytest.raises(RateLimited) as refused:
        refuse_haste(begun(*old, *[timedelta(minutes=2)] * AT_ONCE), NOW)
    assert refused.value.retry_after_seconds == 8 * 60


def test_a_payment_has_only_so_many_tries_in_all() -> None:
    for number in (IN_ALL, IN_ALL + 1):
        with pytest.raises(RateLimited) as refused:
            refuse_haste(begun(*[WINDOW * 2] * number), NOW)
        assert (refused.value.reason, refused.value.retry_after_seconds) == (FOR_GOOD, 24 * 3600)
    refuse_haste(begun(*[WINDOW * 2] * (IN_ALL - 1)), NOW)
