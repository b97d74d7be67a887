"""Normal traffic at a fixed pace: each request has a moment when it is due, and its time counts
from there, so a server that stalls is not asked less."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio

from bench import calls
from bench.faults.letters import Notifications, Receiver
from bench.gateway import Gateway

CUSTOMERS = 16  # addresses the traffic comes from, on loopback
PATIENCE_SECONDS = 30.0
_CARD, _TOKEN = "4242424242424242", "pm_card_visa"
# Per second, of each kind.
PACE = {
    "create order": 3.0,
    "wallet pay": 3.0,
    "gateway card": 2.0,
    "gateway card at a provider": 1.0,
    "list payments": 3.0,
    "list payments, gRPC": 2.0,
    "cashier page": 3.0,
    "provider notification": 2.0,
}


@dataclass
class Seen:
    """What came of the requests. `took`: seconds by kind, of those answered well; the orders,
    payments and requests that were acknowledged."""

    took: dict[str, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    orders: dict[str, int] = field(default_factory=dict)
    wallet: list[str] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)

    def note(self, kind: str, seconds: float) -> None:
        self.took.setdefault(kind, []).append(seconds)


class Traffic:
    """A shop's customers and its own systems. Everything is the demo company's."""

    def __init__(self, gateway: Gateway, receiver: Receiver):
        self._gateway = gateway
        self._receiver = receiver
        self._sessions: list[aiohttp.ClientSession] = []
        self._channel: grpc.aio.Channel | None = None
        self._news = Notifications(gateway)
        self._tokens: list[str] = []
        self._luck = random.Random(1)
        self._number = 0
        self.seen = Seen()

    async def open(self) -> None:
        for number in range(1, CUSTOMERS + 1):
            connector = aiohttp.TCPConnector(local_addr=(f"127.0.1.{number}", 0), limit=8)
            timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
            self._sessions.append(aiohttp.ClientSession(connector=connector, timeout=timeout))
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._gateway.grpc_port}")

    async def close(self) -> None:
        for session in self._sessions:
            await session.close()
        if self._channel is not None:
            await self._channel.close()

    async def run(self, seconds: float) -> Seen:
        """So long at the pace; afterwards everything that was begun is awaited."""
        self.seen, begun = Seen(), time.monotonic()
        kinds: dict[str, Callable[[], Awaitable[bool]]] = {
            "create order": self._create,
            "wallet pay": self._wallet,
            "gateway card": lambda: self._card("card", _CARD),
            "gateway card at a provider": lambda: self._card("token", _TOKEN),
            "list payments": self._list,
            "list payments, gRPC": self._list_grpc,
            "cashier page": self._page,
            "provider notification": self._notify,
        }
        agenda = sorted(
            (begun + (number + self._luck.random()) / pace, kind)
            for kind, pace in PACE.items()
            for number in range(int(seconds * pace))
        )
        under_way = []
        for due, kind in agenda:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            under_way.append(asyncio.create_task(self._one(kind, kinds[kind], due)))
        await asyncio.gather(*under_way)
        return self.seen

    async def _one(self, kind: str, ask: Callable[[], Awaitable[bool]], due: float) -> None:
        try:
            good = await ask()
        except (aiohttp.ClientError, grpc.aio.AioRpcError, OSError, TimeoutError) as error:
            self.seen.failed[f"{kind}: {type(error).__name__}"] += 1
            return
        if good:
            self.seen.note(kind, time.monotonic() - due)

    async def _ask(
        self, kind: str, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> bytes | None:
        """The body of a good answer; what else came is counted."""
        session = self._luck.choice(self._sessions)
        url = f"http://127.0.0.1:{self._gateway.port}{path}"
        async with session.request(method, url, headers=headers, data=body) as answer:
            content = await answer.read()
            if answer.status == 200:
                return content
            self.seen.failed[f"{kind}: {answer.status}"] += 1
            return None

    def _client(self) -> dict[str, str]:
        client = self._gateway.demo["orders"]
        return {
            "content-type": "application/json",
            "x-client-id": client["client_id"],
            "x-client-secret": client["client_secret"],
        }

    def _key(self) -> dict[str, str]:
        key = self._gateway.demo["api_key"]
        return {"content-type": "application/json", "authorization": f"Bearer {key}"}

    async def _create(self) -> bool:
        self._number += 1
        order_id, amount = f"soak_{time.time_ns():x}_{self._number}", 1 + self._number % 500
        wanted = {
            "order_id": order_id,
            "customer_name": "Alice",
            "customer_email": "alice@example.com",
            "customer_phone": "9999999999",
            "order_amount": amount,
        }
        body = json.dumps(wanted).encode()
        said = await self._ask("create", "POST", "/v1/orders:create", self._client(), body)
        if said is None:
            return False
        self.seen.orders[order_id] = amount * 100
        self._tokens = [*self._tokens[-50:], json.loads(said)["payment_session_id"]]
        return True

    async def _wallet(self) -> bool:
        [raw] = calls.signed_pays(self._gateway, 1)
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
        headers = {name: value for name, _, value in lines if name != "content-length"}
        said = await self._ask("wallet", "POST", "/v1/payments/pay", headers, body)
        if said is None:
            return False
        answer = json.loads(said)
        if answer["result"]["resultStatus"] != "S":
            self.seen.failed[f"wallet: {answer['result']['resultCode']}"] += 1
            return False
        self.seen.wallet.append(answer["paymentId"])
        return True

    async def _card(self, kind: str, number: str) -> bool:
        """An order whose merchant wants to be told, and its payment by card."""
        self._number += 1
        order_id = f"card_{time.time_ns():x}_{self._number}"
        order = {
            "order_id": order_id,
            "customer_name": "Alice",
            "customer_email": "alice@example.com",
            "customer_phone": "9999999999",
            "order_amount": 5,
            "order_meta": {"notify_url": self._receiver.url(order_id)},
        }
        made = await self._ask(
            "card", "POST", "/v1/orders:create", self._client(), json.dumps(order).encode()
        )
        if made is None:
            return False
        wanted = {
            "userId": self._gateway.demo["customer"]["username"],
            "orderId": order_id,
            "amount": 5,
            "paymentMethod": "credit card",
            "payerAccount": {"accountType": kind, "accountNumber": number},
            "payeeAccount": {
                "accountType": "business",
                "accountNumber": self._gateway.demo["business_id"],
            },
        }
        said = await self._ask(
            "card", "POST", "/gateway/payment-requests", self._key(), json.dumps(wanted).encode()
        )
        if said is None:
            return False
        answer = json.loads(said)
        if not answer.get("paymentResult"):
            self.seen.failed[f"card: {answer.get('error', '')[:40]}"] += 1
            return False
        self._receiver.expect(order_id)
        self.seen.cards.append(answer["paymentRequestId"])
        return True

    async def _list(self) -> bool:
        raw = calls.list_payments(self._gateway)[0]
        body = raw.partition(b"\r\n\r\n")[2]
        return await self._ask("list", "POST", "/v1/payments:list", self._key(), body) is not None

    async def _list_grpc(self) -> bool:
        assert self._channel is not None
        ask: Any = self._channel.unary_unary(calls.SERVICE + "ListPayments")
        [message] = calls.grpc_list_payments(self._gateway)
        metadata = calls.grpc_metadata(self._gateway)
        await ask(message, metadata=metadata, timeout=PATIENCE_SECONDS)
        return True

    async def _page(self) -> bool:
        if not self._tokens:
            return False
        path = f"/pay/{self._luck.choice(self._tokens)}"
        return await self._ask("page", "GET", path, {}, None) is not None

    async def _notify(self) -> bool:
        letter = self._news.one()
        if letter is None:
            return False
        path, headers, body = letter
        return await self._ask("notification", "POST", path, headers, body) is not None


def ready(gateway: Gateway) -> bool:
    """Whether the demo's accounts and their simulator are there."""
    return (Path(gateway.data_dir) / "demo" / "provider_keys.json").exists()
