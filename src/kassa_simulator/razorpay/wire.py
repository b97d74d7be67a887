"""How Razorpay writes: JSON bodies, its error body, keys, ids and signatures."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from kassa_simulator.frame import Answer, Books, Call, Merchant

NAME = "razorpay"
PREFIX = "/razorpay/v1"

JsonObject = dict[str, Any]

_ID_LENGTH = 14
_BRACKETS = re.compile(r"([^\[\]]{1,99}+)\[([^\[\]]{1,99}+)\]")
_MOST_NOTES, _LONGEST_NOTE = 15, 256
_BIGGEST_MINOR = 10**15
_LEAST_MINOR = 100
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class Refused(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Case:
    """One call of one merchant."""

    books: Books
    merchant: Merchant
    call: Call

    @property
    def now(self) -> datetime:
        return self.call.now


def reply(content: Mapping[str, Any], status: int = 200) -> Answer:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=status, headers={"content-type": "application/json"}, body=body)


def collection(items: Sequence[Mapping[str, Any]]) -> Answer:
    return reply({"entity": "collection", "count": len(items), "items": list(items)})


def refusal(description: str, field: str = "", *, status: int = 400) -> Refused:
    """What is wrong with a request, as Razorpay says it.

    Source: https://razorpay.com/docs/errors/
    """
    known = bool(field)
    error: JsonObject = {
        "code": "BAD_REQUEST_ERROR",
        "description": description,
        "source": "business" if known else "NA",
        "step": "payment_initiation" if known else "NA",
        "reason": "input_validation_failed" if known else "NA",
        "metadata": {},
    }
    if known:
        error["field"] = field
    return Refused(reply({"error": error}, status))


def no_such_id() -> Refused:
    return refusal("The id provided does not exist", "id")


def no_such_url() -> Refused:
    return refusal("The requested URL was not found on the server.")


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def moment_of(count: int) -> datetime:
    return datetime.fromtimestamp(count, UTC)


def new_id(books: Books, prefix: str, *about: str) -> str:
    """A prefix and the 14 signs that Razorpay's ids have."""
    return books.new_id(prefix, NAME, *about)[: len(prefix) + _ID_LENGTH]


def hex_mac(secret: str, text: str | bytes) -> str:
    content = text.encode() if isinstance(text, str) else text
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def account_id(merchant: Merchant) -> str:
    digest = hashlib.sha256(merchant.credentials["key_id"].encode()).hexdigest()
    return f"acc_{digest[:_ID_LENGTH]}"


def parts_of(call: Call) -> list[str]:
    """The address's parts behind /razorpay, decoded one by one."""
    return [unquote(part) for part in call.path.split("/")[2:] if part]


def merchant_of(books: Books, call: Call) -> Merchant:
    """Whose key it is. Raises: Refused with 401."""
    header = call.headers.get("authorization", "")
    if not header.startswith("Basic "):  # spelled exactly so
        raise refusal("Please provide your api key for authentication purposes.", status=401)
    try:
        pair = base64.b64decode(header[6:].strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise refusal("Authentication failed", status=401) from None
    key_id, _, secret = pair.partition(":")
    merchant = books.merchant_with(NAME, "key_id", key_id)
    if merchant is None:
        raise refusal("The api key provided is invalid", status=401)
    if not hmac.compare_digest(merchant.credentials["key_secret"].encode(), secret.encode()):
        raise refusal("Authentication failed", status=401)
    return merchant


def query_of(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.query, keep_blank_values=True))


def form_of(text: str) -> JsonObject:
    """A form's fields; `notes[a]=1` is read as {"notes": {"a": "1"}}."""
    fields: JsonObject = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if bracketed := _BRACKETS.fullmatch(name):
            group = fields.setdefault(bracketed[1], {})
            if isinstance(group, dict):
                group[bracketed[2]] = value
        else:
            fields[name] = value
    return fields


def body_of(call: Call) -> JsonObject:
    """The request's fields, from JSON or from a form. Raises: Refused."""
    try:
        text = call.body.decode()
        if "json" not in call.headers.get("content-type", "") and not text.startswith("{"):
            return form_of(text)
        content = json.loads(text) if text.strip() else {}
        json.dumps(content, ensure_ascii=False).encode()  # half a character is no text
    except (ValueError, RecursionError):
        raise refusal("The request body is not valid JSON.") from None
    if not isinstance(content, dict):
        raise refusal("The request body is not valid JSON.")
    return content


def whole(fields: Mapping[str, Any], name: str) -> int:
    """A whole number, also one written in digits. Raises: Refused."""
    value = fields.get(name)
    if value is None or value == "":
        raise refusal(f"The {name} field is required.", name)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:32])
    if isinstance(value, bool) or not isinstance(value, int):
        raise refusal(f"The {name} must be an integer.", name)
    return value


def amount_in(fields: Mapping[str, Any], currency: str) -> int:
    amount = whole(fields, "amount")
    if amount < _LEAST_MINOR:
        raise refusal(f"The amount must be at least {currency} 1.00", "amount")
    if amount > _BIGGEST_MINOR:
        raise refusal("Amount exceeds maximum amount allowed.", "amount")
    return amount


def currency_in(fields: Mapping[str, Any], usual: str = "") -> str:
    currency = fields.get("currency", usual)
    if not currency:
        raise refusal("The currency field is required.", "currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise refusal("The currency is invalid.", "currency")
    return currency


def text_in(fields: Mapping[str, Any], name: str, longest: int) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise refusal(f"The {name} must be a string.", name)
    if len(value) > longest:
        raise refusal(f"The {name} may not be greater than {longest} characters.", name)
    return value


def notes_in(fields: Mapping[str, Any]) -> JsonObject:
    notes = fields.get("notes") or {}
    if not isinstance(notes, dict):
        raise refusal("The notes must be an object.", "notes")
    if len(notes) > _MOST_NOTES:
        raise refusal("Number of fields in notes should be less than or equal to 15", "notes")
    if any(len(str(value)) > _LONGEST_NOTE for value in notes.values()):
        raise refusal("Notes value cannot exceed 256 characters.", "notes")
    return notes


def shown_notes(notes: Mapping[str, Any]) -> Any:
    """Empty notes are an empty list: Razorpay's own habit."""
    return dict(notes) or []


def page_of(fields: Mapping[str, str], items: Sequence[Any], most: int = 100) -> Sequence[Any]:
    """What `count` and `skip` ask for. Raises: Refused."""
    count = whole({"count": fields.get("count", 10)}, "count")
    skip = whole({"skip": fields.get("skip", 0)}, "skip")
    if count < 1:
        raise refusal("The count must be at least 1.", "count")
    if count > most:
        raise refusal(f"The count may not be greater than {most}.", "count")
    return items[skip : skip + count]


def within(fields: Mapping[str, str], created_at: int) -> bool:
    """Whether it is between `from` and `to`. Raises: Refused."""
    since = whole({"from": fields.get("from", 0)}, "from")
    until = whole({"to": fields["to"]}, "to") if fields.get("to") else created_at
    return since <= created_at <= until
