"""Doors whose limits a test sets, callers of every face, and requests that never end."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.asgi import Client

from kassa import app, installation
from kassa.base.domain.rate_limits import Rate
from kassa.base.usecases.admission import Admission, Limits
from kassa.base.usecases.core import Core
from kassa.connectors.sandbox import signing
from kassa.settings import Settings
from kassa_protos.orders.v1 import orders_pb2
from moego.business.payment.v1 import payment_pb2

WIDE = Rate(10_000, 10_000)


NARROW = Rate(1, 3)


OPEN = Limits(
    live=WIDE,
    test=WIDE,
    address=WIDE,
    company_calls=1000,
    process_calls=1000,
    late=1000,
    wrong_credentials=1000,
)


class Doorman:
    """The admission of `core`, its time told by the test, and what it turned away."""

    def __init__(self, core: Core):
        self.now = 1000.0
        self.turned_away: Counter[tuple[str, str]] = Counter()
        self._core = core
        self.limit()

    def limit(self, **changes: Any) -> None:
        self._core.admission = Admission(
            dataclasses.replace(OPEN, **changes), count=self._count, clock=lambda: self.now
        )

    def _count(self, kind: str, reason: str) -> None:
        self.turned_away[kind, reason] += 1


def as_client(demo: Any) -> dict[str, str]:
    return {"x-client-id": demo.orders_client_id, "x-client-secret": demo.orders_client_secret}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


ASK: dict[str, Callable[[Client, Any], Awaitable[Any]]] = {
    "orders": lambda client, demo: client.request(
        "POST", "/v1/orders:verify", headers=as_client(demo), json={"order_id": "ord_none"}
    ),
    "pg": lambda client, demo: client.request(
        "GET",
        "/pg/orders/ord_none",
        headers={"x-api-version": "2023-08-01", **as_client(demo)},
    ),
    "business": lambda client, demo: client.request(
        "GET", "/v1/payment/pay_none", headers=bearer(demo.api_key)
    ),
    "checkout": lambda client, demo: client.request(
        "GET", "/api/v1/payments/1", headers=bearer(demo.customer_token)
    ),
    "gateway": lambda client, demo: client.request(
        "GET", "/gateway/payment-requests/pay_none", headers=bearer(demo.api_key)
    ),
}


GRPC = {
    "business": (
        "/moego.business.payment.v1.PaymentService/GetPayment",
        payment_pb2.GetPaymentRequest(id="pay_none"),
    ),
    "orders": (
        "/kassa.orders.v1.PaymentService/VerifyPayment",
        orders_pb2.VerifyPaymentRequest(order_id="ord_none"),
    ),
}


@asynccontextmanager
async def calling(core: Core, settings: Settings) -> AsyncIterator[grpc.aio.Channel]:
    async with app.grpc_server(core, settings) as server:
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel


async def ended(channel: grpc.aio.Channel, face: str, demo: Any) -> grpc.aio.AioRpcError:
    method, message = GRPC[face]
    headers = {**as_client(demo), **bearer(demo.api_key)}
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(method)(
            message.SerializeToString(), metadata=tuple(headers.items())
        )
    return raised.value


def pause_in(error: grpc.aio.AioRpcError) -> int:
    status = rpc_status.from_call(error)
    retry = error_details_pb2.RetryInfo()
    assert status is not None
    assert any(detail.Unpack(retry) for detail in status.details)
    return int(retry.retry_delay.seconds)


@asynccontextmanager
async def under_way(
    core: Core, settings: Settings, path: str, headers: dict[str, str], count: int = 1
) -> AsyncIterator[None]:
    """Requests that are let in, and whose bodies never come."""
    served, arrived = app.http_app(core, settings), asyncio.Semaphore(0)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
    }

    async def receive() -> Any:
        arrived.release()
        await asyncio.Event().wait()

    async def send(_: Any) -> None:
        pass

    tasks = [asyncio.create_task(served(dict(scope), receive, send)) for _ in range(count)]
    for _ in tasks:
        await asyncio.wait_for(arrived.acquire(), 5)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def notify(client: Client, settings: Settings) -> Any:
    secret = installation.sandbox_secret(settings.directory)
    body = b'{"nothing": "ours"}'
    sent = signing.sign(secret, body, at=int(datetime.now(UTC).timestamp()))
    return await client.request(
        "POST", "/providers/sandbox", headers={signing.HEADER: sent}, content=body
    )
