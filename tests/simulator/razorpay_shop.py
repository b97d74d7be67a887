"""A shop at the simulated Razorpay: its account, the official client, and its payers."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import razorpay

from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator

KEY_ID, KEY_SECRET, WEBHOOK_SECRET = "rzp_test_shop", "key-secret", "wh-secret"

MERCHANT = Merchant(
    provider="razorpay",
    name="shop",
    credentials={
        "key_id": KEY_ID,
        "key_secret": KEY_SECRET,
        "webhook_secret": WEBHOOK_SECRET,
    },
    notify_url="",
)


def basic(key_id: str, secret: str) -> dict[str, str]:
    pair = base64.b64encode(f"{key_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def a_client(simulator: Simulator, secret: str = KEY_SECRET) -> Any:
    """Razorpay's own client, sent to the simulator."""
    return razorpay.Client(auth=(KEY_ID, secret), base_url=f"{simulator.url}/razorpay")


async def say(call: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """The official client blocks: call it in a thread."""
    return await asyncio.to_thread(call, *args, **named)


async def an_order(client: Any, receipt: str = "r-1", **more: Any) -> Any:
    return await say(
        client.order.create,
        {"amount": 50_000, "currency": "INR", "receipt": receipt, **more},
    )


def pay(simulator: Simulator, receipt: str = "r-1", action: str = "pay") -> str:
    """The payer pays, or declines, away from any page; the payment's id."""
    charge = simulator.books.charge_by_key("razorpay", "shop", receipt)
    assert charge is not None
    simulator.act("razorpay", charge.id, action)
    newest = simulator.books.charge_by_key("razorpay", "shop", receipt)
    assert newest is not None
    return newest.id
