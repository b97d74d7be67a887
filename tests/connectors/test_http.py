"""A call to a provider either surely never left, or its outcome is open."""

import asyncio
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.connectors.loopback import answering, listening, never_answers, read_request

from kassa.connectors.base import NotSent
from kassa.connectors.http import Answered, NoAnswer, ProviderHttp

pytestmark = pytest.mark.anyio


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    client = ProviderHttp(connect_seconds=10, total_seconds=10)
    yield client
    await client.close()


@pytest.fixture
async def hasty() -> AsyncIterator[ProviderHttp]:
    """Gives up at once, for servers that never get anywhere."""
    client = ProviderHttp(connect_seconds=0.2, total_seconds=0.4)
    yield client
    await client.close()


def self_signed(directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = directory / "both.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_refused_connection_sent_nothing(http: ProviderHttp) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        answer = await http.post(f"http://127.0.0.1:{port}/", headers={}, body=b"pay")

    assert isinstance(answer, NotSent)
    assert answer.reason.startswith("cannot connect: ")


async def test_a_name_nobody_knows_sent_nothing(http: ProviderHttp) -> None:
    answer = await http.post("http://nobody.invalid/", headers={}, body=b"pay")

    assert isinstance(answer, NotSent)


async def test_a_handshake_that_hangs_sent_nothing(hasty: ProviderHttp) -> None:
    async with listening(never_answers) as port:
        answer = await hasty.post(f"https://127.0.0.1:{port}/", headers={}, body=b"pay")

    assert answer == NotSent(reason="timed out")


async def test_a_server_without_tls_is_not_spoken_to(http: ProviderHttp) -> None:
    async def shouts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.read()

    async with listening(shouts) as port:
        answer = await http.post(f"https://127.0.0.1:{port}/", headers={}, body=b"pay")

    assert isinstance(answer, NotSent)


async def test_a_certificate_nobody_vouches_for_is_not_spoken_to(
    http: ProviderHttp, tmp_path: Path
) -> None:
    received: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(1024))
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    async with server:
        port = server.sockets[0].getsockname()[1]

        answer = await http.post(f"https://localhost:{port}/", headers={}, body=b"pay")

    assert answer == NotSent(reason="the server's certificate is not valid for this address")
    assert b"pay" not in b"".join(received)


async def test_an_address_that_cannot_be_read_sent_nothing(http: ProviderHttp) -> None:
    assert isinstance(await http.post("http://", headers={}, body=b"pay"), NotSent)


async def test_silence_after_the_request_is_no_answer(hasty: ProviderHttp) -> None:
    async with listening(never_answers) as port:
        answer = await hasty.post(f"http://127.0.0.1:{port}/", headers={}, body=b"pay")

    assert answer == NoAnswer(reason="timed out", timed_out=True)


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"HTTP/1.1 2",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["hangs up", "half a line", "not HTTP", "short body", "bad chunk", "endless header"],
)
async def test_an_answer_that_is_not_whole_is_no_answer(words: bytes, http: ProviderHttp) -> None:
    async with listening(answering(words)) as port:
        answer = await http.post(f"http://127.0.0.1:{port}/", headers={}, body=b"pay")

    assert isinstance(answer, NoAnswer)
    assert not answer.timed_out


async def test_a_kept_connection_that_breaks_is_no_answer_and_not_a_second_send(
    http: ProviderHttp,
) -> None:
    seen: list[bytes] = []

    async def answers_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        seen.append(await read_request(reader))

    async with listening(answers_once) as port:
        url = f"http://127.0.0.1:{port}/"
        first = await http.post(url, headers={}, body=b"one")
        second = await http.post(url, headers={}, body=b"two")

    assert isinstance(first, Answered)
    assert isinstance(second, NoAnswer)
    assert [request[-3:] for request in seen] == [b"one", b"two"]


async def test_an_answer_of_any_status_is_given_back_whole(http: ProviderHttp) -> None:
    words = (
        b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nX-Note: a\r\nX-Note: b\r\n"
        b"Content-Length: 4\r\n\r\nbusy"
    )

    async with listening(answering(words)) as port:
        answer = await http.get(f"http://127.0.0.1:{port}/", headers={})

    assert answer == Answered(
        status=503,
        headers={"retry-after": "7", "x-note": "a, b", "content-length": "4"},
        body=b"busy",
    )


async def test_cookies_are_not_kept(http: ProviderHttp) -> None:
    seen: list[bytes] = []
    words = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nConnection: close\r\n\r\n"

    async with listening(answering(words, seen)) as port:
        for _ in range(2):
            await http.post(f"http://127.0.0.1:{port}/", headers={}, body=b"")

    assert len(seen) == 2
    assert b"cookie" not in seen[1].lower()


async def test_a_proxy_named_in_the_environment_is_not_used(
    http: ProviderHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async with listening(answering(b"HTTP/1.1 204 No\r\n\r\n")) as port:
        answer = await http.post(f"http://127.0.0.1:{port}/", headers={}, body=b"")

    assert isinstance(answer, Answered)


async def test_after_closing_nothing_is_sent(http: ProviderHttp) -> None:
    await http.close()

    assert await http.get("http://127.0.0.1/", headers={}) == NotSent(reason="shutting down")
