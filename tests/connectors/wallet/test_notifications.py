"""A notification has an effect only when the wallet signed it, for us, at this address."""

import json
from typing import Any

import pytest
from tests.connectors.wallet.conftest import CLIENT, CLP_2000, TIME, Keys

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Authorized,
    Captured,
    ChargeEvent,
    Declined,
    Done,
    ForeignEvent,
    ForeignReason,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    ModificationOutcome,
    Outcome,
    Pending,
    Refused,
    UnreadEvent,
)
from kassa.connectors.wallet.connector import WalletConnector
from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import Signed

pytestmark = pytest.mark.anyio

TARGET = "/providers/theirs"
PAID: dict[str, Any] = {
    "paymentId": "P-1",
    "paymentRequestId": "at1_key",
    "paymentAmount": CLP_2000,
    "paymentCreateTime": "2026-11-22T10:00:01+08:00",
    "paymentTime": "2026-11-22T10:01:00+08:00",
    "paymentStatus": "SUCCESS",
    "paymentResult": {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "Success"},
}
S, F = {"resultStatus": "S", "resultCode": "SUCCESS"}, {"resultStatus": "F"}
CAPTURED = Captured(reference="P-1", amount=Money(2000, "CLP"))
REFUND = {
    "refundId": "R-1",
    "refundRequestId": "re1_key",
    "refundStatus": "SUCCESS",
    "refundTime": "2026-11-22T10:01:00+08:00",
}


def posted(
    members: Any, by: Keys, *, target: str = TARGET, client: str = CLIENT, time: str = TIME
) -> tuple[dict[str, str], bytes]:
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    signed = Signed("POST", target, client, time, body)
    header = signature.sign(signed, by.private, "1")
    return {"client-id": client, "request-time": time, "signature": header}, body


async def test_a_notification_is_news_of_the_payment(
    connector: WalletConnector, wallets: Keys
) -> None:
    news = connector.parse_notification(*posted(PAID, wallets), target=TARGET)

    assert isinstance(news, ChargeEvent)
    assert (news.key, news.charge_reference, news.outcome) == ("at1_key", "P-1", CAPTURED)


async def test_it_is_acknowledged_with_a_result_s() -> None:
    content_type, body = WalletConnector.acknowledgement

    assert content_type.startswith("application/json")
    assert json.loads(body)["result"]["resultStatus"] == "S"


async def test_what_is_sent_again_has_the_same_dedupe_key(
    connector: WalletConnector, wallets: Keys
) -> None:
    first = connector.parse_notification(*posted(PAID, wallets), target=TARGET)
    later = posted(PAID, wallets, time="2026-11-22T12:00:00+08:00")
    again = connector.parse_notification(*later, target=TARGET)
    other = posted({**PAID, "refundedAmount": CLP_2000}, wallets)

    assert isinstance(first, ChargeEvent)
    assert first == again
    assert connector.parse_notification(*other, target=TARGET) != first


@pytest.mark.parametrize(
    "changed",
    [
        {"target": "/providers/other"},
        {"target": TARGET + "?x=1"},
        {"target": ""},
        {"headers": {"request-time": "2026-11-22T10:00:02+08:00"}},
        {"headers": {"client-id": "5X00000000000001"}},
        {"headers": {"client-id": None}},
        {"headers": {"signature": ""}},
        {"headers": {"signature": None}},
        {"headers": {"request-time": None}},
        {"body": json.dumps({**PAID, "paymentId": "P-2"}).encode()},
        {"body": json.dumps(PAID).encode() + b" "},
        {"body": b""},
    ],
    ids=str,
)
async def test_a_changed_notification_is_refused(
    connector: WalletConnector, wallets: Keys, changed: dict[str, Any]
) -> None:
    headers, body = posted(PAID, wallets)
    headers = {**headers, **changed.get("headers", {})}
    sent = {name: value for name, value in headers.items() if value is not None}

    told = connector.parse_notification(
        sent, changed.get("body", body), target=changed.get("target", TARGET)
    )

    assert isinstance(told, Refused)


async def test_our_own_key_signs_no_news(connector: WalletConnector, ours: Keys) -> None:
    assert isinstance(connector.parse_notification(*posted(PAID, ours), target=TARGET), Refused)


async def test_news_for_another_client_is_foreign(
    connector: WalletConnector, wallets: Keys
) -> None:
    sent = posted(PAID, wallets, client="5X00000000000001")

    told = connector.parse_notification(*sent, target=TARGET)
    assert told == ForeignEvent(why=ForeignReason.ACCOUNT)


@pytest.mark.parametrize(
    "members",
    [b"noise", b"[]", {}, {**PAID, "paymentRequestId": ""}, {**PAID, "paymentId": None}],
    ids=str,
)
async def test_what_names_no_payment_is_not_believed(
    connector: WalletConnector, wallets: Keys, members: Any
) -> None:
    told = connector.parse_notification(*posted(members, wallets), target=TARGET)
    assert isinstance(told, UnreadEvent | IrrelevantEvent)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"paymentResult": None}, CAPTURED),
        ({"paymentStatus": None}, CAPTURED),
        ({"paymentStatus": "AUTH_SUCCESS"}, Authorized),
        ({"paymentStatus": "PROCESSING", "paymentResult": None}, Pending),
        ({"paymentStatus": "FAIL", "paymentResult": F}, Declined),
        ({"paymentStatus": "CANCELLED", "paymentResult": F}, Declined),
        (
            {
                "paymentStatus": None,
                "paymentResult": {"resultStatus": "F", "resultCode": "USER_BALANCE_NOT_ENOUGH"},
            },
            Declined,
        ),
        ({"paymentStatus": None, "paymentResult": {"resultStatus": "U"}}, Pending),
        ({"paymentStatus": None, "paymentResult": F}, InDoubt),
        ({"paymentStatus": None, "paymentResult": None}, InDoubt),
        ({"paymentStatus": "PAID"}, InDoubt),
        ({"paymentStatus": "SUCCESS", "paymentResult": F}, InDoubt),
        ({"paymentStatus": "FAIL", "paymentResult": S}, InDoubt),
        ({"paymentAmount": None}, InDoubt),
        ({"paymentStatus": None, "paymentAmount": {"currency": "CLP", "value": "x"}}, InDoubt),
    ],
    ids=str,
)
async def test_either_dialect_is_read(
    connector: WalletConnector, wallets: Keys, change: dict[str, Any], outcome: Outcome | type
) -> None:
    members = {name: value for name, value in {**PAID, **change}.items() if value is not None}

    news = connector.parse_notification(*posted(members, wallets), target=TARGET)

    assert isinstance(news, ChargeEvent)
    if isinstance(outcome, type):
        assert isinstance(news.outcome, outcome)
    else:
        assert news.outcome == outcome


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, Pending(reference="R-1")),
        ({"refundAmount": CLP_2000}, Done(reference="R-1", amount=Money(2000, "CLP"))),
        ({"refundStatus": "PROCESSING"}, Pending(reference="R-1")),
        ({"refundStatus": "FAIL"}, Declined),
    ],
    ids=str,
)
async def test_news_of_a_refund_is_about_the_refund(
    connector: WalletConnector,
    wallets: Keys,
    change: dict[str, Any],
    outcome: ModificationOutcome | type,
) -> None:
    sent = posted({**REFUND, **change}, wallets)

    news = connector.parse_notification(*sent, target=TARGET)

    assert isinstance(news, ModificationEvent)
    assert news.key == "re1_key"
    if isinstance(outcome, type):
        assert isinstance(news.outcome, outcome)
    else:
        assert news.outcome == outcome
