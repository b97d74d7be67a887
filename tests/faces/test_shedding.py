"""What is given up when there is too much to do, and what stays open."""

import asyncio
import dataclasses
import time
from typing import Any

import grpc.aio
import pytest
from tests.asgi import Client
from tests.faces.limited import (
    ASK,
    NARROW,
    OPEN,
    Doorman,
    as_client,
    bearer,
    calling,
    ended,
    notify,
    pause_in,
    under_way,
)
from tests.faces.wallet.calls import Merchant

from kassa import app, criticality
from kassa.base.domain.rate_limits import Criticality
from kassa.base.usecases.admission import Admission
from kassa.base.usecases.core import Core
from kassa.faces.wallet import signature
from kassa.identity.domain.principals import Mode
from kassa.identity.usecases import companies
from kassa.settings import Settings
from kassa_protos.orders.v1 import orders_pb2
from moego.business.payment.v1 import payment_pb2

pytestmark = pytest.mark.anyio


@pytest.fixture
def doorman(core: Core) -> Doorman:
    return Doorman(core)


@pytest.fixture
def merchant(client: Client, core: Core, demo: Any) -> Merchant:
    key = signature.private_key(demo.wallet_private_key_pem)
    return Merchant(client, core, demo.wallet_client_id, key)


async def test_a_company_has_so_many_calls_at_once_and_gets_its_places_back(
    core: Core, settings: Settings, client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(company_calls=2)
    async with under_way(core, settings, "/v1/orders:create", as_client(demo), 2):
        refused = await ASK["gateway"](client, demo)  # another credential of the same company

    assert (refused.status, refused.headers["retry-after"] in ("1", "2")) == (429, True)
    assert doorman.turned_away == {("question", "company_calls"): 1}
    for _ in range(5):
        assert (await ASK["gateway"](client, demo)).status == 404


async def a_live_key(core: Core) -> str:
    """A key of a company with a live side, which this installation serves from now on."""
    core.policy = dataclasses.replace(core.policy, live=True)
    wanted = companies.NewCompany(
        id="cmp_real", business_id="biz_real", name="Real", currency="EUR", mode=Mode.LIVE
    )
    company = await companies.add_company(core, wanted)
    await companies.put_api_key(core, company, key := f"sk_live_real_{'c' * 43}")
    return key


async def test_when_there_is_too_much_to_do_money_and_notifications_get_through(
    core: Core, settings: Settings, client: Client, demo: Any, merchant: Merchant, doorman: Doorman
) -> None:
    doorman.limit(process_calls=1)
    key = await a_live_key(core)
    async with under_way(core, settings, "/gateway/payment-requests", bearer(key)):
        shed = {face: await ASK[face](client, demo) for face in ASK}
        listed = await client.request("POST", "/v1/payments:list", headers=bearer(demo.api_key))
        page = await client.request("GET", "/pay/sess_nothing")
        paid = await client.request(
            "POST", "/gateway/payment-requests", headers=bearer(key), content=b"{}"
        )
        told = await notify(client, settings)
        alive = await client.request("GET", "/livez")

    assert {answer.status for answer in (*shed.values(), listed, page)} == {503}
    pauses = {answer.headers["retry-after"] for answer in (*shed.values(), listed, page)}
    assert pauses <= {"1", "2"}
    assert shed["gateway"].json()["error"].startswith("OVERLOADED:")
    assert shed["business"].json()["error"]["status"] == "UNAVAILABLE"
    assert paid.status == 400  # let in, and read
    assert (told.status, alive.status) == (200, 200)  # judged by its signature, as always
    assert (await ASK["business"](client, demo)).status == 404


async def test_the_test_side_is_given_up_first(
    core: Core, settings: Settings, client: Client, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(process_calls=5)
    key = await a_live_key(core)
    async with under_way(core, settings, "/gateway/payment-requests", bearer(demo.api_key), 4):
        test = await ASK["business"](client, demo)
        live = await client.request("GET", "/v1/payment/pay_none", headers=bearer(key))
        told = await notify(client, settings)

    assert (test.status, live.status, told.status) == (503, 404, 200)


async def test_over_grpc_what_is_given_up_is_unavailable_for_a_moment(
    core: Core, settings: Settings, demo: Any, doorman: Doorman
) -> None:
    doorman.limit(process_calls=1)
    async with (
        calling(core, settings) as channel,
        under_way(core, settings, "/gateway/payment-requests", bearer(demo.api_key)),
    ):
        error = await ended(channel, "business", demo)

    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert pause_in(error) in (1, 2)


async def test_a_process_that_is_late_again_and_again_is_busy_and_not_after_one_stall(
    core: Core, doorman: Doorman
) -> None:
    doorman.limit(late=0.05)
    minding = asyncio.create_task(core.admission.mind_the_time())
    await asyncio.sleep(0.01)
    stall(0.3)
    await asyncio.sleep(0.15)
    once = core.admission.busy
    for _ in range(60):
        await asyncio.sleep(0)
        stall(0.15)
        if core.admission.busy == 1:
            break
    again = core.admission.busy
    minding.cancel()

    assert once < 0.5
    assert again == 1


def stall(seconds: float) -> None:
    time.sleep(seconds)


async def test_a_limiter_that_breaks_lets_everybody_in(
    core: Core, client: Client, demo: Any
) -> None:
    def broken() -> float:
        raise RuntimeError("no time")

    core.admission = Admission(dataclasses.replace(OPEN, address=NARROW), clock=broken)

    for ask in ASK.values():
        assert (await ask(client, demo)).status == 404
    assert (await client.request("GET", "/pay/sess_nothing")).status == 404


async def test_health_has_no_limit(client: Client, doorman: Doorman) -> None:
    doorman.limit(address=NARROW, process_calls=1)

    for path in ("/livez", "/readyz"):
        assert {(await client.request("GET", path)).status for _ in range(9)} == {200}


async def test_every_route_and_every_call_says_what_it_is_for(
    core: Core, settings: Settings
) -> None:
    served = routes_of(app.http_app(core, settings))
    named = {
        criticality.name_of(sorted((route.methods or set()) - {"HEAD"}), route.path)
        for route in served
    }
    calls = {
        f"{service.full_name}/{method.name}"
        for service in (
            payment_pb2.DESCRIPTOR.services_by_name["PaymentService"],
            orders_pb2.DESCRIPTOR.services_by_name["PaymentService"],
        )
        for method in service.methods
    }

    assert named | calls == set(criticality.OF)
    assert criticality.OF["POST /providers/{account}"].criticality is Criticality.NOTIFICATION


def routes_of(served: Any) -> list[Any]:
    while not hasattr(served, "routes"):
        served = served._app
    return list(served.routes)
