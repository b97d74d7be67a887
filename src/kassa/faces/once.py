"""Idempotency-Key, for the faces whose documents have no other name for a request's repeat.

The same key with the same content is the same request: it is answered alike and does nothing a
second time. With other content it is refused. A key is its credential's own.
Source: draft-ietf-httpapi-idempotency-key-header.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import InvalidRequest
from kassa.faces import edge
from kassa.orders.usecases.answer_once import Answer, Asked, Turn, answer_once

_NAMES = ("idempotency-key", "x-idempotency-key")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_REPLAYED = {"idempotent-replayed": "true"}
_T = TypeVar("_T")
_MISMATCH = "this Idempotency-Key was used for another request before"

Work = Callable[[], Awaitable[tuple[Response, bool]]]
"""Answers, and says whether that is final: what is not may be told anew, as it stands then."""


@dataclass(frozen=True, slots=True)
class RepeatingCaller:
    """`credential`: what proved who asks. `key`: "" without one."""

    company_id: str
    credential: str
    key: str

    @property
    def name(self) -> str:
        """What nobody else's request is called; "" without a key."""
        return f"{self.credential} {self.key}" if self.key else ""


def read_key(headers: Headers) -> str:
    """The request's key, under either of its names; "" without one.

    Raises: InvalidRequest.
    """
    sent = [one for name in _NAMES for one in headers.getlist(name)]
    if len(set(sent)) > 1:
        raise InvalidRequest("Idempotency-Key: it was sent twice", field="Idempotency-Key")
    if sent and not _KEY.fullmatch(sent[0]):
        said = "Idempotency-Key: 1 to 255 visible ASCII characters are needed"
        raise InvalidRequest(said, field="Idempotency-Key")
    return sent[0] if sent else ""


def _asked(request: Request, caller: RepeatingCaller, content: bytes) -> Asked:
    return Asked(
        company_id=caller.company_id,
        place=f"{caller.credential} {request.method} {request.scope['path']}",
        key=caller.key,
        body=content,
        mismatch=_MISMATCH,
    )


async def anew(
    request: Request, caller: RepeatingCaller, content: bytes, work: Callable[[], Awaitable[_T]]
) -> _T:
    """What `work` finds each time it is asked, where that is the same thing as it stands by now;
    a key is good for the content alone that it came with first.

    Raises: IdempotencyMismatch, InProgress, as `work` raises.
    """
    if not caller.key:
        return await work()
    made: list[_T] = []

    async def answer(_: Turn) -> Answer:
        made.append(await work())
        return Answer(200, b"", keep=False)

    await answer_once(edge.core_of(request), _asked(request, caller, content), answer)
    return made[0]


async def once(request: Request, caller: RepeatingCaller, content: bytes, work: Work) -> Response:
    """What `work` answers; under a key, once.

    `content`: what makes a repeat the same request; only a keyed hash of it is kept.
    Raises: IdempotencyMismatch, InProgress, as `work` raises.
    """
    if not caller.key:
        return (await work())[0]
    made: list[Response] = []

    async def answer(_: Turn) -> Answer:
        response, final = await work()
        made.append(response)
        return Answer(response.status_code, bytes(response.body), keep=final)

    asked = _asked(request, caller, content)
    done = await answer_once(edge.core_of(request), asked, answer)
    if made and not done.replayed:
        return made[0]
    headers = {"Cache-Control": "no-store", **_REPLAYED}
    return Response(done.body, done.status, headers, media_type="application/json")
