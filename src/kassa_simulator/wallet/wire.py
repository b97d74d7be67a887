"""How a wallet reads a signed request and writes a signed answer.

Source: the Mini Program Platform's OpenAPI documents on the message structure and signatures.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, unquote

from kassa_simulator import rsa
from kassa_simulator.frame import Answer, Books, Call, Merchant

NAME = "wallet"

Body = Mapping[str, Any]
JsonObject = dict[str, Any]

_ZONE = timezone(timedelta(hours=8))
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_VALUE = re.compile(r"[1-9]\d{0,15}", re.ASCII)
_LONE = re.compile("[\ud800-\udfff]")  # halves of characters, which no UTF-8 can hold
_MESSAGES = {
    "SUCCESS": "Success",
    "UNKNOWN_EXCEPTION": "An API calling is failed, which is caused by unknown reasons.",
    "PROCESS_FAIL": "A general business failure occurred. Don't retry.",
    "NO_INTERFACE_DEF": "API is not defined.",
    "METHOD_NOT_SUPPORTED": "The server does not implement the requested HTTP method.",
    "MSG_PARSE_ERROR": "Message parsed error.",
    "FUNCTION_NOT_MATCH": "Function parameter does not match API.",
    "INVALID_CLIENT": "Invalid client.",
    "INVALID_SIGNATURE": "Signature is invalid.",
    "PAYMENT_AMOUNT_EXCEED_LIMIT": "Payment amount exceeds limit.",
    "USER_NOT_EXIST": "User not exist.",
    "USER_STATUS_ABNORMAL": "The user status is abnormal.",
    "USER_BALANCE_NOT_ENOUGH": "User balance is not enough for this payment.",
    "REPEAT_REQ_INCONSISTENT": "Repeated submit, and requests are inconsistent.",
    "ORDER_NOT_EXIST": "The order does not exist.",
    "ORDER_STATUS_INVALID": "The order status is invalid.",
    "REFUND_NOT_EXIST": "The refund does not exist.",
    "REFUND_AMOUNT_EXCEED": "The refund amount exceeds what can be refunded.",
    "REFUND_WINDOW_EXCEED": "The refund window is over.",
    "CURRENCY_NOT_SUPPORT": "The currency is not supported.",
    "AUTH_CANCELLED": "The authorization is cancelled.",
    "AUTH_EXPIRED": "The authorization is expired.",
    "AUTH_NOT_FOUND": "The authorization is not found.",
    "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT": "The capture amount exceeds the authorized amount.",
}


class Ended(Exception):
    """The request ends here with this answer."""

    def __init__(self, content: Body) -> None:
        super().__init__(content["result"]["resultCode"])
        self.content = content


@dataclass(frozen=True, slots=True)
class Case:
    """One verified request of one merchant."""

    books: Books
    merchant: Merchant
    call: Call
    body: Body

    @property
    def now(self) -> datetime:
        return self.call.now


def result(status: str, code: str, message: str = "") -> JsonObject:
    return {
        "resultStatus": status,
        "resultCode": code,
        "resultMessage": message or _MESSAGES[code],
    }


def succeeded(**members: Any) -> JsonObject:
    """Without the members that are None."""
    said = {name: value for name, value in members.items() if value is not None}
    return {"result": result("S", "SUCCESS"), **said}


def failed(code: str, message: str = "", **members: Any) -> Ended:
    return Ended({"result": result("F", code, message), **members})


def illegal(name: str) -> Ended:
    return failed("PARAM_ILLEGAL", f"Illegal parameter: {name}.")


def client_of(books: Books, call: Call) -> Merchant:
    """Raises: Ended."""
    client_id = call.headers.get("client-id", "")
    known = client_id and client_id.isascii()
    merchant = books.merchant_with(NAME, "client_id", client_id) if known else None
    if merchant is None:
        raise failed("INVALID_CLIENT")
    return merchant


def case_of(books: Books, call: Call, merchant: Merchant) -> Case:
    """The request, verified before it is parsed. Raises: Ended."""
    time = call.headers.get("request-time", "")
    text = signed_text(target_of(call), merchant.credentials["client_id"], time, call.body)
    given = signature_in(call.headers.get("signature", ""))
    if not time or not rsa.genuine(merchant.credentials["merchant_public_key"], text, given):
        raise failed("INVALID_SIGNATURE")
    body = body_of(call)
    if body is None:
        raise failed("MSG_PARSE_ERROR")
    return Case(books, merchant, call, body)


def body_of(call: Call) -> Body | None:
    """The JSON object in it; None for anything else."""
    try:
        content = json.loads(call.body.decode())
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def target_of(call: Call) -> str:
    return f"{call.path}?{call.query}" if call.query else call.path


def signed_text(target: str, client_id: str, time: str, body: bytes) -> bytes:
    """The bytes that are signed; every call of this wire is a POST."""
    return f"POST {target}\n{client_id}.{time}.".encode("utf-8", "surrogateescape") + body


def signature_in(header: str) -> bytes:
    """The signature of a Signature header, in any of the spellings in use; b"" for none."""
    for item in header.split(","):
        name, _, value = item.strip().partition("=")
        if name == "signature":
            text = unquote(value).translate(str.maketrans("-_", "+/")).rstrip("=")
            try:
                return base64.b64decode(f"{text}{'=' * (-len(text) % 4)}", validate=True)
            except ValueError:
                return b""
    return b""


def signature_header(signed: bytes) -> str:
    encoded = quote(base64.b64encode(signed).decode(), safe="")
    return f"algorithm=RSA256,keyVersion=1,signature={encoded}"


def sealed(call: Call, merchant: Merchant | None, content: Body, codec: str = "utf-8") -> Answer:
    """The answer to `call`, signed where there is a `merchant`."""
    body = packed(content, codec)
    headers = {"content-type": "application/json; charset=UTF-8", "response-time": iso(call.now)}
    if merchant is not None:
        client_id = merchant.credentials["client_id"]
        text = signed_text(target_of(call), client_id, headers["response-time"], body)
        signed = rsa.signature(merchant.credentials["private_key"], text)
        headers |= {"client-id": client_id, "signature": signature_header(signed)}
    return Answer(headers=headers, body=body)


def packed(content: Body, codec: str = "utf-8") -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode(codec, "surrogatepass" if codec == "utf-8" else "replace")


def iso(moment: datetime) -> str:
    return moment.astimezone(_ZONE).isoformat(timespec="seconds")


def moment_of(body: Body, name: str) -> datetime | None:
    """Raises: Ended."""
    text = text_of(body, name, 64)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise illegal(name) from None
    if moment.tzinfo is None:
        raise illegal(name)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise illegal(name) from None


def text_of(body: Body, name: str, longest: int) -> str:
    """ "" where it is absent. Raises: Ended."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or _LONE.search(value):
        raise illegal(name)
    return value


def required(body: Body, name: str, longest: int = 64) -> str:
    """Raises: Ended."""
    value = text_of(body, name, longest)
    if not value:
        raise illegal(name)
    return value


def amount_of(body: Body, name: str) -> tuple[int, str]:
    """Whole minor units and the currency; a number is taken like its text. Raises: Ended."""
    amount = body.get(name)
    if not isinstance(amount, dict):
        raise illegal(name)
    value, currency = amount.get("value"), amount.get("currency")
    text = str(value) if type(value) is int and abs(value) < 10**16 else value
    if not isinstance(text, str) or not _VALUE.fullmatch(text):
        raise illegal(f"{name}.value")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise illegal(f"{name}.currency")
    return int(text), currency


def amount(minor: int, currency: str) -> Body:
    return {"currency": currency, "value": str(minor)}
