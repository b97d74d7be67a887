"""Saying it again at the checkout: keys, ended orders, what an order does not allow."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.faces.checkout.test_handlers import PATH, an_order, bearer

from kassa.base.domain.money import Money
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.usecases.find_payments import payments_of_order

pytestmark = pytest.mark.anyio


async def create(client: Any, demo: Any, key: str = "", **members: Any) -> Any:
    headers = bearer(demo.customer_token) | ({"idempotency-key": key} if key else {})
    content = json.dumps({"orderId": "order_tea", "subject": "Tea", **members})
    return await client.request("POST", PATH, headers=headers, content=content)


async def test_a_key_is_good_for_one_content(core: Any, client: Any, demo: Any) -> None:
    await an_order(core, demo)

    first = await create(client, demo, "k-1")
    again = await create(client, demo, "k-1")
    other = await create(client, demo, "k-1", subject="Coffee")

    assert (first.status, again.body) == (200, first.body)
    assert (other.status, other.json()["error"]["code"]) == (422, "idempotency_mismatch")


async def test_a_key_that_is_none_is_refused(core: Any, client: Any, demo: Any) -> None:
    await an_order(core, demo)

    assert (await create(client, demo, "x" * 256)).status == 400
    assert (await create(client, demo, "x" * 255)).status == 200


async def test_an_ended_order_says_so(core: Any, client: Any, demo: Any) -> None:
    await an_order(core, demo)
    [view] = await payments_of_order(core, demo.company_id, "order_tea")
    await cancel_payment(core, demo.company_id, view.payment.id, actor="test")

    answer = await create(client, demo)

    assert (answer.status, answer.json()["error"]["code"]) == (409, "illegal_transition")
    assert "canceled" in answer.json()["error"]["message"]


async def test_an_order_s_restriction_holds_here_too(core: Any, client: Any, demo: Any) -> None:
    shop = await authenticate_api_key(core, demo.api_key)
    new = NewOrder(
        company=shop.company,
        business_id=shop.business_id,
        actor="test",
        face="orders",
        amount=Money(29_990, "CNY"),
        order_id="order_tea",
        payment_methods="card",
    )
    await create_order(core, new)

    answer = await create(client, demo)

    assert (answer.status, answer.json()["error"]["code"]) == (422, "unsupported")
    [view] = await payments_of_order(core, demo.company_id, "order_tea")
    assert (view.payment.number, view.payment.status) == (None, "created")


async def test_an_address_says_when_it_runs_out(core: Any, client: Any, demo: Any) -> None:
    await an_order(core, demo)

    opened = (await create(client, demo)).json()["data"]

    ends = datetime.strptime(opened["orderStringExpiresAt"], "%Y-%m-%dT%H:%M:%S.%f%z")
    left = ends - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    [view] = await payments_of_order(core, demo.company_id, "order_tea")
    await cancel_payment(core, demo.company_id, view.payment.id, actor="test")
    path = f"{PATH}/{opened['id']}"
    shown = await client.request("GET", path, headers=bearer(demo.customer_token))
    assert "orderStringExpiresAt" not in shown.json()["data"]
