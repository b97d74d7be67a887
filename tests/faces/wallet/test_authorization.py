"""Authorize now, capture or void later: on the wire, and true to the balance."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tests.faces.wallet import golden
from tests.faces.wallet.calls import (
    CAPTURE,
    CODE,
    PAY,
    RESERVE,
    VOID,
    Merchant,
    a_user,
    an_order,
    another_client,
    balance,
    code,
    pay_by_card,
    pay_in_the_cashier,
)

from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.modifications.usecases.release_authorizations import release_authorizations

pytestmark = pytest.mark.anyio


async def test_an_auth_code_reserves_and_the_repeat_says_the_same(merchant: Merchant) -> None:
    await a_user(merchant, clp=5000)
    members = an_order(productCode=RESERVE, paymentAuthCode=CODE)

    answer = await merchant.ask(PAY, members)
    again = await merchant.ask(PAY, members)
    inquiry = await merchant.inquire(paymentId=answer["paymentId"])

    assert answer == golden.agreed(golden.read("pay_answer_authorized"), answer)
    assert again == answer
    assert inquiry == golden.agreed(golden.read("inquiry_answer_authorized"), inquiry)
    ends = datetime.fromisoformat(inquiry["authExpiryTime"])
    week = merchant.core.policy.wallet_authorization_lifetime
    assert abs(ends - datetime.now(UTC) - week) < timedelta(minutes=1)
    assert await balance(merchant) == 3000  # reserved money cannot be spent again


async def test_the_factor_may_be_named_beside_the_product(merchant: Merchant) -> None:
    await a_user(merchant, clp=5000)

    answer = await merchant.reserve(paymentFactor={"isAuthorizationPayment": True})

    assert "authExpiryTime" in answer


async def test_capture_void_and_refund_are_answered_as_their_examples(merchant: Merchant) -> None:
    await a_user(merchant, clp=5000)
    paid, let_go = [(await merchant.reserve())["paymentId"] for _ in range(2)]

    captured = await merchant.ask(CAPTURE, golden.filled("capture_request", paymentId=paid))
    voided = await merchant.ask(VOID, golden.filled("void_request", paymentId=let_go))
    refunded = await merchant.ask(
        "/v1/payments/refund", golden.filled("refund_request", paymentId=paid)
    )
    inquiry = await merchant.inquire(paymentId=paid)

    assert captured == golden.agreed(golden.read("capture_answer"), captured)
    assert voided == golden.agreed(golden.read("void_answer"), voided)
    assert refunded == golden.agreed(golden.read("refund_answer"), refunded)
    assert inquiry == golden.agreed(golden.read("inquiry_answer_refunded"), inquiry)
    assert (await merchant.inquire(paymentId=let_go))["paymentStatus"] == "CANCELLED"
    assert await balance(merchant) == 5000 - 1500 + 500


async def test_without_an_amount_all_that_is_reserved_is_captured(merchant: Merchant) -> None:
    await a_user(merchant, clp=2000)
    payment_id = (await merchant.reserve())["paymentId"]

    answer = await merchant.capture(payment_id)

    assert answer["captureAmount"] == {"currency": "CLP", "value": "2000"}
    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "SUCCESS"
    assert await balance(merchant) == 0


async def test_several_captures_and_then_the_rest_is_let_go(merchant: Merchant) -> None:
    await a_user(merchant, clp=2000)
    payment_id = (await merchant.reserve())["paymentId"]

    first = await merchant.capture(payment_id, "500", isLastCapture=False)
    between = await merchant.inquire(paymentId=payment_id)
    second = await merchant.capture(payment_id, "700", isLastCapture=False)
    rest = await merchant.void(payment_id)
    after = await merchant.inquire(paymentId=payment_id)

    assert [code(one) for one in (first, second, rest)] == ["S SUCCESS"] * 3
    assert "authExpiryTime" in between  # there is more to capture
    assert "authExpiryTime" not in after
    assert after["capturedAmount"]["value"] == "1200"
    assert [one["transactionType"] for one in after["transactions"]] == [
        "CAPTURE",
        "CAPTURE",
        "VOID",
    ]
    assert await balance(merchant) == 800


async def test_a_capture_and_a_void_are_done_once_however_often_they_are_sent(
    merchant: Merchant,
) -> None:
    await a_user(merchant, clp=4000)
    one, two = [(await merchant.reserve())["paymentId"] for _ in range(2)]
    capture = {"captureRequestId": "C", "paymentId": one, "isLastCapture": False}
    capture["captureAmount"] = {"currency": "CLP", "value": "600"}
    void = {"voidRequestId": "V", "paymentId": two}

    captures = await asyncio.gather(*(merchant.ask(CAPTURE, capture) for _ in range(20)))
    voids = await asyncio.gather(*(merchant.ask(VOID, void) for _ in range(20)))

    assert all(answer == captures[0] for answer in captures)
    assert all(answer == voids[0] for answer in voids)
    assert [code(captures[0]), code(voids[0])] == ["S SUCCESS"] * 2
    assert (await merchant.inquire(paymentId=one))["capturedAmount"]["value"] == "600"
    assert await balance(merchant) == 2000
    other = await merchant.ask(CAPTURE, capture | {"captureAmount": None})
    assert code(other) == "F REPEAT_REQ_INCONSISTENT"
    assert code(await merchant.ask(VOID, void | {"paymentId": one})) == "F REPEAT_REQ_INCONSISTENT"


async def test_of_captures_and_voids_at_once_exactly_one_wins(merchant: Merchant) -> None:
    await a_user(merchant, clp=20_000)
    payments = [(await merchant.reserve())["paymentId"] for _ in range(10)]

    async def race(payment_id: str) -> list[str]:
        asked = [merchant.capture(payment_id), merchant.void(payment_id)]
        return [code(one) for one in await asyncio.gather(*asked)]

    outcomes = await asyncio.gather(*(race(one) for one in payments))

    for captured, voided in outcomes:
        assert sorted([captured[0], voided[0]]) == ["F", "S"]
        assert voided in ("S SUCCESS", "F ORDER_STATUS_INVALID")
        assert captured in ("S SUCCESS", "F AUTH_CANCELLED")
    won = Counter(captured for captured, _ in outcomes)["S SUCCESS"]
    assert await balance(merchant) == 20_000 - 2000 * won


@pytest.mark.parametrize("way", ["wallet", "card"])
async def test_a_payer_in_the_cashier_reserves_too(merchant: Merchant, way: str) -> None:
    await a_user(merchant, clp=2000)
    members = an_order(productCode=RESERVE)
    accepted = await merchant.ask(PAY, members)
    payment_id = accepted["paymentId"]
    assert "redirectActionForm" in accepted

    if way == "wallet":
        await pay_in_the_cashier(merchant, payment_id)
    else:
        await pay_by_card(merchant, payment_id)
    again = await merchant.ask(PAY, members)
    reserved = await merchant.inquire(paymentId=payment_id)
    captured = await merchant.capture(payment_id, "1500")
    paid = await merchant.inquire(paymentId=payment_id)

    assert code(again) == "S SUCCESS"
    assert "redirectActionForm" not in again
    assert reserved["paymentStatus"] == "AUTH_SUCCESS"
    assert code(captured) == "S SUCCESS"
    assert (paid["paymentStatus"], paid["capturedAmount"]["value"]) == ("SUCCESS", "1500")
    assert await balance(merchant) == (500 if way == "wallet" else 2000)


async def test_a_card_that_needs_approval_reserves_when_the_inquiry_learns_of_it(
    merchant: Merchant,
) -> None:
    payment_id = (await merchant.pay(productCode=RESERVE))["paymentId"]

    await pay_by_card(merchant, payment_id, "paid_but_silent")

    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "AUTH_SUCCESS"


async def test_the_cashier_says_that_the_amount_is_reserved(merchant: Merchant) -> None:
    await a_user(merchant, clp=2000)
    accepted = await merchant.pay(productCode=RESERVE)
    path = accepted["redirectActionForm"]["redirectionUrl"].partition("/pay/")[2]
    await pay_in_the_cashier(merchant, accepted["paymentId"])

    page = await merchant.client.request("GET", f"/pay/{path}/result?lang=en")

    assert "The amount is reserved" in page.text


async def test_alipay_is_not_offered_for_what_is_to_be_captured_later(merchant: Merchant) -> None:
    amount = {"currency": "CNY", "value": "2000"}
    offers = []
    for product in ("51051000101000000011", RESERVE):
        accepted = await merchant.pay(productCode=product, paymentAmount=amount)
        path = accepted["redirectActionForm"]["redirectionUrl"].partition("/pay/")[2]
        page = await merchant.client.request("GET", f"/pay/{path}?lang=en")
        offers.append(["method-alipay" in page.text, "method-wallet" in page.text])

    assert offers == [[True, True], [False, True]]


async def test_what_the_deadline_let_go_has_expired(merchant: Merchant, owner_url: str) -> None:
    await a_user(merchant, clp=2000)
    payment_id = (await merchant.reserve())["paymentId"]
    connection = await asyncpg.connect(owner_url)
    await connection.execute("update payment set authorization_expires_at = now()")
    await connection.close()

    assert await release_authorizations(merchant.core) == 1

    assert await balance(merchant) == 2000
    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "CANCELLED"
    assert code(await merchant.capture(payment_id)) == "F AUTH_EXPIRED"
    assert code(await merchant.void(payment_id)) == "F AUTH_EXPIRED"


async def test_each_refusal_of_a_capture_is_the_true_one(merchant: Merchant) -> None:
    await a_user(merchant, clp=9000)
    reserved, voided, full = [(await merchant.reserve())["paymentId"] for _ in range(3)]
    await merchant.void(voided)
    await merchant.capture(full)
    paid = (await merchant.pay(paymentAuthCode=CODE))["paymentId"]
    unpaid = (await merchant.pay(productCode=RESERVE))["paymentId"]
    other = await another_client(merchant, "another-client")
    yuan = {"captureAmount": {"currency": "CNY", "value": "1"}}

    answers = {
        "more than reserved": await merchant.capture(reserved, "2001"),
        "another currency": await merchant.capture(reserved, **yuan),
        "voided": await merchant.capture(voided),
        "captured": await merchant.capture(full, "1"),
        "paid at once": await merchant.capture(paid, "1"),
        "not authorized": await merchant.capture(unpaid),
        "unknown": await merchant.capture("py_unknown"),
        "another client's": await other.capture(reserved),
    }

    assert {name: code(answer) for name, answer in answers.items()} == {
        "more than reserved": "F CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT",
        "another currency": "F CURRENCY_NOT_SUPPORT",
        "voided": "F AUTH_CANCELLED",
        "captured": "F CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT",
        "paid at once": "F CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT",
        "not authorized": "F AUTH_NOT_FOUND",
        "unknown": "F AUTH_NOT_FOUND",
        "another client's": "F AUTH_NOT_FOUND",
    }
    assert await balance(merchant) == 9000 - 3 * 2000


async def test_each_refusal_of_a_void_is_the_true_one(merchant: Merchant) -> None:
    await a_user(merchant, clp=9000)
    voided, full = [(await merchant.reserve())["paymentId"] for _ in range(2)]
    await merchant.void(voided)
    await merchant.capture(full)
    unpaid = (await merchant.pay(productCode=RESERVE))["paymentId"]

    asked = {"voided": voided, "captured": full, "unpaid": unpaid, "unknown": "py_unknown"}
    answers = {name: code(await merchant.void(one)) for name, one in asked.items()}

    assert answers == {
        "voided": "F AUTH_CANCELLED",
        "captured": "F ORDER_STATUS_INVALID",
        "unpaid": "F AUTH_NOT_FOUND",
        "unknown": "F AUTH_NOT_FOUND",
    }


async def soon(owner_url: str) -> None:
    """Let every pause of what is asked of providers be over."""
    connection = await asyncpg.connect(owner_url)
    await connection.execute(
        "update modification set next_query_at = now(), last_query_at = null"
        " where next_query_at is not null"
    )
    await connection.close()


async def test_a_capture_whose_answer_is_lost_is_unknown_until_it_is_known(
    merchant: Merchant, owner_url: str
) -> None:
    payment_id = (await merchant.pay(productCode=RESERVE))["paymentId"]
    await pay_by_card(merchant, payment_id, "capture_lost_answer")
    members: dict[str, Any] = {"captureRequestId": "C-lost", "paymentId": payment_id}

    first = await merchant.ask(CAPTURE, members)
    another = await merchant.capture(payment_id)
    void = await merchant.void(payment_id)
    await soon(owner_url)
    again = await merchant.ask(CAPTURE, members)

    assert code(first) == "U CAPTURE_IN_PROCESS"
    assert "captureTime" not in first
    assert code(another) == "U CAPTURE_IN_PROCESS"
    assert code(void) == "U UNKNOWN_EXCEPTION"
    assert code(again) == "S SUCCESS"
    assert again["captureId"] == first["captureId"]


async def test_a_capture_that_the_bank_refuses_is_a_failure_for_ever(
    merchant: Merchant, owner_url: str
) -> None:
    payment_id = (await merchant.pay(productCode=RESERVE))["paymentId"]
    await pay_by_card(merchant, payment_id, "capture_refused")
    members: dict[str, Any] = {"captureRequestId": "C-refused", "paymentId": payment_id}

    answers = [await merchant.ask(CAPTURE, members) for _ in range(2)]
    await soon(owner_url)
    await pursue_modifications(merchant.core)

    assert [code(one) for one in answers] == ["F PROCESS_FAIL"] * 2
    assert answers[0]["result"]["resultMessage"]
    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "AUTH_SUCCESS"


async def test_a_hundred_signed_requests_at_once_spend_exactly_what_is_there(
    merchant: Merchant,
) -> None:
    await a_user(merchant, clp=65_000)

    asked = [merchant.pay(paymentAuthCode=CODE) for _ in range(50)]
    asked += [merchant.reserve() for _ in range(50)]
    answers = await asyncio.gather(*asked)

    assert Counter(map(code, answers)) == {"S SUCCESS": 32, "F USER_BALANCE_NOT_ENOUGH": 68}
    assert await balance(merchant) == 1000
