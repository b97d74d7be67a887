"""Paying by a session, and what is done to the money afterwards, in the words of the API."""

import asyncio

import pytest
from tests.faces.orders.strictness import (
    ALL,
    check_payment,
    check_refund,
    check_settlement,
)
from tests.faces.orders.versioned import CARD, Merchant

from kassa.orders.usecases.terminate_order import pursue_terminations
from kassa.payments.usecases.find_payments import payments_of_order
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.settlement.usecases.settlements import close_settlements

pytestmark = pytest.mark.anyio
MANUAL = {"order_tags": {"capture_method": "manual"}}


@pytest.fixture(params=ALL)
def merchant(client, headers, request):
    return Merchant(client, headers, request.param)


@pytest.fixture
def newest(client, headers):
    return Merchant(client, headers, ALL[-1])


async def test_a_card_pays_an_order_by_its_session(merchant):
    order = await merchant.order()
    before = await merchant.payment(order)

    paid = await merchant.pay(order)
    payment = await merchant.payment(order)
    path = f"/pg/orders/{order['order_id']}/payments/{payment['cf_payment_id']}"
    alone = await merchant.ask("GET", path)
    again = await merchant.pay(order)

    assert before["payment_status"] == "NOT_ATTEMPTED"
    assert (paid.json()["cf_payment_id"], paid.json()["action"]) == (
        payment["cf_payment_id"],
        "link",
    )
    assert paid.json()["data"]["url"].endswith(f"{order['payment_session_id']}/result")
    assert (payment["payment_status"], payment["is_captured"]) == ("SUCCESS", True)
    assert payment["payment_method"]["card"]["card_number"] == "XXXXXXXXXXXX4242"
    assert payment["authorization"] is None
    assert alone.json() == payment
    assert await merchant.status(order) == "PAID"
    assert (again.status, again.json()["code"]) == (400, "order_inactive")


async def test_a_declined_card_may_be_followed_by_another(newest):
    order = await newest.order()

    await newest.card(order, "4000000000000002")
    failed = await newest.payment(order)
    still = await newest.status(order)
    await newest.card(order, "4242424242424242")

    assert (failed["payment_status"], still) == ("FAILED", "ACTIVE")
    assert failed["error_details"]["error_reason"] == "card_declined"
    assert await newest.status(order) == "PAID"


async def test_a_card_that_asks_the_payer_sends_him_to_the_providers_page(newest):
    order = await newest.order()

    paid = await newest.card(order, "4000000000003220")

    assert "/sandbox/" in paid.json()["data"]["url"]
    assert (await newest.payment(order))["payment_status"] == "PENDING"


@pytest.mark.parametrize(
    "method, key",
    [
        ({"token": "pm_sandbox_paid"}, "card"),
        ({"card": {"channel": "link", "token": "pm_sandbox_paid"}}, "card"),
        ({"card": {"channel": "link", "instrument_id": "pm_sandbox_paid"}}, "card"),
    ],
)
async def test_a_token_pays_as_a_card_does(newest, method, key):
    order = await newest.order()

    paid = await newest.pay(order, method)

    assert paid.json()["payment_method"] == key
    assert (await newest.payment(order))["payment_status"] == "SUCCESS"


@pytest.mark.parametrize("key", ["card", "upi", "netbanking", "app", "banktransfer"])
async def test_a_link_without_an_instrument_leads_to_our_cashier(newest, key):
    order = await newest.order()

    paid = await newest.pay(order, {key: {"channel": "link"}})

    assert paid.json()["payment_method"] == key
    assert paid.json()["data"]["url"].endswith(f"/pay/{order['payment_session_id']}")
    assert (await newest.payment(order))["payment_status"] == "NOT_ATTEMPTED"


@pytest.mark.parametrize(
    "method",
    [
        {},
        {"card": CARD, "upi": {"channel": "link"}},
        {"cardless_emi": {"channel": "link", "provider": "flexmoney"}},
        {"card": "4242424242424242"},
        {"card": CARD | {"channel": "phone"}},
        {"card": CARD | {"card_number": "4242"}},
        {"card": CARD | {"card_number": 4242424242424242}},
        {"card": CARD | {"card_expiry_mm": "13"}},
        {"card": CARD | {"card_cvv": "12"}},
        {"card": CARD | {"token": "pm_sandbox_paid"}},
        {"card": {"channel": "link", "token": "pm_sandbox_paid", "instrument_id": "pm_other"}},
        {"card": {"channel": "link", "token": "tok_1"}},
        {"card": {"channel": "link", "cryptogram": "x", "card_number": "4242424242424242"}},
        {"upi": {"channel": "collect", "upi_id": "testsuccess@gocash"}},
        {"upi": {"channel": "link", "authorize_only": True}},
    ],
    ids=str,
)
async def test_what_cannot_pay_is_refused_and_never_repeated(newest, method):
    order = await newest.order()

    answer = await newest.pay(order, method)

    assert (answer.status, answer.json()["code"]) == (400, "payment_method_invalid")
    assert "4242" not in answer.text
    assert (await newest.payment(order))["payment_status"] == "NOT_ATTEMPTED"


