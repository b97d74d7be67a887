"""Logs, metrics and the request id: what an operator sees of us."""

import asyncio
import atexit
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from select import PIPE_BUF
from types import NoneType
from typing import Any, BinaryIO

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kassa.base.domain.errors import DATABASE_UNAVAILABLE, RETRYABLE, KassaError
from kassa.base.usecases.ids import new_id
from kassa.faces.edge import REQUEST_ID
from kassa.identity.domain.principals import Mode
from kassa.identity.usecases.sides import MODE, MODE_HEADER

_ASKED_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
# Callers write what is searched: nothing here may be tried again from the same place. Each shape
# takes what it can once it has begun (possessive repeats), or gives up after a bounded run.
_SECRET_SHAPES = re.compile(
    r"whsec_[\w+/=-]++|wat_[\w-]++|wus\d{1,10}+_[\w-]++|sk_[0-9a-z]{1,64}+_[\w-]++|sess_\w++"
    r"|kst_[\w-]++|kin_[\w-]++"
    r"|(?:Bearer|Basic)\s{1,64}+(?>(?:[^\sB]++|B(?!earer|asic))+)"
    # A private key, to the line that ends it or to the end of the text.
    r"|-----BEGIN[^-]{1,40}PRIVATE KEY-----(?>(?:[^-]++|-(?!----END))*)"
    r"(?:-----END[^-]{1,40}-----)?"
    r"|eyJ[\w-]{10,}+(?>(?:\.[\w-]*+){0,4})"
    # 13 digits or more, in groups of no more than a card has: one card, or several in a row.
    r"|\b(?=(?:\d[ -]?+){13})\d{1,19}+\b(?>(?:[ -]\d{1,19}+\b)*)"
    r"|(?<=://)[^\s/@]{1,2048}+(?=@)"
)
# Without one of these nothing of it can be found; to look for them costs a tenth.
_MARKS = tuple("whsec_ wat_ kst_ kin_ wus sk_ sess_ Bearer Basic -----BEGIN eyJ ://".split())
_MANY_DIGITS = re.compile(r"\d(?:[ -]?+\d){12}")
_ENDS_AUTHORITY = re.compile(r"[\s/@]")
_SHORTEST_SECRET = 6  # characters; most values of a line are words, and need no search
_NUMBERS = frozenset({int, float, bool, NoneType})  # as what they are logged
_LONGEST_VALUE = 2048  # characters of a value that are logged; callers write some of them
_LONGEST_TRACE = 16_384
_MOST_PARTS = 100  # of a list or a map
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_MODE_HEADERS = {mode.value: ((MODE_HEADER.encode(), mode.encode()),) for mode in Mode}
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
)  # seconds, not money

REQUESTS = Counter("kassa_requests_total", "Requests answered.", ["face", "status"])
NOTIFICATIONS = Counter(
    "kassa_provider_notifications_total",
    "Notifications that providers posted, by what was done with them.",
    ["account", "outcome"],
)
TURNED_AWAY = Counter(
    "kassa_requests_turned_away_total",
    "Requests that a limit refused, or that were given up because there was too much to do.",
    ["criticality", "reason"],
)
SECONDS = Histogram("kassa_request_seconds", "Time to answer.", ["face"], buckets=_BUCKETS)

_meters: dict[tuple[str, str], tuple[Counter, Histogram]] = {}


def count_request(face: str, status: str, seconds: float) -> None:  # seconds, not money
    """Count one answer. `status`: of HTTP, or the name of gRPC's."""
    meters = _meters.get((face, status))
    if meters is None:  # finding a labeled child costs more than counting with it
        meters = REQUESTS.labels(face, status), SECONDS.labels(face)
        _meters[face, status] = meters
    meters[0].inc()
    meters[1].observe(seconds)


def count_notification(account: str, outcome: str) -> None:
    """Count one. `account`: one that there is; `outcome`: applied, duplicate, irrelevant, foreign,
    unread, refused or parked."""
    NOTIFICATIONS.labels(account, outcome).inc()


def count_turned_away(criticality: str, reason: str) -> None:
    """Count one. `reason`: credential_rate, address_rate, wrong_credentials, company_calls or
    busy."""
    TURNED_AWAY.labels(criticality, reason).inc()


FACES: Mapping[str, str] = {
    "/v1/orders": "orders",
    "/pg/": "orders",
    "/v1/payments/": "wallet",
    "/wallet/": "wallet",
    "/v1/payment": "business",
    "/api/": "checkout",
    "/gateway/": "gateway",
    "/pay/": "cashier",
    "/providers/": "inbound",
    "/sandbox/": "sandbox",
}


