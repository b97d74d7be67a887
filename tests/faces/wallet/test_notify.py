"""The wallet's notifications: their body, their signature, and what counts as received."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from tests.faces.wallet import golden
from tests.faces.wallet.payments import CLIENT_ID, PAYMENT_ID, a_payment
from tests.fixed_keys import keyring

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.faces.wallet.notify import WalletNotifications, write_notification
from kassa.faces.wallet.signature import Signed, verify
from kassa.payments.domain.changes import News, WebhookEvent

KEY = rsa.generate_private_key(65537, 2048)
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
WRITER = WalletNotifications()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
SECRETS = keyring({Purpose.WALLET_ANSWERS: {3: PRIVATE}})


def test_the_letter_is_signed_by_the_wallet_over_the_notify_addresss_path_and_query() -> None:
    news = WebhookEvent(
        company_id="cmp_001",
        id="ntf_001",
        payment_id=PAYMENT_ID,
        version=2,
        kind="wallet",
        url="https://merchant.example:8443/notify?shop=1",
        event_type="payment.paid",
        at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    only_secrets = cast(Core, SimpleNamespace(secrets=SECRETS))
    nothing: Any = None

    told = News(event=news, payment=a_payment())
    written = replace(news, content=WRITER.content(told, nothing), recipient=WRITER.recipient(told))

    letter = WRITER.sign(only_secrets, written, nothing)

    headers = letter.headers
    assert set(headers) == {"Client-Id", "Request-Time", "Signature", "Content-Type"}
    assert headers["Client-Id"] == CLIENT_ID
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    signed = Signed("POST", "/notify?shop=1", CLIENT_ID, headers["Request-Time"], letter.body)
    verify(signed, headers["Signature"], {"3": PUBLIC.decode("ascii")})


def test_a_paid_payment_is_told_in_both_dialects() -> None:
    assert write_notification(a_payment()) == golden.read("notification")


@pytest.mark.parametrize("status", list(PaymentStatus))
def test_the_two_dialects_never_contradict_each_other(status: PaymentStatus) -> None:
    told = write_notification(a_payment(status))

    expected = {"SUCCESS": "S", "AUTH_SUCCESS": "S", "FAIL": "F", "CANCELLED": "F"}
    expected["PROCESSING"] = "U"
    assert told["paymentResult"]["resultStatus"] == expected[told["paymentStatus"]]


def test_after_a_refund_the_payment_is_still_paid_and_the_refunded_amount_is_told() -> None:
    told = write_notification(a_payment(refunded=Money(500, "CLP")))

    assert told.pop("refundedAmount") == {"currency": "CLP", "value": "500"}
    assert told == golden.read("notification")


def test_eight_deliveries_within_a_day_and_a_bit() -> None:
    assert len(WRITER.schedule) == 8
    assert WRITER.schedule[0] == timedelta(0)
    assert sum(WRITER.schedule, timedelta(0)) == timedelta(hours=24, minutes=22)


def test_the_merchants_receipt_stops_the_sending() -> None:
    body = (golden.EXAMPLES / "notification_receipt.json").read_bytes()

    assert WRITER.arrived(200, body)


NOT_RECEIVED = {
    "an answer F": (200, b'{"result":{"resultStatus":"F"}}'),
    "an answer U": (200, b'{"result":{"resultStatus":"U"}}'),
    "another HTTP status": (204, b'{"result":{"resultStatus":"S"}}'),
    "a page": (200, b"<html>ok</html>"),
    "nothing": (200, b""),
    "no object": (200, b'["S"]'),
    "a result that is no object": (200, b'{"result":"S"}'),
    "no result": (200, b"{}"),
    "no UTF-8": (200, b"\xff\xfe{"),
    "a very deep list": (200, b"[" * 60_000),
}


@pytest.mark.parametrize("status, body", NOT_RECEIVED.values(), ids=NOT_RECEIVED)
def test_anything_else_is_sent_again(status: int, body: bytes) -> None:
    assert not WRITER.arrived(status, body)
