"""A process that died between the work and its answer: the repeat finds what was done."""

import json

import asyncpg
import pytest
from tests.faces.orders.versioned import ORDER, Merchant

from kassa.modifications.usecases.find_modifications import modifications_of
from kassa.payments.usecases.find_payments import payments_of_order

pytestmark = pytest.mark.anyio
KEY = {"key": "k-1"}


@pytest.fixture
def merchant(client, headers):
    return Merchant(client, headers)


@pytest.fixture
async def lose_answers(owner_url):
    """Leave every answer unwritten, as a crash after the work would have."""
    connection = await asyncpg.connect(owner_url)

    async def lose():
        await connection.execute(
            "update orders_answer set status = null, body = null, lease_until = now()"
        )

    yield lose
    await connection.close()


async def test_an_order_is_made_once(merchant, lose_answers, core, demo):
    first = await merchant.ask("POST", "/pg/orders", ORDER, **KEY)
    await lose_answers()
    again = await merchant.ask("POST", "/pg/orders", ORDER, **KEY)

    assert (again.status, again.json()) == (200, first.json())
    assert again.headers["x-idempotency-replayed"] == "false"


async def test_an_order_with_an_id_of_its_own_is_made_once(merchant, lose_answers):
    said = ORDER | {"order_id": "tea-1"}
    first = await merchant.ask("POST", "/pg/orders", said, **KEY)
    await lose_answers()

    assert (await merchant.ask("POST", "/pg/orders", said, **KEY)).json() == first.json()
    assert (await merchant.ask("POST", "/pg/orders", said, key="k-2")).status == 409


@pytest.mark.parametrize("number", ["4242424242424242", "4000000000000002"])
async def test_a_session_makes_one_attempt(merchant, lose_answers, core, demo, owner_url, number):
    order = await merchant.order()
    method = {"card": {"channel": "link", "card_number": number}}
    first = await merchant.pay(order, method, **{"x-idempotency-key": "p-1"})
    before = await merchant.payment(order)
    await lose_answers()

    again = await merchant.pay(order, method, **{"x-idempotency-key": "p-1"})

    assert again.json() == first.json()
    assert await merchant.payment(order) == before
    connection = await asyncpg.connect(owner_url)
    attempts = await connection.fetchval("select count(*) from attempt")
    await connection.close()
    assert attempts == 1


@pytest.mark.parametrize(
    "path, said",
    [
        ("refunds", {"refund_amount": 1.15}),
        ("refunds", {"refund_amount": 1.15, "refund_id": "back-1"}),
        ("authorization", {"action": "CAPTURE", "amount": 5}),
        ("authorization", {"action": "VOID"}),
    ],
    ids=json.dumps,
)
async def test_money_is_moved_once(merchant, lose_answers, core, demo, path, said):
    manual = {"capture_method": "manual"} if path == "authorization" else {}
    order = await merchant.order(**manual)
    await merchant.pay(order)
    address = f"/pg/orders/{order['order_id']}/{path}"
    first = await merchant.ask("POST", address, said, **KEY)
    await lose_answers()

    again = await merchant.ask("POST", address, said, **KEY)

    assert (again.status, again.json()) == (200, first.json())
    [view] = await payments_of_order(core, demo.company_id, order["order_id"])
    done = await modifications_of(core, demo.company_id, [view.payment.id])
    assert len(done) == 1


async def test_a_refusal_uses_up_no_key(merchant):
    refused = await merchant.ask("POST", "/pg/orders", ORDER | {"order_amount": 0}, **KEY)

    made = await merchant.ask("POST", "/pg/orders", ORDER, **KEY)

    assert (refused.status, made.status) == (400, 200)
