"""A Cashfree connector, at the simulator and at a provider that says what a test wants."""

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
from kassa.connectors.cashfree import KIND
from kassa.connectors.cashfree.connector import CashfreeConnector
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Tools
from kassa.payments.domain.payments import Method
from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator, running

KEY = "at1_01kb0000000000000000000001"
REFUND = "re1_01kb0000000000000000000002"
CAPTURE = "ca1_01kb0000000000000000000003"
VOID = "vo1_01kb0000000000000000000004"
CREDENTIALS = {"client_id": "cf-client", "client_secret": "cf-secret"}
AMOUNT = Money(50_010, "INR")


def charge_request(**changes: Any) -> ChargeRequest:
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "key": KEY,
        "amount": AMOUNT,
        "order_id": "order_1",
        "subject": "Tea",
        "description": "",
        "instrument": "",
        "return_url": "https://shop.example/back",
        "notify_url": "",
        "expires_at": now + timedelta(hours=2),
        "now": now,
    }
    return ChargeRequest(**(given | changes))


def reserve_request(**changes: Any) -> ChargeRequest:
    return charge_request(capture=False, method=Method.UPI, **changes)


def change(key: str = REFUND, **changes: Any) -> ModificationRequest:
    given: dict[str, Any] = {
        "key": key,
        "charge_key": KEY,
        "charge_reference": "",
        "amount": AMOUNT,
        "charge_amount": AMOUNT,
        "reason": "broken",
        "notify_url": "",
        "now": datetime.now(UTC),
    }
    return ModificationRequest(**(given | changes))


@asynccontextmanager
async def connected(
    base_url: str, *, seconds: float = 10, **settings: str
) -> AsyncIterator[CashfreeConnector]:
    tools = Tools(
        http=ProviderHttp(connect_seconds=5, total_seconds=seconds),
        clock=lambda: datetime.now(UTC),
        base_url="https://pay.example",
    )
    connector = KIND.make({**CREDENTIALS, "base_url": base_url, **settings}, tools)
    assert isinstance(connector, CashfreeConnector)
    try:
        yield connector
    finally:
        await connector.close()


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    merchant = Merchant(provider="cashfree", name="shop", credentials=CREDENTIALS)
    async with running(tmp_path, merchants=[merchant]) as simulator:
        yield simulator


@pytest.fixture(params=["2023-08-01", "2025-01-01"])
async def cashfree(
    request: pytest.FixtureRequest, simulator: Simulator
) -> AsyncIterator[CashfreeConnector]:
    base_url = f"{simulator.url}/cashfree/pg"
    async with connected(base_url, api_version=request.param) as connector:
        yield connector


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with running_script() as provider:
        yield provider


@pytest.fixture
async def scripted(script: Scripted) -> AsyncIterator[CashfreeConnector]:
    async with connected(f"{script.url}/pg") as connector:
        yield connector


def act(simulator: Simulator, action: str = "pay", key: str = KEY) -> str:
    """What the payer does to the charge; its id."""
    charge = simulator.books.charge_by_key("cashfree", "shop", key)
    assert charge is not None
    simulator.act("cashfree", charge.id, action)
    return charge.id
