"""The signed notification, verified by the official receiver's library."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from tests.faces.orders.samples import (
    CHANGED,
    PRINCIPAL,
    a_paid_payment,
    a_partly_captured_payment,
    an_order,
    golden,
)

from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus, OrderStatus
from kassa.base.domain.money import Money
from kassa.base.domain.secret import Secret
from kassa.faces.orders.notify import StandardWriter, write_secret
from kassa.payments.domain.changes import News, WebhookEvent
from kassa.payments.domain.modifications import Modification

CORE: Any = None
SECRET, OTHER = Secret(b"p" * 32), Secret(b"o" * 32)
NEWS = WebhookEvent(
    company_id="cmp_1",
    id="ntf_01jd0000000000000000000000",
    payment_id="py_01jd0000000000000000000000",
    version=3,
    kind="standard",
    url="https://shop.example/news",
    event_type="payment.paid",
    at=CHANGED,
)


def written(payment=None, news=NEWS, about=None, secrets=(SECRET,)):
    writer = StandardWriter()
    told = News(event=news, payment=payment or a_paid_payment(), about=about)
    content = writer.content(told, an_order(status=OrderStatus.PAID))
    return writer.sign(CORE, replace(news, content=content), PRINCIPAL.company, secrets)


def test_the_official_library_verifies_what_is_sent():
    letter = written()

    content = Webhook(write_secret(SECRET)).verify(letter.body, dict(letter.headers))

    assert content == golden("notification")["request"]
    assert letter.headers["webhook-id"] == NEWS.id
    assert abs(int(letter.headers["webhook-timestamp"]) - time.time()) < 10


def test_another_companys_secret_or_another_byte_does_not_verify():
    letter = written()

    with pytest.raises(WebhookVerificationError):
        Webhook(write_secret(OTHER)).verify(letter.body, dict(letter.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(write_secret(SECRET)).verify(
            letter.body.replace(b"299.90", b"299.91"), dict(letter.headers)
        )


def test_a_notification_carries_no_contact_data_and_no_float():
    letter = written()

    assert b"alice" not in letter.body.lower()
    assert b"9999" not in letter.body
    amounts = json.loads(letter.body)["data"]
    assert all(isinstance(amounts[name], str) for name in amounts if name.endswith("amount"))


NEWS_OF_MONEY = [
    "payment.authorized",
    "payment.paid",
    "payment.canceled",
    "payment.refunded",
    "payment.refund_failed",
    "payment.surplus_returned",
    "payment.disputed",
    "payment.dispute_won",
    "payment.dispute_lost",
    "payment.dispute_closed",
    "payment.dispute_updated",
    "payment.settled",
]


@pytest.mark.parametrize("event_type", NEWS_OF_MONEY)
def test_whatever_happens_to_the_money_is_told_under_its_own_name(event_type):
    letter = written(news=replace(NEWS, event_type=event_type))

    content = Webhook(write_secret(SECRET)).verify(letter.body, dict(letter.headers))
    assert content["type"] == event_type


def test_every_amount_that_left_again_is_told():
    payment = a_paid_payment(
        refunded=Money(10_000, "INR"),
        disputed_minor=5_000,
        surplus_amount=Money(29_990, "INR"),  # it was paid a second time, and that went back
        surplus_returned_minor=29_990,
    )

    told = json.loads(written(payment).body)["data"]

    assert told["captured_amount"] == "299.90"
    assert told["refunded_amount"] == "100.00"
    assert told["disputed_amount"] == "50.00"
    assert told["surplus_amount"] == "299.90"
    assert told["returned_amount"] == "399.90"
    assert all(isinstance(value, str) for name, value in told.items() if name != "version")


def test_a_part_that_was_captured_is_told_as_what_was_captured():
    told = json.loads(written(a_partly_captured_payment()).body)["data"]

    assert (told["amount"], told["captured_amount"]) == ("299.90", "100.00")
    assert told["payment_status"] == "paid"


def test_deliveries_are_spread_over_three_days():
    schedule = StandardWriter().schedule

    assert len(schedule) == 10
    assert schedule[0] == timedelta(0)
    assert sum(schedule, timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)


@pytest.mark.parametrize("status, arrived", [(200, True), (204, True), (302, False), (500, False)])
def test_only_2xx_is_an_arrival(status, arrived):
    assert StandardWriter().arrived(status, b"") is arrived


def test_the_news_of_a_refund_names_it():
    refund = Modification(
        company_id="cmp_1",
        id="rf_01jd0000000000000000000000",
        payment_id=NEWS.payment_id,
        attempt_id="at_1",
        number=1,
        kind=ModificationKind.REFUND,
        status=ModificationStatus.SUCCEEDED,
        amount=Money(10_000, "INR"),
        connector="cards",
        reason="a torn page",
        actor="orders_client:shop",
        request_id="refund-7",
        created_at=CHANGED,
        updated_at=CHANGED,
    )
    payment = a_paid_payment(refunded=Money(10_000, "INR"))

    letter = written(payment, replace(NEWS, event_type="payment.refunded", version=5), refund)

    assert json.loads(letter.body) == golden("notification_refunded")["request"]
