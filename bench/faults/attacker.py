"""Somebody without credentials who does at once all that is cheap to ask and dear to answer.

A process of its own, at low priority: an attacker has a machine of their own. It reads an `Assault`
from standard input, and says at the end what it was answered.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
import msgspec

_NICE = 10
_ANSWER_SECONDS = 20.0
_HELD = 400  # connections that are opened and left alone, of all kinds together
_IDS = 1_900_000
_LIST = "/moego.business.payment.v1.PaymentService/ListPayments"


class Assault(msgspec.Struct, frozen=True, kw_only=True):
    """`source`: the loopback address it comes from."""

    port: int
    grpc_port: int
    seconds: float
    source: str


class Report(msgspec.Struct, kw_only=True):
    """By kind of attack: how often it was tried, and how it was answered."""

    tried: dict[str, int]
    answers: dict[str, dict[str, int]]


def _request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    said = {"host": "attacked", "content-length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


_JSON = {"content-type": "application/json"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


def _members() -> bytes:
    names = [f'"m{number}":1' for number in range(8_150)]
    return ("{" + ",".join([*names, names[-1]]) + "}").encode()[:65_000]


def _ids() -> bytes:
    """A message of 3.8 MB that asks for as many empty order ids as go into it."""
    inner = b"\x0a\x00" * _IDS
    size, length = len(inner), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return b"\x1a" + bytes([*length, size]) + inner


class Attacker:
    def __init__(self, assault: Assault):
        self._assault = assault
        self._tried: Counter[str] = Counter()
        self._answers: dict[str, Counter[str]] = {}
        self._held: list[asyncio.StreamWriter] = []
        self._number = 0
        self._members = _members()
        self._ids = _ids()
        self._channel: grpc.aio.Channel | None = None

    # What one request of each kind is; a second number says how many a second.

    def requests(self) -> dict[str, tuple[Callable[[], bytes], float]]:
        return {
            "path: 16,000 colons": (lambda: _request("GET", "/gateway/://" + ":" * 16_000, {}), 6),
            "path: eyJ 6,000 times": (lambda: _request("GET", "/gateway/" + "eyJ" * 6_000, {}), 6),
            "JSON: 8,150 members": (self._json(self._members), 8),
            "JSON: 30,000 brackets": (self._json(b"[" * 30_000), 8),
            "JSON: 64 KB of digits": (self._json(b'{"order_amount":' + b"9" * 65_000 + b"}"), 4),
            "wrong API key": (self._wrong_key, 20),
            "wrong client secret": (self._wrong_client, 10),
            "wrong wallet signature": (self._wrong_signature, 10),
            "wrong customer token": (self._wrong_token, 10),
            "provider page of nobody": (self._page_of_nobody, 20),
            "way back of nobody": (self._way_back_of_nobody, 10),
            "notification, wrong signature": (self._forged, 20),
            "session of nobody": (self._session_of_nobody, 20),
            "pay a session of nobody": (self._pay_nobody, 10),
            "metrics and health": (lambda: _request("GET", "/metrics", {}), 4),
        }

    def _json(self, body: bytes) -> Callable[[], bytes]:
        paths = ("/v1/orders:create", "/gateway/payment-requests", "/v1/payments:list")

        def make() -> bytes:
            return _request("POST", paths[self._next() % len(paths)], _JSON, body)

        return make

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _wrong_key(self) -> bytes:
        key = f"sk_{self._next():012x}_{'a' * 43}"
        return _request("GET", "/v1/payment/py_x", {"authorization": f"Bearer {key}"})

    def _wrong_client(self) -> bytes:
        headers = {"x-client-id": f"client_{self._next():016x}", "x-client-secret": "a" * 43}
        return _request("POST", "/v1/orders:create", {**_JSON, **headers}, b"{}")

    def _wrong_signature(self) -> bytes:
        headers = {
            "client-id": "5X00000000000001",
            "request-time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "signature": f"algorithm=RSA256,keyVersion=1,signature={'A' * 344}",
        }
        return _request("POST", "/v1/payments/pay", {**_JSON, **headers}, b"{}")

    def _wrong_token(self) -> bytes:
        token = f"eyJhbGciOiJFUzI1NiIsImtpZCI6Im4ifQ.eyJzdWIiOiJ4In0.{'A' * 86}"
        number = self._next()
        return _request(
            "GET", f"/api/v1/payments/verify/{number}", {"authorization": f"Bearer {token}"}
        )

    def _page_of_nobody(self) -> bytes:
        return _request("GET", f"/providers/razorpay/pay/order_guess{self._next():09}", {})

    def _way_back_of_nobody(self) -> bytes:
        path = f"/providers/razorpay/paid/order_guess{self._next():09}"
        return _request("POST", path, _FORM, b"razorpay_payment_id=pay_guess")

    def _forged(self) -> bytes:
        body = json.dumps({"id": f"evt_guess{self._next()}", "type": "payment_intent.succeeded"})
        headers = {"stripe-signature": f"t={int(time.time())},v1={'0' * 64}", **_JSON}
        return _request("POST", "/providers/stripe", headers, body.encode())

    def _session_of_nobody(self) -> bytes:
        return _request("GET", f"/pay/sess_1z{self._next():042}", {})

    def _pay_nobody(self) -> bytes:
        wanted = {
            "payment_session_id": f"sess_1z{self._next():042}",
            "payment_method": {"upi": {"channel": "link"}},
        }
        headers = {**_JSON, "x-api-version": "2023-08-01"}
        return _request("POST", "/pg/orders/sessions", headers, json.dumps(wanted).encode())

    # How they are sent.

    async def run(self) -> Report:
        until = time.monotonic() + self._assault.seconds
        options = [("grpc.max_send_message_length", 8 << 20)]
        target = f"127.0.0.1:{self._assault.grpc_port}"
        self._channel = grpc.aio.insecure_channel(target, options=options)
        attacks: list[tuple[str, Callable[[], Awaitable[str]], float]] = [
            (kind, self._exchanged(make), pace) for kind, (make, pace) in self.requests().items()
        ]
        attacks += [
            ("gRPC: 3.8 MB of empty ids", self._huge_message, 1),
            ("gRPC: no credentials", self._nobody_calls, 20),
            ("half a body, then silence", self._held_open(self._half_body()), 5),
            ("a chunk cut short", self._held_open(self._half_chunk()), 5),
            ("half a head", self._held_open(b"GET /pay/x HTTP/1.1\r\nhost:"), 5),
            ("a connection, and nothing", self._held_open(b""), 5),
        ]
        await asyncio.gather(*(self._again(*attack, until) for attack in attacks))
        for writer in self._held:
            writer.close()
        await self._channel.close()
        answers = {kind: dict(found) for kind, found in self._answers.items()}
        return Report(tried=dict(self._tried), answers=answers)

    async def _again(
        self, kind: str, attack: Callable[[], Awaitable[str]], pace: float, until: float
    ) -> None:
        """At that pace, whatever the answers; those without one are left alone in the end."""
        under_way: set[asyncio.Task[None]] = set()
        while (now := time.monotonic()) < until:
            if len(under_way) < _HELD:
                task = asyncio.create_task(self._noted(kind, attack))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(max(0.0, min(1 / pace, until - now)))
        for task in under_way:
            task.cancel()

    async def _noted(self, kind: str, attack: Callable[[], Awaitable[str]]) -> None:
        self._tried[kind] += 1
        try:
            said = await attack()
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            said = type(error).__name__
        self._answers.setdefault(kind, Counter())[said] += 1

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self._assault.port, local_addr=(self._assault.source, 0)
        )

    def _exchanged(self, make: Callable[[], bytes]) -> Callable[[], Awaitable[str]]:
        async def exchange() -> str:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await self._open()
                try:
                    writer.write(make())
                    line = await reader.readline()
                finally:
                    writer.close()
            return line[9:12].decode("latin-1") or "closed"

        return exchange

    def _held_open(self, content: bytes) -> Callable[[], Awaitable[str]]:
        async def hold() -> str:
            if len(self._held) >= _HELD:
                self._held.pop(0).close()
            reader, writer = await self._open()
            self._held.append(writer)
            writer.write(content)
            with suppress(TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    line = await reader.readline()
                    return line[9:12].decode("latin-1") or "closed"
            return "still open after 20 s"

        return hold

    def _half_body(self) -> bytes:
        return _request("POST", "/v1/orders:create", {**_JSON, "content-length": "60000"}, b'{"a')

    def _half_chunk(self) -> bytes:
        return (
            b"POST /v1/orders:create HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b'transfer-encoding: chunked\r\n\r\n1000\r\n{"a'
        )

    async def _huge_message(self) -> str:
        return await self._grpc(self._ids)

    async def _nobody_calls(self) -> str:
        return await self._grpc(b"\x12\x07cmp_001")

    async def _grpc(self, message: bytes) -> str:
        assert self._channel is not None
        ask: Any = self._channel.unary_unary(_LIST)
        try:
            await ask(message, timeout=_ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)
        return "OK"


def main() -> None:
    os.nice(_NICE)
    assault = msgspec.json.decode(sys.stdin.buffer.read(), type=Assault)
    report = asyncio.run(Attacker(assault).run())
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
