"""A notification has an effect only when Alipay signed it, for us, and every field is there."""

from urllib.parse import parse_qsl, urlencode

import pytest
from tests.connectors.alipay.conftest import VECTORS, KeyPair

from kassa.base.domain.money import Money
from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.alipay.rsa2 import notification_texts
from kassa.connectors.base import (
    Captured,
    ChargeEvent,
    Declined,
    ForeignEvent,
    ForeignReason,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    Pending,
    Refused,
    UnreadEvent,
)
from kassa.connectors.http import ProviderHttp

GENUINE = (VECTORS / "notification.form").read_bytes()
FIELDS = dict(parse_qsl(GENUINE.decode()))
TRADE_NO = "2026112222001473037000000001"
A_FOREIGN_ONE = ForeignEvent(why=ForeignReason.ACCOUNT, event="trade_status_sync")


def connector(
    keys: KeyPair,
    alipay_public_pem: str,
    app_id: str = "2021000000000001",
    seller_id: str = "2088102116773000",
) -> AlipayConnector:
    return AlipayConnector(
        app_id=app_id,
        private_key_pem=keys.private_pem,
        alipay_public_key_pem=alipay_public_pem,
        gateway="https://alipay.example/gateway.do",
        seller_id=seller_id,
        http=ProviderHttp(),
    )


@pytest.fixture(scope="session")
def genuine(ours: KeyPair, alipay_public_pem: str) -> AlipayConnector:
    """Trusts the vectors' Alipay."""
    return connector(ours, alipay_public_pem)


@pytest.fixture(scope="session")
def played(ours: KeyPair, alipays: KeyPair) -> AlipayConnector:
    """Trusts the Alipay of this run."""
    return connector(ours, alipays.public_pem)


def signed(fields: dict[str, str], by: KeyPair, *, empties: bool = True) -> bytes:
    plain = {name: value.encode() for name, value in fields.items()}
    text = notification_texts(plain)[0 if empties else 1].decode()
    return urlencode({**fields, "sign_type": "RSA2", "sign": by.signer.sign(text)}).encode()


def test_the_notification_in_the_vectors_is_news(genuine: AlipayConnector) -> None:
    assert genuine.parse_notification({}, GENUINE) == ChargeEvent(
        dedupe_key="2026112200222100012073037000000001",
        key="c3beaaf0-ff02-4adf-b37c-ee41dbc20319",
        outcome=Captured(reference=TRADE_NO, amount=Money(100012, "CNY")),
    )


def test_it_is_acknowledged_with_seven_letters() -> None:
    assert AlipayConnector.acknowledgement == ("text/plain", b"success")


@pytest.mark.parametrize(
    "change",
    [
        (b"total_amount=1000.12", b"total_amount=1000.13"),
        (b"trade_status=TRADE_SUCCESS", b"trade_status=TRADE_FINISHED"),
        (b"out_trade_no=c3", b"out_trade_no=c4"),
        (b"&version=1.0", b""),
        (b"&version=1.0", b"&version=1.0&more=1"),
        (b"Test+Subject", b"Test%2BSubject"),
        (b"sign=suG6", b"sign=suG7"),
        (b"sign=suG6", b"sign="),
        (b"&sign=", b"&nosign="),
        (b"sign_type=RSA2", b"sign_type=RSA"),
        (b"sign_type=RSA2", b"sign_type=none"),
        (b"&version=1.0", b"&version=1.0&version=1.0"),
        (b"&version=1.0", b"&version=1.0&trade_status=TRADE_CLOSED"),
        (b"&version=1.0", b"&version=1.0&flag"),
        (b"Test+Subject", b"Test%FFSubject"),
        (b"Test+Subject", b"Test\xffSubject"),
    ],
)
def test_a_changed_notification_is_refused(
    genuine: AlipayConnector, change: tuple[bytes, bytes]
) -> None:
    assert change[0] in GENUINE

    assert isinstance(genuine.parse_notification({}, GENUINE.replace(*change, 1)), Refused)


@pytest.mark.parametrize(
    "body",
    [b"", b"&", b"=", b"{}", b"sign=", b"\x00", b"a=1&" * 5000, b"sign_type=RSA2&sign=AAAA"],
)
def test_what_is_no_notification_is_refused(genuine: AlipayConnector, body: bytes) -> None:
    assert isinstance(genuine.parse_notification({}, body), Refused)


def test_it_may_be_encoded_either_way_and_come_in_any_order(genuine: AlipayConnector) -> None:
    backwards = b"&".join(reversed(GENUINE.replace(b"+", b"%20").split(b"&")))

    assert isinstance(genuine.parse_notification({}, backwards), ChargeEvent)


@pytest.mark.parametrize("empties", [True, False])
def test_empty_values_may_be_signed_or_left_out(
    played: AlipayConnector, alipays: KeyPair, empties: bool
) -> None:
    fields = {**without_signature(), "body": "", "passback_params": ""}

    assert isinstance(
        played.parse_notification({}, signed(fields, alipays, empties=empties)), ChargeEvent
    )


