"""What all faces share at their edge: exact JSON in, bytes out, errors in that face's words."""

import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kassa import criticality
from kassa.base.domain.errors import InvalidRequest, KassaError, Unauthenticated
from kassa.base.usecases.bounds import named
from kassa.base.usecases.core import Core
from kassa.providers.usecases.provider_calls import deadline

BODY_LIMIT = 64 * 1024
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
_MAX_NUMBER = 40  # digits; no amount is longer, and to turn thousands into an integer takes time
_MOST_DEPTH = 32
_MOST_MEMBERS = 1000  # of one object, and elements of one array
_MOST_PARTS = 10_000  # of a whole body
_LONGEST_NAME = 100  # characters of a member's name that an error repeats
# A string, whole so that nothing in it is taken for structure; or a mark of structure.
_MARKS = re.compile(rb'"(?>(?:[^"\\]++|\\.)*)"?|[\[\]{},]', re.DOTALL)
_UNSTORABLE = re.compile("[\\x00\\ud800-\\udfff]")
_log = structlog.get_logger("kassa.edge")
_encoder = msgspec.json.Encoder(decimal_format="number")

Struct = TypeVar("Struct")
Handler = Callable[[Request], Awaitable[Response]]
WriteError = Callable[[Request, KassaError], Response]

HTTP_STATUS: Mapping[str, int] = {
    "invalid_request": 400,
    "unauthenticated": 401,
    "permission_denied": 403,
    "not_found": 404,
    "idempotency_mismatch": 422,
    "in_progress": 409,
    "illegal_transition": 409,
    "amount_too_large": 422,
    "unsupported": 422,
    "rate_limited": 429,
    "overloaded": 503,
    "provider_unavailable": 503,
    "ambiguous_commit": 503,
    "internal": 500,
}
"""By an error's code, for faces whose contract names no other."""


MISSING = "missing"
"""The reason where a member that is needed is not there."""

_JSON_WORD = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "decimal": "number",
    "bool": "boolean",
    "datetime": "date-time",
}
# "Expected `str | null`": a member's name that an error repeats stands in other sentences.
_TYPES = re.compile(r"(Expected |, got )`([a-z |]{1,200}+)`")
_MISSING = re.compile(r"Object missing required field `([^`]{1,200})`")


class Number(Decimal):
    """A JSON number, read exactly. Use as a field type where a string must not pass for one."""


def core_of(request: Request) -> Core:
    core: Core = request.app.state.core
    return core


