"""A Razorpay connector, at the simulator and at a provider that says what a test wants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.scripted import Scripted
from tests.connectors.scripted import scripted as running_script

from kassa.base.domain.money import Money
from kassa.connectors.base import ChargeRequest, ModificationRequest
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Tools
from kassa.connectors.razorpay import KIND
from kassa.connectors.razorpay.connector import RazorpayConnector
from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator, running

KEY = "at1_01kb0000000000000000000001"
REFUND = "re1_01kb0000000000000000000002"
CREDENTIALS = {
    "key_id": "rzp_test_shop",
    "key_secret": "key-secret",
    "webhook_secret": "wh-secret",
}


def charge_request(**changes: Any) -> ChargeRequest:
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "key": KEY,
        "amount": Money(50_000, "INR"),
        "order_id": "order_1",
        "subject": "Tea",
        "description": "",
        "instrument": "",
        "return_url": "https://shop.example/back",
        "notify_url": "https://pay.example/providers/rzp",
        "expires_at": now + timedelta(hours=2),
        "now": now,
    }
    return ChargeRequest(**(given | changes))


def change(key: str = REFUND, **changes: Any) -> ModificationRequest:
    given: dict[str, Any] = {
        "key": key,
        "charge_key": KEY,
        "charge_reference": "pay_1",
        "amount": Money(50_000, "INR"),
        "charge_amount": Money(50_000, "INR"),
        "reason": "broken",
        "notify_url": "https://pay.example/providers/rzp",
        "now": datetime.now(UTC),
    }
    return ModificationRequest(**(given | changes))


@asynccontextmanager
async def connected(
    base_url: str, *, seconds: float = 10, **settings: str
) -> AsyncIterator[RazorpayConnector]:
    tools = Tools(
        http=ProviderHttp(connect_seconds=5, total_seconds=seconds),
        clock=lambda: datetime.now(UTC),
        base_url="https://pay.example",
    )
    connector = KIND.make({**CREDENTIALS, "base_url": base_url, **settings}, tools)
    assert isinstance(connector, RazorpayConnector)
    try:
        yield connector
    finally:
        await connector.close()


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    merchant = Merchant(provider="razorpay", name="shop", credentials=CREDENTIALS)
    async with running(tmp_path, merchants=[merchant]) as simulator:
        yield simulator


@pytest.fixture
async def razorpay(simulator: Simulator) -> AsyncIterator[RazorpayConnector]:
    async with connected(f"{simulator.url}/razorpay/v1") as connector:
        yield connector


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with running_script() as provider:
        yield provider


@pytest.fixture
async def scripted(script: Scripted) -> AsyncIterator[RazorpayConnector]:
    async with connected(f"{script.url}/v1") as connector:
        yield connector


def act(simulator: Simulator, action: str = "pay", key: str = KEY) -> str:
    """What the payer does to the charge; its id."""
    charge = simulator.books.charge_by_key("razorpay", "shop", key)
    assert charge is not None
    simulator.act("razorpay", charge.id, action)
    return charge.id
