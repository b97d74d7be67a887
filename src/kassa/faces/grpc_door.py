"""What every gRPC call passes, whatever it asks for: an id, an end, a line in the log, a count."""

import asyncio
import inspect
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cached_property
from typing import Any, cast

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError

from kassa import observe
from kassa.base.domain.errors import InvalidRequest, RateLimited, Unauthenticated
from kassa.base.domain.rate_limits import Quota
from kassa.base.usecases.admission import VISIT, Admission, Visit
from kassa.faces import edge
from kassa.faces.glances import Glances, Limit
from kassa.faces.grpc_status import told, trailing
from kassa.faces.peer import (
    IN_THE_CLEAR,
    Network,
    Who,
    address_of_call,
    connection_of_call,
    host_of_call,
    is_in,
    leave,
)
from kassa.identity.usecases.sides import MODE
from kassa.providers.usecases.provider_calls import deadline

Context = grpc.aio.ServicerContext[Any, Any]
Headers = Mapping[str, str]
Work = Callable[[Any, Context], Awaitable[Any]]

LONGEST_CALL = 30.0  # seconds, not money: for callers who name no deadline, or a later one
REQUEST_ID = "x-request-id"
_FORWARDED = "x-forwarded-for"
_METADATA_LIMIT = 8 * 1024
CONNECTIONS = 2000  # far more than one address may hold, which is counted elsewhere
_STREAMS = 100  # at once: of health's watchers, and of reflection
_STREAMS_OF_ONE = 16  # address
_STREAM_FREE_SECONDS = 10  # a watcher goes when it likes
_READING_SECONDS = 10.0  # seconds, not money: for 64 KB to arrive
_SLOW_SECONDS = 0.5  # seconds, not money: after which a message is late
_LATE_AT_ONCE = 256  # calls that wait for theirs
_LATE_OF_ONE = 32  # address
_CALLS = 400  # at once; beyond, gRPC itself refuses with RESOURCE_EXHAUSTED
_LONGEST_METHOD = 200
_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
_HEALTH = "/grpc.health."
_CREDENTIALS = frozenset({"authorization", "x-client-id", "x-client-secret"})

OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.so_reuseport", 0),
    # The body limit of HTTP. What is larger is refused by its length, before it has arrived.
    ("grpc.max_receive_message_length", edge.BODY_LIMIT),
    ("grpc.max_metadata_size", _METADATA_LIMIT),
    ("grpc.absolute_max_metadata_size", 2 * _METADATA_LIMIT),
    ("grpc.max_concurrent_streams", 100),  # of one connection
    ("grpc.max_allowed_incoming_connections", CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", 10_000),
    # A client that is gone without a word holds its connection for a minute and a half at most,
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # and one that says nothing but pings does not keep us busy.
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    ("grpc.http2.max_ping_strikes", 3),
    ("grpc.max_connection_idle_ms", 5 * 60_000),
    ("grpc.max_connection_age_ms", 60 * 60_000),
    ("grpc.max_connection_age_grace_ms", int(LONGEST_CALL * 1000)),
)


def make_server(
    faces: Mapping[str, str],
    admission: Admission,
    trusted: Sequence[Network] = (),
    *,
    busy: Counter[Who] | None = None,
    in_clear: Sequence[Network] = (),
) -> grpc.aio.Server:
    """A server with nothing on it, behind the door. `faces`: their names by their services';
    `trusted`: proxies whose x-forwarded-for is believed; `busy`: where the door counts the calls of
    each connection. `in_clear`: who alone may call, where any are named."""
    door = Door(faces, admission, trusted, Counter() if busy is None else busy, in_clear)
    return grpc.aio.server(interceptors=[door], options=OPTIONS, maximum_concurrent_rpcs=_CALLS)


def headers_of(context: Context) -> dict[str, str]:
    """The call's metadata that is text. What was sent twice is joined with a blank, as over HTTP,
    which neither a key nor a credential can hold.

    Raises: Unauthenticated when a credential stands twice.
    """
    headers: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if not isinstance(value, str):
            continue
        if name not in headers:
            headers[name] = value
        elif name in _CREDENTIALS:
            raise Unauthenticated(f"{name} must be given once")
        else:
            headers[name] = f"{headers[name]}, {value}"
    return headers


