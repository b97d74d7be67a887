"""Merchants choose where notifications go; they cannot choose our own network."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from tests.connectors.loopback import answering, listening, never_answers

from kassa.base.domain.errors import InvalidRequest
from kassa.connectors.base import NotSent
from kassa.connectors.egress import Egress, check_url
from kassa.connectors.http import Answered, NoAnswer

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

REFUSED = [
    "",
    "shop.example/hook",
    "//shop.example/hook",
    "http:shop.example",
    "http:///hook",
    "https://",
    "ftp://shop.example/",
    "gopher://shop.example/",
    "file:///etc/passwd",
    "unix:///run/postgresql/.s.PGSQL.5432",
    "javascript:alert(1)",
    "http://user@shop.example/",
    "http://user:word@shop.example/",
    "http://shop.example@127.0.0.1/",
    "http://127.0.0.1@shop.example/",
    "http://shop.example:80@169.254.169.254/",
    "http://127.0.0.1\\@shop.example/",
    "http://shop.example\\.evil.example/",
    "http://shop.example/a b",
    "http://shop.example/a\r\nHost: evil.example",
    "http://shop.example/a\n",
    "http://shop.example/\x00",
    "http://shop.example/\x7f",
    " http://shop.example/",
    "http://sh\top.example/",
    "http://127。0。0。1/",
    "http://１２７.0.0.1/",
    "http://ⓔxample.com/",
    "http://shop.example/ñ",
    "http://127.0.0.1/",
    "http://127.0.0.1#@shop.example/",
    "http://127.0.0.1?@shop.example/",
    "http://127.1/",
    "http://127.0.0.1./",
    "http://0177.0.0.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0/",
    "http://1.2.3.256/",
    "http://1.2.3.4.5/",
    "http://shop.0x1/",
    "http://%31%32%37.0.0.1/",
    "http://shop%2eexample/",
    "http://100.100.100.200/latest/meta-data",
    "http://169.254.169.254/",
    "http://10.0.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fec0::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00::1]/",
    "http://[::1/",
    "http://::1/",
    "http://[1.2.3.4]/",
    "http://[]/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://anything.localhost/",
    "http://shop..example/",
    "http://.example/",
    "http://-shop.example/",
    f"http://{'a' * 64}.example/",
    f"http://{'a.' * 130}example/",
    "http://shop.example:/",
    "http://shop.example:0/",
    "http://shop.example:22/",
    "http://shop.example:25/",
    "http://shop.example:5432/",
    "http://shop.example:6379/",
    "http://shop.example:65536/",
    "http://shop.example:-1/",
    "http://shop.example:80:80/",
    "http://shop.example/" + "a" * 1024,
]
TAKEN = [
    "http://shop.example",
    "https://shop.example/hook?a=b&c=%2F#done",
    "HTTPS://Shop.Example./hook",
    "https://shop.example:443/",
    "http://shop.example:8080/",
    "https://my_shop.xn--fiqs8s/",
    "https://1shop.example/",
    "https://8.8.8.8/hook",
    "https://[2606:4700::1111]/hook",
    "https://shop.example/{order_id}?x=@y",
]


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    client = Egress(connect_seconds=10, total_seconds=10)
    yield client
    await client.close()


@pytest.mark.parametrize("url", REFUSED)
async def test_a_bad_address_is_refused_when_registered_and_when_sent(
    url: str, egress: Egress
) -> None:
    with pytest.raises(InvalidRequest, match=r"this address cannot be used: .{10}") as refusal:
        check_url(url, allow_loopback=False, live=False, field="notify_url")
    sent = await egress.post(url, headers={}, body=b"", allow_loopback=False)

    assert refusal.value.field == "notify_url"
    assert isinstance(sent, NotSent)


@pytest.mark.parametrize("url", TAKEN)
def test_a_good_address_is_taken(url: str) -> None:
    check_url(url, allow_loopback=False, live=False)


def test_live_takes_https_only() -> None:
    check_url("https://shop.example/", allow_loopback=False, live=True)

    with pytest.raises(InvalidRequest, match="begin with https://"):
        check_url("http://shop.example/", allow_loopback=False, live=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "[::1]", "localhost"])
def test_the_demo_takes_loopback(host: str) -> None:
    check_url(f"http://{host}:38123/hook", allow_loopback=True, live=False)


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::]", "0.0.0.0", "2130706433"])
def test_the_demo_takes_nothing_else_from_inside(host: str) -> None:
    with pytest.raises(InvalidRequest):
        check_url(f"http://{host}:38123/hook", allow_loopback=True, live=False)


async def test_the_body_and_the_target_go_out_byte_for_byte(egress: Egress) -> None:
    seen: list[bytes] = []
    body = b'{"a" : 1.0,\n"b":"\xe6\xb5\x8b"}'

    async with listening(answering(OK, seen)) as port:
        answer = await egress.post(
            f"http://127.0.0.1:{port}/a%2fb/../c?x=1+2&y=%20",
            headers={"webhook-id": "ev_1", "content-type": "application/json"},
            body=body,
            allow_loopback=True,
        )

    head, _, sent = seen[0].partition(b"\r\n\r\n")
    assert answer == Answered(status=200, headers={"content-length": "2"}, body=b"ok")
    assert head.startswith(b"POST /a%2fb/../c?x=1+2&y=%20 HTTP/1.1\r\n")
    assert b"\r\nwebhook-id: ev_1\r\n" in head
    assert sent == body


async def test_a_redirect_is_an_answer_and_is_not_followed(egress: Egress) -> None:
    seen: list[bytes] = []

    async with listening(answering(OK, seen)) as inner:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{inner}/\r\n\r\n".encode()
        async with listening(answering(moved)) as port:
            answer = await egress.post(
                f"http://127.0.0.1:{port}/", headers={}, body=b"x", allow_loopback=True
            )

    assert isinstance(answer, Answered)
    assert answer.status == 307
    assert seen == []


async def test_a_big_answer_is_cut_off_at_64_kilobytes(egress: Egress) -> None:
    async def pours(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 16384)
            await writer.drain()

    async with listening(pours) as port:
        answer = await egress.post(
            f"http://127.0.0.1:{port}/", headers={}, body=b"", allow_loopback=True
        )

    assert isinstance(answer, Answered)
    assert answer.body == b"x" * 65536


async def test_a_packed_answer_is_not_unpacked(egress: Egress) -> None:
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"

    async with listening(answering(packed)) as port:
        answer = await egress.post(
            f"http://127.0.0.1:{port}/", headers={}, body=b"", allow_loopback=True
        )

    assert isinstance(answer, Answered)
    assert answer.body == b"nope"


async def test_a_server_that_never_answers_runs_into_the_deadline() -> None:
    egress = Egress(connect_seconds=0.2, total_seconds=0.3)

    async with listening(never_answers) as port:
        answer = await egress.post(
            f"http://127.0.0.1:{port}/", headers={}, body=b"", allow_loopback=True
        )

    await egress.close()
    assert answer == NoAnswer(reason="timed out", timed_out=True)


async def test_a_server_that_drips_runs_into_the_deadline() -> None:
    egress = Egress(connect_seconds=0.2, total_seconds=0.4)

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with listening(drips) as port:
        async with asyncio.timeout(10):
            answer = await egress.post(
                f"http://127.0.0.1:{port}/", headers={}, body=b"", allow_loopback=True
            )

    await egress.close()
    assert answer == NoAnswer(reason="timed out", timed_out=True)


async def test_a_server_that_says_wait_for_ever_keeps_nobody_else_from_their_turn(
    egress: Egress,
) -> None:
    async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            for _ in range(200):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
                await writer.drain()

    server = await asyncio.start_server(waiting, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

        answer = await egress.post(url, headers={}, body=b"", allow_loopback=True)

    assert answer == NoAnswer(reason="the exchange broke off: ClientPayloadError")


def resolving_to(*answers: list[str]) -> tuple[Any, list[str]]:
    """A name server that gives the next list at each question, and the questions it was asked."""
    asked: list[str] = []

    async def lookup(host: str, port: int, _: int) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                0,
                "",
                (address, port),
            )
            for address in answers[min(len(asked), len(answers)) - 1]
        ]

    return lookup, asked


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["2002:7f00:1::"], ["fec0::1"]],
)
async def test_a_name_with_any_inner_address_is_not_called(addresses: list[str]) -> None:
    lookup, _ = resolving_to(addresses)
    egress = Egress(lookup=lookup)
    seen: list[bytes] = []

    async with listening(answering(OK, seen)) as port:
        answer = await egress.post(
            f"http://shop.example:{port}/", headers={}, body=b"", allow_loopback=False
        )

    await egress.close()
    assert answer == NotSent(reason="cannot connect: the host is not on the public internet")
    assert seen == []


async def test_one_inner_address_spoils_those_that_may_be_called() -> None:
    lookup, _ = resolving_to(["127.0.0.1", "10.0.0.1"])
    egress = Egress(lookup=lookup)
    seen: list[bytes] = []

    async with listening(answering(OK, seen)) as port:
        answer = await egress.post(
            f"http://shop.example:{port}/", headers={}, body=b"", allow_loopback=True
        )

    await egress.close()
    assert isinstance(answer, NotSent)
    assert seen == []


async def test_a_name_is_resolved_once_and_the_checked_address_is_called() -> None:
    lookup, asked = resolving_to(["127.0.0.1"], ["127.0.0.2"])
    egress = Egress(lookup=lookup)
    seen: list[bytes] = []

    async with listening(answering(OK, seen)) as port:
        answer = await egress.post(
            f"http://shop.example:{port}/", headers={}, body=b"", allow_loopback=True
        )

    await egress.close()
    assert isinstance(answer, Answered)
    assert asked == ["shop.example"]
    assert f"\r\nHost: shop.example:{port}\r\n".encode() in seen[0]


async def test_a_name_that_moves_inside_is_judged_again_at_the_next_call() -> None:
    lookup, asked = resolving_to(["127.0.0.1"], ["10.0.0.1"])
    egress = Egress(lookup=lookup)

    async with listening(answering(OK)) as port:
        answers = [
            await egress.post(
                f"http://shop.example:{port}/", headers={}, body=b"", allow_loopback=True
            )
            for _ in range(2)
        ]

    await egress.close()
    assert [type(answer) for answer in answers] == [Answered, NotSent]
    assert len(asked) == 2


async def test_a_live_sender_does_not_reuse_what_the_demo_was_allowed() -> None:
    lookup, _ = resolving_to(["127.0.0.1"])
    egress = Egress(lookup=lookup)

    async with listening(answering(OK)) as port:
        url = f"http://shop.example:{port}/"
        allowed = await egress.post(url, headers={}, body=b"", allow_loopback=True)
        refused = await egress.post(url, headers={}, body=b"", allow_loopback=False)

    await egress.close()
    assert isinstance(allowed, Answered)
    assert isinstance(refused, NotSent)


async def test_networks_of_our_own_are_not_called() -> None:
    lookup, _ = resolving_to(["127.0.0.1"])
    egress = Egress(lookup=lookup, also_blocked=["127.0.0.0/8"])

    async with listening(answering(OK)) as port:
        answers = [
            await egress.post(f"http://{host}:{port}/", headers={}, body=b"", allow_loopback=True)
            for host in ("shop.example", "127.0.0.1")
        ]

    await egress.close()
    assert answers == 2 * [NotSent(reason="cannot connect: the host is not on the public internet")]


async def test_after_closing_nothing_is_sent(egress: Egress) -> None:
    await egress.close()

    answer = await egress.post("http://127.0.0.1/", headers={}, body=b"", allow_loopback=True)

    assert answer == NotSent(reason="shutting down")