async def test_an_order_is_paid_only_as_it_allows(newest):
    order = await newest.order(order_meta={"payment_methods": "upi,alipay"})

    card = await newest.pay(order)

    assert (card.status, card.json()["code"]) == (400, "payment_method_invalid")
    assert "alipay, upi" in card.json()["message"]


async def test_no_card_number_goes_to_a_real_provider(newest, core):
    """As where the sandbox is not: then only a provider's token or page can take a card."""
    order = await newest.order()
    sandbox = core.connectors.pop("sandbox")

    try:
        answer = await newest.pay(order)
    finally:
        core.connectors["sandbox"] = sandbox

    assert (answer.status, answer.json()["code"]) == (400, "payment_method_invalid")
    assert '{"card": {"channel": "link", "token": "pm_..."}}' in answer.json()["message"]


@pytest.mark.parametrize("token", ["", "sess_1z0", "sess_\x00", "session_abc"])
async def test_an_unknown_session_pays_nothing(newest, token):
    answer = await newest.pay({"payment_session_id": token})

    assert (answer.status, answer.json()["code"]) == (400, "payment_session_id_invalid")


async def test_a_session_pays_once_under_its_key(newest, core, demo):
    order = await newest.order()
    key = {"x-idempotency-key": "pay-1"}

    answers = [await newest.pay(order, **key) for _ in range(2)]
    other = await newest.pay(order, {"token": "pm_sandbox_paid"}, **key)

    assert answers[0].body == answers[1].body
    assert answers[1].headers["x-idempotency-replayed"] == "true"
    assert (other.status, other.json()["type"]) == (422, "idempotency_error")


async def test_money_is_reserved_and_claimed_in_part(merchant):
    order = await merchant.order(order_amount=80, **MANUAL)
    await merchant.pay(order)
    held, status = await merchant.payment(order), await merchant.status(order)
    path = f"/pg/orders/{order['order_id']}/authorization"
    capture = {"action": "CAPTURE", "amount": 55.5}

    too_much = await merchant.ask("POST", path, {"action": "CAPTURE", "amount": 80.01})
    first = await merchant.ask("POST", path, capture, key="c-1")
    again = await merchant.ask("POST", path, capture, key="c-1")
    other = await merchant.ask("POST", path, capture | {"amount": 50}, key="c-1")
    second = await merchant.ask("POST", path, capture)
    void = await merchant.ask("POST", path, {"action": "VOID"})

    assert (held["payment_status"], held["is_captured"], status) == ("SUCCESS", False, "PAID")
    assert (held["authorization"]["action"], held["payment_amount"]) == (None, 80)
    captured = check_payment(merchant.version, first.json())
    assert captured["is_captured"]
    assert (captured["authorization"]["action"], captured["authorization"]["status"]) == (
        "CAPTURE",
        "SUCCESS",
    )
    assert captured["authorization"]["captured_amount"] == 55.5
    assert (again.body, again.headers["x-idempotency-replayed"]) == (first.body, "true")
    assert (other.status, other.json()["type"]) == (422, "idempotency_error")
    assert [one.status for one in (too_much, second, void)] == [400, 400, 400]


async def test_reserved_money_is_let_go_once(merchant):
    order = await merchant.order(**MANUAL)
    await merchant.pay(order)
    path = f"/pg/orders/{order['order_id']}/authorization"

    void = await merchant.ask("POST", path, {"action": "VOID"})
    again = await merchant.ask("POST", path, {"action": "VOID"})
    capture = await merchant.ask("POST", path, {"action": "CAPTURE", "amount": 1})

    said = check_payment(merchant.version, void.json())
    assert (said["payment_status"], said["authorization"]["action"]) == ("VOID", "VOID")
    assert (again.status, again.json()["code"]) == (400, "order_id_voided")
    assert capture.status == 400
    assert await merchant.status(order) == "PAID"


async def test_of_many_captures_at_once_one_wins(newest):
    order = await newest.order(**MANUAL)
    await newest.pay(order)
    path = f"/pg/orders/{order['order_id']}/authorization"

    answers = await asyncio.gather(
        *(newest.ask("POST", path, {"action": "CAPTURE", "amount": 1}) for _ in range(8))
    )

    assert sorted(answer.status for answer in answers)[:2] != [200, 200]
    assert [answer.status for answer in answers].count(200) == 1


async def test_a_capture_that_the_provider_refuses_is_an_error_and_the_money_stays(newest):
    order = await newest.order(**MANUAL)
    await newest.card(order, "4000000000007031")

    refused = await newest.ask(
        "POST", f"/pg/orders/{order['order_id']}/authorization", {"action": "CAPTURE", "amount": 5}
    )

    assert (refused.status, refused.json()["code"]) == (502, "bank_processing_failure")
    held = await newest.payment(order)
    assert (held["payment_status"], held["authorization"]["action"]) == ("SUCCESS", None)


