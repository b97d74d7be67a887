"""Webhooks: who signed them, and what they say."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe as sdk
from tests.connectors.stripe.conftest import (
    SECRET,
    Api,
    Heard,
    charge_request,
    connected,
    event,
    intent,
    modification,
    refund,
    session,
    signed,
)

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    AnyNews,
    Authorized,
    Captured,
    ChargeEvent,
    Declined,
    DisputeEvent,
    Done,
    ForeignEvent,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    PayoutEvent,
    Pending,
    Refused,
    UnreadEvent,
)
from kassa.connectors.stripe.connector import StripeConnector
from kassa.connectors.stripe.notifications import DISPUTE
from kassa.payments.domain.disputes import BalanceMovement
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio
PAID = event("payment_intent.succeeded", intent())
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def read(stripe: StripeConnector, body: bytes) -> AnyNews | IrrelevantEvent | Refused:
    return stripe.parse_notification(signed(body), body, received_at=datetime.now(UTC))


async def test_a_payment_is_told_with_our_key_and_stripes_reference(told: StripeConnector) -> None:
    assert read(told, PAID) == ChargeEvent(
        dedupe_key="evt_1",
        key="at1_key",
        outcome=Captured(reference="pi_1", amount=Money(1099, "USD")),
        charge_reference="pi_1",
    )


async def test_stripes_own_library_signs_as_we_verify(told: StripeConnector) -> None:
    stamp = int(NOW.timestamp())
    header = sdk.WebhookSignature.generate_signature_header(PAID.decode(), SECRET, stamp)

    news = told.parse_notification({"stripe-signature": header}, PAID, received_at=NOW)

    assert isinstance(news, ChargeEvent)


async def test_one_right_signature_of_several_is_enough(told: StripeConnector) -> None:
    wrong = signed(PAID, secret="whsec_old")["stripe-signature"]
    right = signed(PAID)["stripe-signature"].partition(",")[2]

    for header in (f"{wrong},{right}", f"{wrong}, {right}", f"{wrong},v0=00,{right}"):
        assert isinstance(told.parse_notification({"stripe-signature": header}, PAID), ChargeEvent)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"stripe-signature": ""},
        {"stripe-signature": "t=1,v1="},
        {"stripe-signature": "v1=00"},
        {"stripe-signature": "t=²,v1=00"},
        {"stripe-signature": "t=99999999999999999999,v1=00"},
        {"stripe-signature": "t=1,v1=ü"},
        signed(PAID, secret="whsec_of_nobody"),
        signed(PAID, scheme="v0"),
        signed(PAID + b" "),
    ],
)
async def test_what_stripe_did_not_sign_is_refused(
    told: StripeConnector, headers: dict[str, str]
) -> None:
    assert isinstance(told.parse_notification(headers, PAID, received_at=NOW), Refused)


@pytest.mark.parametrize(
    ("away", "good"),
    [(timedelta(seconds=299), True), (timedelta(seconds=301), False), (-timedelta(days=1), False)],
)
async def test_an_old_letter_is_refused(told: StripeConnector, away: timedelta, good: bool) -> None:
    headers = signed(PAID, at=NOW)

    news = told.parse_notification(headers, PAID, received_at=NOW + away)

    assert isinstance(news, ChargeEvent if good else Refused)
    assert isinstance(told.parse_notification(headers, PAID), ChargeEvent)


async def test_without_a_secret_nothing_is_believed(api: Api) -> None:
    async with connected(f"http://127.0.0.1:{api.port}", secret="") as stripe:
        headers = signed(PAID, secret="")

        assert isinstance(stripe.parse_notification(headers, PAID), Refused)


@pytest.mark.parametrize(
    ("key", "livemode", "good"),
    [
        ("sk_live_1", True, True),
        ("rk_live_1", True, True),
        ("sk_live_1", False, False),
        ("sk_test_1", True, False),
        ("sk_test_1", None, False),
    ],
)
async def test_news_of_the_other_mode_is_foreign(
    api: Api, key: str, livemode: bool | None, good: bool
) -> None:
    body = event("payment_intent.succeeded", intent(), livemode=livemode)
    async with connected(f"http://127.0.0.1:{api.port}", key=key) as stripe:
        other = UnreadEvent if livemode is None else ForeignEvent
        assert isinstance(read(stripe, body), ChargeEvent if good else other)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"id": "evt_1", "type": "payment_intent.succeeded", "livemode": false}',
        event("payment_intent.succeeded", intent(), id=None),
        event("payment_intent.succeeded", intent(metadata="none", id=[])),
        event("charge.dispute.created", {"id": "du_1", "payment_intent": "pi_1", "status": "odd"}),
        event("refund.updated", refund(amount="1")),
    ],
)
async def test_what_is_signed_and_makes_no_sense_is_not_believed(
    told: StripeConnector, body: bytes
) -> None:
    assert isinstance(read(told, body), UnreadEvent | IrrelevantEvent)
    assert not isinstance(read(told, body), ChargeEvent)


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        ("customer.created", {"id": "cus_1"}),
        ("payment_intent.created", intent("requires_payment_method")),
        ("payment_intent.succeeded", intent(metadata={"order": "of somebody else"})),
        ("checkout.session.completed", session("complete", metadata=None)),
        ("refund.updated", refund(metadata={}, payment_intent=None)),
        ("charge.refunded", {"id": "ch_1", "object": "charge"}),
        ("charge.dispute.created", {"id": "du_1", "payment_intent": None}),
        (
            "payment_intent.payment_failed",
            intent(
                "requires_payment_method",
                metadata={"kassa_key": "at1_key", "kassa_page": "checkout"},
                last_payment_error={"code": "card_declined"},
            ),
        ),
    ],
)
async def test_what_changes_nothing_here_is_acknowledged(
    told: StripeConnector, name: str, thing: dict[str, Any]
) -> None:
    assert read(told, event(name, thing)) == IrrelevantEvent(event=name)


@pytest.mark.parametrize(
    ("name", "thing", "expected"),
    [
        (
            "payment_intent.amount_capturable_updated",
            intent("requires_capture"),
            Authorized(reference="pi_1", amount=Money(1099, "USD")),
        ),
        ("payment_intent.processing", intent("processing"), Pending(reference="pi_1")),
        (
            "payment_intent.requires_action",
            intent("requires_action", next_action={"redirect_to_url": {"url": "https://b.test/"}}),
            ActionNeeded(reference="pi_1", url="https://b.test/"),
        ),
        (
            "checkout.session.completed",
            session("complete", payment_intent="pi_1"),
            Captured(reference="pi_1", amount=Money(1099, "USD")),
        ),
        (
            "checkout.session.completed",
            session("complete", payment_intent="pi_1", payment_status="unpaid"),
            Pending(reference="pi_1"),
        ),
    ],
)
async def test_an_event_says_what_its_object_says(
    told: StripeConnector, name: str, thing: dict[str, Any], expected: Any
) -> None:
    news = read(told, event(name, thing))

    assert isinstance(news, ChargeEvent)
    assert (news.key, news.outcome, news.charge_reference) == ("at1_key", expected, "pi_1")


@pytest.mark.parametrize(
    ("name", "thing", "code"),
    [
        (
            "payment_intent.payment_failed",
            intent("requires_payment_method", last_payment_error={"code": "expired_card"}),
            "expired_card",
        ),
        ("payment_intent.canceled", intent("canceled"), "closed"),
        (
            "payment_intent.canceled",
            intent("canceled", capture_method="manual", latest_charge="ch_1"),
            "voided",
        ),
        ("checkout.session.expired", session("expired"), "closed"),
    ],
)
async def test_an_event_of_an_end_says_why(
    told: StripeConnector, name: str, thing: dict[str, Any], code: str
) -> None:
    news = read(told, event(name, thing))

    assert isinstance(news, ChargeEvent)
    assert isinstance(news.outcome, Declined)
    assert news.outcome.code == code


async def test_a_status_of_next_year_is_a_doubt(told: StripeConnector) -> None:
    news = read(told, event("payment_intent.succeeded", intent("half_succeeded")))

    assert isinstance(news, ChargeEvent)
    assert isinstance(news.outcome, InDoubt)


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        ("refund.created", refund()),
        ("refund.updated", refund()),
        ("charge.refund.updated", refund()),
        ("charge.refunded", {"object": "charge", "refunds": {"data": [refund(), refund("new")]}}),
    ],
)
async def test_a_refund_is_told_by_its_own_key(
    told: StripeConnector, name: str, thing: dict[str, Any]
) -> None:
    assert read(told, event(name, thing)) == ModificationEvent(
        dedupe_key="evt_1",
        key="re1_key",
        outcome=Done(reference="re_1", amount=Money(500, "USD")),
    )


async def test_a_refund_that_failed_is_refused_after_all(told: StripeConnector) -> None:
    news = read(told, event("refund.failed", refund("failed", failure_reason="declined")))

    assert isinstance(news, ModificationEvent)
    assert isinstance(news.outcome, Declined)


def dispute(status: str = "needs_response", **members: Any) -> dict[str, Any]:
    booked = {"id": "txn_1", "currency": "usd", "amount": -1099, "fee": 1500}
    return {
        "id": "du_1",
        "object": "dispute",
        "amount": 1099,
        "balance_transactions": [booked],
        "currency": "usd",
        "evidence_details": {"due_by": 1_800_000_000},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": status,
        **members,
    }


async def test_a_dispute_names_the_charge_and_what_it_costs(told: StripeConnector) -> None:
    left = BalanceMovement(id="txn_1", amount=Money(-1099, "USD"), fee=Money(1500, "USD"))
    expected = DisputeEvent(
        dedupe_key="evt_1",
        key="",
        reference="du_1",
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount=Money(1099, "USD"),
        fee=None,
        reason="fraudulent",
        respond_by=datetime.fromtimestamp(1_800_000_000, UTC),
        charge_reference="pi_1",
        told_at=datetime.fromtimestamp(1_790_000_000, UTC),
        movements=(left,),
    )
    created = event("charge.dispute.created", dispute(), created=1_790_000_000)
    assert read(told, created) == expected

    back = {"id": "txn_2", "currency": "usd", "amount": 1099, "fee": -1500}
    booked = [*dispute()["balance_transactions"], back]
    won = dispute("won", balance_transactions=booked, evidence_details=None)
    returned = replace(left, id="txn_2", amount=-left.amount, fee=-left.fee)
    assert read(told, event("charge.dispute.closed", won, created=1_790_000_000)) == replace(
        expected, status=DisputeStatus.WON, respond_by=None, movements=(left, returned)
    )


async def test_bookings_of_a_dispute_are_told_in_their_own_currency(
    told: StripeConnector,
) -> None:
    entry = {"currency": "eur", "amount": -900, "fee": 1500}
    news = read(told, event("charge.dispute.created", dispute(balance_transactions=[entry])))
    nothing = read(told, event("charge.dispute.created", dispute(balance_transactions=[])))
    untold = read(told, event("charge.dispute.created", dispute(balance_transactions=None)))

    assert isinstance(news, DisputeEvent)
    booked = BalanceMovement(id="1", amount=Money(-900, "EUR"), fee=Money(1500, "EUR"))
    assert (news.amount, news.movements) == (Money(1099, "USD"), (booked,))
    assert [one.movements for one in (nothing, untold) if isinstance(one, DisputeEvent)] == [
        (),
        None,
    ]


@pytest.mark.parametrize("status", DISPUTE)
async def test_each_status_of_a_dispute_is_known(told: StripeConnector, status: str) -> None:
    news = read(told, event("charge.dispute.updated", dispute(status)))

    assert isinstance(news, DisputeEvent)
    assert (news.stage, news.status) == DISPUTE[status]


async def all_news(
    stripe: StripeConnector, simulator: Simulator, heard: Heard
) -> dict[str, AnyNews | IrrelevantEvent | Refused]:
    """By the event's name, everything that the simulator has posted."""
    await simulator.post_letters()
    now = datetime.now(UTC)
    return {
        json.loads(body)["type"]: stripe.parse_notification(headers, body, received_at=now)
        for headers, body in heard.letters
    }


