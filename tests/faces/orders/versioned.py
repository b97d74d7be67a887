"""A merchant's server that names a version of the API, and a payer who holds a session."""

import json
from typing import Any

from tests.asgi import Answer, Client
from tests.faces.orders.strictness import check_error, check_order, check_pay, check_payment

ORDER: dict[str, Any] = {
    "order_amount": 10.15,
    "order_currency": "CNY",
    "customer_details": {"customer_id": "cust_77", "customer_phone": "9000090000"},
}
CARD = {
    "channel": "link",
    "card_number": "4242 4242 4242 4242",
    "card_holder_name": "Alice",
    "card_expiry_mm": "12",
    "card_expiry_yy": "30",
    "card_cvv": "123",
}


class Merchant:
    """`credentials`: the headers of a client, without a version."""

    def __init__(self, client: Client, credentials: dict[str, str], version: str = "2025-01-01"):
        self._client = client
        self._credentials = credentials
        self.version = version

    async def ask(
        self, method: str, path: str, said: Any = None, *, key: str = "", **more: str
    ) -> Answer:
        headers = self._credentials | {"x-api-version": self.version} | more
        if key:
            headers["x-idempotency-key"] = key
        content = None if said is None else json.dumps(said)
        answer = await self._client.request(method, path, headers=headers, content=content)
        if answer.status >= 400:
            check_error(answer.json())
        return answer

    async def order(self, **members: Any) -> dict[str, Any]:
        made = await self.ask("POST", "/pg/orders", ORDER | members)
        assert made.status == 200, made.text
        return check_order(self.version, made.json())

    async def pay(self, order: dict[str, Any], method: Any = None, **more: Any) -> Answer:
        """By whom the session was given to: without credentials."""
        said = {
            "payment_session_id": order["payment_session_id"],
            "payment_method": {"card": CARD} if method is None else method,
        }
        headers = {"x-api-version": self.version, "content-type": "application/json"} | more
        answer = await self._client.request(
            "POST", "/pg/orders/sessions", headers=headers, json=said
        )
        (check_error if answer.status >= 400 else lambda said: check_pay(self.version, said))(
            answer.json()
        )
        return answer

    async def card(self, order: dict[str, Any], number: str) -> Answer:
        return await self.pay(order, {"card": CARD | {"card_number": number}})

    async def payment(self, order: dict[str, Any]) -> dict[str, Any]:
        """The order's only payment."""
        [payment] = (await self.ask("GET", f"/pg/orders/{order['order_id']}/payments")).json()
        return check_payment(self.version, payment)

    async def status(self, order: dict[str, Any]) -> str:
        shown = await self.ask("GET", f"/pg/orders/{order['order_id']}")
        word: str = check_order(self.version, shown.json())["order_status"]
        return word
