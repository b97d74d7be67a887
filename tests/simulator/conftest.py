"""A simulator with one shop at Stripe, and an address that hears its letters."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import stripe
from aiohttp import web

from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator, running

KEY, SECRET = "sk_test_lantern_tea", "whsec_lantern_tea"
T = TypeVar("T")


@dataclass
class Heard:
    """Letters as they came in. `status`: what each is answered with."""

    url: str
    letters: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    status: int = 200

    @property
    def events(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.letters]


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async def hear(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        found.letters.append((headers, await request.read()))
        return web.Response(status=found.status)

    application = web.Application()
    application.router.add_post("/hook", hear)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found = Heard(f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
    yield found
    await runner.cleanup()


def shop_at(url: str) -> Merchant:
    return Merchant(
        provider="stripe",
        name="lantern",
        credentials={"secret_key": KEY, "webhook_secret": SECRET},
        notify_url=url,
    )


@pytest.fixture
async def simulator(tmp_path: Path, heard: Heard) -> AsyncIterator[Simulator]:
    async with running(tmp_path, merchants=[shop_at(heard.url)]) as simulator:
        yield simulator


class Shop:
    """Stripe's own library, in a thread, pointed at the simulator."""

    def __init__(self, url: str, key: str = KEY) -> None:
        self._client = stripe.StripeClient(
            key, base_addresses={"api": f"{url}/stripe"}, max_network_retries=0
        )

    async def __call__(self, call: Callable[[Any], Any]) -> Any:
        return await asyncio.to_thread(call, self._client.v1)

    async def pay(self, attempt: str = "att_1", key: str = "", **params: Any) -> Any:
        """Create and confirm an intent."""
        content = {
            "amount": 1099,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "return_url": "https://shop.example/back?n=1",
            "metadata": {"kassa_attempt": attempt},
            **params,
        }
        options = {"idempotency_key": key or attempt}
        return await self(lambda v1: v1.payment_intents.create(content, options))


@pytest.fixture
def shop(simulator: Simulator) -> Shop:
    return Shop(simulator.url)
