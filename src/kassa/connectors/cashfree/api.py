"""Cashfree's API: one call in one version, and whether its answer may be believed.

Source: https://www.cashfree.com/docs/api-reference/payments/
"""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.base import InDoubt, NotSent
from kassa.connectors.http import Answer, Answered, NoAnswer, ProviderHttp
from kassa.connectors.jsontext import read_json

Entity = Mapping[str, Any]

VERSIONS = frozenset({"2023-08-01", "2025-01-01"})
INDIA = timezone(timedelta(hours=5, minutes=30))
"""The zone of Cashfree's times, and of those that do not say theirs."""

_KEYS = uuid.uuid5(uuid.NAMESPACE_URL, "kassa:cashfree")
_CODE = re.compile(r"[a-z0-9_.]{1,80}", re.ASCII)
_HEADER = re.compile(r"[!-~]{1,200}", re.ASCII)
_DEFINITE = frozenset({400, 403, 404, 409})


@dataclass(frozen=True, slots=True)
class CashfreeAnswer:
    """A whole answer of status 200: an object or an array."""

    value: Any

    @property
    def fields(self) -> Entity:
        """The object; empty when it is none, which then fails every check of its members."""
        return self.value if isinstance(self.value, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class CashfreeRefusal:
    """Cashfree refused before it did anything. `code`: such as order_not_found."""

    status: int
    code: str

    @property
    def not_found(self) -> bool:
        return self.status == 404


Reply = CashfreeAnswer | CashfreeRefusal | NotSent | InDoubt


class CashfreeApi:
    """`base_url`: such as https://api.cashfree.com/pg."""

    def __init__(
        self, http: ProviderHttp, *, base_url: str, client_id: str, client_secret: str, version: str
    ):
        """Raises: ValueError for what no header can carry, and for an unknown version."""
        if not _HEADER.fullmatch(client_id) or not _HEADER.fullmatch(client_secret):
            raise ValueError("client_id and client_secret are needed, in plain ASCII")
        if version not in VERSIONS:
            raise ValueError(f"api_version must be one of {', '.join(sorted(VERSIONS))}")
        self._http = http
        self._base = base_url.rstrip("/")
        self._headers = {
            "x-api-version": version,
            "x-client-id": client_id,
            "x-client-secret": client_secret,
            "Accept": "application/json",
        }

    def __repr__(self) -> str:
        return f"Api({self._base!r})"

    async def get(self, *path: str, **query: str) -> Reply:
        return _read(await self._http.get(self._url(path, query), headers=self._headers))

    async def post(self, *path: str, content: Entity, key: str = "") -> Reply:
        """`key`: ours, of what a repeat must not do again."""
        body, headers = json_text(content).encode(), self._sent(key)
        return _read(await self._http.post(self._url(path, {}), headers=headers, body=body))

    async def patch(self, *path: str, content: Entity) -> Reply:
        body, headers = json_text(content).encode(), self._sent("")
        return _read(await self._http.patch(self._url(path, {}), headers=headers, body=body))

    async def close(self) -> None:
        await self._http.close()

    def _sent(self, key: str) -> Mapping[str, str]:
        headers = {**self._headers, "Content-Type": "application/json"}
        return {**headers, "x-idempotency-key": idempotency_key(key)} if key else headers

    def _url(self, path: Sequence[str], query: Mapping[str, str]) -> str:
        address = "/".join((self._base, *(quote(part, safe="") for part in path)))
        return f"{address}?{urlencode(query)}" if query else address


def idempotency_key(key: str) -> str:
    """Cashfree wants a UUID: the same key of ours is always the same one."""
    return str(uuid.uuid5(_KEYS, key))


def _read(answer: Answer) -> Reply:
    if isinstance(answer, NotSent):
        return answer
    if isinstance(answer, NoAnswer):
        return answer.doubt
    try:
        value = read_json(answer.body)
    except ValueError:
        value = None
    if answer.status == 200:
        return (
            InDoubt(reason="Cashfree's answer is no JSON")
            if value is None
            else CashfreeAnswer(value)
        )
    return _refused(answer, value)


def _refused(answer: Answered, value: Any) -> Reply:
    code = word(value, "code") if isinstance(value, dict) else ""
    if answer.status == 401:
        return NotSent(reason="Cashfree refused client_id and client_secret")
    if answer.status in _DEFINITE and _CODE.fullmatch(code):
        return CashfreeRefusal(status=answer.status, code=code)
    return InDoubt(reason=f"Cashfree answered with HTTP status {answer.status}")


def json_text(value: Any) -> str:
    """JSON in which a Decimal keeps its digits: 170.00 is written 170.00."""
    if isinstance(value, Mapping):
        members = (f"{json.dumps(name)}:{json_text(item)}" for name, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(json_text(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return json.dumps(value, ensure_ascii=False)


def word(fields: Entity, name: str) -> str:
    """A member that is text; "" when it is absent or anything else."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def number_word(fields: Entity, name: str) -> str:
    """A cf_… id: text in most places, a number in some webhooks."""
    value = fields.get(name)
    return str(value) if type(value) is int else word(fields, name)


def entity(fields: Entity, name: str) -> Entity:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[Entity] | None:
    """A list, in it an empty object for what is none; None when it is no list."""
    if not isinstance(value, list):
        return None
    return [one if isinstance(one, dict) else {} for one in value]


def money(fields: Entity, amount: str, currency: str) -> Money | None:
    """Cashfree counts in major units: a JSON number, in some webhooks the same as text."""
    value = fields.get(amount)
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        return Money.from_major(value, word(fields, currency))
    except InvalidRequest:
        return None


def moment(fields: Entity, name: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(word(fields, name))
    except ValueError:
        return None
    return read.replace(tzinfo=INDIA) if read.tzinfo is None else read