def configure_logs(process: str, level: str) -> None:
    """One JSON object per line on standard error; nothing secret in it."""
    structlog.configure(
        processors=[
            calm_passing_trouble,
            structlog.processors.format_exc_info,
            hide_secrets,
            _written_by(process),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _Lines(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(message)s")


def calm_passing_trouble(_: Any, __: str, event: Any) -> Any:
    """What passes by itself has a reason and no traceback; and the database's own trouble has had
    its line, one in a second, while everybody who met it would write another."""
    told = event.get("exc_info")
    error = sys.exc_info()[1] if told is True else told
    if isinstance(error, KassaError) and error.code in RETRYABLE:
        if error.reason == DATABASE_UNAVAILABLE:
            raise structlog.DropEvent
        event["exc_info"] = None
        event["why"] = error.reason
    return event


def _written_by(process: str) -> Any:
    """What is our own, and need not be searched, and the whole as JSON. In one step: most requests
    write several lines, and each step costs."""

    def write(_: Any, level: str, event: dict[str, Any]) -> bytes:
        if (request_id := REQUEST_ID.get()) != "-":
            event["request_id"] = request_id
        event["level"] = level
        event["timestamp"] = datetime.now(UTC).isoformat()[: -len("+00:00")] + "Z"
        event["process"] = process
        return msgspec.json.encode(event, enc_hook=repr)

    return write


class _Lines:
    """A log of bytes. What a turn of the event loop has to say is written at its end, in blocks of
    whole lines; a warning or an error at once, and what was said before it.

    A block is no longer than what the system writes in one piece, so that the lines of several
    processes never mix.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file.fileno()
        self._lock = threading.Lock()
        self._kept: list[bytes] = []
        self._due: asyncio.AbstractEventLoop | None = None  # where it is to be written
        atexit.register(self._write)

    def info(self, line: bytes) -> None:
        self._kept.append(line)
        loop = asyncio._get_running_loop()  # noqa: SLF001 - the public one raises outside of a loop
        if loop is None:
            self._write()
        elif self._due is not loop:
            self._due = loop
            loop.call_soon(self._write)

    def error(self, line: bytes) -> None:
        self._kept.append(line)
        self._write()

    warning = error

    def _write(self) -> None:
        with self._lock:
            self._due = None
            lines, self._kept = self._kept, []
            block = b""
            for line in lines:
                if block and len(block) + len(line) >= PIPE_BUF:
                    self._put(block)
                    block = b""
                block += line + b"\n"
            self._put(block)

    def _put(self, left: bytes) -> None:
        while left:  # a pipe may take less than it is given
            left = left[os.write(self._file, left) :]


def hide_secrets(_: Any, __: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The second line of defense: whatever looks like a secret or a card number is blotted out,
    and what is too long is cut before it is searched."""
    if _is_plain(event):
        return event
    return {
        key: value
        if type(value) in _NUMBERS
        else _hidden(value, _LONGEST_TRACE if key == "exception" else _LONGEST_VALUE)
        for key, value in event.items()
    }


def _is_plain(event: Mapping[str, Any]) -> bool:
    """Whether nothing in it can be a secret, seen at one glance, as of most lines."""
    texts = [value for value in event.values() if type(value) not in _NUMBERS]
    try:
        text = "\n".join(texts)
    except TypeError:  # something deeper
        return False
    return len(text) <= _LONGEST_VALUE and not _may_hide(text)


def _hidden(value: Any, longest: int = _LONGEST_VALUE) -> Any:
    if isinstance(value, str):
        if len(value) < _SHORTEST_SECRET:
            return value
        if len(value) <= longest:
            return _searched(value)
        shown = _SECRET_SHAPES.sub("[hidden]", _cut(value, longest))
        return f"{shown}… [cut: {len(value)} characters]"
    if isinstance(value, Mapping):
        parts = islice(value.items(), _MOST_PARTS)
        return {_hidden(str(key)): _hidden(part) for key, part in parts}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden(part) for part in islice(value, _MOST_PARTS)]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _hidden(repr(value))  # as the renderer would have written it


def _searched(text: str) -> str:
    return _SECRET_SHAPES.sub("[hidden]", text) if _may_hide(text) else text


def _may_hide(text: str) -> bool:
    return any(map(text.__contains__, _MARKS)) or _MANY_DIGITS.search(text) is not None


def _cut(text: str, longest: int) -> str:
    """The beginning, without the first half of a secret whose shape only its end would show."""
    text = text[:longest].rstrip("0123456789 -")  # perhaps a card number
    before, found, authority = text.rpartition("://")
    return before if found and not _ENDS_AUTHORITY.search(authority) else text


class Watch:
    """ASGI middleware: gives each request its id, counts it, times it, and logs one line."""

    def __init__(self, app: ASGIApp, *, https: bool = False):
        """`https`: payers reach us by TLS, so browsers are told to use nothing else."""
        self._app = app
        self._always = [_HSTS] if https else []

    @cached_property
    def _log(self) -> Any:
        return structlog.get_logger("kassa.http").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = [value for name, value in scope["headers"] if name == b"x-request-id"]
        name = request_id(asked)
        REQUEST_ID.set(name)
        MODE.set("")
        status = 500
        began = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", name.encode()),
                    *_MODE_HEADERS.get(MODE.get(), ()),
                    *self._always,
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            took = time.perf_counter() - began
            face = face_of(scope["path"])
            count_request(face, str(status), took)
            if face != "ops":
                self._log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=int(took * 1_000_000) / 1000,
                    **({"mode": mode} if (mode := MODE.get()) else {}),
                )


def request_id(asked: Iterable[bytes]) -> str:
    """The first of the ids that the caller asked for which may be one, or a new one."""
    for value in asked:
        if _ASKED_ID.fullmatch(value):
            text = value.decode()
            if _hidden(text) == text:  # nobody's card number becomes a name in our log
                return text
    return new_id("rq")


def face_of(path: str) -> str:
    for prefix, face in FACES.items():
        if path.startswith(prefix):
            return face
    return "ops"


def metrics_text() -> bytes:
    """All processes' metrics in Prometheus's text form, when they share a directory."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest()
