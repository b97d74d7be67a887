"""Words that nobody else has, planted in every text of every interface: where they may be found,
and where they may not."""

import json
from typing import Any

import pytest
from prometheus_client import generate_latest
from tests.faces.test_modes import Asked, Side, signed_call
from tests.faces.test_refusals_name_what_was_sent import CALLS, changed, said
from tests.modifying import Obedient
from tests.orders.test_people import everything
from tests.shop import Shop

from kassa.base.usecases.keyring import Purpose
from kassa.webhooks_out.usecases.signing import signing_secrets

pytestmark = pytest.mark.anyio

PEOPLE = {
    "orders": {
        "customer_name": "Ann canary-n1",
        "customer_email": "canary-e1@mail.example",
        "customer_phone": "+447700900101",
        "order_note": "canary-o1",
    },
    "versioned": {
        "customer_details.customer_name": "Ann canary-n2",
        "customer_details.customer_email": "canary-e2@mail.example",
        "customer_details.customer_phone": "+447700900102",
        "order_note": "canary-o2",
    },
}
"""Of people: in no log, metric or event, and openly nowhere in the database."""
WORDS = {
    "orders": {"order_tags.name": "canary-t1"},
    "versioned": {"order_tags.size": "canary-t2"},
    "checkout": {"subject": "canary-s3", "description": "canary-d3"},
    "wallet": {"order.orderDescription": "canary-d4", "paymentAuthCode": "canary-code-4"},
    "gateway": {"userId": "canary-u5", "payerAccount.accountName": "canary-a5"},
}
"""Of goods and programs: in no log, metric or event."""
SECRET = ("canary-code-4", "4242424242424242", "4242 4242 4242 4242", "canary-key", "canary-secret")
"""In the database neither."""


@pytest.fixture
async def side(shop: Shop, client: Any) -> Side:
    opened = Side(shop.core, client, shop.company)
    await opened.register()
    return opened


def planted() -> list[str]:
    every = [*PEOPLE.values(), *WORDS.values()]
    return [*(word for some in every for word in some.values()), *SECRET]


async def plant(shop: Shop, side: Side) -> None:
    """Each request as it should be, and once more as it should not."""
    await shop.create(order_id="o-1", customer_id="ann")
    for name, call in CALLS.items():
        body = dict(call.good)
        for member, word in {**PEOPLE.get(name, {}), **WORDS.get(name, {})}.items():
            body = changed(body, member, word)
        await said(side, call.ask(side, body))
        await said(side, call.ask(side, {**body, "canary-member": ["canary-u9"]}))
        asked = call.ask(side, body)
        await said(side, Asked(asked.method, asked.path, asked.headers, asked.body[:-1]))
    for headers in (
        {"authorization": f"Bearer {side.key[:-8]}canary-key"},
        {**side.orders_client, "x-client-secret": "canary-secret"},
    ):
        await said(side, Asked("POST", "/gateway/payment-requests", headers, b"{}"))
        await said(side, Asked("POST", "/v1/orders:create", headers, b"{}"))
    payment = await shop.play((await shop.create(face="gateway")).payment, Obedient())
    path = f"/gateway/payment-requests/{payment.id}/refunds"
    body = json.dumps({"refundId": "r-1", "amount": 1, "reason": "canary-r6"}).encode()
    await said(side, Asked("POST", path, {"authorization": f"Bearer {side.key}"}, body))
    await said(side, signed_call(side, "/v1/payments/refund", {"refundReason": "canary-r7"}))


def found(words: list[str], text: str) -> list[str]:
    return sorted({word for word in words if word in text})


async def test_canaries_are_found_where_they_belong_and_nowhere_else(
    shop: Shop, side: Side, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    await plant(shop, side)

    logs = "".join(capsys.readouterr())
    assert "request" in logs
    assert found([*planted(), "canary-r6", "canary-r7", "canary-u9"], logs) == []
    assert found([*planted(), "canary"], generate_latest().decode()) == []
    events = await shop.sql("select evidence::text || actor as said from payment_event")
    assert found(planted(), str([tuple(one) for one in events])) == []
    links = await shop.sql("select t::text as said from chain_link t")
    assert found(["canary"], str([tuple(one) for one in links])) == []
    kept = await everything(shop)
    of_people = [word for some in PEOPLE.values() for word in some.values()]
    assert found([*of_people, *SECRET], kept) == []
    taken = ["canary-t1", "canary-t2", "canary-s3", "canary-d3", "canary-d4"]
    assert found(taken, kept) == sorted(taken)  # they were planted, and are not of people


async def test_no_key_and_no_secret_of_ours_is_in_the_database_or_in_a_log(
    shop: Shop, side: Side, capsys: pytest.CaptureFixture[str]
) -> None:
    await plant(shop, side)
    secrets = [one.reveal() for one in await signing_secrets(shop.core, shop.company.id)]
    known = [shop.core.secrets.of(purpose) for purpose in Purpose]
    keys = [one.secret.reveal() for some in known for one in some.every]

    text = await everything(shop) + "".join(capsys.readouterr()) + repr(shop.core)

    for secret in [*secrets, *keys]:
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text


async def test_another_payers_page_tells_nothing_of_this_one(shop: Shop, side: Side) -> None:
    await plant(shop, side)
    other = (await shop.create()).order

    for path in (f"/pay/{other.session_token}", f"/pay/{other.session_token}/result", "/pay/none"):
        answer = await side.client.request("GET", path)
        assert found(["canary", "4477009"], answer.text) == []
