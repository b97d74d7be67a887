"""A payment evaluation says what pay would say, and leaves no trace."""

from typing import Any

import asyncpg
import pytest
from tests.faces.wallet import golden
from tests.faces.wallet.calls import (
    CODE,
    PAY,
    RESERVE,
    USER,
    Merchant,
    a_user,
    an_order,
    balance,
    code,
    company_of,
)

from kassa.wallet.usecases.wallet_users import set_wallet_user_status

pytestmark = pytest.mark.anyio
ASK = {"paymentFactor": {"isPaymentEvaluation": True}}


TABLES = ("orders", "payment", "attempt", "payment_event", "posting", "wallet_day", "announcement")


async def rows(owner_url: str) -> list[int]:
    """How much of everything is stored that a payment makes."""
    connection = await asyncpg.connect(owner_url)
    counts = [await connection.fetchval(f"select count(*) from {table}") for table in TABLES]
    await connection.close()
    return counts


@pytest.mark.parametrize("product", ["51051000101000000011", "51051000101000100031", RESERVE])
async def test_it_is_s_moves_nothing_and_cannot_be_inquired(
    merchant: Merchant, owner_url: str, product: str
) -> None:
    await a_user(merchant, clp=2000)
    before = await rows(owner_url)
    members = an_order(productCode=product, paymentAuthCode=CODE)

    answers = [await merchant.ask(PAY, members | ASK) for _ in range(3)]
    inquiry = await merchant.inquire(paymentRequestId=members["paymentRequestId"])

    assert answers == [golden.read("evaluation_answer")] * 3
    assert code(inquiry) == "F ORDER_NOT_EXIST"
    assert await rows(owner_url) == before
    assert await balance(merchant) == 2000
    paid = await merchant.ask(PAY, members)  # the same request id, now in earnest
    assert code(paid) == "S SUCCESS"
    assert await balance(merchant) == 0


async def test_of_a_cashier_payment_only_the_request_is_judged(merchant: Merchant) -> None:
    assert await merchant.pay(**ASK) == golden.read("evaluation_answer")


async def test_every_refusal_is_the_one_that_pay_gives(merchant: Merchant, owner_url: str) -> None:
    await a_user(merchant, clp=2500)
    core = merchant.core
    core.policy = type(core.policy)(
        base_url=core.policy.base_url,
        wallet_limit_minor=3000,
        wallet_daily_limit_minor=4000,
    )

    def amount(value: str, currency: str = "CLP") -> dict[str, Any]:
        return {"paymentAmount": {"currency": currency, "value": value}, "paymentAuthCode": CODE}

    asked: dict[str, tuple[dict[str, Any], str]] = {
        "no such user": ({"paymentAuthCode": "nobody's"}, "F USER_NOT_EXIST"),
        "not enough": (amount("2501"), "F USER_BALANCE_NOT_ENOUGH"),
        "over the limit": (amount("3001"), "F PAYMENT_AMOUNT_EXCEED_LIMIT"),
        "another currency": (amount("1", "JPY"), "F USER_BALANCE_NOT_ENOUGH"),
        "no currency": (amount("1", "XYZ"), "F PARAM_ILLEGAL"),
        "past": ({"paymentExpiryTime": "2020-01-01T00:00:00Z"}, "F PARAM_ILLEGAL"),
        "inside": ({"paymentNotifyUrl": "http://169.254.169.254/"}, "F PARAM_ILLEGAL"),
        "agreement without code": (
            {"productCode": "51051000101000100031"},
            "F FUNCTION_NOT_MATCH",
        ),
    }
    before = await rows(owner_url)
    evaluated = {name: await merchant.pay(**changes, **ASK) for name, (changes, _) in asked.items()}
    assert await rows(owner_url) == before
    paid = {name: await merchant.pay(**changes) for name, (changes, _) in asked.items()}

    expected = {name: result for name, (_, result) in asked.items()}
    assert {name: code(answer) for name, answer in evaluated.items()} == expected
    assert {name: code(answer) for name, answer in paid.items()} == expected
    assert not any("paymentId" in answer for answer in evaluated.values())


async def test_what_was_spent_today_counts(merchant: Merchant) -> None:
    await a_user(merchant, clp=9000)
    core = merchant.core
    core.policy = type(core.policy)(base_url="http://127.0.0.1", wallet_daily_limit_minor=3999)
    await merchant.pay(paymentAuthCode=CODE)

    evaluated = await merchant.pay(paymentAuthCode=CODE, **ASK)
    paid = await merchant.pay(paymentAuthCode=CODE)

    assert code(evaluated) == code(paid) == "F PAYMENT_AMOUNT_EXCEED_LIMIT"
    assert await balance(merchant) == 7000


async def test_a_frozen_user_is_told_as_such(merchant: Merchant) -> None:
    await a_user(merchant, clp=9000)
    await set_wallet_user_status(merchant.core, (await company_of(merchant)).id, USER, "frozen")

    answer = await merchant.pay(paymentAuthCode=CODE, **ASK)

    assert code(answer) == "F USER_STATUS_ABNORMAL"


async def test_a_request_id_that_a_payment_has_is_judged_against_that_payment(
    merchant: Merchant,
) -> None:
    members = an_order()
    await merchant.ask(PAY, members)

    same = await merchant.ask(PAY, members | ASK)
    other = await merchant.ask(PAY, members | ASK | {"order": {"orderDescription": "boots"}})

    assert code(same) == "S SUCCESS"
    assert code(other) == "F REPEAT_REQ_INCONSISTENT"