async def test_money_is_given_back_once_under_each_id(merchant):
    order = await merchant.order()
    await merchant.pay(order)
    path = f"/pg/orders/{order['order_id']}/refunds"
    wanted = {"refund_amount": 3.15, "refund_id": "back-1", "refund_note": "one broke"}

    first = await merchant.ask("POST", path, wanted, key="r-1")
    same = await merchant.ask("POST", path, wanted)
    other = await merchant.ask("POST", path, wanted | {"refund_amount": 3.16})
    more = await merchant.ask("POST", path, {"refund_amount": 7.01, "refund_id": "back-2"})
    listed = await merchant.ask("GET", path)
    one = await merchant.ask("GET", f"{path}/back-1")
    none = await merchant.ask("GET", f"{path}/back-9")

    said = check_refund(merchant.version, first.json())
    assert (said["refund_id"], said["refund_status"], said["refund_amount"]) == (
        "back-1",
        "SUCCESS",
        3.15,
    )
    assert (same.status, same.json(), one.json(), listed.json()) == (200, said, said, [said])
    assert (other.status, other.json()["code"]) == (409, "refund_already_exists")
    assert (more.status, more.json()["code"]) == (400, "refund_amount_invalid")
    assert (none.status, none.json()["code"]) == (404, "refund_not_found")
    assert await merchant.status(order) == "PAID"


async def test_a_refund_that_is_refused_has_a_word_that_every_client_knows(merchant):
    order = await merchant.order()
    await merchant.card(order, "4000000000006058")

    refused = await merchant.ask(
        "POST", f"/pg/orders/{order['order_id']}/refunds", {"refund_amount": 1}
    )

    assert check_refund(merchant.version, refused.json())["refund_status"] == "CANCELLED"


async def test_a_refund_is_not_split(newest):
    order = await newest.order()
    await newest.pay(order)

    answer = await newest.ask(
        "POST",
        f"/pg/orders/{order['order_id']}/refunds",
        {"refund_amount": 1, "refund_splits": [{"vendor_id": "v", "amount": 1}]},
    )

    assert (answer.status, answer.json()["code"]) == (400, "refund_splits_invalid")


async def test_a_settlement_is_one_entity_once_it_is_closed(merchant, core):
    order = await merchant.order()
    await merchant.pay(order)
    path = f"/pg/orders/{order['order_id']}/settlements"
    before = await merchant.ask("GET", path)

    await close_settlements(core)
    after = check_settlement(merchant.version, (await merchant.ask("GET", path)).json())

    assert (before.status, before.json()["code"]) == (404, "settlement_not_found")
    kept = after["order_amount"] - after["service_charge"] - after["service_tax"]
    assert after["settlement_amount"] == pytest.approx(kept)


async def test_an_order_whose_attempt_is_open_ends_when_that_brings_nothing(newest, core, demo):
    order = await newest.order()
    await newest.card(order, "4000000000000341")  # declined a while later
    path = f"/pg/orders/{order['order_id']}"

    asked = await newest.ask("PATCH", path, {"order_status": "TERMINATED"})
    again = await newest.ask("PATCH", path, {"order_status": "TERMINATED"})
    pursued = await pursue_terminations(core)

    assert (asked.status, asked.json()["order_status"]) == (200, "TERMINATION_REQUESTED")
    assert again.json() == asked.json()
    assert pursued == 0
    assert await newest.status(order) == "TERMINATION_REQUESTED"


async def test_an_order_whose_open_attempt_was_paid_is_paid_after_all(newest, core, demo):
    order = await newest.order()
    await newest.card(order, "4000000000000077")  # paid, and only a query tells
    [view] = await payments_of_order(core, demo.company_id, order["order_id"])
    await sync_payment(core, demo.company_id, view.payment.id, actor="test")

    asked = await newest.ask(
        "PATCH", f"/pg/orders/{order['order_id']}", {"order_status": "TERMINATED"}
    )

    assert (asked.status, asked.json()["code"]) == (400, "order_already_paid")
    assert await newest.status(order) == "PAID"


async def test_a_one_time_password_changes_nothing(merchant):
    answer = await merchant.ask(
        "POST", "/pg/orders/pay/authenticate/12345", {"action": "SUBMIT_OTP", "otp": "123456"}
    )
    wrong = await merchant.ask("POST", "/pg/orders/pay/authenticate/12345", {"action": "PAY"})
    empty = await merchant.ask(
        "POST", "/pg/orders/pay/authenticate/12345", {"action": "SUBMIT_OTP"}
    )

    assert answer.json()["authenticate_status"] == "FAILED"
    assert type(answer.json()["cf_payment_id"]) is (int if merchant.version == ALL[0] else str)
    assert (wrong.json()["code"], empty.json()["code"]) == ("action_invalid", "otp_missing")


async def test_a_payment_of_another_order_is_not_found(newest):
    mine, other = await newest.order(), await newest.order()
    payment = await newest.payment(other)

    answer = await newest.ask(
        "GET", f"/pg/orders/{mine['order_id']}/payments/{payment['cf_payment_id']}"
    )

    assert (answer.status, answer.json()["code"]) == (404, "payment_not_found")
