"""A provider that answers every card payment after 120 ms, and then posts its notification.

It speaks as much of Stripe's protocol as one paid intent needs, in a process of its own, and costs
as little as it can: the machine belongs to what is measured. It keeps no books.
"""

import asyncio
import contextlib
import hashlib
import hmac
import re
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self, cast
from urllib.parse import unquote_plus

import msgspec
import uvloop

from bench.gateway import Gateway, free_ports

ACCOUNT = "stripe"
ANSWERS_AFTER_SECONDS = 0.12
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_QUEUE = 1024  # of connections that wait to be taken
_POSTING = 16  # connections on which notifications are posted


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told. `notify_port`: where the gateway listens."""

    port: int
    notify_port: int
    webhook_secret: str


class Counted(msgspec.Struct, kw_only=True):
    """`delivered`: notifications that were thanked for."""

    charged: int = 0
    delivered: int = 0
    refused: int = 0


class Provider:
    """Runs beside a gateway, whose account it stands behind."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._process: subprocess.Popen[bytes] | None = None
        self.counted = Counted()

    def __enter__(self) -> Self:
        gateway, [port] = self._gateway, free_ports(1)
        file = gateway.data_dir / "demo" / "provider_keys.json"
        secret = msgspec.json.decode(file.read_bytes())[ACCOUNT]["webhook_secret"]
        told = Told(port=port, notify_port=gateway.port, webhook_secret=secret)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.provider"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(told) + b"\n")
        self._process.stdin.flush()
        moved = gateway.kassa(
            *("provider", "add", "--connector", "stripe", "--account", ACCOUNT),
            *("--company", gateway.demo["company_id"]),
            *("--set", f"base_url=http://127.0.0.1:{port}/stripe"),
        )
        if moved.returncode:
            sys.exit(f"bench: the account cannot be moved: {moved.stderr or moved.stdout}")
        time.sleep(2.0)  # until the serving processes have read that
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None:
            return
        said, _ = self._process.communicate(timeout=30)  # it ends with its input
        self.counted = msgspec.json.decode(said, type=Counted)

    def cpu_us(self) -> int:
        """Processor time of the stub so far."""
        if self._process is None:
            return 0
        stat = Path(f"/proc/{self._process.pid}/schedstat").read_text()
        return int(stat.split()[0]) // 1000


class _Stub:
    """What its connections share."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.counted = Counted()
        self.letters: deque[bytes] = deque()
        self.posters = 0
        self.idle: list[_Poster] = []
        self._opening: set[asyncio.Task[None]] = set()

    def charge(self, form: bytes) -> bytes:
        """The paid intent that was asked for; its notification is due with the answer."""
        said = dict(
            [unquote_plus(text) for text in one.split("=", 1)]
            for one in form.decode().split("&")
            if "=" in one
        )
        self.counted.charged += 1
        amount, number = int(said["amount"]), self.counted.charged
        intent = {
            "id": f"pi_bench{number}",
            "object": "payment_intent",
            "status": "succeeded",
            "amount": amount,
            "amount_received": amount,
            "currency": said["currency"],
            "livemode": False,
            "metadata": {
                name[len("metadata[") : -1]: value
                for name, value in said.items()
                if name.startswith("metadata[")
            },
            "latest_charge": {
                "id": f"ch_bench{number}",
                "object": "charge",
                "captured": True,
                "amount": amount,
                "amount_captured": amount,
                "amount_refunded": 0,
                "currency": said["currency"],
            },
        }
        event = {
            "id": f"evt_bench{number}",
            "object": "event",
            "type": "payment_intent.succeeded",
            "livemode": False,
            "created": int(time.time()),
            "data": {"object": intent},
        }
        self.letters.append(self._letter(msgspec.json.encode(event)))
        return msgspec.json.encode(intent)

    def _letter(self, body: bytes) -> bytes:
        at = str(int(time.time()))
        signed = hmac.digest(
            self.told.webhook_secret.encode(), at.encode() + b"." + body, hashlib.sha256
        )
        head = (
            f"POST /providers/{ACCOUNT} HTTP/1.1\r\nhost: 127.0.0.1:{self.told.notify_port}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"stripe-signature: t={at},v1={signed.hex()}\r\n\r\n"
        )
        return head.encode() + body

    def post(self) -> None:
        while self.letters and self.idle:
            self.idle.pop().send(self.letters.popleft())
        if self.letters and self.posters < _POSTING:
            self.posters += 1
            task = asyncio.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: _Poster(self), "127.0.0.1", self.told.notify_port)

    @property
    def is_quiet(self) -> bool:
        return not self.letters and len(self.idle) == self.posters


class _Http(asyncio.Protocol):
    """One connection, whichever side began it: whole messages, one after the other."""

    def __init__(self) -> None:
        self._data = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (head := self._data.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._data, 0, head + 2)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._data) < end:
                return
            said, self._data = self._data[:end], self._data[end:]
            self.whole(said[:head], said[head + 4 :])

    def whole(self, head: bytes, body: bytes) -> None:
        raise NotImplementedError


class _Asked(_Http):
    """The gateway asks."""

    def __init__(self, stub: _Stub) -> None:
        super().__init__()
        self._stub = stub

    def whole(self, head: bytes, body: bytes) -> None:
        if not head.startswith(b"POST /stripe/v1/payment_intents "):
            self._answer(b"404 Not Found", b"{}")
            return
        loop = asyncio.get_running_loop()
        loop.call_later(ANSWERS_AFTER_SECONDS, self._charged, body)

    def _charged(self, form: bytes) -> None:
        self._answer(b"200 OK", self._stub.charge(form))
        self._stub.post()

    def _answer(self, status: bytes, body: bytes) -> None:
        lines = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(lines % (status, len(body)) + body)


class _Poster(_Http):
    """We post a notification, and the gateway thanks."""

    def __init__(self, stub: _Stub) -> None:
        super().__init__()
        self._stub = stub

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._stub.idle.append(self)
        self._stub.post()

    def connection_lost(self, exc: Exception | None) -> None:
        """It closes what says nothing for long."""
        self._stub.posters -= 1
        if self in self._stub.idle:
            self._stub.idle.remove(self)
        else:
            self._stub.counted.refused += 1

    def send(self, letter: bytes) -> None:
        self.transport.write(letter)

    def whole(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"HTTP/1.1 200"):
            self._stub.counted.delivered += 1
        else:
            self._stub.counted.refused += 1
        self._stub.idle.append(self)
        self._stub.post()


async def _serve(told: Told) -> Counted:
    loop, stub = asyncio.get_running_loop(), _Stub(told)
    await loop.create_server(lambda: _Asked(stub), "127.0.0.1", told.port, backlog=_QUEUE)
    await loop.run_in_executor(None, sys.stdin.buffer.read)  # until there is no more input
    for _ in range(100):  # the last notifications
        if stub.is_quiet:
            break
        await asyncio.sleep(0.05)
    return stub.counted


def main() -> None:
    told = msgspec.json.decode(sys.stdin.buffer.readline(), type=Told)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        counted = runner.run(_serve(told))
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(msgspec.json.encode(counted))


if __name__ == "__main__":
    main()
