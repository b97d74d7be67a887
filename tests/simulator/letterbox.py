"""A merchant's address for notifications, and key pairs, for the shops of the tests."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@dataclass(frozen=True)
class KeyPair:
    key: rsa.RSAPrivateKey
    private_pem: str
    public_pem: str


@cache
def key_pair(owner: str) -> KeyPair:
    """The same for the same `owner` as long as the tests run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return KeyPair(key, private.decode(), public.decode())


@dataclass
class Letterbox:
    """What came in. `answer`: what each letter is answered with."""

    url: str
    answer: bytes
    letters: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)


@asynccontextmanager
async def letterbox(answer: bytes) -> AsyncIterator[Letterbox]:
    box = Letterbox("", answer)

    async def hear(request: web.Request) -> web.Response:
        box.letters.append((request.headers, await request.read()))
        return web.Response(body=box.answer)

    application = web.Application()
    application.router.add_post("/notify", hear)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, port, *_ = runner.addresses[0]
        box.url = f"http://127.0.0.1:{port}/notify"
        yield box
    finally:
        await runner.cleanup()