class Door(grpc.aio.ServerInterceptor):
    """For gRPC what `observe.Watch` is for HTTP; and no call lasts for ever.

    Every call is served as one that sends a stream: gRPC would wait for the one message of any
    other without an end, before we had heard of it.
    """

    def __init__(
        self,
        faces: Mapping[str, str],
        admission: Admission,
        trusted: Sequence[Network],
        busy: Counter[Who],
        in_clear: Sequence[Network] = (),
    ):
        self.admission = admission
        self.trusted = trusted
        self.busy = busy
        self._in_clear = in_clear
        self.late = Few(_LATE_AT_ONCE, _LATE_OF_ONE)
        self.glances = Glances()
        self._faces = faces
        self._streams = Few(_STREAMS, _STREAMS_OF_ONE)
        self._handlers: dict[str, Any] = {}  # of methods that there are

    @cached_property
    def log(self) -> Any:
        return structlog.get_logger("kassa.grpc").bind()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method = handler_call_details.method
        known = self._handlers.get(method)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None:
            return self._made(method, grpc.stream_unary_rpc_method_handler(_nowhere))
        made = self._handlers[method] = self._made(method, handler)
        return made

    def _made(self, method: str, handler: Any) -> Any:
        """What serves every call of a method."""
        face = self._faces.get(method.rpartition("/")[0].lstrip("/"), "ops")
        work = _work_of(handler)

        async def stream(requests: Any, context: Context) -> None:
            with _Watched(self, context, method, face):
                await self._refuse_in_clear(context)
                await self._streamed(work, requests, context)

        async def call(requests: Any, context: Context) -> Any:
            with _Watched(self, context, method, face) as watched:
                await self._refuse_in_clear(context)
                return await watched.within(work(requests, context))

        if handler.response_streaming:
            make, served = grpc.stream_stream_rpc_method_handler, stream
        else:
            make, served = grpc.stream_unary_rpc_method_handler, call
        reader = handler.request_deserializer if handler.request_streaming else None
        return make(served, reader, handler.response_serializer)

    async def _refuse_in_clear(self, context: Context) -> None:
        """As `peer.Clear` for HTTP."""
        if not self._in_clear:
            return
        host = host_of_call(context.peer())
        if host and not is_in(host, self._in_clear):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, IN_THE_CLEAR, trailing())

    async def _streamed(self, work: Work, requests: Any, context: Context) -> None:
        visit = VISIT.get()
        address = visit.address if visit is not None else ""
        if not self._streams.enter(address):
            await told(context, _no_stream(own=self._streams.has_all(address)))
        try:
            await work(requests, context)
        finally:
            self._streams.leave(address)


def _work_of(handler: Any) -> Work:
    """What a handler does, as of a call that sends a stream and whose answers are written."""
    asked = "stream" if handler.request_streaming else "unary"
    work: Any = getattr(handler, f"{asked}_{'stream' if handler.response_streaming else 'unary'}")
    generates = inspect.isasyncgenfunction(work)
    if handler.request_streaming and not generates:
        return cast(Work, work)

    async def done(requests: Any, context: Context) -> Any:
        if not handler.request_streaming:
            requests = await _only(handler.request_deserializer, context)
        if not generates:
            return await work(requests, context)
        async for answer in work(requests, context):
            await context.write(answer)
        return None

    return done


async def _only(deserialize: Callable[[bytes], Any], context: Context) -> Any:
    async def read() -> Any:
        try:
            return deserialize(await read_message(context))
        except DecodeError:
            raise malformed() from None

    return await told(context, read())


async def read_message(context: Context) -> bytes:
    """The bytes of a call's one message.

    Raises: InvalidRequest when there is none; RateLimited when too many are waited for; gRPC itself
    has ended a call whose is too large.
    """
    wait = _Wait(_DOOR.get(), _READING_SECONDS)
    try:
        with wait:
            data = await context.read()
    except TimeoutError:
        raise wait.refusal or InvalidRequest(
            f"the message did not arrive within {_READING_SECONDS:.0f} s", reason="body_incomplete"
        ) from None
    if isinstance(data, bytes):
        return data
    raise InvalidRequest(
        f"one message of at most {edge.BODY_LIMIT} bytes is needed", reason="body_too_large"
    )


def malformed() -> InvalidRequest:
    said = "the bytes are not the message that this call takes"
    return InvalidRequest(said, reason="message_malformed")


async def _no_stream(*, own: bool) -> None:
    raise RateLimited(
        "too many streams are open",
        retry_after_seconds=_STREAM_FREE_SECONDS,
        quota=Quota("streams", _STREAMS_OF_ONE, at_once=True) if own else None,
        many=not own,
    )


class Few:
    """So many at once, and so many of one address."""

    def __init__(self, most: int, of_one: int):
        self._most = most
        self._of_one = of_one
        self._inside: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        if self._inside.total() >= self._most or self.has_all(address):
            return False
        self._inside[address] += 1
        return True

    def has_all(self, address: str) -> bool:
        """Whether the address has as many as one may."""
        return self._inside[address] >= self._of_one

    def leave(self, address: str) -> None:
        self._inside[address] -= 1
        self._inside = +self._inside  # without those at zero


