"""Requests of the five interfaces as a merchant's own code would build them, byte for byte.

Written from the interfaces' papers, not with the gateway's code: a mistake that both sides share
would not be seen.
"""

import base64
import itertools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from tests.company import DemoCompany

PAY = "/v1/payments/pay"
INQUIRY = "/v1/payments/inquiryPayment"
JSON = {"content-type": "application/json"}
_numbers = itertools.count(1)


def fresh(prefix: str) -> str:
    """An id nobody has used before, on any server that outlives this process."""
    return f"{prefix}_{os.getpid()}_{next(_numbers)}"


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """`headers`: lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Faces:
    """The calls of each interface, with the demo company's credentials."""

    demo: DemoCompany

    # orders

    def create_order(self, *, key: str = "", **members: Any) -> Call:
        wanted = {
            "customer_name": "Alice",
            "customer_email": "alice@example.com",
            "customer_phone": "9999999999",
            "order_amount": 299.90,
        }
        headers = self._client() | ({"idempotency-key": key} if key else {})
        return _json_call("POST", "/v1/orders:create", headers, wanted | members)

    def verify_order(self, order_id: str) -> Call:
        return _json_call("POST", "/v1/orders:verify", self._client(), {"order_id": order_id})

    def order(self, order_id: str, part: str = "") -> Call:
        return Call("GET", f"/pg/orders/{order_id}{part}", self._client())

    def _client(self) -> dict[str, str]:
        return {
            "x-client-id": self.demo.orders_client_id,
            "x-client-secret": self.demo.orders_client_secret,
        }

    # business

    def payment(self, payment_id: str) -> Call:
        return Call("GET", f"/v1/payment/{payment_id}", self.key())

    def list_payments(self, *order_ids: str) -> Call:
        wanted = {
            "pagination": {"pageSize": 500},
            "companyId": self.demo.company_id,
            "filter": {"orderIds": order_ids},
        }
        return _json_call("POST", "/v1/payments:list", self.key(), wanted)

    def key(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.demo.api_key}"}

    # checkout

    def open_checkout(self, order_id: str) -> Call:
        wanted = {"orderId": order_id, "subject": "Jasmine pearls"}
        return _json_call("POST", "/api/v1/payments", self._customer(), wanted)

    def checkout(self, number: int, act: str = "") -> Call:
        return Call("GET", f"/api/v1/payments/{act}{number}", self._customer())

    def _customer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.demo.customer_token}"}

    # wallet

    def pay(self, request_id: str, **members: Any) -> Call:
        wanted = {
            "productCode": "51051000101000000011",
            "paymentRequestId": request_id,
            "paymentAmount": {"currency": "CNY", "value": "29990"},
            "order": {"orderDescription": "Jasmine pearls"},
        }
        return self._signed(PAY, wanted | members)

    def inquire(self, **members: str) -> Call:
        return self._signed(INQUIRY, members)

    def _signed(self, path: str, members: Mapping[str, Any]) -> Call:
        body = json.dumps(members).encode()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        key = _private_key(self.demo.wallet_private_key_pem)
        content = _signed_content(path, self.demo.wallet_client_id, now, body)
        value = quote(base64.b64encode(key.sign(content, PKCS1v15(), SHA256())), safe="")
        version = self.demo.wallet_key_version
        headers = JSON | {
            "client-id": self.demo.wallet_client_id,
            "request-time": now,
            "signature": f"algorithm=RSA256,keyVersion={version},signature={value}",
        }
        return Call("POST", path, headers, body)

    def check_wallet_answer(self, path: str, reply: Reply) -> Any:
        """The answer's JSON, believed only with the wallet's signature."""
        self.check_wallet_signature(path, reply.headers, reply.body, time_header="response-time")
        return reply.json()

    def check_wallet_signature(
        self, target: str, headers: Mapping[str, str], body: bytes, *, time_header: str
    ) -> None:
        """Raises: InvalidSignature."""
        members = dict(part.split("=", 1) for part in headers["signature"].split(","))
        assert members["algorithm"] == "RSA256"
        key = load_pem_public_key(self.demo.wallet_server_public_key_pem)
        assert isinstance(key, RSAPublicKey)
        content = _signed_content(target, headers["client-id"], headers[time_header], body)
        key.verify(base64.b64decode(unquote(members["signature"])), content, PKCS1v15(), SHA256())

    # gateway

    def request(self, order_id: str, method: str = "Alipay", account: str = "") -> Call:
        """`account`: a card's number, or a wallet's code; Alipay wants none."""
        wanted: dict[str, Any] = {
            "userId": self.demo.customer_username,
            "orderId": order_id,
            "amount": 299.90,
            "paymentMethod": method,
            "payeeAccount": {"accountType": "business", "accountNumber": "biz_001"},
        }
        if account:
            kind = "card" if method == "credit card" else "wallet_auth_code"
            wanted["payerAccount"] = {"accountType": kind, "accountNumber": account}
        return _json_call("POST", "/gateway/payment-requests", self.key(), wanted)

    def result(self, payment_id: str) -> Call:
        return Call("GET", f"/gateway/payment-requests/{payment_id}", self.key())


@cache
def _private_key(pem: bytes) -> RSAPrivateKey:
    key = load_pem_private_key(pem, None)
    assert isinstance(key, RSAPrivateKey)
    return key


def _json_call(method: str, path: str, headers: Mapping[str, str], members: Any) -> Call:
    return Call(method, path, {**JSON, **headers}, json.dumps(members).encode())


def _signed_content(target: str, client_id: str, time: str, body: bytes) -> bytes:
    return f"POST {target}\n{client_id}.{time}.".encode() + body
