"""An order that is sent again after its end, and one that nobody could pay in any way it allows."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from tests.faces.orders.bad_requests import GOOD
from tests.faces.orders.test_orders_grpc import a_request, metadata, refusal, stub

from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.payments.usecases.find_payments import payments_of_order

pytestmark = pytest.mark.anyio
__all__ = ["metadata", "stub"]
MINE = GOOD | {"order_id": "again-1"}


async def end(core, demo, order_id: str) -> None:
    [view] = await payments_of_order(core, demo.company_id, order_id)
    await cancel_payment(core, demo.company_id, view.payment.id, actor="test")


async def test_an_ended_order_sent_again_says_that_it_has_ended(ask, core, demo):
    await ask("/v1/orders:create", MINE)
    await end(core, demo, "again-1")

    again = await ask("/v1/orders:create", MINE)

    assert (again.status, again.json()["code"]) == (409, "order_inactive")
    assert "canceled" in again.json()["message"]


async def test_an_order_whose_time_is_up_says_so_before_any_worker_has_looked(ask):
    soon = datetime.now(UTC) + timedelta(seconds=0.4)  # seconds, not money
    brief = MINE | {"order_expiry_time": soon.isoformat()}
    assert (await ask("/v1/orders:create", brief)).status == 200
    while datetime.now(UTC) <= soon:
        pass

    again = await ask("/v1/orders:create", brief)

    assert (again.status, again.json()["code"]) == (409, "order_inactive")
    assert "expired" in again.json()["message"]


async def test_under_the_first_key_the_first_answer_comes_again(ask, core, demo):
    key = {"idempotency-key": "k-ended"}
    first = await ask("/v1/orders:create", MINE, **key)
    await end(core, demo, "again-1")

    again = await ask("/v1/orders:create", MINE, **key)

    assert (again.status, again.body) == (200, first.body)


async def test_over_grpc_an_ended_order_says_so_too(stub, metadata, core, demo):
    await stub.CreateOrder(a_request(order_id="again_2"), metadata=metadata)
    await end(core, demo, "again_2")

    again = stub.CreateOrder(a_request(order_id="again_2"), metadata=metadata)

    assert await refusal(again) == (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_INACTIVE")


@pytest.mark.parametrize(
    ("methods", "why"),
    [
        ("nonsense", "names no payment method"),
        ("card,nonsense", "names no payment method"),
        ("upi", "does not take upi"),
        ("upi,nb", "does not take net_banking"),
        ("paypal", "no provider takes"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/orders:create", "/pg/orders"])
async def test_what_nobody_can_pay_is_refused_when_it_is_made(ask, path, methods, why):
    order = MINE | {"order_meta": {"payment_methods": methods}}
    versioned = {"x-api-version": "2023-08-01"} if path.startswith("/pg") else {}
    if versioned:
        customer = {"customer_id": "c_1", "customer_phone": "9999999999"}
        order = {
            "order_id": "again-1",
            "order_amount": 1,
            "order_currency": "CNY",
            "customer_details": customer,
            "order_meta": order["order_meta"],
        }

    refused = await ask(path, order, **versioned)

    assert (refused.status, refused.json()["code"]) == (400, "payment_methods_invalid")
    assert why in refused.json()["message"]
    order["order_meta"] = {"payment_methods": "upi, card"}
    assert (await ask(path, order, **versioned)).status == 200, "its id is still free"


async def test_what_was_made_while_somebody_could_take_it_is_answered_again(ask, core):
    order = MINE | {"order_meta": {"payment_methods": "card"}}
    first = await ask("/v1/orders:create", order)
    kept = {name: core.connectors.pop(name) for name in list(core.connectors)}
    try:
        again = await ask("/v1/orders:create", order)
        other = await ask("/v1/orders:create", order | {"order_amount": 300})
        fresh = await ask("/v1/orders:create", order | {"order_id": "again-3"})
    finally:
        core.connectors.update(kept)

    assert again.body == first.body
    assert (other.status, other.json()["code"]) == (409, "order_already_exists")
    assert (fresh.status, fresh.json()["code"]) == (400, "payment_methods_invalid")
