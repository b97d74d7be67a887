"""Razorpay's webhooks and browser signatures; Razorpay's own SDK is the judge of the latter."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import razorpay as official
from tests.connectors.razorpay.conftest import (
    CREDENTIALS,
    KEY,
    REFUND,
    act,
    change,
    charge_request,
    connected,
)
from tests.connectors.razorpay.test_modifications import link, payment, refund
from tests.connectors.scripted import Scripted

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Authorized,
    Captured,
    ChargeEvent,
    Declined,
    DisputeEvent,
    Done,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    Pending,
    Refused,
    UnreadEvent,
)
from kassa.connectors.razorpay.connector import RazorpayConnector
from kassa.connectors.razorpay.signatures import checkout_is_genuine, signed
from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio

SECRET = CREDENTIALS["webhook_secret"]


def event(name: str, **entities: Any) -> bytes:
    payload = {what: {"entity": content} for what, content in entities.items()}
    told = {"entity": "event", "event": name, "contains": list(payload), "payload": payload}
    return json.dumps({**told, "created_at": 1_567_692_556}).encode()


def headers(body: bytes, secret: str = SECRET) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-razorpay-signature": signature, "x-razorpay-event-id": "evt_1"}


def ours(**changes: Any) -> dict[str, Any]:
    return payment(**{"notes": {"kassa_key": KEY}, **changes})


@pytest.mark.parametrize(
    ("name", "entity", "expected"),
    [
        ("payment.captured", ours(), Captured),
        ("order.paid", ours(), Captured),
        ("payment.authorized", ours(status="authorized"), Authorized),
        ("payment.failed", ours(status="failed"), Pending),
        ("payment.pending", ours(status="created"), Pending),
        ("payment.captured", ours(status="sleeping"), InDoubt),
        ("payment.captured", ours(amount=None), InDoubt),
    ],
)
async def test_what_is_told_of_a_payment(
    scripted: RazorpayConnector, name: str, entity: Any, expected: type
) -> None:
    body = event(name, payment=entity)
    news = scripted.parse_notification(headers(body), body)
    assert isinstance(news, ChargeEvent)
    assert news.key == KEY
    assert isinstance(news.outcome, expected)
    assert scripted.parse_notification(headers(body), body) == news


async def test_a_paid_link_names_its_reference_where_the_payment_does_not(
    scripted: RazorpayConnector,
) -> None:
    body = event("payment_link.paid", payment=payment(), payment_link=link())
    news = scripted.parse_notification(headers(body), body)
    assert isinstance(news, ChargeEvent)
    assert news.key == KEY
    assert news.outcome == Captured(reference="pay_1", amount=Money(50_000, "INR"))


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (link(status="expired", order_id=None), Declined),
        (link(status="expired"), Pending),  # somebody had begun to pay
        (link(status="cancelled", order_id=None, amount_paid=1), Pending),
        (link(status="lost", order_id=None), InDoubt),
    ],
)
async def test_what_is_told_of_a_link_that_is_over(
    scripted: RazorpayConnector, entity: Any, expected: type
) -> None:
    body = event("payment_link.expired", payment_link=entity)
    news = scripted.parse_notification(headers(body), body)
    assert isinstance(news, ChargeEvent)
    assert isinstance(news.outcome, expected)


@pytest.mark.parametrize(
    ("name", "entity", "expected"),
    [
        ("refund.processed", refund(), Done),
        ("refund.created", refund(status="pending"), Pending),
        ("refund.failed", refund(status="failed"), Declined),
        ("refund.speed_changed", refund(), Done),
        ("refund.processed", refund(status="reversed"), InDoubt),
    ],
)
async def test_what_is_told_of_a_refund(
    scripted: RazorpayConnector, name: str, entity: Any, expected: type
) -> None:
    body = event(name, refund=entity, payment=ours())
    news = scripted.parse_notification(headers(body), body)
    assert isinstance(news, ModificationEvent)
    assert news.key == REFUND
    assert isinstance(news.outcome, expected)


@pytest.mark.parametrize(
    "body",
    [
        event("payment.captured", payment=payment()),  # notes are [], so it is not ours
        event("refund.processed", refund=refund(notes=[], payment_id="")),
        event("payment.downtime.started"),
        event("payment_link.paid"),
    ],
)
async def test_what_is_not_ours_changes_nothing(scripted: RazorpayConnector, body: bytes) -> None:
    assert isinstance(scripted.parse_notification(headers(body), body), IrrelevantEvent)


def dispute(**changes: Any) -> dict[str, Any]:
    given = {
        "id": "disp_1",
        "payment_id": "pay_1",
        "amount": 50_000,
        "currency": "INR",
        "amount_deducted": 0,
        "reason_code": "goods_not_received",
        "respond_by": 1_567_692_556,
        "status": "open",
        "phase": "chargeback",
    }
    return given | changes


@pytest.mark.parametrize(
    ("entity", "stage", "status"),
    [
        (dispute(), DisputeStage.INQUIRY, DisputeStatus.NEEDS_RESPONSE),
        (
            dispute(amount_deducted=50_000),
            DisputeStage.CHARGEBACK,
            DisputeStatus.NEEDS_RESPONSE,
        ),
        (dispute(status="under_review"), DisputeStage.INQUIRY, DisputeStatus.UNDER_REVIEW),
        (dispute(status="won"), DisputeStage.CHARGEBACK, DisputeStatus.WON),
        (dispute(status="lost"), DisputeStage.CHARGEBACK, DisputeStatus.LOST),
        (dispute(status="lost", phase="fraud"), DisputeStage.CHARGEBACK, DisputeStatus.LOST),
        (dispute(status="lost", phase="arbitration"), DisputeStage.ARBITRATION, DisputeStatus.LOST),
    ],
)
async def test_what_is_told_of_a_dispute(
    scripted: RazorpayConnector, entity: Any, stage: DisputeStage, status: DisputeStatus
) -> None:
    body = event("payment.dispute.created", dispute=entity, payment=ours())
    news = scripted.parse_notification(headers(body), body)
    assert isinstance(news, DisputeEvent)
    assert (news.stage, news.status) == (stage, status)
    assert (news.key, news.charge_reference, news.reference) == (KEY, "pay_1", "disp_1")
    assert (news.amount, news.reason) == (Money(50_000, "INR"), "goods_not_received")
    assert news.respond_by == datetime.fromtimestamp(1_567_692_556, UTC)


@pytest.mark.parametrize("entity", [dispute(phase="novelty"), dispute(status="novelty")])
async def test_a_dispute_in_unknown_words_is_for_a_person_to_read(
    scripted: RazorpayConnector, entity: Any
) -> None:
    body = event("payment.dispute.created", dispute=entity, payment=ours())
    news = scripted.parse_notification(headers(body), body)
    assert isinstance(news, UnreadEvent)
    assert (news.key, news.charge_reference, news.for_people) == (KEY, "pay_1", True)


async def test_only_the_right_secret_over_these_very_bytes_is_believed(
    scripted: RazorpayConnector,
) -> None:
    body = event("payment.captured", payment=ours())
    wrong = [
        (headers(body, "another"), body),
        (headers(body), body + b" "),
        ({}, body),
        ({"x-razorpay-signature": "é"}, body),
    ]
    for told, sent in wrong:
        assert isinstance(scripted.parse_notification(told, sent), Refused)
    for sent in (b"no JSON", b"[]"):
        assert isinstance(scripted.parse_notification(headers(sent), sent), UnreadEvent)
    async with connected("http://127.0.0.1:9/v1", webhook_secret="") as secretless:
        assert isinstance(secretless.parse_notification(headers(body, ""), body), Refused)


async def test_the_official_client_believes_what_we_believe() -> None:
    utility = official.Client(auth=("rzp_test_shop", "key-secret")).utility
    body = '{"entity":"event","event":"payment.captured"}'
    right = "7b221d29f6321fb8d663cf4e318454cc20179ef8cc7c066b1cf813a704cd4a94"
    assert signed("wh-secret", body.encode(), right)
    assert utility.verify_webhook_signature(body, right, "wh-secret")

    checkout = {
        "razorpay_order_id": "order_A",
        "razorpay_payment_id": "pay_B",
        "razorpay_signature": "499b31e8900df1b484a97bb54085f68a9eab577ac4c7b63cddf43f7b62d5ff9c",
    }
    assert checkout_is_genuine("key-secret", "order_A", checkout)
    assert utility.verify_payment_signature(checkout)
    assert not checkout_is_genuine("key-secret", "order_B", checkout)


async def test_every_letter_of_the_simulator_is_understood(
    razorpay: RazorpayConnector, simulator: Simulator, script: Scripted
) -> None:
    simulator.add_merchant(
        Merchant(
            provider="razorpay",
            name="shop",
            credentials=CREDENTIALS,
            notify_url=f"{script.url}/hook",
        )
    )
    script.says["POST /hook"] = (200, b"ok")
    simulator.set_faults([{"provider": "razorpay", "operation": "letter", "fault": "forged"}])
    await razorpay.charge(charge_request())
    reference = act(simulator)
    await razorpay.refund(change(charge_reference=reference, amount=Money(100, "INR")))
    simulator.act("razorpay", reference, "dispute")
    simulator.act("razorpay", reference, "lose_dispute")
    simulator.advance(timedelta(seconds=1))
    await simulator.post_letters()
    told = [razorpay.parse_notification(one.headers, one.raw) for one in script.heard]
    genuine = [news for news in told if not isinstance(news, Refused)]
    assert len(told) > len(genuine) > 0
    kinds = {type(news) for news in genuine}
    assert kinds == {ChargeEvent, ModificationEvent, DisputeEvent}
    captured = [news for news in genuine if isinstance(news, ChargeEvent)]
    assert Captured in {type(news.outcome) for news in captured}
    assert {news.key for news in captured} == {KEY}
