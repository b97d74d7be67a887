"""Providers' JSON: amounts as Decimal or int, nothing twice in an object, and no NaN.

A signature is over bytes, so it is checked before any of this.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

_LONGEST_NUMBER = 40  # digits; no amount is longer, and int() takes its time with thousands


def text_of(body: bytes) -> str:
    """The characters of a JSON text in UTF-8, -16 or -32, with or without a byte order mark.

    A payer's name in another charset does not hide the amount that stands beside it: what no
    character is becomes U+FFFD. What JSON is made of stays as it is then: it is ASCII.
    """
    return body.decode(json.detect_encoding(body), "replace").removeprefix("\ufeff")


def read_json(body: bytes) -> Any:
    """Raises: ValueError for anything that is not one JSON text."""
    try:
        return json.loads(
            text_of(body),
            parse_int=_integer,
            parse_float=_number,
            parse_constant=refuse_constant,
            object_pairs_hook=unrepeated,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_object(body: bytes) -> dict[str, Any]:
    """Raises: ValueError for anything that is not one JSON object."""
    read = read_json(body)
    if not isinstance(read, dict):
        raise ValueError("not a JSON object")
    return read


def _integer(text: str) -> int:
    return int(_short(text))


def _number(text: str) -> Decimal:
    return Decimal(_short(text))


def _short(text: str) -> str:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number is too long")
    return text


def unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Raises: ValueError."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def refuse_constant(word: str) -> NoReturn:
    """NaN and Infinity, which Python would take. Raises: ValueError."""
    raise ValueError(f"{word} is no JSON")
