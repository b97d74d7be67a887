"""One request of each interface, with how it ended and how long that took."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Self

import aiohttp
import grpc.aio

from bench import calls
from bench.gateway import Gateway

PATIENCE_SECONDS = 60.0


class Ended(NamedTuple):
    """`said`: the status, and the code of the answer where it has one. `at`: when it began."""

    good: bool
    said: str
    seconds: float
    at: float


class Asking:
    """Requests of the demo company's."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._number = 0
        self._session: aiohttp.ClientSession | None = None
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._gateway.grpc_port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None and self._channel is not None:
            await self._session.close()
            await self._channel.close()

    @property
    def interfaces(self) -> dict[str, Callable[[], Awaitable[Ended]]]:
        return {
            "create order": self.create,
            "wallet pay": self.wallet,
            "gateway card": self.card,
            "list payments": self.list_payments,
            "list payments, gRPC": self.list_by_grpc,
        }

    def new_order(self) -> str:
        self._number += 1
        return f"fault_{time.time_ns():x}_{self._number}"

    async def create(self, order_id: str = "") -> Ended:
        client = self._gateway.demo["orders"]
        headers = {"x-client-id": client["client_id"], "x-client-secret": client["client_secret"]}
        wanted = {
            "order_id": order_id or self.new_order(),
            "customer_name": "Alice",
            "customer_email": "alice@example.com",
            "customer_phone": "9999999999",
            "order_amount": 5,
        }
        return await self._http("/v1/orders:create", headers, json.dumps(wanted).encode())

    async def card(self, order_id: str = "") -> Ended:
        demo = self._gateway.demo
        wanted = {
            "userId": demo["customer"]["username"],
            "orderId": order_id or self.new_order(),
            "amount": 5,
            "paymentMethod": "credit card",
            "payerAccount": {"accountType": "card", "accountNumber": "4242424242424242"},
            "payeeAccount": {"accountType": "business", "accountNumber": demo["business_id"]},
        }
        headers = {"authorization": f"Bearer {demo['api_key']}"}
        body = json.dumps(wanted).encode()
        return await self._http(
            "/gateway/payment-requests", headers, body, lambda said: bool(said["paymentResult"])
        )

    async def wallet(self) -> Ended:
        [raw] = calls.signed_pays(self._gateway, 1)
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
        headers = {name: value for name, _, value in lines if name != "content-length"}
        return await self._http(
            "/v1/payments/pay", headers, body, lambda said: said["result"]["resultStatus"] == "S"
        )

    async def list_payments(self) -> Ended:
        raw = calls.list_payments(self._gateway)[0]
        headers = {"authorization": f"Bearer {self._gateway.demo['api_key']}"}
        return await self._http("/v1/payments:list", headers, raw.partition(b"\r\n\r\n")[2])

    async def list_by_grpc(self) -> Ended:
        assert self._channel is not None
        ask: Any = self._channel.unary_unary(calls.SERVICE + "ListPayments")
        [message] = calls.grpc_list_payments(self._gateway)
        began = time.monotonic()
        try:
            metadata = calls.grpc_metadata(self._gateway)
            await ask(message, metadata=metadata, timeout=PATIENCE_SECONDS)
        except grpc.aio.AioRpcError as error:
            return Ended(False, error.code().name, time.monotonic() - began, began)
        return Ended(True, "OK", time.monotonic() - began, began)

    async def ready(self) -> Ended:
        return await self._http("/readyz", {}, None)

    async def _http(
        self,
        path: str,
        headers: dict[str, str],
        body: bytes | None,
        good: Callable[[Any], bool] = lambda _: True,
    ) -> Ended:
        assert self._session is not None
        began = time.monotonic()
        method = "GET" if body is None else "POST"
        url = f"http://127.0.0.1:{self._gateway.port}{path}"
        headers = {**headers, "content-type": "application/json"}
        try:
            async with self._session.request(method, url, headers=headers, data=body) as answer:
                said = await answer.json(content_type=None)
                fine = answer.status == 200 and good(said)
                words = f"{answer.status}{_code(said)}"
                return Ended(fine, words, time.monotonic() - began, began)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Ended(False, type(error).__name__, time.monotonic() - began, began)


def _code(said: Any) -> str:
    result = said.get("result") if isinstance(said, dict) else None
    return f" {result['resultStatus']}" if isinstance(result, dict) else ""


async def at_pace(
    ask: Callable[[], Awaitable[Ended]], per_second: float, seconds: float
) -> list[Ended]:
    """Begun at a fixed pace, whatever becomes of those before; all are awaited."""
    under_way = []
    for number in range(int(per_second * seconds)):
        if number:
            await asyncio.sleep(1 / per_second)
        under_way.append(asyncio.create_task(_ended(ask)))
    return list(await asyncio.gather(*under_way))


async def _ended(ask: Callable[[], Awaitable[Ended]]) -> Ended:
    return await ask()
