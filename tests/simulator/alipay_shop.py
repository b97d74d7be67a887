"""A shop at the simulated Alipay, written from Alipay's documentation over `cryptography`."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from tests.simulator.browser import Browser, Page
from tests.simulator.letterbox import Letterbox, key_pair

from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator

APP_ID, SELLER_ID = "2021000000000001", "2088102116773000"
PRODUCTS = {"page": "FAST_INSTANT_TRADE_PAY", "wap": "QUICK_WAP_WAY", "app": "QUICK_MSECURITY_PAY"}


def merchant() -> Merchant:
    return Merchant(
        provider="alipay",
        name="Lantern Tea",
        credentials={
            "app_id": APP_ID,
            "seller_id": SELLER_ID,
            "app_public_key": key_pair("alipay shop").public_pem,
            "private_key": key_pair("alipay").private_pem,
        },
    )


def sign(text: str) -> str:
    signed = key_pair("alipay shop").key.sign(text.encode(), PKCS1v15(), SHA256())
    return base64.b64encode(signed).decode()


def verify(text: str, signature: str) -> None:
    """Raises: InvalidSignature."""
    public_key = key_pair("alipay").key.public_key()
    public_key.verify(base64.b64decode(signature), text.encode(), PKCS1v15(), SHA256())


def verified_fields(query: str) -> dict[str, str]:
    """Of a notification or of an address to come back to. Raises: InvalidSignature."""
    fields = dict(parse_qsl(query, keep_blank_values=True))
    kept = {name: fields[name] for name in fields if name not in ("sign", "sign_type")}
    verify("&".join(f"{name}={kept[name]}" for name in sorted(kept)), fields["sign"])
    return fields


@dataclass
class Shop:
    simulator: Simulator
    session: aiohttp.ClientSession
    letterbox: Letterbox
    changed: dict[str, str] = field(default_factory=dict)
    """Parameters that are changed after they were signed."""

    @property
    def gateway(self) -> str:
        return f"{self.simulator.url}/alipay/gateway.do"

    def signed(self, method: str, biz: dict[str, Any], **more: str) -> dict[str, str]:
        parameters = {
            "app_id": APP_ID,
            "method": method,
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": "2026-11-22 10:00:00",
            "version": "1.0",
            "biz_content": json.dumps(biz, ensure_ascii=False),
            **more,
        }
        text = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
        return {**parameters, "sign": sign(text), **self.changed}

    def order(self, number: str, way: str = "page", **more: str) -> dict[str, str]:
        biz = {
            "out_trade_no": number,
            "total_amount": "88.80",
            "subject": "龙井 100 g",
            "product_code": PRODUCTS[way],
            **more,
        }
        return self.signed(
            f"alipay.trade.{way}.pay",
            biz,
            notify_url=self.letterbox.url,
            return_url="https://shop.example/return?order=7",
        )

    async def opened(self, number: str, way: str = "page", **more: str) -> Page:
        """The cashier, as a browser gets to it."""
        browser = Browser(self.session)
        page = await browser.open(f"{self.gateway}?{urlencode(self.order(number, way, **more))}")
        location = page.headers.get("location")
        return await browser.open(location) if location else page

    async def paid(self, number: str, **more: str) -> Page:
        """Where the browser is sent after the payer paid."""
        return await Browser(self.session).press(await self.opened(number, **more), "pay")

    async def ask(self, method: str, **biz: Any) -> dict[str, Any]:
        """The verified answer. Raises: InvalidSignature."""
        text = await self.raw(self.signed(method, biz))
        node = f'{{"{method.replace(".", "_")}_response":'
        assert text.startswith(node)
        content, _, tail = text.removeprefix(node).rpartition(',"sign":')
        verify(content, json.loads(tail.removesuffix("}")))
        told: dict[str, Any] = json.loads(content)
        return told

    async def raw(self, parameters: dict[str, str]) -> str:
        async with self.session.post(self.gateway, data=parameters) as answer:
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/html;charset=utf-8"
            return await answer.text()

    async def told(self) -> list[dict[str, str]]:
        """Every notification so far, verified. Raises: InvalidSignature."""
        await self.simulator.post_letters()
        return [verified_fields(body.decode()) for _, body in self.letterbox.letters]
