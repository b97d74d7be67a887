"""Every result code that the wallet documents is reached, each by the way it is meant for."""

import pytest
from tests.faces.wallet import golden
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

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.identity.usecases.companies import close_company
from kassa.identity.usecases.credentials import switch_credential
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.wallet.usecases.wallet_users import set_wallet_user_status, top_up

pytestmark = pytest.mark.anyio


async def test_success(merchant: Merchant) -> None:
    assert code(await merchant.pay()) == "S SUCCESS"


async def test_repeat_request(merchant: Merchant) -> None:
    members = an_order(paymentRequestId="R {id} 7")
    await merchant.ask(PAY, members)

    answer = await merchant.ask(PAY, members)

    assert code(answer) == "S REPEAT_REQUEST"
    said = "repeat order create request, merchantTransId = R {id} 7"
    assert answer["result"]["resultMessage"] == said


async def test_no_interface_def(merchant: Merchant) -> None:
    assert code(await merchant.ask("/v1/payments/transfer", {})) == "F NO_INTERFACE_DEF"


async def test_msg_parse_error(merchant: Merchant) -> None:
    assert code(await merchant.send(PAY, b"{")) == "F MSG_PARSE_ERROR"


async def test_function_not_match(merchant: Merchant) -> None:
    answer = await merchant.ask(PAY, {"refundRequestId": "1"})

    assert code(answer) == "F FUNCTION_NOT_MATCH"


async def test_invalid_client_is_the_only_unsigned_answer(merchant: Merchant) -> None:
    for headers in ({}, {"client-id": ""}, {"client-id": "nobody"}):
        answer = await merchant.client.request("POST", PAY, headers=headers, content=b"{}")

        assert answer.status == 200
        assert code(answer.json()) == "F INVALID_CLIENT"
        assert "signature" not in answer.headers


async def test_invalid_signature(merchant: Merchant) -> None:
    answer = await merchant.send(PAY, b"{}", headers={"Signature": "algorithm=RSA256"})

    assert code(answer) == "F INVALID_SIGNATURE"


async def test_invalid_client_status(merchant: Merchant) -> None:
    other = await another_client(merchant, "a-disabled-client")
    await switch_credential(merchant.core, "wallet:a-disabled-client", active=False)

    answer = await other.send(PAY, b"", headers={"Signature": None})

    assert code(answer) == "F INVALID_CLIENT_STATUS"


async def test_payment_amount_exceed_limit(merchant: Merchant) -> None:
    limit = merchant.core.policy.wallet_limit_minor
    await a_user(merchant, clp=limit + 1)

    answer = await merchant.pay(
        paymentAuthCode=CODE, paymentAmount={"currency": "CLP", "value": str(limit + 1)}
    )

    assert code(answer) == "F PAYMENT_AMOUNT_EXCEED_LIMIT"
    assert await balance(merchant) == limit + 1


async def test_user_not_exist(merchant: Merchant) -> None:
    members = an_order(paymentAuthCode="nobody's code")

    answers = [await merchant.ask(PAY, members) for _ in range(2)]

    assert [code(answer) for answer in answers] == ["F USER_NOT_EXIST"] * 2


async def test_user_status_abnormal_stays_the_result_even_when_the_user_is_well_again(
    merchant: Merchant,
) -> None:
    await a_user(merchant, clp=5000)
    company = await company_of(merchant)
    members = an_order(paymentAuthCode=CODE)

    await set_wallet_user_status(merchant.core, company.id, USER, "frozen")
    frozen = await merchant.ask(PAY, members)
    await set_wallet_user_status(merchant.core, company.id, USER, "active")
    again = await merchant.ask(PAY, members)

    assert code(frozen) == code(again) == "F USER_STATUS_ABNORMAL"
    assert await balance(merchant) == 5000


async def test_user_balance_not_enough_stays_the_result_even_after_a_top_up(
    merchant: Merchant,
) -> None:
    await a_user(merchant, clp=1999)
    members = an_order(paymentAuthCode=CODE)

    poor = await merchant.ask(PAY, members)
    await top_up(merchant.core, (await company_of(merchant)).id, USER, Money(1000, "CLP"))
    again = await merchant.ask(PAY, members)
    fresh = await merchant.pay(paymentAuthCode=CODE)

    assert poor == again == golden.agreed(golden.read("pay_answer_refused"), poor)
    assert code(fresh) == "S SUCCESS"
    assert await balance(merchant) == 999


async def test_partner_not_exist(merchant: Merchant) -> None:
    other = await another_client(merchant, "client-of-a-closed-partner")
    await close_company(merchant.core, (await company_of(merchant)).id)

    answer = await other.pay()
    forged = await other.send(PAY, b"{}", headers={"Signature": "algorithm=RSA256"})

    assert code(answer) == "F PARTNER_NOT_EXIST"
    assert code(forged) == "F INVALID_SIGNATURE"


async def test_unknown_exception_while_nobody_knows_whether_money_moved(
    merchant: Merchant,
) -> None:
    members = an_order()
    made = await merchant.ask(PAY, members)
    payment = await submit_payment(
        merchant.core,
        Submission(
            company_id=(await company_of(merchant)).id,
            payment_id=made["paymentId"],
            method=Method.CREDIT_CARD,
            connector="sandbox",
            instrument="pm_sandbox_paid_later",
            instrument_shown="****",
            actor="payer",
            return_url="https://kassa.example/pay",
        ),
    )
    assert payment.status is PaymentStatus.PROCESSING

    answer = await merchant.ask(PAY, members)

    assert code(answer) == "U UNKNOWN_EXCEPTION"
