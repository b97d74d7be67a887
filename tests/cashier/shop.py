"""A shop with orders to pay, and a payer who fills in the cashier's form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.asgi import Answer, Client
from tests.company import DemoCompany

from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.find_payments import get_payment
from kassa.wallet.usecases.wallet_users import add_wallet_user, top_up

CARD = "4242 4242 4242 4242"
PRICE = Money(29_990, "CNY")
FORM = {"content-type": "application/x-www-form-urlencoded"}
_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')


@dataclass
class Payer:
    """Somebody with the address of one payment."""

    core: Core
    client: Client
    company_id: str
    payment_id: str
    place: str

    async def see(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Answer:
        return await self.client.request(method, path, headers=headers, content=content)

    async def open(self, query: str = "") -> Answer:
        return await self.see("GET", self.place + query)

    async def result(self, query: str = "") -> Answer:
        return await self.see("GET", f"{self.place}/result{query}")

    async def form_token(self) -> str:
        """What the page gives its form to prove itself with."""
        found = _FORM_TOKEN.search((await self.open()).text)
        return found[1] if found else ""

    async def confirm(
        self, *, query: str = "", headers: Mapping[str, str] | None = None, **fields: str
    ) -> Answer:
        """Fill in the form and press the button; `form_token` is the page's own unless given."""
        if "form_token" not in fields:
            fields["form_token"] = await self.form_token()
        content = urlencode(fields).encode()
        path = f"{self.place}/confirm{query}"
        return await self.see("POST", path, FORM | dict(headers or {}), content)

    async def pay_by_card(self, number: str = CARD, **fields: str) -> Answer:
        card: dict[str, Any] = {"method": "credit_card", "card_number": number}
        return await self.confirm(**card | fields)

    async def payment(self) -> Payment:
        return (await get_payment(self.core, self.company_id, self.payment_id)).payment


async def a_payer(core: Core, client: Client, demo: DemoCompany, **changes: Any) -> Payer:
    """A payer of a new order of the demo company, for 299.90 CNY."""
    shop = await authenticate_api_key(core, demo.api_key)
    wanted: dict[str, Any] = {
        "company": shop.company,
        "business_id": shop.business_id,
        "actor": "test",
        "face": "orders",
        "amount": PRICE,
        "description": "Jasmine pearls, 250 g",
        "return_url": "https://shop.example/thanks?order={order_id}",
    }
    made = await create_order(core, NewOrder(**wanted | changes))
    place = f"/pay/{made.order.session_token}"
    return Payer(core, client, shop.company.id, made.payment.id, place)


async def a_wallet_user(core: Core, payer: Payer, balance: Money | None = None) -> dict[str, Any]:
    """The form fields of a wallet user who owns `balance`, or nothing."""
    await add_wallet_user(core, payer.company_id, "user_ann", "code_ann_0001")
    if balance:
        await top_up(core, payer.company_id, "user_ann", balance)
    return {"method": "wallet", "wallet_user": "user_ann", "wallet_code": "code_ann_0001"}