async def test_the_letters_of_a_payment_and_its_refund_are_understood(
    stripe: StripeConnector, simulator: Simulator, heard: Heard
) -> None:
    paid = await stripe.charge(charge_request())
    assert isinstance(paid, Captured)
    given_back = await stripe.refund(modification("re1_key", paid.reference, 1099))

    news = await all_news(stripe, simulator, heard)

    told = news["payment_intent.succeeded"]
    assert isinstance(told, ChargeEvent)
    assert (told.key, told.outcome) == ("at1_key", replace(paid, fee=None))
    of_refund = news["refund.created"]
    assert isinstance(of_refund, ModificationEvent)
    assert isinstance(given_back, Done)
    assert (of_refund.key, of_refund.outcome) == ("re1_key", replace(given_back, fee=None))
    assert not [one for one in news.values() if isinstance(one, Refused)]


async def test_the_letters_of_a_page_are_understood(
    stripe: StripeConnector, simulator: Simulator, heard: Heard
) -> None:
    await stripe.charge(charge_request(instrument="", capture=False))
    with simulator.books.deed():
        (charge,) = simulator.books.charges("stripe", "shop")
    simulator.act("stripe", charge.id, "decline")
    simulator.act("stripe", charge.id, "pay")

    news = await all_news(stripe, simulator, heard)

    held, completed = (
        news[name]
        for name in ("payment_intent.amount_capturable_updated", "checkout.session.completed")
    )
    assert isinstance(news["payment_intent.payment_failed"], IrrelevantEvent)
    assert isinstance(held, ChargeEvent)
    assert held.outcome == Authorized(reference=charge.id, amount=Money(1099, "USD"))
    assert isinstance(completed, ChargeEvent)
    assert completed.outcome == Pending(reference=charge.id)


