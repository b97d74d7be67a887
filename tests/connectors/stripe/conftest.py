"""A simulated Stripe, and a server on the loopback that answers whatever a test wants."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from kassa.base.domain.money import Money
from kassa.connectors.base import ChargeRequest, ModificationRequest
from kassa.connectors.earlier import Signers
from kassa.connectors.http import ProviderHttp
from kassa.connectors.stripe.connector import StripeConnector
from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator, running

KEY, SECRET = "sk_test_of_this_run", "whsec_of_this_run"


Handle = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serving(handle: Handle) -> AsyncIterator[int]:
    """Answer every request with `handle`; gives the port."""
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(
    base_url: str, *, key: str = KEY, secret: str = SECRET, total_seconds: float = 10
) -> AsyncIterator[StripeConnector]:
    connector = StripeConnector(
        secret_key=key,
        webhook_secret=Signers(secret),
        base_url=base_url,
        home="https://pay.example",
        http=ProviderHttp(connect_seconds=10, total_seconds=total_seconds),
        clock=lambda: datetime.now(UTC),
    )
    try:
        yield connector
    finally:
        await connector.close()


@dataclass
class Heard:
    """What was posted to `url`: headers with lower-case names, and the raw body."""

    url: str
    letters: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async def hear(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        found.letters.append((headers, await request.read()))
        return web.Response()

    async with serving(hear) as port:
        found = Heard(f"http://127.0.0.1:{port}/hook")
        yield found


@pytest.fixture
async def simulator(tmp_path: Path, heard: Heard) -> AsyncIterator[Simulator]:
    merchant = Merchant(
        provider="stripe",
        name="shop",
        credentials={"secret_key": KEY, "webhook_secret": SECRET},
        notify_url=heard.url,
    )
    async with running(tmp_path, merchants=[merchant]) as simulator:
        yield simulator


@pytest.fixture
async def stripe(simulator: Simulator) -> AsyncIterator[StripeConnector]:
    async with connected(f"{simulator.url}/stripe") as connector:
        yield connector


class Api:
    """Answers by method and path, e.g. "POST /v1/refunds"; anything else is 404, as at Stripe.

    `answers`: an object, or a status with one. `seen`: what was asked, with its form.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/prefix")
        asked = f"{request.method} {path}"
        text = request.query_string or (await request.text())
        self.seen.append((asked, dict(parse_qsl(text))))
        self.headers.append(request.headers)
        answer = self.answers.get(asked, (404, refused("resource_missing", param="id")))
        if isinstance(answer, bytes):
            return web.Response(body=answer)
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return web.Response(status=status, text=json.dumps(body), content_type="application/json")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    api = Api()
    async with serving(api.handle) as api.port:
        yield api


@pytest.fixture
async def told(api: Api) -> AsyncIterator[StripeConnector]:
    """A connector that talks to `api`, under a path as a proxy would have."""
    async with connected(f"http://127.0.0.1:{api.port}/prefix/") as connector:
        yield connector


def charge_request(
    key: str = "at1_key",
    *,
    amount: Money | None = None,
    instrument: str = "pm_card_visa",
    capture: bool = True,
    lasts: timedelta = timedelta(hours=1),
) -> ChargeRequest:
    now = datetime.now(UTC)
    return ChargeRequest(
        key=key,
        amount=amount or Money(1099, "USD"),
        order_id="1001",
        subject="Tea",
        description="Two tins of tea",
        instrument=instrument,
        return_url="https://shop.example/back",
        notify_url="https://pay.example/providers/stripe",
        expires_at=now + lasts,
        now=now,
        capture=capture,
    )


def modification(
    key: str,
    reference: str,
    minor: int,
    *,
    charge_key: str = "at1_key",
    charged: int = 1099,
    currency: str = "USD",
) -> ModificationRequest:
    return ModificationRequest(
        key=key,
        charge_key=charge_key,
        charge_reference=reference,
        amount=Money(minor, currency),
        charge_amount=Money(charged, currency),
        reason="",
        notify_url="",
        now=datetime.now(UTC),
    )


def intent(status: str = "succeeded", **members: Any) -> dict[str, Any]:
    """A payment intent as Stripe shows it, as far as anybody here reads it."""
    taken = 1099 if status == "succeeded" else 0
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1099,
        "amount_capturable": 1099 if status == "requires_capture" else 0,
        "amount_received": taken,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "currency": "usd",
        "last_payment_error": None,
        "latest_charge": None,
        "metadata": {"kassa_key": "at1_key", "order_id": "1001"},
        "next_action": None,
        "status": status,
        **members,
    }


def session(status: str = "open", **members: Any) -> dict[str, Any]:
    return {
        "id": "cs_test_1",
        "object": "checkout.session",
        "amount_total": 1099,
        "currency": "usd",
        "expires_at": 1_800_000_000,
        "metadata": {"kassa_key": "at1_key"},
        "payment_intent": None,
        "payment_status": "paid" if status == "complete" else "unpaid",
        "status": status,
        "url": "https://checkout.example/c/1" if status == "open" else None,
        **members,
    }


def refund(status: str = "succeeded", **members: Any) -> dict[str, Any]:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 500,
        "balance_transaction": None,
        "currency": "usd",
        "failure_reason": None,
        "metadata": {"kassa_key": "re1_key"},
        "payment_intent": "pi_1",
        "status": status,
        **members,
    }


def refused(
    code: str = "", *, param: str = "", kind: str = "invalid_request_error", **members: Any
) -> dict[str, Any]:
    error = {"type": kind, "message": "No.", "code": code or None, "param": param or None}
    return {"error": {**error, **members}}


def page(*things: dict[str, Any], more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(things), "has_more": more, "url": "/v1/things"}


def signed(
    body: bytes, *, secret: str = SECRET, at: datetime | None = None, scheme: str = "v1"
) -> dict[str, str]:
    stamp = str(int((at or datetime.now(UTC)).timestamp()))
    mac = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={stamp},{scheme}={mac}"}


def event(name: str, thing: dict[str, Any], **members: Any) -> bytes:
    content = {
        "id": "evt_1",
        "object": "event",
        "type": name,
        "livemode": False,
        "data": {"object": thing},
        **members,
    }
    return json.dumps(content).encode()
