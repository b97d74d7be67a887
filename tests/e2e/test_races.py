"""Many callers want the same thing at the same moment, of a server with two HTTP processes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import grpc.aio
import pytest
from tests.e2e.crowd import Crowd, a_crowd, compare_books, session_in, takings
from tests.e2e.server import Server, a_server, until
from tests.e2e.shop import PAID_CARD
from tests.e2e.wire import Call, fresh

from kassa_protos.orders.v1 import orders_pb2, orders_pb2_grpc

pytestmark = pytest.mark.anyio

MANY = 50
ROUNDS = 12
SLOW_CARD = "4000000000005126"
OF_ORDER = "select id from payment where order_id = $1"
SUCCESSES = """
    select o.id, o.status, count(p.id) filter (
             where p.status in ('captured', 'settled') and not p.surplus)
      from orders o join payment p on (p.company_id, p.order_id) = (o.company_id, o.id)
     where o.id = any($1) group by o.company_id, o.id
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server(workers=2) as started:
        yield started
        proof = started.run("verify")
        assert proof.returncode == 0, proof.stdout
        assert "Traceback" not in started.log, started.log


@pytest.fixture
async def crowd(server: Server) -> AsyncIterator[Crowd]:
    async with a_crowd(server) as gathered:
        yield gathered


async def the_same(crowd: Crowd, call: Call) -> Any:
    """What all of many identical requests at once, and one more, are told alike."""
    replies = await crowd.at_once([call] * MANY)
    assert Counter(reply.status for reply in replies) == {200: MANY}
    return [reply.json() for reply in (*replies, await crowd.ask(call))]


def one(values: Sequence[Any]) -> Any:
    """The value that they all are."""
    assert len(set(values)) == 1, Counter(values)
    return values[0]


def test_two_processes_listen_and_one_alone_goes_on(server: Server) -> None:
    first, second = until(lambda: two(server), "two processes listen")
    for killed in (first, second):
        server.kill(killed)
        for _ in range(20):
            until(server.answers, "the other one answers", seconds=2)
        until(lambda: two(server), "two processes listen again")


def two(server: Server) -> list[int]:
    found = server.listeners()
    return found if len(found) == 2 else []


async def test_orders_with_one_key_are_one_order(crowd: Crowd) -> None:
    answers = await the_same(crowd, crowd.faces.create_order(key=fresh("key")))

    order_id = one([answer["order_id"] for answer in answers])
    assert one([answer["payment_session_id"] for answer in answers])
    assert len(await crowd.rows(OF_ORDER, order_id)) == 1


async def test_orders_with_one_order_id_are_one_order(crowd: Crowd) -> None:
    order_id = fresh("order")
    answers = await the_same(crowd, crowd.faces.create_order(order_id=order_id))

    assert one([answer["order_id"] for answer in answers]) == order_id
    assert len(await crowd.rows(OF_ORDER, order_id)) == 1


async def test_orders_over_grpc_with_one_key_are_one_order(crowd: Crowd) -> None:
    wanted = orders_pb2.CreateOrderRequest(
        customer_name="Alice",
        customer_email="alice@example.com",
        customer_phone="9999999999",
        order_amount=299.9,
    )
    demo = crowd.faces.demo
    metadata = (
        ("x-client-id", demo.orders_client_id),
        ("x-client-secret", demo.orders_client_secret),
        ("idempotency-key", fresh("key")),
    )
    async with grpc.aio.insecure_channel(crowd.server.grpc_target) as channel:
        stub = orders_pb2_grpc.PaymentServiceStub(channel)
        answers = await asyncio.gather(
            *(stub.CreateOrder(wanted, metadata=metadata) for _ in range(MANY))
        )

    order_id = one([answer.order_id for answer in answers])
    assert len(await crowd.rows(OF_ORDER, order_id)) == 1


async def test_a_checkout_opened_many_times_is_one_payment(crowd: Crowd) -> None:
    order_id = (await crowd.read(crowd.faces.create_order()))["order_id"]
    answers = await the_same(crowd, crowd.faces.open_checkout(order_id))

    assert one([answer["data"]["id"] for answer in answers])
    ((payment_id,),) = await crowd.rows(OF_ORDER, order_id)
    attempts = await crowd.rows("select id from attempt where payment_id = $1", payment_id)
    assert len(attempts) == 1


