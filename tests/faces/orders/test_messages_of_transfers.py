"""payment_message of a payment that is made by bank transfer."""

from dataclasses import replace

import pytest
from tests.cashier.samples import PAID, PAYMENT

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.faces.orders.resources import message_of
from kassa.payments.domain.payments import Method, Payment

WAITS = replace(PAYMENT, status=PaymentStatus.REQUIRES_ACTION, method=Method.BANK_TRANSFER)
CAME = replace(PAID, method=Method.BANK_TRANSFER, authorized=PAID.captured)
SHORT = Money(29_000, "CNY")


@pytest.mark.parametrize(
    ("payment", "told"),
    [
        (
            replace(WAITS, unapplied_minor=4_400),
            "44.00 CNY of 299.00 CNY came by transfer; 255.00 CNY are missing",
        ),
        (
            replace(CAME, surplus_amount=Money(5_000, "CNY")),
            "Payment successful; 50.00 CNY more came, and is to be given back",
        ),
        (
            replace(CAME, captured=SHORT, authorized=SHORT),
            "Payment successful; 290.00 CNY of 299.00 CNY was taken for the whole",
        ),
        (CAME, "Payment successful"),
    ],
)
def test_it_says_what_came_and_what_becomes_of_it(payment: Payment, told: str) -> None:
    assert message_of(payment) == told
