"""What every answer of the versioned API carries: its headers, its errors, one answer per key."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import InvalidRequest, KassaError
from kassa.faces import edge
from kassa.faces.orders import failures
from kassa.faces.orders.contract import read_headers, read_key
from kassa.faces.orders.pg.versions import HEADER, VERSIONS
from kassa.orders.usecases.answer_once import Answer, Asked, Turn, answer_once

KEY_HEADER = "x-idempotency-key"
MISMATCH = f"invalid body in request for {KEY_HEADER}"
_REPLAYED = "x-idempotency-replayed"
_JSON = "application/json"


def _headers(headers: Headers, *, replayed: bool = False) -> dict[str, str]:
    said = {_REPLAYED: "true" if replayed else "false"}
    version, key = headers.get(HEADER, ""), _key_of(headers)
    if version in VERSIONS:
        said[HEADER] = version
    if key is not None:
        said[KEY_HEADER] = key
    return said


def _key_of(headers: Headers) -> str | None:
    try:
        return read_key(read_headers(headers))
    except InvalidRequest:
        return None  # refused elsewhere; what is no key is not echoed either


def reply(request: Request, body: Any) -> Response:
    return Response(edge.to_json(body), 200, _headers(request.headers), media_type=_JSON)


async def reply_once(
    request: Request,
    *,
    company_id: str,
    credential: str,
    body: bytes,
    work: Callable[[Turn], Awaitable[Any]],
) -> Response:
    """What `work` finds, as JSON; under an idempotency key the same bytes for every repeat.

    Raises: as `answer_once`.
    """
    key = read_key(read_headers(request.headers))

    async def answer(turn: Turn) -> Answer:
        return Answer(200, edge.to_json(await work(turn)))

    asked = None
    if key is not None:
        place = f"{credential} {request.method} {request.scope['path']}"
        asked = Asked(company_id=company_id, place=place, key=key, body=body, mismatch=MISMATCH)
    done = await answer_once(edge.core_of(request), asked, answer)
    headers = _headers(request.headers, replayed=done.replayed)
    return Response(done.body, done.status, headers, media_type=_JSON)


_SAID: Mapping[str, str] = {"unauthenticated": "authentication Failed"}
"""Messages that the API words itself, by an error's code."""


def write_error(request: Request, error: KassaError) -> Response:
    """The failure under the headers of every answer."""
    answer = failures.tell(error, _message(error))
    answer.headers.update(_headers(request.headers))
    return answer


def _message(error: KassaError) -> str:
    """`member : what is wrong with it`, wherever the code names a member."""
    said = _SAID.get(error.code, error.message)
    name, _, fault = failures.failure_of(error).code.rpartition("_")
    if error.code != "invalid_request" or name in ("request", "idempotency_key"):
        return said
    if fault == "missing":
        return f"{name} : is missing in the request"
    return f"{name} : {said.removeprefix(f'{error.field}: ')}"
