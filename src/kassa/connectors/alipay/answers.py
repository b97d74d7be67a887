"""Alipay's synchronous answers: found as they were written, verified so, and only then read."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kassa.connectors.alipay.rsa2 import AlipayVerifier
from kassa.connectors.jsontext import refuse_constant, unrepeated

_ERROR_NODE = "error_response"  # instead of the method's own node when the gateway refuses
_UTF8, _MARK = "utf-8", b"\xef\xbb\xbf"
_BLANK = re.compile(r"[ \t\r\n]*+")
_CODE = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Verified:
    """The response object; Alipay said every word of it."""

    fields: Mapping[str, Any]

    def word(self, name: str) -> str:
        """A member as text, a number digit for digit; empty when it is absent or neither."""
        value = self.fields.get(name)
        return str(value) if type(value) in (str, int, Decimal) else ""

    @property
    def codes(self) -> str:
        """`code` and `sub_code`, for our log."""
        return _codes(self.fields)


@dataclass(frozen=True, slots=True)
class Unverified:
    """Nothing in it may be believed. `reason` is for our log only."""

    reason: str


def read_answer(body: bytes, node: str, verifier: AlipayVerifier) -> Verified | Unverified:
    """The object under `node` when its signature is right, over the very bytes of it. The media
    type does not matter: Alipay calls its JSON text/html, and nobody signs what charset it says.
    """
    text, codec = _read(body.removeprefix(_MARK))
    try:
        members = _raw_members(text)
    except (ValueError, RecursionError):
        return Unverified("the answer is not one JSON object")
    written, fields = members.get(node) or members.get(_ERROR_NODE) or ("", None)
    if not isinstance(fields, dict):
        return Unverified("the answer has no response object")
    _, signature = members.get("sign", ("", None))
    if not isinstance(signature, str) or not signature:
        return Unverified(f"the answer is not signed: {_codes(fields)}")
    raw = written.encode(codec)
    # PHP's json_encode writes "/" as "\/"; some of Alipay's services sign that and send this.
    if not verifier.accepts(signature, raw, raw.replace(b"/", b"\\/")):
        return Unverified("the answer's signature is wrong")
    if codec != _UTF8 and _is_utf8(raw):
        return Unverified("the answer's object is in another charset than the rest of it")
    return Verified(fields)


def _read(body: bytes) -> tuple[str, str]:
    """The characters, and by which codec they become the same bytes again.

    UTF-8 comes first: where it fits, no ASCII sign can be the second half of a character, so that
    nobody can make one text of another by cutting it elsewhere.
    """
    for codec in (_UTF8, "gb18030", "gbk"):
        try:
            text = body.decode(codec)
            if text.encode(codec) == body:
                return text, codec
        except UnicodeError:
            continue
    return "", _UTF8


def _is_utf8(raw: bytes) -> bool:
    try:
        return not raw.isascii() and bool(raw.decode())
    except UnicodeDecodeError:
        return False


def _codes(fields: Mapping[str, Any]) -> str:
    words = (fields.get("code"), fields.get("sub_code"))
    safe = [word for word in words if isinstance(word, str) and _CODE.fullmatch(word)]
    return " ".join(safe) or "no code"


def _raw_members(text: str) -> Mapping[str, tuple[str, Any]]:
    """Each member of the JSON object `text`: its value as written, and as read.

    The standard decoder says where every value ends, so braces and quotes inside strings
    cannot mislead. Raises: ValueError.
    """
    decoder = json.JSONDecoder(
        parse_float=Decimal, parse_constant=refuse_constant, object_pairs_hook=unrepeated
    )
    members: list[tuple[str, tuple[str, Any]]] = []
    at, closed = _open(text)
    while not closed:
        name, at = decoder.raw_decode(text, at)
        if not isinstance(name, str):
            raise ValueError("a member's name must be a string")
        start = _expect(text, at, ":")
        value, end = decoder.raw_decode(text, start)
        members.append((name, (text[start:end], value)))
        at = _skip(text, end)
        closed = text[at : at + 1] == "}"
        if not closed:
            at = _expect(text, at, ",")
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the object")
    return unrepeated(members)


def _open(text: str) -> tuple[int, bool]:
    """Where the first member begins, or the closing brace of an empty object."""
    at = _expect(text, 0, "{")
    return at, text[at : at + 1] == "}"


def _expect(text: str, at: int, mark: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"{mark} is missing")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return at if blank is None else blank.end()
