"""Saying it again on the gateway: keys, tries after a refusal, ended orders, ways that are none."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.faces.gateway.test_handlers import DECLINED, PAID, PATH, PAYEE, bearer, card, wanted
from tests.reports import line, numbered, sha_of
from tests.shop import Scripted

from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, ChargeRequest
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.companies import put_api_key
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.store import payments
from kassa.payments.usecases.find_payments import get_payment
from kassa.providers.usecases.payees import NewPayee, register_payee
from kassa.providers.usecases.provider_accounts import account_of, kind_of_account
from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind
from kassa.reconciliation.usecases.reconcile import reconcile
from kassa.routing.usecases import routing

pytestmark = pytest.mark.anyio


async def create(client: Any, demo: Any, key: str = "", **members: Any) -> Any:
    headers = bearer(demo) | ({"idempotency-key": key} if key else {})
    content = json.dumps(wanted(**members)).encode()
    return await client.request("POST", PATH, headers=headers, content=content)


async def order_of(core: Any, demo: Any, **changes: Any) -> Any:
    principal = await authenticate_api_key(core, demo.api_key)
    new: dict[str, Any] = {
        "company": principal.company,
        "business_id": principal.business_id,
        "actor": "test",
        "face": "orders",
        "amount": Money(29_990, "CNY"),
        "order_id": "order_tea",
    }
    return await create_order(core, NewOrder(**{**new, **changes}))


async def test_a_declined_card_is_tried_again_under_a_new_key(
    core: Any, client: Any, demo: Any
) -> None:
    first = await create(client, demo, "k-1", payerAccount=card(DECLINED))
    again = await create(client, demo, "k-1", payerAccount=card(DECLINED))
    other = await create(client, demo, "k-2", payerAccount=card(DECLINED))
    paid = await create(client, demo, "k-3", payerAccount=card(PAID))
    late = await create(client, demo, "k-1", payerAccount=card(DECLINED))

    assert first.json()["error"].startswith("FAILED: card_declined")
    assert again.text == late.text == first.text
    assert again.headers["idempotent-replayed"] == "true"
    assert {one.json()["paymentRequestId"] for one in (first, other, paid)} == {
        first.json()["paymentRequestId"]
    }
    assert (other.json()["paymentResult"], paid.json()["paymentResult"]) == (False, True)
    company = (await authenticate_api_key(core, demo.api_key)).company.id
    view = await get_payment(core, company, first.json()["paymentRequestId"])
    assert view.payment.captured == Money(29_990, "CNY")
    async with core.db.connection() as connection:
        attempts = await payments.attempts_of(connection, [(company, view.payment.id)])
    assert [one.status for one in attempts] == ["declined", "declined", "succeeded"]


async def test_without_a_key_the_same_again_is_the_same_and_sends_nothing(
    client: Any, demo: Any
) -> None:
    first = await create(client, demo, payerAccount=card(DECLINED))
    again = await create(client, demo, payerAccount=card(DECLINED))

    assert again.json() == first.json()
    assert "idempotent-replayed" not in again.headers


@pytest.mark.parametrize(
    "other",
    [{"amount": 300}, {"orderId": "order_other"}, {"payerAccount": card(DECLINED)}],
    ids=str,
)
async def test_other_content_under_the_key_is_refused(
    client: Any, demo: Any, other: dict[str, Any]
) -> None:
    first = await create(client, demo, "k-1")

    refused = await create(client, demo, "k-1", **other)

    assert first.json()["paymentResult"] is True
    assert refused.status == 422
    assert refused.json()["error"].startswith("IDEMPOTENCY_MISMATCH: ")
    assert "4000" not in refused.text


async def test_content_is_compared_by_its_meaning(client: Any, demo: Any) -> None:
    first = await create(client, demo, "k-1", amount=300)
    again = await create(client, demo, "k-1", amount=300.0, paymentMethod="CREDIT_CARD")

    assert again.text == first.text


async def test_a_key_is_its_credential_s_own(core: Any, client: Any, demo: Any) -> None:
    company = (await authenticate_api_key(core, demo.api_key)).company
    await put_api_key(core, company, "sk_test_another_key_of_the_same_company")
    await create(client, demo, "k-1")

    class Other:
        api_key = "sk_test_another_key_of_the_same_company"

    theirs = await create(client, Other, "k-1", orderId="order_theirs")

    assert theirs.json()["paymentResult"] is True


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "é"])
async def test_a_key_that_is_none_is_refused(client: Any, demo: Any, key: str) -> None:
    headers = [*bearer(demo).items(), ("idempotency-key", key.encode("latin-1").decode("latin-1"))]
    if key == "":
        headers.append(("x-idempotency-key", "other"))

    answer = await client.request("POST", PATH, headers=dict(headers), content=b"{}")

    assert answer.status == 400


async def test_a_refund_under_a_key_is_answered_once(client: Any, demo: Any) -> None:
    paid = await create(client, demo)
    path = f"{PATH}/{paid.json()['paymentRequestId']}/refunds"

    async def refund(**members: Any) -> Any:
        headers = bearer(demo) | {"idempotency-key": "r-1"}
        content = json.dumps({"refundId": "r1", "amount": 1, **members}).encode()
        return await client.request("POST", path, headers=headers, content=content)

    first, again, other = await refund(), await refund(), await refund(refundId="r2")

    assert first.json()["refundResult"] is True
    assert again.text == first.text
    assert other.status == 422


@pytest.mark.parametrize("key", ["", "k-9"])
async def test_an_ended_order_says_so(core: Any, client: Any, demo: Any, key: str) -> None:
    made = await order_of(core, demo)
    await cancel_payment(core, made.order.company_id, made.payment.id, actor="test")

    answer = await create(client, demo, key)

    assert answer.json()["error"].startswith("FAILED: canceled")


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"paymentMethod": "Alipay", "payerAccount": ...},
        {"paymentMethod": "cash", "payerAccount": ...},
        {
            "paymentMethod": "wallet",
            "payerAccount": {"accountType": "wallet", "accountNumber": "x"},
        },
    ],
    ids=["card", "alipay", "cash", "wallet"],
)
async def test_an_order_s_restriction_holds_here_too(
    core: Any, client: Any, demo: Any, members: dict[str, Any]
) -> None:
    allowed = "alipay" if members.get("paymentMethod") != "Alipay" else "card"
    made = await order_of(core, demo, payment_methods=allowed)

    answer = await create(client, demo, **members)

    assert answer.status == 422, answer.text
    assert answer.json()["error"].startswith("UNSUPPORTED: the order is to be paid by")
    view = await get_payment(core, made.order.company_id, made.payment.id)
    assert view.payment.status == "created"


@pytest.mark.parametrize("method", ["UPI", "net banking", "e-wallet"])
async def test_what_nobody_takes_is_refused_before_an_order_is_made(
    core: Any, client: Any, demo: Any, method: str
) -> None:
    refused = await create(client, demo, paymentMethod=method, payerAccount=...)
    made = await create(client, demo, amount=1)

    assert refused.status == 422
    assert "does not take" in refused.json()["error"]
    assert made.json()["paymentResult"] is True, "the order's id is still free"


async def transfer(client: Any, demo: Any, **members: Any) -> Any:
    return await create(client, demo, paymentMethod="bank transfer", payerAccount=..., **members)


async def test_a_bank_transfer_needs_a_registered_account_to_be_paid_to(
    client: Any, demo: Any
) -> None:
    refused = await transfer(client, demo)

    assert refused.status == 422
    assert "kassa payee add" in refused.json()["error"]


async def test_a_bank_transfer_is_pending_with_account_and_reference_until_it_is_there(
    core: Any, client: Any, demo: Any
) -> None:
    company = (await authenticate_api_key(core, demo.api_key)).company.id
    new = NewPayee(company_id=company, account_type="bank account", account_number=PAYEE)
    await register_payee(core, new)

    asked = await transfer(client, demo)
    again = await transfer(client, demo)

    assert asked.json()["paymentResult"] is False
    payment_id, error = asked.json()["paymentRequestId"], asked.json()["error"]
    payment = (await get_payment(core, company, payment_id)).payment
    assert error.startswith("PENDING: ")
    assert PAYEE in error
    assert payment.provider_reference in error
    assert again.json() == asked.json()
    said = []
    for minor in (4_400, 30_590):
        items = numbered(
            [line(LineKind.PAYOUT, minor, payout_reference=payment.provider_reference)]
        )
        await reconcile(core, company, BANK, "bank.xml", iter(items), sha_of(items))
        said.append(await client.request("GET", f"{PATH}/{payment_id}", headers=bearer(demo)))
    assert [one.json()["paymentResult"] for one in said] == [False, True]
    short = said[0].json()["error"]
    assert short.startswith("PENDING: 44.00 CNY of 299.90 CNY came; 255.90 CNY are missing")
    assert f"to the account {PAYEE} with the reference {payment.provider_reference}" in short
    assert said[1].json()["error"] is None, "50.00 came on top: nobody asks for more"


def code_of(number: str) -> dict[str, str]:
    return {"accountType": "alipay_auth_code", "accountNumber": number}


async def test_a_payer_s_own_code_is_charged_at_once_where_an_account_takes_codes(
    core: Any, client: Any, demo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Taking(Scripted):
        async def charge(self, request: ChargeRequest) -> Captured:
            asked.append(request.instrument)
            return Captured(reference="2026", amount=request.amount)

    kind = kind_of_account(account_of(core, "alipay"))
    assert kind is not None
    takes_codes = replace(kind, takes=kind.takes | {"token"})
    monkeypatch.setitem(core.connectors, "alipay", Taking())
    monkeypatch.setattr(routing, "kind_of_account", lambda account: takes_codes)
    members = {"paymentMethod": "Alipay", "payerAccount": code_of("281234567890123456")}

    paid = await create(client, demo, **members)
    again = await create(client, demo, **members)

    assert (paid.json()["paymentResult"], asked) == (True, ["281234567890123456"])
    assert again.json() == paid.json()
    company = (await authenticate_api_key(core, demo.api_key)).company.id
    payment = (await get_payment(core, company, paid.json()["paymentRequestId"])).payment
    assert "2812345" not in repr(payment)


async def test_what_is_no_payer_s_code_is_refused_and_not_repeated(client: Any, demo: Any) -> None:
    refused = await create(client, demo, paymentMethod="Alipay", payerAccount=code_of("12345678"))

    assert refused.status == 400
    assert "12345678" not in refused.text