def without_signature() -> dict[str, str]:
    return {name: FIELDS[name] for name in FIELDS if name not in ("sign", "sign_type")}


def test_text_outside_ascii_is_verified(played: AlipayConnector, alipays: KeyPair) -> None:
    fields = {**without_signature(), "subject": "茶 & 点心 = 3/4 +1"}

    assert isinstance(played.parse_notification({}, signed(fields, alipays)), ChargeEvent)


def test_news_for_another_application_is_foreign(ours: KeyPair, alipay_public_pem: str) -> None:
    other = connector(ours, alipay_public_pem, app_id="2021000000000002")

    assert other.parse_notification({}, GENUINE) == A_FOREIGN_ONE


def test_news_for_another_seller_is_foreign(ours: KeyPair, alipay_public_pem: str) -> None:
    other = connector(ours, alipay_public_pem, seller_id="2088000000000000")

    assert other.parse_notification({}, GENUINE) == A_FOREIGN_ONE


def test_without_a_seller_of_ours_any_seller_is_taken(
    ours: KeyPair, alipay_public_pem: str
) -> None:
    anybody = connector(ours, alipay_public_pem, seller_id="")

    assert isinstance(anybody.parse_notification({}, GENUINE), ChargeEvent)


def test_our_own_key_signs_no_news(played: AlipayConnector, ours: KeyPair) -> None:
    assert isinstance(played.parse_notification({}, signed(without_signature(), ours)), Refused)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("app_id", ForeignEvent),
        ("out_trade_no", IrrelevantEvent),
        *((name, UnreadEvent) for name in ("notify_id", "trade_no", "trade_status")),
        ("total_amount", UnreadEvent),
    ],
)
def test_a_signed_notification_without_a_needed_field_is_not_believed(
    played: AlipayConnector, alipays: KeyPair, name: str, told: type
) -> None:
    fields = without_signature()
    del fields[name]

    news = played.parse_notification({}, signed(fields, alipays))

    assert isinstance(news, told)
    if isinstance(news, UnreadEvent):
        assert news.key == FIELDS["out_trade_no"]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"trade_status": "TRADE_FINISHED"}, Captured),
        ({"trade_status": "TRADE_SUCCESS", "refund_fee": "1.00", "out_biz_no": "r1"}, Captured),
        ({"trade_status": "WAIT_BUYER_PAY"}, Pending),
        ({"trade_status": "TRADE_CLOSED", "gmt_payment": "", "refund_fee": "0.00"}, Declined),
        ({"trade_status": "TRADE_CLOSED", "refund_fee": "1000.12"}, Captured),
        ({"trade_status": "TRADE_CLOSED", "refund_fee": "abc"}, InDoubt),
        ({"trade_status": "TRADE_NEW_WORD"}, InDoubt),
        ({"total_amount": "1000.123"}, InDoubt),
        ({"total_amount": "abc"}, InDoubt),
    ],
)
def test_each_status_has_its_meaning(
    played: AlipayConnector, alipays: KeyPair, changes: dict[str, str], kind: type
) -> None:
    news = played.parse_notification({}, signed({**without_signature(), **changes}, alipays))

    assert isinstance(news, ChargeEvent)
    assert isinstance(news.outcome, kind)


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_CLOSED"])
def test_news_of_a_refund_of_ours_is_about_the_refund(
    played: AlipayConnector, alipays: KeyPair, status: str
) -> None:
    # The sum that comes with it is of all refunds, so a query tells how much this one moved.
    changes = {"trade_status": status, "refund_fee": "1.00", "out_biz_no": "re12_01kbrefund"}

    news = played.parse_notification({}, signed({**without_signature(), **changes}, alipays))

    assert news == ModificationEvent(
        dedupe_key=FIELDS["notify_id"],
        key="re12_01kbrefund",
        outcome=Pending(reference=TRADE_NO),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"refund_fee": "1.00", "out_biz_no": "by hand"},
        {"refund_fee": "1.00", "out_biz_no": "at12_01kbrefund"},
        {"refund_fee": "0.00", "out_biz_no": "re12_01kbrefund"},
        {"out_biz_no": "re12_01kbrefund"},
        {"refund_fee": "1.00"},
    ],
    ids=str,
)
def test_what_is_no_refund_of_ours_is_news_of_the_charge(
    played: AlipayConnector, alipays: KeyPair, changes: dict[str, str]
) -> None:
    news = played.parse_notification({}, signed({**without_signature(), **changes}, alipays))

    assert isinstance(news, ChargeEvent)
    assert isinstance(news.outcome, Captured)


def test_a_resent_notification_has_the_same_dedupe_key(
    played: AlipayConnector, alipays: KeyPair
) -> None:
    again = {**without_signature(), "notify_time": "2026-11-22 10:04:12"}

    first = played.parse_notification({}, signed(without_signature(), alipays))
    second = played.parse_notification({}, signed(again, alipays))

    assert isinstance(first, ChargeEvent)
    assert first == second