_DOOR: ContextVar[Door | None] = ContextVar("door", default=None)


class _Wait(Limit):
    """One call's wait for its message. Whoever sends none holds one of the places that all calls
    share: so of those that are late only a few are waited for, and whoever has not said who they
    are counts as late from the beginning."""

    __slots__ = ("_address", "_is_counted", "_is_known", "_late", "refusal")

    def __init__(self, door: Door | None, seconds: float) -> None:  # seconds, not money
        super().__init__(Glances() if door is None else door.glances, seconds)
        self.refusal: RateLimited | None = None
        visit = VISIT.get()
        self._late = None if door is None else door.late
        self._address = visit.address if visit is not None else ""
        self._is_known = visit is not None and bool(visit.company)
        self._is_counted = False

    def __enter__(self) -> "_Wait":
        super().__enter__()
        if not self._is_known:
            self._count()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._is_counted and self._late is not None:
            self._late.leave(self._address)
        super().__exit__(kind, error, trace)

    def look(self, now: float) -> None:  # seconds, not money
        if not self._is_counted and self.refusal is None and now - self.began >= _SLOW_SECONDS:
            self._count()
        super().look(now)

    def _count(self) -> None:
        if self._late is None:
            return
        self._is_counted = self._late.enter(self._address)
        if not self._is_counted:
            own = self._late.has_all(self._address)
            self.refusal = RateLimited(
                "too many calls wait for their message; send this one again with its message",
                retry_after_seconds=int(_READING_SECONDS),
                quota=Quota("unfinished-calls", _LATE_OF_ONE, at_once=True) if own else None,
                many=not own,
            )
            asyncio.get_running_loop().call_soon(self.cut)


async def _nowhere(_: Any, context: Context) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "there is no such method here", trailing())


class _Watched:
    """One call, from its arrival to its end."""

    def __init__(self, door: Door, context: Context, method: str, face: str):
        self._door = door
        self._context = context
        self._method = method
        self._face = face
        self._quiet = method.startswith(_HEALTH)
        self._peer = context.peer()
        self._who = connection_of_call(self._peer)
        self._visit: Visit | None = None
        self._began = 0.0  # seconds, not money

    def __enter__(self) -> "_Watched":
        self._began = time.perf_counter()
        door, context = self._door, self._context
        if self._who is not None:
            door.busy[self._who] += 1
        _DOOR.set(door)
        asked, said = [], []
        for name, value in context.invocation_metadata() or ():
            if name == REQUEST_ID:
                asked.append(value.encode() if isinstance(value, str) else value)
            elif name == _FORWARDED:
                said.append(str(value))
        edge.REQUEST_ID.set(observe.request_id(asked))
        MODE.set("")
        self._visit = door.admission.arrive(
            address_of_call(self._peer, said, door.trusted),
            host_of_call(self._peer, said, door.trusted),
        )
        context.set_trailing_metadata(trailing())
        return self

    async def within(self, work: Awaitable[Any]) -> Any:
        """The answer of `work`, which ends before the caller's deadline and ours."""
        left = self._context.time_remaining()
        seconds = LONGEST_CALL if left is None else min(left, LONGEST_CALL)
        deadline.set(time.monotonic() + seconds)
        try:
            with Limit(self._door.glances, LONGEST_CALL):
                return await work
        except TimeoutError:
            await self._context.abort(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"the call was not done within {LONGEST_CALL:.0f} s",
                trailing(),
            )

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._visit is not None:
            self._door.admission.leave(self._visit)
        if self._who is not None:
            leave(self._door.busy, self._who)
        took = time.perf_counter() - self._began
        status = self._status(error)
        observe.count_request(self._face, status, took)
        if not self._quiet or status not in ("OK", "CANCELLED"):
            self._door.log.info(
                "call",
                method=self._method[:_LONGEST_METHOD],
                status=status,
                milliseconds=int(took * 1_000_000) / 1000,
                **({"mode": mode} if (mode := MODE.get()) else {}),
            )

    def _status(self, error: BaseException | None) -> str:
        if isinstance(error, asyncio.CancelledError):
            left = self._context.time_remaining()
            return "CANCELLED" if left is None or left > 0 else "DEADLINE_EXCEEDED"
        code: Any = self._context.code()
        if isinstance(code, grpc.StatusCode):
            return code.name
        if isinstance(code, int) and code:
            return _NAMES.get(code, "UNKNOWN")
        return "OK" if error is None else "UNKNOWN"
