"""What a request costs, in instructions of the interpreter: a path that becomes a fifth dearer is
seen here, however busy the machine is.

It is no measure of speed (C code counts for nothing): `make bench` is. KASSA_TEST_COST=1 prints
the figures, to be written down here when a path was changed on purpose.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest
from tests.asgi import Answer, Client
from tests.company import DemoCompany

from kassa.base.usecases.ids import new_id

pytestmark = pytest.mark.anyio

KNOWN = {
    "create an order": 15_300,
    "pay from a wallet": 46_900,
    "pay by card": 61_600,
    "list 20 payments": 22_900,
    "get a payment": 8_200,
}
"""Instructions of one request on Python 3.11, when this was last written down."""
DEARER, CHEAPER = 1.2, 0.8
"""They vary by 2 %. What became cheaper is written down, so that it stays so."""
ROUNDS = 7


@dataclass
class Counted:
    instructions: int = 0


@contextmanager
def counting() -> Iterator[Counted]:
    """Of this thread, library code included; whoever traces it otherwise goes on afterwards."""
    counted, before = Counted(), sys.gettrace()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counted.instructions += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        yield counted
    finally:
        sys.settrace(before)


Ask = Callable[[], Awaitable[Answer]]


def asks(client: Client, demo: DemoCompany) -> dict[str, Ask]:
    """A request for each name of KNOWN, another one at each call."""
    key = {"authorization": f"Bearer {demo.api_key}"}
    ours = {"x-client-id": demo.orders_client_id, "x-client-secret": demo.orders_client_secret}
    known: list[str] = []

    async def create() -> Answer:
        order = {
            "customer_name": "Alice",
            "customer_email": "alice@example.com",
            "customer_phone": "9000000000",
            "order_amount": 100,
            "order_meta": {"return_url": "https://shop.example.com/thanks"},
        }
        return await client.request("POST", "/v1/orders:create", headers=ours, json=order)

    async def pay(method: str, payer: dict[str, str]) -> Answer:
        payment = {
            "userId": "alice",
            "orderId": new_id("order"),
            "amount": 1,
            "paymentMethod": method,
            "payerAccount": payer,
            "payeeAccount": {"accountType": "business", "accountNumber": demo.business_id},
        }
        return await client.request("POST", "/gateway/payment-requests", headers=key, json=payment)

    async def by_wallet() -> Answer:
        code = {"accountType": "wallet_auth_code", "accountNumber": demo.wallet_auth_code}
        return await pay("wallet", code)

    async def by_card() -> Answer:
        return await pay(
            "credit card", {"accountType": "token", "accountNumber": "pm_sandbox_paid"}
        )

    async def many() -> Answer:
        wanted = {"pagination": {"pageSize": 20}, "companyId": demo.company_id}
        answer = await client.request("POST", "/v1/payments:list", headers=key, json=wanted)
        known[:] = [one["id"] for one in answer.json()["payments"]]
        return answer

    async def one() -> Answer:
        return await client.request("GET", f"/v1/payment/{known[0]}", headers=key)

    return {
        "create an order": create,
        "pay from a wallet": by_wallet,
        "pay by card": by_card,
        "list 20 payments": many,
        "get a payment": one,
    }


async def cost(ask: Ask) -> int:
    """The cheapest of some: the others also did what is done once in a while."""
    costs = []
    for _ in range(ROUNDS):
        with counting() as counted:
            answer = await ask()
        assert answer.status == 200, answer.text
        costs.append(counted.instructions)
    return min(costs)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="another Python, other instructions")
async def test_no_request_became_a_fifth_dearer(client: Client, demo: DemoCompany) -> None:
    said = asks(client, demo)
    for _ in range(20):  # what is listed
        await said["create an order"]()
    found = {name: await cost(ask) for name, ask in said.items()}

    if os.environ.get("KASSA_TEST_COST") == "1":
        print(f"\nKNOWN = {found}")
    ratios = {name: round(found[name] / max(KNOWN[name], 1), 2) for name in KNOWN}
    assert {name: ratio for name, ratio in ratios.items() if ratio > DEARER} == {}
    assert {name: ratio for name, ratio in ratios.items() if ratio < CHEAPER} == {}


async def test_instructions_are_counted_whoever_else_traces(client: Client) -> None:
    before = sys.gettrace()
    await client.request("GET", "/livez")

    with counting() as little:
        await client.request("GET", "/livez")
    with counting() as much:
        for _ in range(10):
            await client.request("GET", "/livez")

    assert sys.gettrace() is before
    assert little.instructions > 100
    assert 9 < much.instructions / little.instructions < 11
