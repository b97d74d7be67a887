"""Refunds on the wire: never more than was captured, once per request id, back to the balance."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.faces.wallet import golden
from tests.faces.wallet.calls import (
    CODE,
    REFUND,
    REFUND_INQUIRY,
    RESERVE,
    USER,
    Merchant,
    a_user,
    another_client,
    balance,
    code,
    company_of,
    pay_by_card,
)
from tests.shop import Scripted

from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.wallet.usecases.wallet_users import set_wallet_user_status

pytestmark = pytest.mark.anyio


async def paid(merchant: Merchant) -> str:
    payment_id: str = (await merchant.pay(paymentAuthCode=CODE))["paymentId"]
    return payment_id


async def paid_by_card(merchant: Merchant, card: str) -> str:
    payment_id: str = (await merchant.pay())["paymentId"]
    await pay_by_card(merchant, payment_id, card)
    return payment_id


async def test_the_refund_inquiry_is_answered_as_its_example(merchant: Merchant) -> None:
    await a_user(merchant, clp=2000)
    refunded = await merchant.ask(
        REFUND, golden.filled("refund_request", paymentId=await paid(merchant))
    )

    answer = await merchant.ask(REFUND_INQUIRY, golden.read("refund_inquiry_request"))
    by_id = await merchant.inquire_refund(refundId=refunded["refundId"], refundRequestId="another")

    assert answer == golden.agreed(golden.read("refund_inquiry_answer"), answer)
    assert by_id == answer
    assert answer["refundTime"] == refunded["refundTime"]
    assert await balance(merchant) == 500


async def test_both_paths_are_one_api_and_each_is_signed_as_called(merchant: Merchant) -> None:
    # `Merchant.ask` signs the path it calls, and believes only an answer signed over that path.
    await a_user(merchant, clp=2000)
    members = {
        "refundRequestId": "F",
        "paymentId": await paid(merchant),
        "refundAmount": {"currency": "CLP", "value": 700},
    }

    first = await merchant.ask("/v1/payments/refundApply", members)
    again = await merchant.ask(REFUND, members)

    assert code(first) == "S SUCCESS"
    assert again == first
    assert await balance(merchant) == 700


async def test_a_refund_may_name_the_payment_by_the_clients_own_id(merchant: Merchant) -> None:
    await a_user(merchant, clp=4000)
    await merchant.pay(paymentAuthCode=CODE, paymentRequestId="R-one")
    other = await paid(merchant)

    own = await merchant.refund(other, "2000", paymentId=None, paymentRequestId="R-one")
    both = await merchant.refund(other, "1000", paymentRequestId="R-one")
    one = (await merchant.inquire(paymentRequestId="R-one"))["paymentId"]

    assert [code(own), code(both)] == ["S SUCCESS", "F PARAM_ILLEGAL"]
    assert "refundedAmount" not in await merchant.inquire(paymentId=other)
    assert await balance(merchant) == 2000
    assert one != other


async def test_both_names_of_one_payment_may_stand_in_its_refund(merchant: Merchant) -> None:
    await a_user(merchant, clp=4000)
    made = await merchant.pay(paymentAuthCode=CODE, paymentRequestId="R-one")

    both = await merchant.refund(made["paymentId"], "1000", paymentRequestId="R-one")

    assert code(both) == "S SUCCESS"
    assert await balance(merchant) == 3000


async def test_one_request_id_gives_the_money_back_once(merchant: Merchant) -> None:
    await a_user(merchant, clp=2000)
    members: dict[str, Any] = {
        "refundRequestId": "F",
        "paymentId": await paid(merchant),
        "refundAmount": {"currency": "CLP", "value": "500"},
    }

    answers = await asyncio.gather(*(merchant.ask(REFUND, members) for _ in range(30)))
    changed = await merchant.ask(
        REFUND, members | {"refundAmount": {"currency": "CLP", "value": "501"}}
    )
    other_reason = await merchant.ask(REFUND, members | {"refundReason": "another"})

    assert all(answer == answers[0] for answer in answers)
    assert code(answers[0]) == "S SUCCESS"
    assert code(changed) == code(other_reason) == "F REPEAT_REQ_INCONSISTENT"
    assert await balance(merchant) == 500


async def test_refund_ids_belong_to_their_client(merchant: Merchant) -> None:
    await a_user(merchant, clp=4000)
    other = await another_client(merchant, "another-client")
    mine, theirs = await paid(merchant), (await other.pay(paymentAuthCode=CODE))["paymentId"]

    first = await merchant.refund(mine, refundRequestId="same")
    second = await other.refund(theirs, refundRequestId="same")
    foreign = await other.refund(mine, "1")

    assert [code(first), code(second)] == ["S SUCCESS"] * 2
    assert first["refundId"] != second["refundId"]
    assert code(foreign) == "F ORDER_NOT_EXIST"
    by_id = await other.inquire_refund(refundId=first["refundId"])
    assert code(by_id) == "F REFUND_NOT_EXIST"
    own = await other.inquire_refund(refundRequestId="same")
    assert own["refundId"] == second["refundId"]


async def test_fifty_refunds_at_once_never_give_back_more_than_was_paid(
    merchant: Merchant,
) -> None:
    # Guard: `refunds.ask_refund` reserves under the order's lock, and payment_bounds in the table.
    await a_user(merchant, clp=2000)
    payment_id = await paid(merchant)

    answers = await asyncio.gather(*(merchant.refund(payment_id, "130") for _ in range(50)))

    assert Counter(map(code, answers)) == {"S SUCCESS": 15, "F REFUND_AMOUNT_EXCEED": 35}
    assert await balance(merchant) == 15 * 130
    shown = await merchant.inquire(paymentId=payment_id)
    assert shown["paymentStatus"] == "SUCCESS"
    assert shown["refundedAmount"]["value"] == "1950"


async def test_a_frozen_user_is_refunded_and_cannot_pay(merchant: Merchant) -> None:
    await a_user(merchant, clp=5000)
    payment_id = await paid(merchant)
    await set_wallet_user_status(merchant.core, (await company_of(merchant)).id, USER, "frozen")

    assert code(await merchant.refund(payment_id)) == "S SUCCESS"
    assert code(await merchant.pay(paymentAuthCode=CODE)) == "F USER_STATUS_ABNORMAL"
    assert await balance(merchant) == 5000


async def test_each_refusal_of_a_refund_is_the_true_one(merchant: Merchant) -> None:
    await a_user(merchant, clp=9000)
    payment, gone = await paid(merchant), await paid(merchant)
    await merchant.refund(gone)
    unpaid = (await merchant.pay())["paymentId"]
    reserved = (await merchant.reserve())["paymentId"]
    failed = (await merchant.pay(paymentAuthCode="nobody's"))["paymentId"]
    yuan = {"refundAmount": {"currency": "CNY", "value": "1"}}

    answers = {
        "more than paid": await merchant.refund(payment, "2001"),
        "nothing left": await merchant.refund(gone, "1"),
        "another currency": await merchant.refund(payment, **yuan),
        "unpaid": await merchant.refund(unpaid),
        "only reserved": await merchant.refund(reserved),
        "failed": await merchant.refund(failed),
        "unknown": await merchant.refund("py_unknown"),
        "an unknown request": await merchant.refund(
            payment, paymentId=None, paymentRequestId="never sent"
        ),
    }

    assert {name: code(answer) for name, answer in answers.items()} == {
        "more than paid": "F REFUND_AMOUNT_EXCEED",
        "nothing left": "F REFUND_AMOUNT_EXCEED",
        "another currency": "F CURRENCY_NOT_SUPPORT",
        "unpaid": "F ORDER_STATUS_INVALID",
        "only reserved": "F ORDER_STATUS_INVALID",
        "failed": "F ORDER_STATUS_INVALID",
        "unknown": "F ORDER_NOT_EXIST",
        "an unknown request": "F ORDER_NOT_EXIST",
    }
    assert await balance(merchant) == 9000 - 2 * 2000


async def test_a_payment_whose_outcome_is_unknown_is_not_refunded_and_not_refused_for_ever(
    merchant: Merchant,
) -> None:
    payment_id = await paid_by_card(merchant, "paid_later")

    assert code(await merchant.refund(payment_id)) == "U UNKNOWN_EXCEPTION"


async def test_a_refund_whose_answer_is_lost_is_in_process_until_it_is_known(
    merchant: Merchant,
) -> None:
    payment_id = await paid_by_card(merchant, "refund_lost_answer")
    members = {
        "refundRequestId": "F",
        "paymentId": payment_id,
        "refundAmount": {"currency": "CLP", "value": "1500"},
    }

    first = await merchant.ask(REFUND, members)
    # What the open refund has reserved may come free again, so this is not refused for ever.
    beside = await merchant.refund(payment_id, "1000")
    too_much = await merchant.refund(payment_id, "2001")
    shown = await merchant.inquire(paymentId=payment_id)
    inquired = await merchant.inquire_refund(refundRequestId="F")  # which asks the provider
    again = await merchant.ask(REFUND, members)

    assert code(first) == "U REFUND_IN_PROCESS"
    assert "refundTime" not in first
    assert code(beside) == "U REFUND_IN_PROCESS"
    assert "refundId" not in beside
    assert code(too_much) == "F REFUND_AMOUNT_EXCEED"
    assert "refundedAmount" not in shown
    assert shown["transactions"][0]["transactionStatus"] == "PROCESSING"
    assert inquired["refundStatus"] == "SUCCESS"
    assert code(again) == "S SUCCESS"
    assert again["refundId"] == first["refundId"] == inquired["refundId"]


async def test_a_refund_that_the_bank_refuses_frees_what_it_had_reserved(
    merchant: Merchant,
) -> None:
    payment_id = await paid_by_card(merchant, "refund_refused")

    refused = await merchant.refund(payment_id, refundRequestId="F")
    again = await merchant.refund(payment_id, refundRequestId="F")
    inquiry = await merchant.inquire_refund(refundRequestId="F")
    another = await merchant.refund(payment_id)

    assert code(refused) == "F PROCESS_FAIL"
    assert again == refused
    assert inquiry["refundStatus"] == "FAIL"
    assert inquiry["refundFailReason"]
    assert code(another) == "F PROCESS_FAIL"  # refused by the bank, not for the amount


async def test_what_a_provider_cannot_give_back_is_not_allowed(merchant: Merchant) -> None:
    payment_id = await paid_by_card(merchant, "paid")
    sandbox = merchant.core.connectors["sandbox"]
    merchant.core.connectors = {"sandbox": Scripted()}  # one that charges and does nothing else

    answer = await merchant.refund(payment_id)

    merchant.core.connectors = {"sandbox": sandbox}
    assert code(answer) == "F REFUND_NOT_ALLOWED"


async def test_a_refund_of_a_payment_of_another_face_is_seen_by_its_id(
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
            amount=Money(2000, "CLP"),
        ),
    )
    await record_payment(
        merchant.core,
        Recording(
            company_id=company.id,
            payment_id=made.payment.id,
            method=Method.CASH,
            actor="test",
        ),
    )
    theirs = await modify_payment(
        merchant.core,
        ModifyPayment(
            company_id=company.id,
            payment_id=made.payment.id,
            kind=ModificationKind.REFUND,
            amount=Money(300, "CLP"),
            actor="test",
            request_scope="orders.refund",
            request_id="their own id",
        ),
    )

    answer = await merchant.inquire_refund(refundId=theirs.modification.id)
    inquiry = await merchant.inquire(paymentId=made.payment.id)

    assert answer["refundStatus"] == "SUCCESS"
    assert "refundRequestId" not in answer  # it names something else here
    assert "transactionRequestId" not in inquiry["transactions"][0]
    assert inquiry["refundedAmount"]["value"] == "300"
    by_own = await merchant.inquire_refund(refundRequestId="their own id")
    assert code(by_own) == "F REFUND_NOT_EXIST"


async def test_a_capture_is_no_refund(merchant: Merchant) -> None:
    await a_user(merchant, clp=2000)
    payment_id = (await merchant.reserve(productCode=RESERVE))["paymentId"]
    captured = await merchant.capture(payment_id)

    answer = await merchant.inquire_refund(refundId=captured["captureId"])

    assert code(answer) == "F REFUND_NOT_EXIST"
