"""The signed notification, verified by the official receiver's library."""

import json
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from tests.faces.orders.samples import CHANGED, PRINCIPAL, a_paid_payment, an_order, golden

from kassa.domain.case import Announcement
from kassa.domain.lifecycle import OrderStatus
from kassa.faces.orders.notify import StandardWriter, webhook_secret
from kassa.usecases.core import Secrets

CORE: Any = SimpleNamespace(
    secrets=Secrets(
        pepper=b"p" * 32,
        page_token=b"t" * 32,
        wallet_private_key_pem=b"",
        wallet_public_key_pem=b"",
    )
)
NEWS = Announcement(
    company_id="cmp_1",
    id="ntf_01jd0000000000000000000000",
    payment_id="py_01jd0000000000000000000000",
    version=3,
    kind="standard",
    url="https://shop.example/news",
    event_type="payment.paid",
    at=CHANGED,
)


def written():
    return StandardWriter().write(
        CORE, NEWS, an_order(status=OrderStatus.PAID), a_paid_payment(), PRINCIPAL.company
    )


def test_the_official_library_verifies_what_is_sent():
    letter = written()

    content = Webhook(webhook_secret(CORE, "cmp_1")).verify(letter.body, dict(letter.headers))

    assert content == golden("notification")["request"]
    assert letter.headers["webhook-id"] == NEWS.id
    assert abs(int(letter.headers["webhook-timestamp"]) - time.time()) < 10


def test_another_companys_secret_or_another_byte_does_not_verify():
    letter = written()

    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_secret(CORE, "cmp_2")).verify(letter.body, dict(letter.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_secret(CORE, "cmp_1")).verify(
            letter.body.replace(b"299.90", b"299.91"), dict(letter.headers)
        )


def test_a_notification_carries_no_contact_data_and_no_float():
    letter = written()

    assert b"alice" not in letter.body.lower()
    assert b"9999" not in letter.body
    amounts = json.loads(letter.body)["data"]
    assert all(isinstance(amounts[name], str) for name in amounts if name.endswith("amount"))


def test_deliveries_are_spread_over_three_days():
    schedule = StandardWriter().schedule

    assert len(schedule) == 10
    assert schedule[0] == timedelta(0)
    assert sum(schedule, timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)


@pytest.mark.parametrize("status, arrived", [(200, True), (204, True), (302, False), (500, False)])
def test_only_2xx_is_an_arrival(status, arrived):
    assert StandardWriter().arrived(status, b"") is arrived
