"""Paying and inquiring on the wire: idempotent, and true to the ledger."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.faces.wallet import golden
from tests.faces.wallet.calls import (
    CODE,
    INQUIRY,
    PAY,
    Merchant,
    a_user,
    an_order,
    another_client,
    balance,
    code,
    company_of,
    pay_in_the_cashier,
)

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.money import Money
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.usecases.find_payments import get_payment

pytestmark = pytest.mark.anyio


async def test_the_printed_request_is_answered_as_printed(merchant: Merchant) -> None:
    body = (golden.EXAMPLES / "pay_request.json").read_bytes()

    answer = await merchant.send(PAY, body)
    again = await merchant.send(PAY, body)

    assert answer == golden.agreed(golden.read("pay_answer_accepted"), answer)
    assert again == golden.agreed(golden.read("pay_answer_repeated"), again)
    assert {**again, "result": answer["result"]} == answer
    url = answer["redirectActionForm"]["redirectionUrl"]
    assert url.startswith(f"{merchant.core.policy.base_url}/pay/")


async def test_the_printed_order_is_kept_as_printed(merchant: Merchant) -> None:
    order = golden.read("order")

    answer = await merchant.pay(order=order)

    view = await get_payment(merchant.core, (await company_of(merchant)).id, answer["paymentId"])
    assert view.order.extra["order"] == order
    assert view.order.description == "SHOES"
    assert view.order.amount == Money(2000, "CLP")  # not the order's own 10000


async def test_an_open_order_is_processing_until_the_payer_has_paid(merchant: Merchant) -> None:
    await a_user(merchant, clp=5000)
    members = an_order()
    accepted = await merchant.ask(PAY, members)

    before = await merchant.inquire(paymentId=accepted["paymentId"])
    await pay_in_the_cashier(merchant, accepted["paymentId"])
    after = await merchant.inquire(paymentRequestId=members["paymentRequestId"])
    again = await merchant.ask(PAY, members)

    assert before["paymentStatus"] == "PROCESSING"
    assert after["paymentStatus"] == "SUCCESS"
    assert after["paymentAmount"] == {"currency": "CLP", "value": "2000"}
    assert code(again) == "S SUCCESS"
    assert again["paymentTime"] == after["paymentTime"]
    assert again["paymentId"] == accepted["paymentId"]


async def test_the_inquiry_example_is_answered_as_its_example(merchant: Merchant) -> None:
    await merchant.send(PAY, (golden.EXAMPLES / "pay_request.json").read_bytes())

    body = (golden.EXAMPLES / "inquiry_request.json").read_bytes()
    answer = await merchant.send(INQUIRY, body)

    assert answer == golden.agreed(golden.read("inquiry_answer_open"), answer)


async def test_the_payment_id_wins_over_the_request_id(merchant: Merchant) -> None:
    first, second = an_order(), an_order()
    paid = await merchant.ask(PAY, first)
    await merchant.ask(PAY, second)

    answer = await merchant.inquire(
        paymentId=paid["paymentId"], paymentRequestId=second["paymentRequestId"]
    )

    assert answer["paymentRequestId"] == first["paymentRequestId"]


@pytest.mark.parametrize("product", ["51051000101000000011", "51051000101000100031"])
async def test_an_auth_code_pays_at_once_from_the_users_balance(
    merchant: Merchant, product: str
) -> None:
    await a_user(merchant, clp=5000)
    members = an_order(productCode=product, paymentAuthCode=CODE)

    answer = await merchant.ask(PAY, members)
    again = await merchant.ask(PAY, members)

    assert answer == golden.agreed(golden.read("pay_answer_paid"), answer)
    assert again == answer
    assert await balance(merchant) == 3000


async def test_the_auth_code_is_kept_nowhere(merchant: Merchant) -> None:
    await a_user(merchant, clp=5000)

    answer = await merchant.pay(paymentAuthCode=CODE)

    view = await get_payment(merchant.core, (await company_of(merchant)).id, answer["paymentId"])
    assert CODE not in repr(view)


@pytest.mark.parametrize("auth_code", ["", CODE])
async def test_fifty_identical_requests_at_once_make_one_payment(
    merchant: Merchant, auth_code: str
) -> None:
    await a_user(merchant, clp=5000)
    members = an_order(paymentAuthCode=auth_code)

    answers = await asyncio.gather(*(merchant.ask(PAY, members) for _ in range(50)))

    assert {answer["result"]["resultStatus"] for answer in answers} == {"S"}
    assert len({answer["paymentId"] for answer in answers}) == 1
    assert await balance(merchant) == (3000 if auth_code else 5000)


CHANGES: dict[str, dict[str, Any]] = {
    "the amount": {"paymentAmount": {"currency": "CLP", "value": "2001"}},
    "the currency": {"paymentAmount": {"currency": "JPY", "value": "2000"}},
    "the product": {"productCode": "51051000101000100031", "paymentAuthCode": "x"},
    "the payer": {"paymentAuthCode": "somebody's"},
    "the notification address": {"paymentNotifyUrl": "https://merchant.example/notify"},
    "the order": {"order": {"orderDescription": "boots"}},
}


async def test_the_same_request_id_with_other_content_is_refused_and_nothing_happens(
    merchant: Merchant,
) -> None:
    members = an_order()
    await merchant.ask(PAY, members)

    refused = {name: await merchant.ask(PAY, members | CHANGES[name]) for name in CHANGES}
    stands = await merchant.ask(PAY, members)

    expected = dict.fromkeys(CHANGES, "F REPEAT_REQ_INCONSISTENT")
    assert {name: code(answer) for name, answer in refused.items()} == expected
    assert code(stands) == "S REPEAT_REQUEST"


async def test_the_amount_as_a_number_is_the_same_request_as_its_text(merchant: Merchant) -> None:
    members = an_order()
    first = await merchant.ask(PAY, members)

    again = await merchant.ask(
        PAY, members | {"paymentAmount": {"currency": "CLP", "value": 2000}, "appId": None}
    )

    assert code(again) == "S REPEAT_REQUEST"
    assert again["paymentId"] == first["paymentId"]


async def test_request_ids_belong_to_their_client(merchant: Merchant) -> None:
    other = await another_client(merchant, "another-client")
    members = an_order()

    first, second = await merchant.ask(PAY, members), await other.ask(PAY, members)

    assert code(second) == "S SUCCESS"
    assert first["paymentId"] != second["paymentId"]


async def test_the_payment_of_another_client_of_the_company_does_not_exist(
    merchant: Merchant,
) -> None:
    other = await another_client(merchant, "another-client")
    members = an_order()
    made = await other.ask(PAY, members)

    by_id = await merchant.inquire(paymentId=made["paymentId"])
    by_request = await merchant.inquire(paymentRequestId=members["paymentRequestId"])

    assert code(by_id) == code(by_request) == "F ORDER_NOT_EXIST"


async def test_a_payment_made_through_another_face_can_be_inquired_by_its_id(
    merchant: Merchant,
) -> None:
    company = await company_of(merchant)
    made = await create_order(
        merchant.core,
        NewOrder(
            company=company,
            business_id=company.business_id,
            actor="test",
            face="orders",
            amount=Money(1234, "CNY"),
            request_scope="orders.create",
            request_id="their own",
        ),
    )

    answer = await merchant.inquire(paymentId=made.payment.id)

    assert answer["paymentStatus"] == "PROCESSING"
    assert answer["paymentAmount"] == {"currency": "CNY", "value": "1234"}
    assert "paymentRequestId" not in answer


async def test_everything_the_family_sends_besides_is_accepted(merchant: Merchant) -> None:
    answer = await merchant.pay(
        paymentOrderTitle="shoes",
        appId="app",
        partnerId="partner",
        salesCode="51051000101000000011",
        mcc="1405",
        extendInfo="{}",
        envInfo={"osType": "IOS"},
        paymentMethods=[{"paymentMethodType": "BALANCE"}],
        paymentFactor={"isCashierPayment": True, "isPaymentEvaluation": False},
        paymentReturnUrl="https://merchant.example/back",
        order={
            "orderDescription": "shoes",
            "goods": [{"goodsName": "left"}, {"goodsName": "right", "goodsQuantity": 1}],
            "orderAmount": {"currency": "CLP", "value": "1"},
            "somethingNew": {"a": 1.5},
            "buyer": None,
        },
    )

    assert code(answer) == "S SUCCESS"


async def test_an_order_expires_when_its_merchant_said(merchant: Merchant) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)

    answer = await merchant.pay(paymentExpiryTime=soon.isoformat())

    view = await get_payment(merchant.core, (await company_of(merchant)).id, answer["paymentId"])
    assert view.order.expires_at == soon


async def test_a_repeat_after_the_expiry_gets_the_same_payment(merchant: Merchant) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    members = an_order(paymentExpiryTime=soon.isoformat())
    first = await merchant.ask(PAY, members)
    await asyncio.sleep(0.6)

    again = await merchant.ask(PAY, members)

    assert again["paymentId"] == first["paymentId"]


async def test_paying_by_code_after_the_expiry_finds_the_order_closed(merchant: Merchant) -> None:
    await a_user(merchant, clp=5000)
    accepted = await merchant.pay(
        paymentExpiryTime=(datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
    )
    await asyncio.sleep(0.4)

    with pytest.raises(IllegalTransition, match="expired"):
        await pay_in_the_cashier(merchant, accepted["paymentId"])
    assert await balance(merchant) == 5000
