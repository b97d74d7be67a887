"""Keys made for this run, vectors signed by keys whose private halves nobody has here, and a
server on the loopback that answers as Alipay does."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kassa.connectors.alipay.connector import AlipayConnector
from kassa.connectors.alipay.rsa2 import AlipaySigner, AlipayVerifier, request_text
from kassa.connectors.http import ProviderHttp

VECTORS = Path(__file__).parent / "vectors"


@dataclass(frozen=True)
class KeyPair:
    private_pem: str
    public_pem: str

    @property
    def signer(self) -> AlipaySigner:
        return AlipaySigner(self.private_pem)

    @property
    def verifier(self) -> AlipayVerifier:
        return AlipayVerifier(self.public_pem)


def key_pair() -> KeyPair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return KeyPair(private.decode(), public.decode())


@pytest.fixture(scope="session")
def ours() -> KeyPair:
    """The application's key pair."""
    return key_pair()


@pytest.fixture(scope="session")
def alipays() -> KeyPair:
    """The key pair of whoever plays Alipay."""
    return key_pair()


@pytest.fixture(scope="session")
def merchant_verifier() -> AlipayVerifier:
    """Proves what the vectors' merchant signed."""
    return AlipayVerifier((VECTORS / "merchant_public.pem").read_text())


@pytest.fixture(scope="session")
def alipay_public_pem() -> str:
    """Proves what the vectors' Alipay signed."""
    return (VECTORS / "alipay_public.pem").read_text()


class Gateway:
    """Checks requests as Alipay does, then answers `answer`; `forms` is what it was asked."""

    def __init__(self, ours: KeyPair, alipays: KeyPair):
        self.application = ours
        self.own = alipays
        self.signing = alipays
        self.node = ""  # as the method has it, unless a test says otherwise
        self.answer: Mapping[str, Any] = {}
        self.answers: dict[str, Mapping[str, Any]] = {}  # of methods that answer otherwise
        self.signs = True
        self.forms: list[dict[str, str]] = []
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        parameters = {**request.query, **form}
        self.forms.append(parameters)
        method = parameters["method"]
        answer = self.answers.get(method, self.answer)
        node = self.node or f"{method.replace('.', '_')}_response"
        text = request_text(parameters).encode()
        if not self.application.verifier.accepts(parameters["sign"], text):
            answer = {"code": "40002", "sub_code": "isv.invalid-signature"}
        raw = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        tail = f',"sign":"{self.signing.signer.sign(raw)}"' if self.signs else ""
        return web.Response(
            text=f'{{"{node}":{raw}{tail}}}', content_type="text/html", charset="utf-8"
        )


@pytest.fixture
async def gateway(ours: KeyPair, alipays: KeyPair) -> AsyncIterator[Gateway]:
    gateway = Gateway(ours, alipays)
    application = web.Application()
    application.router.add_post("/gateway.do", gateway.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gateway.port = runner.addresses[0][1]
    yield gateway
    await runner.cleanup()


@asynccontextmanager
async def connected(
    ours: KeyPair, alipays: KeyPair, port: int, *, total_seconds: float = 10
) -> AsyncIterator[AlipayConnector]:
    connector = AlipayConnector(
        app_id="2021000000000001",
        private_key_pem=ours.private_pem,
        alipay_public_key_pem=alipays.public_pem,
        gateway=f"http://127.0.0.1:{port}/gateway.do",
        http=ProviderHttp(connect_seconds=10, total_seconds=total_seconds),
        clock=lambda: datetime(2026, 11, 22, 2, 0, tzinfo=UTC),
    )
    try:
        yield connector
    finally:
        await connector.close()


@pytest.fixture
async def alipay(
    gateway: Gateway, ours: KeyPair, alipays: KeyPair
) -> AsyncIterator[AlipayConnector]:
    async with connected(ours, alipays, gateway.port) as connector:
        yield connector
