"""Captures, voids and refunds."""

from typing import Any

import pytest
from tests.connectors.stripe.conftest import (
    Api,
    charge_request,
    intent,
    modification,
    page,
    refund,
    refused,
)

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    Done,
    InDoubt,
    KnownCharge,
    NotSent,
    Pending,
    Unknown,
)
from kassa.connectors.stripe.connector import StripeConnector
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio
INTENT, REFUNDS = "GET /v1/payment_intents/pi_1", "GET /v1/refunds"
CAPTURE, CANCEL = "POST /v1/payment_intents/pi_1/capture", "POST /v1/payment_intents/pi_1/cancel"
CREATE = "POST /v1/refunds"


async def held(stripe: StripeConnector) -> str:
    outcome = await stripe.charge(charge_request(capture=False))
    assert isinstance(outcome, Authorized)
    return outcome.reference


async def paid(stripe: StripeConnector) -> str:
    outcome = await stripe.charge(charge_request())
    assert isinstance(outcome, Captured)
    return outcome.reference


@pytest.mark.parametrize("minor", [1099, 400])
async def test_a_capture_takes_what_was_asked_for_and_the_rest_is_let_go(
    stripe: StripeConnector, simulator: Simulator, minor: int
) -> None:
    request = modification("ca1_key", await held(stripe), minor)
    assert isinstance(await stripe.query_modification(request), Unknown)

    done = await stripe.capture(request)

    assert isinstance(done, Done)
    assert done.amount == Money(minor, "USD")
    assert done.fee is not None
    assert done.fee.minor > 0
    assert await stripe.query_modification(request) == done
    assert await stripe.capture(request) == done
    assert simulator.money("stripe")["USD"]["charged_minor"] == minor


async def test_a_second_capture_is_refused(stripe: StripeConnector) -> None:
    reference = await held(stripe)
    await stripe.capture(modification("ca1_key", reference, 400))

    again = await stripe.capture(modification("ca1_other", reference, 400))

    assert isinstance(again, Declined)
    assert again.code == "already_captured"


async def test_a_void_lets_go_of_everything(stripe: StripeConnector) -> None:
    reference = await held(stripe)
    request = modification("vo1_key", reference, 1099)
    assert isinstance(await stripe.query_modification(request), Unknown)

    done = await stripe.void(request)

    assert done == Done(reference=reference, amount=Money(1099, "USD"))
    assert await stripe.query_modification(request) == done
    told = await stripe.query("at1_key")
    assert isinstance(told, Declined)
    assert told.code == "voided"


async def test_what_was_let_go_cannot_be_captured_nor_what_was_captured_let_go(
    stripe: StripeConnector,
) -> None:
    reference = await held(stripe)
    await stripe.void(modification("vo1_key", reference, 1099))

    late = await stripe.capture(modification("ca1_key", reference, 1099))

    assert isinstance(late, Declined)
    assert late.code == "voided"
    taken = await stripe.charge(charge_request("at1_more"))
    assert isinstance(taken, Captured)
    late = await stripe.void(modification("vo1_more", taken.reference, 1099, charge_key="at1_more"))
    assert isinstance(late, Declined)
    assert late.code == "already_captured"


