"""Stripe's own library takes the simulator for Stripe: payment intents."""

import json
from datetime import timedelta

import aiohttp
import pytest
import stripe
from tests.simulator.conftest import SECRET, Heard, Shop

from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio


async def test_a_card_is_charged_at_once_and_the_fee_is_on_the_balance(
    shop: Shop, simulator: Simulator
) -> None:
    intent = await shop.pay()

    assert (intent.status, intent.amount_received, intent.currency) == ("succeeded", 1099, "usd")
    charge = await shop(
        lambda v1: v1.charges.retrieve(intent.latest_charge, {"expand": ["balance_transaction"]})
    )
    assert charge.captured
    assert charge.balance_transaction.fee == 62  # 2.9 % of 10.99 and 0.30
    assert charge.balance_transaction.net == 1037
    assert simulator.money("stripe") == {
        "USD": {"charged_minor": 1099, "refunded_minor": 0, "disputed_minor": 0, "charges": 1}
    }


async def test_the_same_key_answers_the_same_and_charges_once(
    shop: Shop, simulator: Simulator
) -> None:
    first, again = await shop.pay(), await shop.pay()

    assert first.id == again.id
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.body == first.last_response.body
    assert simulator.money("stripe")["USD"]["charges"] == 1


async def test_a_key_used_for_something_else_is_an_error(shop: Shop) -> None:
    await shop.pay()

    with pytest.raises(stripe.IdempotencyError) as caught:
        await shop.pay(amount=2000)

    assert caught.value.http_status == 400
    assert "Idempotent-Replayed" not in caught.value.headers


async def test_a_key_is_forgotten_after_a_day(shop: Shop, simulator: Simulator) -> None:
    first = await shop.pay()
    simulator.advance(timedelta(hours=25))

    assert (await shop.pay()).id != first.id
    assert simulator.money("stripe")["USD"]["charges"] == 2


async def test_a_wrong_parameter_does_not_use_up_the_key(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.pay(amonut=3)

    assert (caught.value.code, caught.value.param) == ("parameter_unknown", "amonut")
    assert (await shop.pay()).status == "succeeded"


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
async def test_a_declined_card_is_402_and_a_repeat_says_so_again(
    shop: Shop, simulator: Simulator, method: str, code: str, decline_code: str
) -> None:
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            await shop.pay(payment_method=method)
        assert caught.value.http_status == 402
        error = caught.value.json_body["error"]
        assert (error["code"], error["decline_code"]) == (code, decline_code)
        assert error["payment_intent"]["status"] == "requires_payment_method"

    assert simulator.money("stripe") == {}


async def test_a_reservation_is_captured_in_part_and_the_rest_is_let_go(
    shop: Shop, simulator: Simulator
) -> None:
    intent = await shop.pay(capture_method="manual")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1099)
    assert simulator.money("stripe") == {}

    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop(lambda v1: v1.payment_intents.capture(intent.id, {"amount_to_capture": 1100}))
    assert caught.value.code == "amount_too_large"
    taken = await shop(
        lambda v1: v1.payment_intents.capture(intent.id, {"amount_to_capture": 1000})
    )

    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 1000, 0)
    assert simulator.money("stripe")["USD"]["charged_minor"] == 1000
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop(lambda v1: v1.payment_intents.capture(intent.id))
    assert caught.value.code == "payment_intent_unexpected_state"


async def test_a_reservation_is_canceled_or_lapses_after_a_week(
    shop: Shop, simulator: Simulator
) -> None:
    one = await shop.pay("att_1", capture_method="manual")
    other = await shop.pay("att_2", capture_method="manual")

    canceled = await shop(lambda v1: v1.payment_intents.cancel(one.id))
    simulator.advance(timedelta(days=8))
    lapsed = await shop(lambda v1: v1.payment_intents.retrieve(other.id))

    assert (canceled.status, lapsed.status) == ("canceled", "canceled")
    assert lapsed.cancellation_reason == "automatic"
    assert simulator.money("stripe") == {}


