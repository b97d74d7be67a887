"""Pay codes on the wire: a user's app gets one, a merchant charges it once, guesses are slowed."""

from collections import Counter
from typing import Any

import pytest
from tests.faces.wallet.calls import (
    CODE,
    PAY,
    USER,
    Merchant,
    a_user,
    an_order,
    another_client,
    balance,
    code,
    company_of,
)

from kassa.wallet.usecases import wallet_codes
from kassa.wallet.usecases.wallet_codes import NewCode

pytestmark = pytest.mark.anyio
ASK = {"paymentFactor": {"isPaymentEvaluation": True}}
PAY_CODES = "/wallet/pay-codes"


async def a_code(merchant: Merchant, **changes: Any) -> str:
    company = (await company_of(merchant)).id
    wanted = NewCode(company_id=company, user_id=USER, **changes)
    return (await wallet_codes.make_pay_code(merchant.core, wanted)).text


async def test_a_users_app_gets_a_code_that_pays_once(merchant: Merchant, demo: Any) -> None:
    headers = {"authorization": f"Bearer {demo.wallet_user_secret}"}
    answer = await merchant.client.request("POST", PAY_CODES, headers=headers)
    made = answer.json()
    members = an_order(paymentAuthCode=made["paymentAuthCode"])

    first = await merchant.ask(PAY, members)
    again = await merchant.ask(PAY, members)
    other = await merchant.pay(paymentAuthCode=made["paymentAuthCode"])

    assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")
    assert set(made) == {"paymentAuthCode", "codeId", "userId", "expiryTime"}
    assert made["userId"] == demo.wallet_user_id
    assert code(first) == "S SUCCESS"
    assert again == first
    assert code(other) == "F USER_NOT_EXIST"


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer wus1_nobody", "Basic abc", "Bearer {auth_code}"]
)
async def test_without_the_users_secret_there_is_no_code(
    merchant: Merchant, demo: Any, sent: str
) -> None:
    headers = {"authorization": sent.format(auth_code=demo.wallet_auth_code)} if sent else {}

    answer = await merchant.client.request("POST", PAY_CODES, headers=headers)

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="kassa"'
    assert answer.json()["error"]["code"] == "unauthenticated"


async def test_wrong_secrets_are_slowed_by_address(merchant: Merchant, demo: Any) -> None:
    async def status(secret: str) -> int:
        headers = {"authorization": f"Bearer {secret}"}
        answer = await merchant.client.request("POST", PAY_CODES, headers=headers)
        assert (answer.status == 429) == ("retry-after" in answer.headers)
        return int(answer.status)

    assert Counter([await status("wus1_nobody") for _ in range(30)]) == {401: 21, 429: 9}
    assert await status(demo.wallet_user_secret) == 201


@pytest.mark.parametrize("factor", [{}, ASK])
async def test_sixty_wrong_guesses_are_not_sixty_answers(
    merchant: Merchant, factor: dict[str, Any]
) -> None:
    await a_user(merchant, clp=100_000)
    right = await a_code(merchant)

    answers = [await merchant.pay(paymentAuthCode=f"28{n:016d}", **factor) for n in range(60)]
    locked = await merchant.pay(paymentAuthCode=right, **factor)
    paid = await merchant.pay(paymentAuthCode=right)

    assert Counter(map(code, answers)) == {
        "F USER_NOT_EXIST": 21,
        "U REQUEST_TRAFFIC_EXCEED_LIMIT": 39,
    }
    assert code(locked) == code(paid) == "U REQUEST_TRAFFIC_EXCEED_LIMIT"
    assert await balance(merchant) == 100_000


async def test_a_payment_that_had_to_wait_goes_on_under_the_same_id(
    merchant: Merchant,
) -> None:
    await a_user(merchant, clp=100_000)
    for n in range(22):
        await merchant.pay(paymentAuthCode=f"28{n:016d}")
    members = an_order(paymentAuthCode=await a_code(merchant))
    waiting = await merchant.ask(PAY, members)
    async with merchant.core.db.connection() as connection:
        await connection.execute("update wallet_guess set blocked_until = now()")

    assert code(waiting) == "U REQUEST_TRAFFIC_EXCEED_LIMIT"
    assert code(await merchant.ask(PAY, members)) == "S SUCCESS"


async def test_a_code_made_for_one_client_is_nothing_to_another(merchant: Merchant) -> None:
    await a_user(merchant, clp=100_000)
    bound = await a_code(merchant, client_id=merchant.client_id)
    other = await another_client(merchant, "5X00000000000099")

    assert code(await other.pay(paymentAuthCode=bound)) == "F USER_NOT_EXIST"
    assert code(await merchant.pay(paymentAuthCode=bound)) == "S SUCCESS"


async def test_evaluating_a_pay_code_does_not_spend_it(merchant: Merchant) -> None:
    await a_user(merchant, clp=100_000)
    right = await a_code(merchant)

    assert code(await merchant.pay(paymentAuthCode=right, **ASK)) == "S SUCCESS"
    assert code(await merchant.pay(paymentAuthCode=right)) == "S SUCCESS"
    assert code(await merchant.pay(paymentAuthCode=right, **ASK)) == "F USER_NOT_EXIST"


async def test_an_agreement_is_charged_as_often_as_its_merchant_asks(merchant: Merchant) -> None:
    await a_user(merchant, clp=100_000)

    assert {code(await merchant.pay(paymentAuthCode=CODE)) for _ in range(3)} == {"S SUCCESS"}
    assert await balance(merchant) == 94_000
