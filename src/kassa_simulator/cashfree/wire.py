"""How Cashfree writes: versions, headers, JSON with decimal numbers, its error body, its times."""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from kassa_simulator import decimals
from kassa_simulator.frame import Answer, Books, Call, Merchant

NAME = "cashfree"
PREFIX = "/cashfree/pg"
INDIA = timezone(timedelta(hours=5, minutes=30))

FIRST_VERSION = "2022-09-01"
"""The one whose ids are numbers and whose orders carry three addresses."""
VERSIONS = (FIRST_VERSION, "2023-08-01", "2025-01-01", "2026-01-01")
NESTED_RECON_SINCE = "2025-01-01"

INVALID = "invalid_request_error"
_HELP = "Check latest errors and resolution from Merchant Dashboard API logs"
_CALLS_A_MINUTE = "200"

JsonObject = dict[str, Any]


class Refused(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Case:
    """One call of one merchant in one version."""

    books: Books
    merchant: Merchant
    call: Call
    version: str

    @property
    def now(self) -> datetime:
        return self.call.now


def dumps(value: object) -> str:
    """JSON whose decimals keep their digits: 170.00 stays 170.00."""
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(str(name))}:{dumps(item)}" for name, item in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value, ensure_ascii=False)


def loads(text: str | bytes) -> Any:
    """JSON with its decimals exact. Raises: ValueError, RecursionError."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(text, parse_float=Decimal, parse_constant=refuse)


def money(amount_minor: int, currency: str) -> Decimal:
    return Decimal(decimals.shown(amount_minor, currency))


def reply(content: Mapping[str, Any] | Sequence[Any], status: int = 200) -> Answer:
    headers = {"content-type": "application/json"}
    return Answer(status=status, headers=headers, body=dumps(content).encode())


def refusal(status: int, code: str, message: str, kind: str = INVALID) -> Refused:
    """Source: https://www.cashfree.com/docs/api-reference/payments/errors"""
    error = {"message": message, "help": _HELP, "code": code, "type": kind}
    return Refused(reply(error, status))


def invalid(field: str, message: str) -> Refused:
    return refusal(400, f"{field}_invalid", f"{field} : {message}")


def missing(field: str) -> Refused:
    return refusal(
        400, f"{field}_missing", f"{field} : is missing in the request. Value received: null"
    )


def not_found(entity: str, message: str) -> Refused:
    return refusal(404, f"{entity}_not_found", message)


def no_such_url() -> Refused:
    return refusal(400, "request_failed", "bad URL, please check API documentation")


def parts_of(call: Call) -> list[str]:
    """The address's parts behind /cashfree, decoded one by one."""
    return [unquote(part) for part in call.path.split("/")[2:] if part]


def version_of(call: Call) -> str:
    """Raises: Refused."""
    version = call.headers.get("x-api-version", "")
    if not version:
        raise refusal(400, "request_failed", "version is missing in header")
    if version not in VERSIONS:
        raise refusal(400, "version_invalid", f"x-api-version : {version[:20]} is no version")
    return version


def merchant_of(books: Books, call: Call) -> Merchant:
    """Raises: Refused with 401."""
    merchant = books.merchant_with(NAME, "client_id", call.headers.get("x-client-id", ""))
    secret = call.headers.get("x-client-secret", "")
    if merchant is None or not hmac.compare_digest(
        merchant.credentials["client_secret"].encode(), secret.encode()
    ):
        raise refusal(401, "request_failed", "authentication Failed", "authentication_error")
    return merchant


def body_of(call: Call) -> JsonObject:
    """The request's JSON object. Raises: Refused."""
    try:
        content = loads(call.body)
        dumps(content).encode()  # half a character is no text
    except (ValueError, RecursionError):
        raise refusal(400, "request_invalid", "invalid JSON in the request's body") from None
    if not isinstance(content, dict):
        raise refusal(400, "request_invalid", "the request's body must be a JSON object")
    return content


def with_headers(answer: Answer, call: Call, *, replayed: bool = False) -> Answer:
    """The headers that every answer has."""
    headers = {
        **answer.headers,
        "x-api-version": call.headers.get("x-api-version", ""),
        "x-request-id": call.headers.get("x-request-id", ""),
        "x-idempotency-key": call.headers.get("x-idempotency-key", ""),
        "x-idempotency-replayed": "true" if replayed else "false",
        "x-ratelimit-limit": _CALLS_A_MINUTE,
        "x-ratelimit-remaining": str(int(_CALLS_A_MINUTE) - 1),
        "x-ratelimit-retry": "0",
        "x-ratelimit-type": "app_id",
    }
    return replace(answer, headers=headers)


def cf_id(digits: str, version: str) -> int | str:
    """A number in the first version, text in all that came after."""
    return int(digits) if version == FIRST_VERSION else digits


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def indian(count: int) -> str:
    """2026-11-22T10:20:12+05:30"""
    return datetime.fromtimestamp(count, UTC).astimezone(INDIA).isoformat()


def read_time(field: str, text: object) -> datetime:
    """Raises: Refused."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise invalid(field, "should be an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise invalid(field, "should have a time zone")
    return moment


def text_in(fields: Mapping[str, Any], name: str, shortest: int, longest: int) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        raise invalid(name, f"should be between {shortest} and {longest} characters")
    return value


def object_in(fields: Mapping[str, Any], name: str) -> JsonObject:
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(name, "should be an object")
    return value


def amount_in(fields: Mapping[str, Any], name: str, currency: str) -> int:
    """Whole minor units of a JSON number. Raises: Refused."""
    value = fields.get(name)
    if value is None:
        raise missing(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise invalid(name, "should be numeric")
    amount = decimals.minor(value, currency)
    if amount is None:
        raise invalid(name, "should not have more decimals than the currency")
    if amount <= 0:
        raise invalid(name, "should be more than 0")
    return amount