async def test_a_charge_is_found_by_metadata_and_in_the_list(shop: Shop) -> None:
    made = [await shop.pay(f"att_{number}") for number in range(3)]

    found = await shop(
        lambda v1: v1.payment_intents.search({"query": "metadata['kassa_attempt']:'att_1'"})
    )
    since = await shop(
        lambda v1: v1.payment_intents.list({"created": {"gte": made[0].created}, "limit": 2})
    )
    rest = await shop(lambda v1: v1.payment_intents.list({"starting_after": since.data[-1].id}))

    assert [each.id for each in found.data] == [made[1].id]
    assert [each.id for each in since.data] == [made[2].id, made[1].id]
    assert since.has_more
    assert [each.id for each in rest.data] == [made[0].id]


@pytest.mark.parametrize(
    ("action", "status", "redirect"),
    [("pay", "succeeded", "succeeded"), ("decline", "requires_payment_method", "failed")],
)
async def test_the_bank_asks_the_payer_and_sends_the_browser_back(
    shop: Shop, action: str, status: str, redirect: str
) -> None:
    intent = await shop.pay(payment_method="pm_card_authenticationRequired")
    assert intent.status == "requires_action"
    page = intent.next_action.redirect_to_url.url

    async with aiohttp.ClientSession() as browser:
        async with browser.get(page) as shown:
            assert "10.99 USD" in await shown.text()
        async with browser.post(page, data={"action": action}, allow_redirects=False) as gone:
            location = gone.headers["location"]

    assert location.startswith(
        f"https://shop.example/back?n=1&payment_intent={intent.id}&payment_intent_client_secret="
    )
    assert location.endswith(f"&redirect_status={redirect}")
    now = await shop(lambda v1: v1.payment_intents.retrieve(intent.id))
    assert now.status == status


async def test_without_the_payer_a_card_that_needs_one_is_declined(shop: Shop) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await shop.pay(payment_method="pm_card_authenticationRequired", off_session=True)

    assert caught.value.code == "authentication_required"


async def test_yen_have_no_decimals(shop: Shop, simulator: Simulator) -> None:
    intent = await shop.pay(amount=500, currency="jpy")

    assert (intent.amount, intent.currency) == (500, "jpy")
    assert simulator.money("stripe")["JPY"]["charged_minor"] == 500


async def test_a_wrong_key_is_401_and_a_right_one_names_the_account(
    shop: Shop, simulator: Simulator
) -> None:
    account = await shop(lambda v1: v1.accounts.retrieve_current())
    assert account.id.startswith("acct_")

    with pytest.raises(stripe.AuthenticationError) as caught:
        await Shop(simulator.url, "sk_test_of_somebody_else")(
            lambda v1: v1.accounts.retrieve_current()
        )
    assert "sk_test_of_somebody_else" not in str(caught.value)


async def test_one_account_sees_nothing_of_another(shop: Shop, simulator: Simulator) -> None:
    other = simulator.counter.desk.merchants()[0]
    simulator.add_merchant(
        type(other)(
            provider="stripe",
            name="other",
            credentials={"secret_key": "sk_test_other", "webhook_secret": "whsec_other"},
        )
    )
    intent = await shop.pay()

    with pytest.raises(stripe.InvalidRequestError) as caught:
        await Shop(simulator.url, "sk_test_other")(
            lambda v1: v1.payment_intents.retrieve(intent.id)
        )

    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


async def test_letters_are_signed_as_the_library_checks_them(
    shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    intent = await shop.pay()
    await simulator.post_letters()

    assert sorted(heard.events) == [
        "charge.succeeded",
        "payment_intent.created",
        "payment_intent.succeeded",
    ]
    for headers, body in heard.letters:
        event = stripe.Webhook.construct_event(body, headers["stripe-signature"], SECRET)
        assert event.livemode is False
    last = json.loads(heard.letters[-1][1])
    assert last["data"]["object"]["id"] == intent.id
    assert last["data"]["object"]["metadata"] == {"kassa_attempt": "att_1"}
