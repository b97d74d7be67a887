"""A shop at the simulated Cashfree: its account and a plain client."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp

from kassa_simulator.cashfree.wire import dumps, loads
from kassa_simulator.frame import Merchant

CLIENT_ID, CLIENT_SECRET = "cf-client", "cf-secret"

MERCHANT = Merchant(
    provider="cashfree",
    name="shop",
    credentials={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
)


@dataclass(frozen=True)
class Heard:
    status: int
    headers: dict[str, str]
    body: Any
    text: str


class Client:
    """Speaks one version of the interface."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url
        self.version = "2025-01-01"
        self.secret = CLIENT_SECRET

    async def ask(
        self, method: str, path: str, body: Any = None, key: str = "", **headers: str
    ) -> Heard:
        sent = {
            "x-api-version": self.version,
            "x-client-id": CLIENT_ID,
            "x-client-secret": self.secret,
            "content-type": "application/json",
            **({"x-idempotency-key": key} if key else {}),
            **headers,
        }
        data = None if body is None else dumps(body)
        url = f"{self.url}/cashfree/pg{path}"
        async with self._session.request(method, url, data=data, headers=sent) as answer:
            text = await answer.text()
            kept = {name.lower(): value for name, value in answer.headers.items()}
            return Heard(answer.status, kept, loads(text), text)

    async def order(self, order_id: str = "order-1", **more: Any) -> Heard:
        body = {
            "order_id": order_id,
            "order_amount": Decimal("170.50"),
            "order_currency": "INR",
            "customer_details": {"customer_id": "cust_77", "customer_phone": "9000090000"},
            **more,
        }
        return await self.ask("POST", "/orders", body)

    async def session(self, order: Heard, method: Any = None) -> Heard:
        card = {"card": {"channel": "link", "card_number": "4111111111111111"}}
        body = {
            "payment_session_id": order.body["payment_session_id"],
            "payment_method": method or card,
        }
        nobody = {"x-client-id": "", "x-client-secret": ""}
        return await self.ask("POST", "/orders/sessions", body, **nobody)
