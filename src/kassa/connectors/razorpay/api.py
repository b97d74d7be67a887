"""Razorpay's API: one call, and whether its answer may be believed."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.base import InDoubt, NotSent, Unknown
from kassa.connectors.http import Answer, Answered, NoAnswer, ProviderHttp
from kassa.connectors.jsontext import read_object

Entity = Mapping[str, Any]

_REFUSED = "BAD_REQUEST_ERROR"  # GATEWAY_ERROR and SERVER_ERROR do not say what was done
_WORD = re.compile(r"[\w .:,'-]{1,80}", re.ASCII)
_CREDENTIALS = (
    "authentication failed",
    "the api key provided is invalid",
    "the api key/secret provided is invalid",
    "the api {key/secret} provided is invalid",
)
"""Descriptions by which Razorpay refuses a key; some come with status 400 and not 401."""


@dataclass(frozen=True, slots=True)
class RazorpayAnswer:
    """A whole answer of status 200."""

    fields: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class RazorpayRefusal:
    """Razorpay refused before it did anything. `description`: its words, for a person."""

    description: str
    field: str = ""
    reason: str = ""

    @property
    def not_found(self) -> bool:
        return "does not exist" in self.description

    @property
    def shown(self) -> str:
        """For our log: what is no plain sentence is left out."""
        return self.description if _WORD.fullmatch(self.description) else self.reason or _REFUSED


Reply = RazorpayAnswer | RazorpayRefusal | NotSent | InDoubt


class RazorpayApi:
    """`base_url`: such as https://api.razorpay.com/v1."""

    def __init__(self, http: ProviderHttp, *, base_url: str, key_id: str, key_secret: str):
        """Raises: ValueError for credentials that no header can carry."""
        if not key_id or not key_secret or ":" in key_id:
            raise ValueError("key_id and key_secret are needed, and key_id has no colon")
        self._http = http
        self._base = base_url.rstrip("/")
        pair = base64.b64encode(f"{key_id}:{key_secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"}

    def __repr__(self) -> str:
        return f"Api({self._base!r})"

    async def get(self, *path: str, **query: str | int) -> Reply:
        return _read(await self._http.get(self._url(path, query), headers=self._headers))

    async def post(
        self, *path: str, content: Entity, headers: Mapping[str, str] | None = None
    ) -> Reply:
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        every = {**self._headers, "Content-Type": "application/json", **(headers or {})}
        return _read(await self._http.post(self._url(path, {}), headers=every, body=body))

    async def close(self) -> None:
        await self._http.close()

    def _url(self, path: Sequence[str], query: Mapping[str, str | int]) -> str:
        address = "/".join((self._base, *(quote(part, safe="") for part in path)))
        return f"{address}?{urlencode(query)}" if query else address


def _read(answer: Answer) -> Reply:
    if isinstance(answer, NotSent):
        return answer
    if isinstance(answer, NoAnswer):
        return answer.doubt
    try:
        fields = read_object(answer.body)
    except ValueError:
        fields = None
    if answer.status == 200:
        return (
            InDoubt(reason="Razorpay's answer is no JSON")
            if fields is None
            else RazorpayAnswer(fields)
        )
    return _refused(answer, fields)


def _refused(answer: Answered, fields: Entity | None) -> Reply:
    error = fields.get("error") if fields is not None else None
    told = error if isinstance(error, dict) else {}
    description = word(told, "description")
    credentials = description.lower().rstrip(".") in _CREDENTIALS
    if answer.status == 401 or (answer.status == 400 and credentials):
        return NotSent(reason="Razorpay refused key_id and key_secret")
    if answer.status in (400, 404) and word(told, "code") == _REFUSED:
        return RazorpayRefusal(
            description=description, field=word(told, "field"), reason=word(told, "reason")
        )
    return InDoubt(reason=f"Razorpay answered with HTTP status {answer.status}")


def word(fields: Entity, name: str) -> str:
    """A member that is text; "" when it is absent or anything else."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def whole(fields: Entity, name: str) -> int | None:
    value = fields.get(name)
    return value if type(value) is int else None


def entity(fields: Entity, name: str) -> Entity:
    """A member that is an object; empty when it is absent or anything else, such as the [] that
    Razorpay writes for empty notes."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def items(fields: Entity, name: str = "items") -> Sequence[Entity] | None:
    """A member that is a list, in it an empty object for what is none; None when it is no list."""
    value = fields.get(name)
    if not isinstance(value, list):
        return None
    return [one if isinstance(one, dict) else {} for one in value]


def money(fields: Entity, name: str = "amount") -> Money | None:
    """Razorpay counts in minor units, and so do we: see KIND for the currencies."""
    minor = whole(fields, name)
    if minor is None:
        return None
    try:
        return Money.from_minor(minor, word(fields, "currency"))
    except InvalidRequest:
        return None


def moment(fields: Entity, name: str) -> datetime | None:
    """Unix seconds; None of 0, which Razorpay writes for "never"."""
    seconds = whole(fields, name)
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def found_in(
    reply: Any, members: str, name: str, value: str
) -> list[Entity] | NotSent | InDoubt | Unknown:
    """The objects of a list, in it an empty one for each that is not of what was asked about."""
    if isinstance(reply, RazorpayRefusal):
        if reply.not_found:
            return Unknown(reason="Razorpay knows no such object")
        return InDoubt(reason=f"Razorpay refused the question: {reply.shown}")
    if not isinstance(reply, RazorpayAnswer):
        assert isinstance(reply, NotSent | InDoubt)
        return reply
    found: Sequence[Entity] | None = items(reply.fields, members)
    if found is None:
        return InDoubt(reason="Razorpay's list cannot be read")
    return [one if word(one, name) == value and word(one, "id") else {} for one in found]
