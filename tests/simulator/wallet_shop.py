"""A shop at the simulated wallet, written from its documentation over `cryptography`."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import aiohttp
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from tests.simulator.letterbox import Letterbox, key_pair

from kassa_simulator.frame import Charge, Merchant
from kassa_simulator.running import Simulator

CLIENT_ID, TIME = "5X00000000000000", "2026-11-22T12:00:00+08:00"
CASHIER, AUTHORIZE = "51051000101000000011", "51051000101000000012"
AGREEMENT = "51051000101000100031"
USER = "2800000000000000001234"


def merchant() -> Merchant:
    return Merchant(
        provider="wallet",
        name="Lantern Tea",
        credentials={
            "client_id": CLIENT_ID,
            "merchant_public_key": key_pair("wallet shop").public_pem,
            "private_key": key_pair("wallet").private_pem,
        },
    )


def verify(header: str, content: bytes) -> None:
    """That the wallet signed it. Raises: InvalidSignature."""
    prefix, _, encoded = header.partition(",signature=")
    assert prefix == "algorithm=RSA256,keyVersion=1"
    assert "=" not in encoded
    signed = base64.b64decode(unquote(encoded), validate=True)
    key_pair("wallet").key.public_key().verify(signed, content, PKCS1v15(), SHA256())


@dataclass
class Shop:
    simulator: Simulator
    session: aiohttp.ClientSession
    letterbox: Letterbox
    changed: dict[str, str] = field(default_factory=dict)
    """Headers that are changed after signing."""

    async def post(self, api: str, body: bytes, signature: str = "") -> tuple[Any, bytes]:
        """The answer's headers and body, as they are."""
        path = f"/wallet/v1/payments/{api}"
        if not signature:
            content = f"POST {path}\n{CLIENT_ID}.{TIME}.".encode() + body
            signed = key_pair("wallet shop").key.sign(content, PKCS1v15(), SHA256())
            signature = quote(base64.b64encode(signed).decode(), safe="")
        headers = {
            "Client-Id": CLIENT_ID,
            "Request-Time": TIME,
            "Signature": f"algorithm=RSA256,keyVersion=1,signature={signature}",
            "Content-Type": "application/json; charset=UTF-8",
            **self.changed,
        }
        async with self.session.post(
            self.simulator.url + path, data=body, headers=headers
        ) as answer:
            assert answer.status == 200
            return answer.headers, await answer.read()

    async def ask(self, api: str, **content: Any) -> dict[str, Any]:
        """The verified answer. Raises: InvalidSignature."""
        headers, body = await self.post(api, json.dumps(content).encode())
        assert headers["client-id"] == CLIENT_ID
        time = headers["response-time"]
        signed = f"POST /wallet/v1/payments/{api}\n{CLIENT_ID}.{time}.".encode() + body
        verify(headers["signature"], signed)
        told: dict[str, Any] = json.loads(body)
        return told

    async def pay(self, key: str, **more: Any) -> dict[str, Any]:
        return await self.ask(
            "pay",
            **{
                "paymentRequestId": key,
                "productCode": CASHIER,
                "paymentAmount": {"currency": "CLP", "value": "2000"},
                "paymentNotifyUrl": self.letterbox.url,
                "order": {"orderDescription": "tea"},
                **more,
            },
        )

    async def agreed(self, key: str, code: str = USER, **more: Any) -> dict[str, Any]:
        return await self.pay(key, paymentAuthCode=code, **{"productCode": AGREEMENT, **more})

    async def status(self, key: str) -> str:
        told = await self.ask("inquiryPayment", paymentRequestId=key)
        return str(told["paymentStatus"])

    def charge(self, key: str) -> Charge:
        charge = self.simulator.books.charge_by_key("wallet", "Lantern Tea", key)
        assert charge is not None
        return charge

    async def told(self) -> list[dict[str, Any]]:
        """Every notification so far, verified. Raises: InvalidSignature."""
        await self.simulator.post_letters()
        told = []
        for headers, body in self.letterbox.letters:
            path = urlsplit(self.letterbox.url).path
            time = headers["Request-Time"]
            content = f"POST {path}\n{headers['Client-Id']}.{time}.".encode() + body
            verify(headers["Signature"], content)
            told.append(json.loads(body))
        return told


def code_of(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["result"]["resultStatus"], answer["result"]["resultCode"]
