"""Keys made for this run, and a server on the loopback that answers as a wallet of the family
does: it checks what it gets, and signs what it says, with the wallet face's own signatures."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kassa.base.domain.money import Money
from kassa.connectors.base import ChargeRequest, ModificationRequest
from kassa.connectors.catalog import kind_of
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Tools
from kassa.connectors.wallet.connector import WalletConnector
from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import Signed
from kassa.payments.domain.payments import Method

CLIENT = "5X00000000000000"
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
TIME = "2026-11-22T10:00:01+08:00"
CLP_2000 = {"currency": "CLP", "value": "2000"}
PAY, INQUIRY = "/api/v1/payments/pay", "/api/v1/payments/inquiryPayment"


@dataclass(frozen=True)
class Keys:
    private: RSAPrivateKey

    @property
    def private_pem(self) -> str:
        return self.private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode()

    @property
    def public_pem(self) -> str:
        public = self.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="session")
def ours() -> Keys:
    """The merchant's."""
    return Keys(rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="session")
def wallets() -> Keys:
    """The wallet's."""
    return Keys(rsa.generate_private_key(65537, 2048))


def result(code: str = "SUCCESS", status: str = "S", **members: Any) -> dict[str, Any]:
    return {"result": {"resultCode": code, "resultStatus": status, "resultMessage": ""}, **members}


@dataclass
class Wallet:
    """`answers`: by the path that is asked. `asked`: path and members of each good request.

    `signed_by`: whose key signs the answers; None: nobody's. `headers`: in place of its own.
    """

    ours: Keys
    wallets: Keys
    signed_by: Keys | None
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    port: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        body, target = await request.read(), request.path_qs
        heard = Signed("POST", target, CLIENT, request.headers["Request-Time"], body)
        signature.verify(heard, request.headers["Signature"], {"1": self.ours.public_pem})
        assert request.headers["Client-Id"] == CLIENT
        self.asked.append((target, json.loads(body)))
        said = self.answers.get(target, result("NO_INTERFACE_DEF", "F"))
        raw = said if isinstance(said, bytes) else json.dumps(said).encode()
        headers = {"client-id": CLIENT, "response-time": TIME}
        if self.signed_by is not None:
            answer = Signed("POST", target, CLIENT, TIME, raw)
            headers["signature"] = signature.sign(answer, self.signed_by.private, "1")
        return web.Response(body=raw, status=self.status, headers={**headers, **self.headers})


@pytest.fixture
async def wallet(ours: Keys, wallets: Keys) -> AsyncIterator[Wallet]:
    wallet = Wallet(ours, wallets, wallets)
    application = web.Application()
    application.router.add_post("/{rest:.*}", wallet.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    wallet.port = runner.addresses[0][1]
    yield wallet
    await runner.cleanup()


def settings(ours: Keys, wallets: Keys, **changes: str) -> Mapping[str, str]:
    return {
        "client_id": CLIENT,
        "private_key": ours.private_pem,
        "wallet_public_key": wallets.public_pem,
        **changes,
    }


@asynccontextmanager
async def connected(
    ours: Keys,
    wallets: Keys,
    port: int,
    *,
    total_seconds: float = 10,
    live: bool = False,
    **changes: str,
) -> AsyncIterator[WalletConnector]:
    http = ProviderHttp(connect_seconds=10, total_seconds=total_seconds)
    tools = Tools(http=http, clock=lambda: NOW, base_url="https://kassa.example")
    said = settings(ours, wallets, **{"base_url": f"http://127.0.0.1:{port}/api", **changes})
    made = kind_of("wallet").make(said, tools, live=live)
    assert isinstance(made, WalletConnector)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def connector(wallet: Wallet, ours: Keys, wallets: Keys) -> AsyncIterator[WalletConnector]:
    async with connected(ours, wallets, wallet.port) as made:
        yield made


def a_charge(**changes: Any) -> ChargeRequest:
    plain: dict[str, Any] = {
        "key": "at1_key",
        "amount": Money(2000, "CLP"),
        "order_id": "order_1",
        "subject": "Shoes",
        "description": "",
        "instrument": "",
        "return_url": "https://kassa.example/pay/s/result",
        "notify_url": "https://kassa.example/providers/theirs",
        "expires_at": NOW + timedelta(hours=1),
        "now": NOW,
        "method": Method.EWALLET,
    }
    return ChargeRequest(**{**plain, **changes})


def a_change(**changes: Any) -> ModificationRequest:
    plain: dict[str, Any] = {
        "key": "re1_key",
        "charge_key": "at1_key",
        "charge_reference": "P-1",
        "amount": Money(500, "CLP"),
        "charge_amount": Money(2000, "CLP"),
        "reason": "",
        "notify_url": "https://kassa.example/providers/theirs",
        "now": NOW,
    }
    return ModificationRequest(**{**plain, **changes})
