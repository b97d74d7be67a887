"""The wallet face on the wire: signed both ways, idempotent, and true to the ledger."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.faces.wallet import golden
from tests.faces.wallet.calls import INQUIRY, PAY, Merchant, an_order, code
from tests.faces.wallet.vectors import KEYS, REQUEST

from kassa.domain.errors import IllegalTransition
from kassa.domain.lifecycle import PaymentStatus
from kassa.domain.money import Money
from kassa.domain.payments import Method
from kassa.domain.principals import Company, WalletClient
from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import Signed
from kassa.usecases.authenticate import find_wallet_client
from kassa.usecases.companies import (
    add_wallet_user,
    balance_of,
    close_company,
    put_wallet_client,
    set_credential_active,
    set_wallet_user_status,
    top_up,
)
from kassa.usecases.create_order import NewOrder, create_order
from kassa.usecases.find_payments import get_payment
from kassa.usecases.pay_from_wallet import WalletPay, pay_from_wallet
from kassa.usecases.submit_payment import Submission, submit_payment

pytestmark = pytest.mark.anyio

CODE = "a wallet code of these tests"
USER = "a-user-of-these-tests"


async def company_of(merchant: Merchant) -> Company:
    found = await find_wallet_client(merchant.core, merchant.client_id)
    assert isinstance(found, WalletClient)
    return found.company


async def a_user(merchant: Merchant, clp: int = 0) -> None:
    """A wallet user with `clp` pesos, who is charged by CODE."""
    company = await company_of(merchant)
    await add_wallet_user(merchant.core, company.id, USER, CODE)
    if clp:
        await top_up(merchant.core, company.id, USER, Money(clp, "CLP"))


async def balance(merchant: Merchant) -> int:
    return await balance_of(merchant.core, (await company_of(merchant)).id, USER, "CLP")


async def another_client(merchant: Merchant, client_id: str) -> Merchant:
    """A second wallet client of the same company, with a key of its own."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    company = await company_of(merchant)
    await put_wallet_client(merchant.core, company, client_id, {"1": pem.decode("ascii")})
    return Merchant(merchant.client, merchant.core, client_id, key)


async def pay_in_the_cashier(merchant: Merchant, payment_id: str) -> None:
    await pay_from_wallet(
        merchant.core,
        WalletPay(
            company_id=(await company_of(merchant)).id,
            payment_id=payment_id,
            auth_code=CODE,
            actor="payer",
        ),
    )


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


async def test_a_request_signed_by_other_software_is_accepted(merchant: Merchant) -> None:
    company = await company_of(merchant)
    client_id, target = REQUEST.signed.client_id, REQUEST.signed.target
    await put_wallet_client(merchant.core, company, client_id, {"1": KEYS["merchant"]})

    answer = await merchant.client.request(
        "POST",
        target,
        headers={
            "client-id": client_id,
            "request-time": REQUEST.signed.time,
            "signature": REQUEST.header,
        },
        content=REQUEST.signed.body,
    )

    assert code(answer.json()) == "S SUCCESS"


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


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_the_same_request_id_with_other_content_is_refused_and_nothing_happens(
    merchant: Merchant, change: dict[str, Any]
) -> None:
    members = an_order()
    await merchant.ask(PAY, members)

    refused = await merchant.ask(PAY, members | change)
    stands = await merchant.inquire(paymentRequestId=members["paymentRequestId"])

    assert code(refused) == "F REPEAT_REQ_INCONSISTENT"
    assert "paymentId" not in refused
    assert stands["paymentStatus"] == "PROCESSING"


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


# One test for each code that the wallet documents ------------------------------------------------


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
    await set_credential_active(merchant.core, "wallet:a-disabled-client", active=False)

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


# Signatures on the wire --------------------------------------------------------------------------


async def test_the_query_string_is_part_of_what_is_signed(merchant: Merchant) -> None:
    body = json.dumps(an_order()).encode()

    answer = await merchant.send(f"{PAY}?shop=%2F1", body)

    assert code(answer) == "S SUCCESS"


async def test_an_answer_to_an_unknown_path_is_signed_over_that_path(merchant: Merchant) -> None:
    for method, path in (
        ("GET", PAY),
        ("PUT", INQUIRY),
        ("DELETE", "/v1/payments/"),
        ("POST", f"{PAY}/"),
        ("POST", "/v1/payments/refund?x=%41"),
    ):
        answer = await merchant.send(path, b"", method=method, headers={"Signature": None})

        assert code(answer) == "F NO_INTERFACE_DEF"


async def test_an_unknown_path_is_told_to_strangers_too(merchant: Merchant) -> None:
    answer = await merchant.client.request("GET", "/v1/payments/x", headers={}, content=b"")

    assert code(answer.json()) == "F NO_INTERFACE_DEF"
    assert "signature" not in answer.headers


async def test_rotated_keys_work_side_by_side(merchant: Merchant) -> None:
    company, old = await company_of(merchant), rsa.generate_private_key(65537, 2048)
    new = rsa.generate_private_key(65537, 2048)
    keys = {
        version: key.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode("ascii")
        for version, key in (("1", old), ("2", new))
    }
    await put_wallet_client(merchant.core, company, "rotating", keys)

    with_old = Merchant(merchant.client, merchant.core, "rotating", old, "1")
    with_new = Merchant(merchant.client, merchant.core, "rotating", new, "2")
    crossed = Merchant(merchant.client, merchant.core, "rotating", old, "2")

    assert code(await with_old.pay()) == "S SUCCESS"
    assert code(await with_new.pay()) == "S SUCCESS"
    assert code(await crossed.pay()) == "F INVALID_SIGNATURE"


async def test_any_request_time_is_taken_as_it_is_written(merchant: Merchant) -> None:
    body = json.dumps(an_order()).encode()
    for time in ("1795314170000", "2026-11-22T02:22:50.1234567Z", "2019-04-04T12:08:56+0530"):
        signed = Signed("POST", PAY, merchant.client_id, time, body)
        header = signature.sign(signed, merchant.key, "1")

        answer = await merchant.send(PAY, body, headers={"Request-Time": time, "Signature": header})

        assert code(answer).startswith("S ")
