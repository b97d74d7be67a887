"""Errors of the gRPC faces: every KassaError as a google.rpc.Status, on gRPC and as JSON."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import grpc.aio
import structlog
from google.protobuf import any_pb2, duration_pb2, json_format, message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import InvalidRequest, KassaError, UnsupportedOperation
from kassa.base.usecases.admission import VISIT, pause_of
from kassa.faces import edge
from kassa.identity.usecases.sides import MODE, MODE_HEADER

DOMAIN = "kassa"
"""Whose reasons these are: ErrorInfo's reason means something only within its domain."""

CODE: Mapping[str, int] = {
    "internal": code_pb2.INTERNAL,
    "invalid_request": code_pb2.INVALID_ARGUMENT,
    "unauthenticated": code_pb2.UNAUTHENTICATED,
    "permission_denied": code_pb2.PERMISSION_DENIED,
    "not_found": code_pb2.NOT_FOUND,
    "idempotency_mismatch": code_pb2.ALREADY_EXISTS,
    "in_progress": code_pb2.ABORTED,
    "illegal_transition": code_pb2.FAILED_PRECONDITION,
    "amount_too_large": code_pb2.FAILED_PRECONDITION,
    "unsupported": code_pb2.UNIMPLEMENTED,
    "rate_limited": code_pb2.RESOURCE_EXHAUSTED,
    "overloaded": code_pb2.UNAVAILABLE,
    "provider_unavailable": code_pb2.UNAVAILABLE,
    "ambiguous_commit": code_pb2.UNAVAILABLE,
}
"""The gRPC code of each KassaError."""

HTTP_STATUS: Mapping[int, int] = {
    code_pb2.CANCELLED: 499,
    code_pb2.UNKNOWN: 500,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.DEADLINE_EXCEEDED: 504,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.FAILED_PRECONDITION: 400,
    code_pb2.ABORTED: 409,
    code_pb2.OUT_OF_RANGE: 400,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.INTERNAL: 500,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DATA_LOSS: 500,
    code_pb2.UNAUTHENTICATED: 401,
}
"""The HTTP status of each gRPC code. Source: grpc-gateway v2, runtime/errors.go."""

_T = TypeVar("_T")
_CHALLENGE = 'Bearer realm="kassa", Basic realm="kassa"'
_MESSAGE_LIMIT = 1000  # a gRPC status travels in headers, where 8 KiB is all there is
_log = structlog.get_logger("kassa.faces")


def status_of(error: KassaError) -> status_pb2.Status:
    """What went wrong, with details a program can read.

    Always an ErrorInfo; BadRequest when a field is at fault; RetryInfo when waiting helps;
    RequestInfo, to be quoted, when it is our bug.
    """
    text = _sayable(error.message)
    details: list[message.Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason.upper(), domain=DOMAIN)
    ]
    if isinstance(error, InvalidRequest) and error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_sayable(error.field), description=text
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    pause = pause_of(error)
    if pause is not None:
        delay = duration_pb2.Duration(seconds=pause)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.code == "internal":
        details.append(error_details_pb2.RequestInfo(request_id=edge.REQUEST_ID.get()))
    return status_pb2.Status(
        code=CODE[error.code], message=text, details=[_packed(detail) for detail in details]
    )


def _sayable(text: str) -> str:
    """`text` cut to its limit; a caller's words in it may hold halves of characters, gone here."""
    return text[:_MESSAGE_LIMIT].encode("utf-8", "replace").decode("utf-8")


def _packed(detail: message.Message) -> any_pb2.Any:
    wrapped = any_pb2.Any()
    wrapped.Pack(detail)
    return wrapped


def http_status_of(status: status_pb2.Status) -> int:
    return HTTP_STATUS[status.code]


def to_json(status: status_pb2.Status) -> dict[str, Any]:
    """Both envelopes in one: grpc-gateway's `code, message, details` and Google's `error`."""
    body = json_format.MessageToDict(status)
    name = code_pb2.Code.Name(status.code)
    return body | {"error": body | {"code": http_status_of(status), "status": name}}


def write_error(request: Request, error: KassaError) -> Response:
    """The HTTP answer to a refused or failed request."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if status.code == code_pb2.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = _CHALLENGE
    pause = pause_of(error)
    if pause is not None:
        headers["Retry-After"] = str(pause)
    return edge.answer(to_json(status), http_status_of(status), headers)


def refuse_verb(allowed: str) -> edge.Handler:
    """A handler for the verbs that a path does not have: they too are answered in these words."""

    async def refuse(_: Request) -> Response:
        raise UnsupportedOperation(
            f"Method Not Allowed: this path takes {allowed}", reason="method_not_allowed"
        )

    return refuse


def trailing() -> tuple[tuple[str, str], ...]:
    """What goes out with the end of every call: its id, once it is known who asks test or live,
    and how the caller's rate stands."""
    visit, mode = VISIT.get(), MODE.get()
    own = (("x-request-id", edge.REQUEST_ID.get()),)
    side = ((MODE_HEADER, mode),) if mode else ()
    return (*own, *side, *(visit.headers() if visit is not None else ()))


async def told(
    context: "grpc.aio.ServicerContext[Any, Any]",
    work: Awaitable[_T],
    tell: Callable[[KassaError], status_pb2.Status] = status_of,
) -> _T:
    """What `work` gives; or end the call with the status of what it raises, of our own bugs without
    their cause.

    A caller that gives up or whose deadline passes cancels the work, as grpc.aio does.
    """
    if edge.REQUEST_ID.get() == "-":
        edge.REQUEST_ID.set(uuid.uuid4().hex)
    try:
        return await work
    except KassaError as error:
        status = tell(error)
    except Exception:  # noqa: BLE001 - our own bugs are logged, and told without their cause
        request_id = edge.REQUEST_ID.get()
        _log.exception("unexpected", request_id=request_id)
        status = tell(KassaError(f"internal error; quote request id {request_id}"))
    # Outside of the handlers above: what abort raises lives in grpc.aio until the next collection
    # of garbage, and would keep the error that it was raised in, with its frames and the message.
    ended = rpc_status.to_status(status)
    said = (*ended.trailing_metadata, *trailing())
    # gRPC may have ended the call itself: a message that is too large, a caller who is gone.
    with suppress(grpc.aio.InternalError, grpc.aio.UsageError):
        await context.abort(ended.code, ended.details, said)
    # Any other error than its own would be taken for a bug of ours, with a trace in the log.
    raise asyncio.CancelledError
