"""What a simulator would never say: strange statuses, other people's objects, half answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.loopback import listening, never_answers
from tests.connectors.stripe.conftest import (
    Api,
    charge_request,
    connected,
    intent,
    page,
    refused,
    session,
)

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    Declined,
    InDoubt,
    KnownCharge,
    NotSent,
    Pending,
    Unknown,
)
from kassa.connectors.stripe.connector import StripeConnector
from kassa.connectors.stripe.objects import Thing
from kassa.connectors.stripe.words import REASONS

pytestmark = pytest.mark.anyio
CREATE, CREATE_PAGE = "POST /v1/payment_intents", "POST /v1/checkout/sessions"
INTENT = "GET /v1/payment_intents/pi_1"
SEARCH = "GET /v1/payment_intents/search"
INTENTS, SESSIONS = "GET /v1/payment_intents", "GET /v1/checkout/sessions"


async def test_a_charge_is_asked_for_as_stripe_wants_it(api: Api, told: StripeConnector) -> None:
    api.answers[CREATE] = intent()

    await told.charge(charge_request())

    assert api.seen == [
        (
            CREATE,
            {
                "amount": "1099",
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "confirm": "true",
                "capture_method": "automatic",
                "error_on_requires_action": "false",
                "return_url": "https://shop.example/back",
                "description": "Two tins of tea",
                "metadata[kassa_key]": "at1_key",
                "metadata[order_id]": "1001",
                "expand[0]": "latest_charge.balance_transaction",
            },
        )
    ]
    (headers,) = api.headers
    assert headers["Idempotency-Key"] == "at1_key"
    assert headers["Authorization"] == "Bearer sk_test_of_this_run"
    assert headers["Stripe-Version"] == "2026-10-28.endive"
    assert "X-Stripe-Client-Telemetry" not in headers
    assert "platform" not in headers["X-Stripe-Client-User-Agent"]


async def test_a_page_is_asked_for_as_stripe_wants_it(api: Api, told: StripeConnector) -> None:
    api.answers[CREATE_PAGE] = session()
    request = charge_request(instrument="", capture=False)

    outcome = await told.charge(request)

    assert outcome == ActionNeeded(
        reference="cs_test_1",
        url="https://checkout.example/c/1",
        expires_at=datetime.fromtimestamp(1_800_000_000, UTC),
    )
    assert api.seen == [
        (
            CREATE_PAGE,
            {
                "mode": "payment",
                "allowed_payment_method_types[0]": "card",
                "line_items[0][quantity]": "1",
                "line_items[0][price_data][currency]": "usd",
                "line_items[0][price_data][unit_amount]": "1099",
                "line_items[0][price_data][product_data][name]": "Tea",
                "payment_intent_data[capture_method]": "manual",
                "payment_intent_data[description]": "Two tins of tea",
                "payment_intent_data[metadata][kassa_key]": "at1_key",
                "payment_intent_data[metadata][order_id]": "1001",
                "payment_intent_data[metadata][kassa_page]": "checkout",
                "success_url": "https://shop.example/back",
                "cancel_url": "https://shop.example/back",
                "expires_at": str(int(request.expires_at.timestamp())),
                "client_reference_id": "at1_key",
                "metadata[kassa_key]": "at1_key",
                "metadata[order_id]": "1001",
            },
        )
    ]
    assert api.headers[0]["Idempotency-Key"] == "at1_key"


@pytest.mark.parametrize(
    "answer",
    [
        intent("requires_reauthorization"),
        intent(metadata={"kassa_key": "at1_other"}),
        intent(metadata={}),
        intent("processing", amount=1100),
        intent("processing", currency="eur"),
        intent(amount_received="1099"),
        intent(amount_received=10.99),
        intent(currency="zzz"),
        intent(currency=None),
        intent(object="setup_intent"),
        intent(id=None),
        intent("requires_action"),
        intent("requires_action", next_action={"type": "use_stripe_sdk"}),
        intent(
            "requires_action",
            next_action={"redirect_to_url": {"url": "javascript:alert(1)"}},
        ),
        {"object": "list"},
        {},
        [],
        b"<html>Bad gateway</html>",
        b"[" * 100_000,
        b"",
        (500, refused(kind="api_error")),
        (503, {"error": "busy"}),
        (302, {}),
        (409, refused("idempotency_key_in_use", kind="idempotency_error")),
        (400, refused(kind="idempotency_error")),
        (400, refused(kind="api_error")),
        (400, {"error": {"type": ["card_error"]}}),
        (402, refused("card_declined", kind="card_error", payment_intent=intent("processing"))),
        (404, refused("resource_missing", param="intent")),
    ],
)
async def test_an_answer_that_cannot_be_believed_is_a_doubt(
    api: Api, told: StripeConnector, answer: Any
) -> None:
    api.answers[CREATE] = answer

    assert isinstance(await told.charge(charge_request()), InDoubt)
    assert len(api.seen) == 1  # nothing is tried again


async def test_an_amount_that_stripe_took_is_told_as_it_says(
    api: Api, told: StripeConnector
) -> None:
    api.answers[CREATE] = intent(amount=900, amount_received=900)

    assert await told.charge(charge_request()) == Captured(
        reference="pi_1", amount=Money(900, "USD")
    )


@pytest.mark.parametrize(
    "answer",
    [
        session("waiting"),
        session(metadata={"kassa_key": "at1_other"}),
        session(amount_total=1100),
        session(currency="eur"),
        session(url=None),
        session(url="checkout"),
        session(expires_at="soon"),
        session("complete", payment_status="perhaps"),
        intent(),
    ],
)
async def test_a_page_that_cannot_be_believed_is_a_doubt(
    api: Api, told: StripeConnector, answer: Any
) -> None:
    api.answers[CREATE_PAGE] = answer

    assert isinstance(await told.charge(charge_request(instrument="")), InDoubt)


async def test_silence_is_a_doubt() -> None:
    async with (
        listening(never_answers) as port,
        connected(f"http://127.0.0.1:{port}", total_seconds=0.3) as silent,
    ):
        outcome = await silent.charge(charge_request())

    assert outcome == InDoubt(reason="timed out")


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_who_is_not_let_in_has_done_nothing(
    api: Api, told: StripeConnector, status: int
) -> None:
    api.answers[CREATE] = (status, refused())

    assert isinstance(await told.charge(charge_request()), NotSent)


@pytest.mark.parametrize(
    ("reason", "code", "soft"),
    [
        ("insufficient_funds", "insufficient_funds", False),
        ("stolen_card", "card_declined", False),
        ("issuer_not_available", "provider_unavailable", True),
        ("try_again_later", "provider_unavailable", True),
        ("reenter_transaction", "provider_unavailable", True),
        ("a_reason_of_next_year", "card_declined", False),
    ],
)
async def test_a_declined_card_says_whether_another_provider_may_take_it(
    api: Api, told: StripeConnector, reason: str, code: str, soft: bool
) -> None:
    error = {"code": "card_declined", "decline_code": reason, "type": "card_error"}
    left = intent("requires_payment_method", last_payment_error=error)
    api.answers[CREATE] = (402, {"error": {**error, "payment_intent": left}})

    outcome = await told.charge(charge_request())

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.soft) == (code, soft)
    assert (outcome.provider_code, outcome.reference) == (reason, "pi_1")


def test_missing_money_and_stolen_cards_are_never_for_another_provider() -> None:
    for reason in ("insufficient_funds", "stolen_card", "lost_card", "fraudulent", "pickup_card"):
        assert REASONS[reason] in ("card_declined", "insufficient_funds")


@pytest.mark.parametrize(
    ("code", "param", "ours"),
    [
        ("amount_too_small", "amount", "amount_out_of_range"),
        ("amount_too_large", "amount", "amount_out_of_range"),
        ("", "currency", "currency_unsupported"),
        ("resource_missing", "payment_method", "token_unknown"),
        ("parameter_unknown", "flavour", "request_refused"),
    ],
)
async def test_a_refused_request_is_no_doubt(
    api: Api, told: StripeConnector, code: str, param: str, ours: str
) -> None:
    api.answers[CREATE] = (400, refused(code, param=param))

    outcome = await told.charge(charge_request())

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.provider_code, outcome.soft) == (ours, code or param, True)


async def test_a_reference_that_names_another_key_is_a_doubt(
    api: Api, told: StripeConnector
) -> None:
    api.answers[INTENT] = intent(metadata={"kassa_key": "at1_other"})

    outcome = await told.query("at1_key", KnownCharge(reference="pi_1"))

    assert isinstance(outcome, InDoubt)
    assert len(api.seen) == 1


async def test_a_reference_that_stripe_has_forgotten_is_no_proof_that_nothing_was_paid(
    api: Api, told: StripeConnector
) -> None:
    api.answers |= {SEARCH: page(), INTENTS: page(), SESSIONS: page()}

    assert isinstance(await told.query("at1_key", KnownCharge(reference="pi_1")), InDoubt)
    assert isinstance(await told.query("at1_key"), Unknown)


async def test_what_search_does_not_have_yet_is_in_the_list(
    api: Api, told: StripeConnector
) -> None:
    asked_at = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    others = [intent(id=f"pi_{number}", metadata={}) for number in (8, 9)]
    api.answers |= {
        SEARCH: page(),
        INTENTS: page(*others, intent()),
        INTENT: intent(amount_received=1099),
    }

    outcome = await told.query("at1_key", KnownCharge(asked_at=asked_at))

    assert outcome == Captured(reference="pi_1", amount=Money(1099, "USD"))
    assert [asked for asked, _ in api.seen] == [SEARCH, INTENTS, INTENT]
    assert api.seen[0][1]["query"] == "metadata['kassa_key']:'at1_key'"
    assert api.seen[1][1]["created[gte]"] == str(int(asked_at.timestamp()) - 60)


async def test_search_is_not_asked_for_anything_but_the_key(
    api: Api, told: StripeConnector
) -> None:
    api.answers |= {SEARCH: page(), INTENTS: page(), SESSIONS: page()}

    await told.query("x' OR status:'succeeded")

    assert api.seen[0][1]["query"] == "metadata['kassa_key']:'x\\' OR status:\\'succeeded'"


async def test_an_account_without_search_is_looked_through(api: Api, told: StripeConnector) -> None:
    api.answers |= {
        SEARCH: (400, refused()),
        INTENTS: page(),
        SESSIONS: page(session()),
        "GET /v1/checkout/sessions/cs_test_1": session(),
    }

    assert isinstance(await told.query("at1_key"), ActionNeeded)


@pytest.mark.parametrize(
    ("age", "word"), [(timedelta(minutes=1), InDoubt), (timedelta(hours=3), Unknown)]
)
async def test_a_list_without_end_proves_nothing_while_search_may_lag(
    api: Api, told: StripeConnector, age: timedelta, word: type
) -> None:
    api.answers |= {
        SEARCH: page(),
        INTENTS: page(intent(metadata={}), more=True),
        SESSIONS: page(),
    }

    assert isinstance(
        await told.query("at1_key", KnownCharge(asked_at=datetime.now(UTC) - age)), word
    )
    assert len(api.seen) == 12


@pytest.mark.parametrize(
    "answer",
    [
        (500, refused(kind="api_error")),
        {"object": "list", "data": None, "has_more": False},
        {"object": "list", "data": [5], "has_more": False},
        {"object": "list", "data": [intent(id=5)], "has_more": False},
        b"nothing",
    ],
)
@pytest.mark.parametrize("where", [SEARCH, INTENTS, SESSIONS])
async def test_a_question_half_answered_never_reads_as_unknown(
    api: Api, told: StripeConnector, where: str, answer: Any
) -> None:
    api.answers |= {SEARCH: page(), INTENTS: page(), SESSIONS: page(), where: answer}
    assert isinstance(await told.query("at1_key"), InDoubt)


async def test_of_two_intents_under_one_key_the_paid_one_counts(
    api: Api, told: StripeConnector
) -> None:
    api.answers |= {
        SEARCH: page(intent("canceled", id="pi_2"), intent()),
        INTENT: intent(),
    }

    assert isinstance(await told.query("at1_key"), Captured)


async def test_an_intent_in_the_works_is_pending(api: Api, told: StripeConnector) -> None:
    api.answers[INTENT] = intent("processing")

    assert await told.query("at1_key", KnownCharge(reference="pi_1")) == Pending(reference="pi_1")


async def test_a_fee_in_another_currency_is_not_told(api: Api, told: StripeConnector) -> None:
    entry = {"id": "txn_1", "object": "balance_transaction", "fee": 35, "currency": "eur"}
    charge = {"id": "ch_1", "object": "charge", "balance_transaction": entry}
    api.answers[INTENT] = intent(latest_charge=charge)

    outcome = await told.query("at1_key", KnownCharge(reference="pi_1"))

    assert outcome == Captured(reference="pi_1", amount=Money(1099, "USD"))


async def test_what_moves_on_while_it_is_being_closed_is_told(
    api: Api, told: StripeConnector
) -> None:
    waiting = intent("requires_action", next_action={"redirect_to_url": {"url": "https://b.test"}})
    api.answers |= {
        INTENT: waiting,
        "POST /v1/payment_intents/pi_1/cancel": (400, refused("payment_intent_unexpected_state")),
    }

    assert isinstance(
        await told.close_charge("at1_key", KnownCharge(reference="pi_1")), ActionNeeded
    )

    api.answers["POST /v1/payment_intents/pi_1/cancel"] = (500, refused(kind="api_error"))
    assert isinstance(await told.close_charge("at1_key", KnownCharge(reference="pi_1")), InDoubt)


async def test_another_program_at_the_address_is_not_stripe(
    api: Api, told: StripeConnector
) -> None:
    api.answers["GET /v1/account"] = {"hello": "world"}

    assert await told.probe() == "what answered there is not Stripe"


async def test_nothing_secret_is_shown(told: StripeConnector) -> None:
    shown = f"{told!r} {told.__dict__!r} {Thing({'client_secret': 'pi_1_secret_2'})!r}"

    assert "sk_test" not in shown
    assert "pi_1_secret_2" not in shown


async def test_a_list_that_does_not_say_whether_it_ends_proves_nothing(
    api: Api, told: StripeConnector
) -> None:
    api.answers |= {SEARCH: page(), INTENTS: {"object": "list", "data": []}, SESSIONS: page()}

    assert isinstance(await told.query("at1_key"), InDoubt)


@pytest.mark.parametrize("asked", [CREATE, INTENT, INTENTS])
async def test_an_object_of_the_other_mode_is_about_no_payment_of_ours(
    api: Api, told: StripeConnector, asked: str
) -> None:
    other = intent(livemode=True)
    api.answers[asked] = {"object": "list", "data": [other]} if asked == INTENTS else other

    if asked == CREATE:
        outcome = await told.charge(charge_request())
    else:
        known = (
            KnownCharge(reference="pi_1")
            if asked == INTENT
            else KnownCharge(asked_at=datetime.now(UTC))
        )
        outcome = await told.query("at1_key", known)

    assert isinstance(outcome, InDoubt)
    assert "other mode" in outcome.reason
