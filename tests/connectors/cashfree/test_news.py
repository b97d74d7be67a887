"""Cashfree's webhooks: whom to believe, and what they mean."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.cashfree.conftest import (
    AMOUNT,
    CREDENTIALS,
    KEY,
    REFUND,
    act,
    change,
    charge_request,
)
from tests.connectors.cashfree.test_modifications import refund
from tests.connectors.scripted import Scripted

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Captured,
    ChargeEvent,
    Declined,
    DisputeEvent,
    Done,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    PayoutEvent,
    Pending,
    Refused,
    UnreadEvent,
)
from kassa.connectors.cashfree.connector import CashfreeConnector
from kassa.connectors.cashfree.news import signature_of
from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio

SECRET = CREDENTIALS["client_secret"]
SENT = datetime(2026, 11, 22, 10, 20, tzinfo=UTC)
STAMP = str(int(SENT.timestamp() * 1000))


def letter(kind: str, data: Any) -> bytes:
    return json.dumps(
        {"data": data, "event_time": "2026-11-22T15:50:00+05:30", "type": kind}
    ).encode()


def headers(body: bytes, secret: str = SECRET, stamp: str = STAMP) -> dict[str, str]:
    return {
        "x-webhook-signature": signature_of(secret, stamp, body),
        "x-webhook-timestamp": stamp,
        "x-webhook-version": "2023-08-01",
    }


def told(connector: CashfreeConnector, kind: str, data: Any) -> Any:
    body = letter(kind, data)
    return connector.parse_notification(headers(body), body, received_at=SENT)


def paid(order: Any = None, **changes: Any) -> dict[str, Any]:
    payment = {
        "cf_payment_id": 975654863,
        "payment_status": "SUCCESS",
        "payment_amount": 500.10,
        "payment_currency": "INR",
        "payment_message": "00::Transaction success",
    }
    ours = {"order_id": "CFPay_1", "order_tags": {"cf_link_id": "7", "link_id": KEY}}
    return {"order": order or ours, "payment": payment | changes}


def test_the_signature_is_made_as_the_papers_say() -> None:
    body = (
        b'{"data":{"order":{"order_id":"o1","order_amount":170.00,"order_currency":"INR",'
        b'"order_tags":null},"payment":{"cf_payment_id":"975654863","payment_status":"SUCCESS",'
        b'"payment_amount":170.00,"payment_currency":"INR"}},'
        b'"event_time":"2026-11-22T05:30:00+05:30","type":"PAYMENT_SUCCESS_WEBHOOK"}'
    )
    made = signature_of("cf-secret", "1746427759733", body)
    assert made == "sHUR4DUGwB7DcPqpL353DHwLWXTYDH+o6lLhNIccbhU="


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("PAYMENT_SUCCESS_WEBHOOK", paid(), Captured),
        ("PAYMENT_SUCCESS_WEBHOOK", paid(payment_message="PRE_AUTH|Transaction Success"), Pending),
        ("PAYMENT_FAILED_WEBHOOK", paid(payment_status="FAILED"), Pending),
        ("PAYMENT_USER_DROPPED_WEBHOOK", paid(payment_status="USER_DROPPED"), Pending),
        ("PAYMENT_SUCCESS_WEBHOOK", paid(payment_status="SLEEPING"), InDoubt),
        ("PAYMENT_SUCCESS_WEBHOOK", paid(payment_amount=None), InDoubt),
    ],
)
async def test_what_is_told_of_a_payment(
    scripted: CashfreeConnector, kind: str, data: Any, expected: type
) -> None:
    news = told(scripted, kind, data)
    assert isinstance(news, ChargeEvent)
    assert news.key == KEY
    assert isinstance(news.outcome, expected)
    assert told(scripted, kind, data).dedupe_key == news.dedupe_key


async def test_an_order_of_ours_is_its_own_key(scripted: CashfreeConnector) -> None:
    news = told(scripted, "PAYMENT_SUCCESS_WEBHOOK", paid({"order_id": KEY, "order_tags": None}))
    assert isinstance(news, ChargeEvent)
    assert (news.key, news.outcome) == (KEY, Captured(reference="975654863", amount=AMOUNT))


@pytest.mark.parametrize(
    ("status", "order", "expected"),
    [
        ("PAID", {"order_id": "CFPay_1"}, Pending),
        ("EXPIRED", None, Declined),
        ("CANCELLED", None, Declined),
        ("EXPIRED", {"order_id": "CFPay_1"}, Pending),  # somebody had begun to pay
        ("SLEEPING", None, InDoubt),
    ],
)
async def test_what_is_told_of_a_link(
    scripted: CashfreeConnector, status: str, order: Any, expected: type
) -> None:
    data = {"cf_link_id": 7, "link_id": KEY, "link_status": status, "order": order}
    news = told(scripted, "PAYMENT_LINK_EVENT", data)
    assert isinstance(news, ChargeEvent)
    assert news.key == KEY
    assert isinstance(news.outcome, expected)


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (refund(cf_refund_id=9, entity="Refund"), Done),
        (refund(refund_status="PENDING"), Pending),
        (refund(refund_status="CANCELLED"), Declined),
    ],
)
async def test_what_is_told_of_a_refund(
    scripted: CashfreeConnector, entity: Any, expected: type
) -> None:
    news = told(scripted, "REFUND_STATUS_WEBHOOK", {"refund": entity})
    assert isinstance(news, ModificationEvent)
    assert news.key == REFUND
    assert isinstance(news.outcome, expected)


def dispute(kind: str, status: str) -> dict[str, Any]:
    return {
        "dispute": {
            "dispute_id": "433475258",
            "dispute_type": kind,
            "reason_code": "1402",
            "dispute_amount": 3,
            "respond_by": "2026-12-18T23:59:59+05:30",
            "dispute_status": status,
        },
        "order_details": {"order_id": KEY, "order_currency": "INR", "cf_payment_id": 5},
    }


@pytest.mark.parametrize(
    ("kind", "status", "stage", "expected"),
    [
        ("DISPUTE", "DISPUTE_CREATED", DisputeStage.INQUIRY, DisputeStatus.NEEDS_RESPONSE),
        (
            "CHARGEBACK",
            "CHARGEBACK_DOCS_RECEIVED",
            DisputeStage.INQUIRY,
            DisputeStatus.UNDER_REVIEW,
        ),
        ("CHARGEBACK", "CHARGEBACK_MERCHANT_LOST", DisputeStage.CHARGEBACK, DisputeStatus.LOST),
        ("RETRIEVAL", "RETRIEVAL_MERCHANT_ACCEPTED", DisputeStage.CHARGEBACK, DisputeStatus.LOST),
        (
            "PRE_ARBITRATION",
            "PRE_ARBITRATION_MERCHANT_WON",
            DisputeStage.PRE_ARBITRATION,
            DisputeStatus.WON,
        ),
    ],
)
async def test_what_is_told_of_a_dispute(
    scripted: CashfreeConnector,
    kind: str,
    status: str,
    stage: DisputeStage,
    expected: DisputeStatus,
) -> None:
    news = told(scripted, "DISPUTE_UPDATED", dispute(kind, status))
    assert isinstance(news, DisputeEvent)
    assert (news.stage, news.status, news.amount) == (stage, expected, Money(300, "INR"))
    assert (news.key, news.charge_reference, news.reference) == (KEY, "5", "433475258")
    assert news.respond_by is not None


@pytest.mark.parametrize("status", ["NOVELTY", "DISPUTE_NOVELTY", "CREATED"])
async def test_a_dispute_in_unknown_words_is_for_a_person_to_read(
    scripted: CashfreeConnector, status: str
) -> None:
    news = told(scripted, "DISPUTE_UPDATED", dispute("DISPUTE", status))
    assert isinstance(news, UnreadEvent)
    assert (news.key, news.charge_reference, news.for_people) == (KEY, "5", True)


async def test_a_version_that_is_not_known_is_asked_about_and_not_believed(
    scripted: CashfreeConnector,
) -> None:
    body = letter("PAYMENT_SUCCESS_WEBHOOK", paid())
    for version in ("2021-09-21", "2022-01-01", "2031-01-01"):
        known = {**headers(body), "x-webhook-version": version}
        news = scripted.parse_notification(known, body, received_at=SENT)
        assert isinstance(news, UnreadEvent)
        assert (news.key, news.for_people) == (KEY, False)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("SETTLEMENT_SUCCESS", {"settlement": {"settlement_id": 1}}),
        ("REFUND_STATUS_WEBHOOK", {"refund": refund(refund_id=None, cf_payment_id=None)}),
        ("PAYMENT_SUCCESS_WEBHOOK", paid({"order_id": "CF", "order_tags": {"cf_link_id": "8"}})),
        ("NOVELTY", {}),
    ],
)
async def test_what_is_not_ours_changes_nothing(
    scripted: CashfreeConnector, kind: str, data: Any
) -> None:
    assert isinstance(told(scripted, kind, data), IrrelevantEvent)


async def test_only_a_timely_letter_with_the_right_signature_is_believed(
    scripted: CashfreeConnector,
) -> None:
    body = letter("PAYMENT_SUCCESS_WEBHOOK", paid())
    right = headers(body)
    other_time = str(int(STAMP) + 1)
    wrong = [
        (headers(body, "another"), body),
        (right, body + b" "),
        ({**right, "x-webhook-timestamp": other_time}, body),
        ({**right, "x-webhook-signature": "é"}, body),
        (headers(body, stamp="9" * 16), body),
        (headers(body, stamp="soon"), body),
        ({}, body),
    ]
    for known, sent in wrong:
        news = scripted.parse_notification(known, sent, received_at=SENT)
        assert isinstance(news, Refused)
    for late in (timedelta(days=4), timedelta(hours=-1)):
        news = scripted.parse_notification(right, body, received_at=SENT + late)
        assert isinstance(news, Refused)
    for fine in (timedelta(days=2), timedelta(minutes=-5)):
        news = scripted.parse_notification(right, body, received_at=SENT + fine)
        assert isinstance(news, ChargeEvent)


async def test_every_letter_of_the_simulator_is_understood(
    cashfree: CashfreeConnector, simulator: Simulator, script: Scripted
) -> None:
    script.says["POST /hook"] = (200, b"ok")
    simulator.add_merchant(
        Merchant(
            provider="cashfree",
            name="shop",
            credentials=CREDENTIALS,
            notify_url=f"{script.url}/hook",
        )
    )
    simulator.set_faults([{"provider": "cashfree", "operation": "letter", "fault": "forged"}])
    await cashfree.charge(charge_request())
    reference = act(simulator)
    await cashfree.refund(change(amount=Money(100, "INR")))
    simulator.act("cashfree", reference, "dispute")
    simulator.act("cashfree", reference, "lose_dispute")
    simulator.advance(timedelta(seconds=1))
    await simulator.post_letters()
    heard = [
        cashfree.parse_notification(one.headers, one.raw, received_at=datetime.now(UTC))
        for one in script.heard
    ]
    genuine = [news for news in heard if not isinstance(news, Refused)]
    assert len(heard) > len(genuine) > 0
    assert {type(news) for news in genuine} == {ChargeEvent, ModificationEvent, DisputeEvent}
    captured = [news for news in genuine if isinstance(news, ChargeEvent)]
    assert {(news.key, news.outcome) for news in captured} == {
        (KEY, Captured(reference=reference, amount=AMOUNT))
    }


@pytest.mark.parametrize("kind", ["SETTLEMENT_FAILED", "SETTLEMENT_REVERSED"])
async def test_a_settlement_that_failed_or_was_reversed_is_a_payout_that_is_back(
    scripted: CashfreeConnector, kind: str
) -> None:
    data = {"settlement": {"settlement_id": 7, "utr": "UTR1", "reason": "account closed"}}

    news = told(scripted, kind, data)

    assert isinstance(news, PayoutEvent)
    assert (news.references, news.reason) == (("UTR1", "7"), f"{kind}: account closed")
    assert isinstance(told(scripted, kind, {"settlement": {}}), IrrelevantEvent)
