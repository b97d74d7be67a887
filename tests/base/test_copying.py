"""The quick copy of a frozen dataclass does what the standard one does."""

import dataclasses

import pytest
from tests.payments.cases import a_payment, an_attempt, an_order

from kassa.base.domain import copying
from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money


@pytest.mark.parametrize("whole", [a_payment(), an_attempt(), an_order()], ids=lambda x: x.id)
def test_it_copies_what_the_standard_one_copies(whole: object) -> None:
    changes = {"id": "another"}

    made = copying.replace(whole, **changes)

    assert made == dataclasses.replace(whole, **changes)  # type: ignore[type-var]
    assert type(made) is type(whole)


def test_what_it_was_made_of_stays_as_it_was() -> None:
    payment = a_payment()

    made = copying.replace(payment, status=PaymentStatus.CAPTURED, version=2)

    assert (payment.status, payment.version) == (PaymentStatus.CREATED, 1)
    assert (made.status, made.version) == (PaymentStatus.CAPTURED, 2)


def test_a_member_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="Payment has no member 'provider_referense'"):
        copying.replace(a_payment(), provider_referense="x")  # type: ignore[call-arg]


def test_what_a_class_checks_of_itself_it_checks_of_copies_too() -> None:
    with pytest.raises(InvalidRequest, match="unknown currency"):
        copying.replace(Money(1, "CNY"), currency="XYZ")