async def test_the_letters_of_a_dispute_are_understood(
    stripe: StripeConnector, simulator: Simulator, heard: Heard
) -> None:
    paid = await stripe.charge(charge_request(instrument="pm_card_createDispute"))
    assert isinstance(paid, Captured)
    simulator.act("stripe", paid.reference, "win_dispute")

    news = await all_news(stripe, simulator, heard)

    opened, closed = news["charge.dispute.created"], news["charge.dispute.closed"]
    assert isinstance(opened, DisputeEvent)
    assert isinstance(closed, DisputeEvent)
    assert opened.charge_reference == closed.charge_reference == paid.reference
    assert [one.fee for one in opened.movements or ()] == [Money(1500, "USD")]
    assert closed.status is DisputeStatus.WON


async def test_a_forged_letter_is_refused(
    stripe: StripeConnector, simulator: Simulator, heard: Heard
) -> None:
    simulator.set_faults([{"provider": "stripe", "operation": "letter", "fault": "forged"}])
    paid = await stripe.charge(charge_request())
    assert isinstance(paid, Captured)
    await simulator.post_letters()

    read = [stripe.parse_notification(headers, body) for headers, body in heard.letters]

    assert [one for one in read if isinstance(one, Refused)]
    told = [one.outcome for one in read if isinstance(one, ChargeEvent)]
    assert told == [replace(paid, fee=None)]


@pytest.mark.parametrize("name", ["payout.failed", "payout.canceled"])
async def test_a_payout_that_did_not_arrive_or_went_back_is_told(
    told: StripeConnector, name: str
) -> None:
    payout = {"id": "po_1", "object": "payout", "failure_code": "account_closed"}
    body = event(name, payout)

    news = told.parse_notification(signed(body), body, received_at=datetime.now(UTC))

    assert news == PayoutEvent(
        dedupe_key="evt_1", references=("po_1",), reason=f"{name}: account_closed"
    )