def target_of(request: Request) -> str:
    """The path and query as they were sent, not decoded."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    plain = path.decode("latin-1").partition("?")[0]
    return f"{plain}?{query.decode('latin-1')}" if query else plain


async def read_bytes(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The raw body.

    Raises: InvalidRequest with reason `body_too_large` beyond `limit` bytes.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise InvalidRequest(
                    f"the body is larger than {limit} bytes", reason="body_too_large"
                )
    except ClientDisconnect:
        raise InvalidRequest("the body ended early", reason="body_incomplete") from None
    return bytes(body)


def parse_json(body: bytes) -> Any:
    """JSON with numbers exact: integers as int, all others as Decimal.

    Raises: InvalidRequest (reason `json_malformed`) for anything that is not strict JSON,
    for a member that stands twice, and for more depth or parts than any request of ours has.
    """
    _refuse_sprawl(body)
    try:
        value = _decoder.decode(body.decode("utf-8"))
        if b"\\u" in body:
            _refuse_unstorable(value)
        return value
    except InvalidRequest:
        raise
    except UnicodeDecodeError:
        raise InvalidRequest("the body is not UTF-8", reason="json_malformed") from None
    except ValueError as error:
        raise InvalidRequest(
            f"the body is not valid JSON: {error}", reason="json_malformed"
        ) from None


def _refuse_sprawl(body: bytes) -> None:
    """Before it is read: how deep it is, and of how many parts. In one pass, and most bodies need
    none: they have fewer marks than may be."""
    commas = body.count(b",")
    if commas < _MOST_MEMBERS and body.count(b"[") + body.count(b"{") <= _MOST_DEPTH:
        return
    parts: list[int] = []  # of each object and array that is open
    total = 0
    for found in _MARKS.finditer(body):
        mark = found[0]
        if mark in (b"[", b"{"):
            parts.append(1)
            if len(parts) > _MOST_DEPTH:
                raise InvalidRequest("the JSON is nested too deeply", reason="json_malformed")
        elif not parts:
            continue  # the decoder will say what is wrong with it
        elif mark in (b"]", b"}"):
            parts.pop()
        elif mark == b",":
            parts[-1] += 1
            total += 1
            if parts[-1] > _MOST_MEMBERS or total > _MOST_PARTS:
                raise InvalidRequest(
                    f"the JSON has too many parts: {_MOST_MEMBERS} of an object or array and"
                    f" {_MOST_PARTS} of all are read",
                    reason="json_malformed",
                )


def _refuse_unstorable(value: Any) -> None:
    """NUL and halves of surrogate pairs are JSON, but no text that can be stored or sent on."""
    path = _unstorable_in(value)
    if path is not None:
        field = "".join(reversed(path)).lstrip(".")
        raise InvalidRequest(
            f"{field or 'the body'}: a text holds NUL or half a character",
            field=field or None,
            reason="schema",
        )


def _unstorable_in(value: Any) -> list[str] | None:
    """The way to such a text, innermost step first."""
    if isinstance(value, str):
        return [] if _UNSTORABLE.search(value) else None
    steps: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        if any(map(_UNSTORABLE.search, value)):
            return []
        steps = ((f".{name}", inner) for name, inner in value.items())
    elif isinstance(value, list):
        steps = ((f"[{index}]", inner) for index, inner in enumerate(value))
    for step, inner in steps:
        path = _unstorable_in(inner)
        if path is not None:
            return [*path, step]
    return None


def _read_int(text: str) -> int:
    if len(text) > _MAX_NUMBER:
        raise InvalidRequest("a number has too many digits", reason="json_malformed")
    return int(text)


def _read_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise InvalidRequest("a number is too large to read", reason="json_malformed") from None


def _no_constant(name: str) -> Any:
    raise InvalidRequest(f"{name} is not a JSON number", reason="json_malformed")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidRequest(
                    f"the member {name[:_LONGEST_NAME]!r} stands twice", reason="json_malformed"
                )
            seen.add(name)
    return members


_decoder = json.JSONDecoder(
    parse_float=_read_decimal,
    parse_int=_read_int,
    parse_constant=_no_constant,
    object_pairs_hook=_no_duplicates,
)


def convert(value: Any, shape: type[Struct]) -> Struct:
    """`value` (from `parse_json`) as `shape`, strictly.

    Raises: InvalidRequest (reason `schema`) saying which member is wrong and what it should be.
    """
    try:
        return msgspec.convert(value, shape, strict=True, dec_hook=_read_number)
    except msgspec.ValidationError as error:
        raise _shape_error(str(error)) from None


def _shape_error(said: str) -> InvalidRequest:
    """What msgspec says, in the words of JSON: its own are those of Python."""
    text, _, path = said.partition(" - at `$")
    field = path.rstrip("`").lstrip(".") or None
    if missing := _MISSING.fullmatch(text):
        field = f"{field}.{missing[1]}" if field else missing[1]
        return InvalidRequest(f"{field}: it is required", field=field, reason=MISSING)
    text = text.replace("Invalid RFC3339 encoded datetime", "A date and time of RFC 3339 is needed")
    text = _TYPES.sub(lambda found: f"{found[1]}`{_json_words(found[2])}`", text)
    text = f"{field}: {text[0].lower()}{text[1:]}" if field else text
    return InvalidRequest(text, field=field, reason="schema")


def _json_words(types: str) -> str:
    return " | ".join(_JSON_WORD.get(word, word) for word in types.split(" | "))


def _read_number(kind: type, value: Any) -> Any:
    if kind is not Number:
        raise NotImplementedError(f"no reading of {kind}")
    if type(value) is int or type(value) is Decimal:
        return Number(value)
    raise ValueError(f"Expected `number`, got `{_json_name(value)}`")


def _json_name(value: Any) -> str:
    names = {str: "string", bool: "boolean", type(None): "null", list: "array", dict: "object"}
    return names.get(type(value), "value")


async def read_json(request: Request, shape: type[Struct]) -> Struct:
    """The body as `shape`: size, JSON and schema checked.

    Raises: InvalidRequest.
    """
    return convert(parse_json(await read_bytes(request)), shape)


def to_json(value: Any) -> bytes:
    """JSON bytes; Decimals as numbers with exactly their digits."""
    return _encoder.encode(value)


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(value), status, headers, media_type="application/json")


class SafeRoute(Route):
    """A route that lets no error out: `endpoint` always has an answer."""


def route(
    method: str | Sequence[str], path: str, handler: Handler, write_error: WriteError
) -> SafeRoute:
    """A route whose KassaErrors are told by `write_error`, as are our bugs, without a cause."""

    traits = criticality.of_route(method, path)

    async def endpoint(request: Request) -> Response:
        token = deadline.set(_deadline_of(request))
        try:
            core_of(request).admission.enter(traits)
            return await handler(request)
        except KassaError as error:
            if isinstance(error, Unauthenticated):
                core_of(request).admission.unproved()
            return write_error(request, named(core_of(request), error))
        except Exception:  # noqa: BLE001 - logged whole; the caller gets a request id to quote
            _log.exception("unexpected", path=path, request_id=REQUEST_ID.get())
            said = f"internal error; quote request id {REQUEST_ID.get()}"
            return write_error(request, KassaError(said))
        finally:
            deadline.reset(token)

    methods = [method] if isinstance(method, str) else list(method)
    return SafeRoute(path, endpoint, methods=methods)


def _deadline_of(request: Request) -> float | None:  # seconds, not money
    """X-Request-Deadline, when the caller stops waiting: Unix milliseconds, or RFC 3339.

    One that cannot be read is as good as none; calls to providers end before it.
    """
    text = request.headers.get("x-request-deadline", "")
    if not text:
        return None
    try:
        if text.isascii() and text.isdigit():
            left = timedelta(milliseconds=int(text) - time.time_ns() // 1_000_000)
        else:
            left = datetime.fromisoformat(text) - datetime.now(UTC)
    except (ValueError, OverflowError, TypeError):
        return None
    return time.monotonic() + left.total_seconds()


def utc_text(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: 2026-11-22T02:20:02.056Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