async def test_refunds_give_back_part_after_part_and_never_too_much(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    reference = await paid(stripe)
    first, second = (modification(f"re1_{n}", reference, 500) for n in (1, 2))

    done = await stripe.refund(first)

    assert isinstance(done, Done)
    assert done.reference.startswith("re_")
    assert done.amount == Money(500, "USD")
    assert await stripe.refund(first) == done
    assert await stripe.query_modification(first) == done
    assert isinstance(await stripe.query_modification(second), Unknown)
    assert isinstance(await stripe.refund(second), Done)
    third = await stripe.refund(modification("re1_3", reference, 500))
    assert isinstance(third, Declined)
    assert third.code == "amount_too_large"
    assert simulator.money("stripe")["USD"]["refunded_minor"] == 1000


async def test_a_refund_of_a_page_is_made_by_our_key_alone(
    stripe: StripeConnector, simulator: Simulator
) -> None:
    asked = await stripe.charge(charge_request(instrument=""))
    assert isinstance(asked, ActionNeeded)
    too_early = modification("re1_key", asked.reference, 1099)
    assert isinstance(await stripe.refund(too_early), NotSent)
    with simulator.books.deed():
        (charge,) = simulator.books.charges("stripe", "shop")
    simulator.act("stripe", charge.id, "pay")

    assert isinstance(await stripe.refund(modification("re1_key", "", 1099)), Done)


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        ("reset_before", False),
        ("reset_after", True),
        ("garbage", True),
        ("error_500", False),
        ("not_found", False),
    ],
)
@pytest.mark.parametrize("kind", ["capture", "void", "refund"])
async def test_a_doubt_is_settled_by_asking_and_a_repeat_is_harmless(
    stripe: StripeConnector, simulator: Simulator, kind: str, fault: str, done: bool
) -> None:
    reference = await (paid(stripe) if kind == "refund" else held(stripe))
    request = modification(f"{kind[:2]}1_key", reference, 1099)
    rule = {"provider": "stripe", "operation": kind, "fault": fault}
    simulator.set_faults([rule])
    act = {"capture": stripe.capture, "void": stripe.void, "refund": stripe.refund}[kind]

    assert isinstance(await act(request), InDoubt)

    assert isinstance(await stripe.query_modification(request), Done if done else Unknown)
    simulator.set_faults([])
    assert isinstance(await act(request), Done)
    moved = simulator.money("stripe").get("USD", {"charged_minor": 0, "refunded_minor": 0})
    assert moved["refunded_minor"] == (1099 if kind == "refund" else 0)
    assert moved["charged_minor"] == (0 if kind == "void" else 1099)


async def test_changes_are_asked_for_as_stripe_wants_them(api: Api, told: StripeConnector) -> None:
    api.answers |= {CAPTURE: intent(), CANCEL: intent("canceled"), CREATE: refund()}

    await told.capture(modification("ca1_key", "pi_1", 500))
    await told.void(modification("vo1_key", "pi_1", 1099))
    await told.refund(modification("re1_key", "pi_1", 500))

    assert [form for _, form in api.seen] == [
        {
            "amount_to_capture": "500",
            "metadata[kassa_capture]": "ca1_key",
            "expand[0]": "latest_charge.balance_transaction",
        },
        {"expand[0]": "latest_charge.balance_transaction"},
        {
            "payment_intent": "pi_1",
            "amount": "500",
            "metadata[kassa_key]": "re1_key",
            "expand[0]": "balance_transaction",
        },
    ]
    keys = [headers["Idempotency-Key"] for headers in api.headers]
    assert keys == ["ca1_key", "vo1_key", "re1_key"]


@pytest.mark.parametrize(
    "answer",
    [
        intent("requires_capture"),
        intent("requires_action"),
        intent("new_status"),
        intent(metadata={"kassa_key": "at1_other"}),
        intent(id="pi_2"),
        intent(amount=1100),
        intent(currency="eur"),
        intent(amount_received=None),
        refund(),
        {},
    ],
)
async def test_a_capture_that_cannot_be_believed_is_a_doubt(
    api: Api, told: StripeConnector, answer: Any
) -> None:
    api.answers[CAPTURE] = answer
    request = modification("ca1_key", "pi_1", 1099)

    assert isinstance(await told.capture(request), InDoubt)


@pytest.mark.parametrize(
    "answer",
    [
        refund("sent"),
        refund(metadata={}),
        refund(metadata={"kassa_key": "re1_other"}),
        refund(payment_intent="pi_2"),
        refund(currency="zzz"),
        refund(amount=None),
        refund(object="charge"),
        refund(id=None),
        intent(),
        {},
    ],
)
async def test_a_refund_that_cannot_be_believed_is_a_doubt(
    api: Api, told: StripeConnector, answer: Any
) -> None:
    request = modification("re1_key", "pi_1", 500)
    api.answers[CREATE] = answer

    assert isinstance(await told.refund(request), InDoubt)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refund(), Done(reference="re_1", amount=Money(500, "USD"))),
        (refund(amount=400), Done(reference="re_1", amount=Money(400, "USD"))),
        (refund("pending"), Pending(reference="re_1")),
        (refund("requires_action"), Pending(reference="re_1")),
    ],
)
async def test_what_a_refund_says_is_told(
    api: Api, told: StripeConnector, answer: Any, expected: Any
) -> None:
    request = modification("re1_key", "pi_1", 500)
    api.answers |= {CREATE: answer, INTENT: intent(), REFUNDS: page(refund(metadata={}), answer)}

    assert await told.refund(request) == expected
    assert await told.query_modification(request) == expected


