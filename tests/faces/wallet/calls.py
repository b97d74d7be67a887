"""A merchant of the wallet: signs its requests, and believes no answer without a signature."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import Signed
from kassa.usecases.core import Core

PAY = "/v1/payments/pay"
INQUIRY = "/v1/payments/inquiryPayment"
TIME = "2026-11-22T10:00:00+08:00"
_numbers = itertools.count(1)


def an_order(**changes: Any) -> dict[str, Any]:
    """The members of a good pay request, each time with a new request id."""
    return {
        "productCode": "51051000101000000011",
        "paymentRequestId": f"R-{next(_numbers)}",
        "paymentAmount": {"currency": "CLP", "value": "2000"},
        "order": {"orderDescription": "shoes"},
    } | changes


@dataclass(frozen=True)
class Merchant:
    """`client`: what answers in-process; `core`: holds the wallet's public key."""

    client: Any
    core: Core
    client_id: str
    key: RSAPrivateKey
    key_version: str = "1"

    async def pay(self, **changes: Any) -> dict[str, Any]:
        return await self.ask(PAY, an_order(**changes))

    async def inquire(self, **members: Any) -> dict[str, Any]:
        return await self.ask(INQUIRY, members)

    async def ask(self, path: str, members: Any) -> dict[str, Any]:
        return await self.send(path, json.dumps(members).encode())

    async def send(
        self,
        path: str,
        body: bytes,
        *,
        method: str = "POST",
        headers: dict[str, str | None] | None = None,
    ) -> dict[str, Any]:
        """What the wallet says, its signature checked. `headers`: instead of ours; None: without."""
        signed = Signed(method, path, self.client_id, TIME, body)
        all_headers: dict[str, str | None] = {
            "Client-Id": self.client_id,
            "Request-Time": TIME,
            "Signature": signature.sign(signed, self.key, self.key_version),
            "Content-Type": "application/json; charset=UTF-8",
        } | (headers or {})
        sent = {name: value for name, value in all_headers.items() if value is not None}
        answer = await self.client.request(method, path, headers=sent, content=body)
        return self.believed(method, path, answer)

    def believed(self, method: str, path: str, answer: Any) -> dict[str, Any]:
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert answer.headers["client-id"] == self.client_id
        time = answer.headers["response-time"]
        public = self.core.secrets.wallet_public_key_pem.decode("ascii")
        version = self.core.secrets.wallet_key_version
        signed = Signed(method, path, self.client_id, time, answer.body)
        signature.verify(signed, answer.headers["signature"], {version: public})
        said: dict[str, Any] = json.loads(answer.body)
        return said


def code(answer: dict[str, Any]) -> str:
    """ "F PARAM_ILLEGAL": the two words that a client decides by."""
    return f"{answer['result']['resultStatus']} {answer['result']['resultCode']}"
