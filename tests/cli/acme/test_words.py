"""What the simulator would never say."""

from typing import Any

import pytest
from kassa.connectors.acme.words import STATUSES, told

from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, InDoubt

KEY, PRICE = "at1_key", Money(1099, "USD")


def charge(**changes: Any) -> dict[str, Any]:
    given = {"id": "ch_1", "reference": KEY, "value": "10.99", "currency": "USD", "state": "PAID"}
    return {**given, **changes}


@pytest.mark.parametrize("state", [*sorted(word.lower() for word in STATUSES), None, 1, "LATER"])
def test_a_word_that_is_none_of_acmes_leaves_us_in_doubt(state: Any) -> None:
    assert isinstance(told(charge(state=state), KEY, PRICE), InDoubt)


@pytest.mark.parametrize("value", ["10.999", 10.99, "", None, "1e400", "ten"])
def test_an_amount_that_is_none_leaves_us_in_doubt(value: Any) -> None:
    assert isinstance(told(charge(value=value), KEY, PRICE), InDoubt)


def test_what_was_paid_is_told_with_the_providers_amount() -> None:
    assert told(charge(value="11.00"), KEY, PRICE) == Captured(
        reference="ch_1", amount=Money(1100, "USD")
    )