@pytest.mark.parametrize(
    ("why", "code"),
    [
        ("lost_or_stolen_card", "refund_refused"),
        ("insufficient_funds", "balance_too_low"),
        ("charge_for_pending_refund_disputed", "charge_disputed"),
        ("another_reason", "refund_refused"),
    ],
)
async def test_a_refund_that_failed_says_why(
    api: Api, told: StripeConnector, why: str, code: str
) -> None:
    api.answers[CREATE] = refund("failed", failure_reason=why)

    outcome = await told.refund(modification("re1_key", "pi_1", 500))

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.provider_code) == (code, why)


@pytest.mark.parametrize(
    ("code", "param", "ours"),
    [
        ("charge_already_refunded", "", "amount_too_large"),
        ("", "amount", "amount_too_large"),
        ("charge_disputed", "", "charge_disputed"),
        ("balance_insufficient", "", "balance_too_low"),
        ("", "payment_intent", "not_captured"),
        ("something_new", "", "request_refused"),
    ],
)
async def test_a_refused_refund_is_final_once_stripe_has_none(
    api: Api, told: StripeConnector, code: str, param: str, ours: str
) -> None:
    api.answers |= {CREATE: (400, refused(code, param=param)), INTENT: intent(), REFUNDS: page()}

    outcome = await told.refund(modification("re1_key", "pi_1", 500))

    assert isinstance(outcome, Declined)
    assert outcome.code == ours


@pytest.mark.parametrize("where", [INTENT, REFUNDS])
async def test_a_refusal_that_cannot_be_checked_stays_a_doubt(
    api: Api, told: StripeConnector, where: str
) -> None:
    api.answers |= {CREATE: (400, refused()), INTENT: intent(), REFUNDS: page()}
    api.answers[where] = (429, refused())

    assert isinstance(await told.refund(modification("re1_key", "pi_1", 500)), InDoubt)


async def test_a_refused_repeat_of_a_refund_that_was_made_is_done(
    api: Api, told: StripeConnector
) -> None:
    api.answers |= {CREATE: (400, refused()), INTENT: intent(), REFUNDS: page(refund())}

    assert isinstance(await told.refund(modification("re1_key", "pi_1", 500)), Done)


async def test_more_refunds_than_are_listed_prove_nothing(api: Api, told: StripeConnector) -> None:
    api.answers |= {INTENT: intent(), REFUNDS: page(refund(metadata={}), more=True)}

    outcome = await told.query_modification(modification("re1_key", "pi_1", 500))

    assert isinstance(outcome, InDoubt)


async def test_a_capture_by_hand_counts_with_its_own_amount(
    api: Api, told: StripeConnector
) -> None:
    api.answers |= {INTENT: intent(amount_received=300), REFUNDS: page()}

    outcome = await told.query_modification(modification("ca1_key", "pi_1", 500))

    assert outcome == Done(reference="pi_1", amount=Money(300, "USD"))


async def test_a_reservation_that_stripe_let_go_has_expired(
    api: Api, told: StripeConnector
) -> None:
    api.answers |= {
        INTENT: intent(
            "canceled",
            capture_method="manual",
            latest_charge="ch_1",
            cancellation_reason="automatic",
        ),
        REFUNDS: page(),
    }

    late = await told.query_modification(modification("ca1_key", "pi_1", 1099))
    charge = await told.query("at1_key", KnownCharge(reference="pi_1"))

    assert isinstance(late, Declined)
    assert isinstance(charge, Declined)
    assert late.code == charge.code == "authorization_expired"


async def test_an_amount_that_stripe_cannot_move_is_not_sent(
    api: Api, told: StripeConnector
) -> None:
    request = modification("re1_key", "pi_1", 1005, charged=9000, currency="KWD")

    outcome = await told.refund(request)

    assert isinstance(outcome, Declined)
    assert outcome.code == "amount_out_of_range"
    assert api.seen == []