@pytest.mark.parametrize("at_once", [False, True], ids=["at the cashier", "by auth code"])
async def test_wallet_payments_with_one_request_id_are_one_payment(
    crowd: Crowd, at_once: bool
) -> None:
    balance = "select balance_minor from wallet_balance where currency = 'CNY' and account like $1"
    account = f"wallet:%{crowd.faces.demo.wallet_user_id}"
    ((before,),) = await crowd.rows(balance, account)
    code = {"paymentAuthCode": crowd.faces.demo.wallet_auth_code} if at_once else {}
    answers = await the_same(crowd, crowd.faces.pay(fresh("request"), **code))

    assert {answer["result"]["resultStatus"] for answer in answers} == {"S"}
    payment_id = one([answer["paymentId"] for answer in answers])
    ((order_id,),) = await crowd.rows("select order_id from payment where id = $1", payment_id)
    ((after,),) = await crowd.rows(balance, account)
    assert len(await crowd.rows(OF_ORDER, order_id)) == 1
    assert before - after == (29990 if at_once else 0)


@pytest.mark.parametrize("card", ["", PAID_CARD, SLOW_CARD], ids=["alipay", "card", "slow card"])
async def test_gateway_requests_for_one_order_are_one_payment(crowd: Crowd, card: str) -> None:
    order_id = fresh("order")
    method = "credit card" if card else "Alipay"
    answers = await the_same(crowd, crowd.faces.request(order_id, method, card))

    payment_id = one([answer["paymentRequestId"] for answer in answers])
    assert answers[-1]["paymentResult"] is bool(card)
    attempts = await crowd.rows("select id from attempt where payment_id = $1", payment_id)
    assert [takings(crowd.server).get(attempt_id) for (attempt_id,) in attempts] == (
        [1] if card else []
    )
    assert len(await crowd.rows(OF_ORDER, order_id)) == 1


async def test_an_order_paid_in_two_tabs_and_by_wallet_at_once_is_paid_once(crowd: Crowd) -> None:
    made = await asyncio.gather(*(crowd.read(crowd.faces.create_order()) for _ in range(ROUNDS)))
    cards = [PAID_CARD if number % 3 else SLOW_CARD for number in range(ROUNDS)]
    await asyncio.gather(
        *(
            pay_in_three_ways(crowd, order["payment_session_id"], card)
            for order, card in zip(made, cards, strict=True)
        )
    )

    order_ids = [order["order_id"] for order in made]
    found = await crowd.rows(SUCCESSES, order_ids)
    assert sorted(found) == sorted((order_id, "paid", 1) for order_id in order_ids)
    assert await compare_books(crowd)


async def pay_in_three_ways(crowd: Crowd, session: str, card: str) -> None:
    by_card = {"method": "credit_card", "card_number": card}
    by_wallet = {
        "method": "wallet",
        "wallet_user": crowd.faces.demo.wallet_user_id,
        "wallet_code": crowd.faces.demo.wallet_auth_code,
    }
    form = await crowd.open_page(session)
    replies = await asyncio.gather(
        *(crowd.confirm(session, form | way) for way in (by_card, by_wallet, by_card))
    )
    assert {reply.status for reply in replies} == {303}, [reply.body for reply in replies]


async def test_an_order_paid_at_the_cashier_and_through_the_gateway_is_paid_once(
    crowd: Crowd,
) -> None:
    order_ids = [fresh("order") for _ in range(ROUNDS)]
    await asyncio.gather(*(pay_from_two_sides(crowd, order_id) for order_id in order_ids))

    found = await crowd.rows(SUCCESSES, order_ids)
    assert sorted(found) == sorted((order_id, "paid", 1) for order_id in order_ids)
    assert await compare_books(crowd)


async def pay_from_two_sides(crowd: Crowd, order_id: str) -> None:
    """The merchant charges a card on file while the payer presses the button."""
    made = await crowd.read(crowd.faces.create_order(order_id=order_id))
    session = session_in(f"/pay/{made['payment_session_id']}")
    form = await crowd.open_page(session)
    by_wallet = {
        "method": "wallet",
        "wallet_user": crowd.faces.demo.wallet_user_id,
        "wallet_code": crowd.faces.demo.wallet_auth_code,
    }
    requested, pressed = await asyncio.gather(
        crowd.ask(crowd.faces.request(order_id, "credit card", PAID_CARD)),
        crowd.confirm(session, form | by_wallet),
    )
    assert pressed.status == 303
    assert requested.status in (200, 409, 422), requested.body
