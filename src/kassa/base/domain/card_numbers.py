"""Card numbers and security codes in texts: they are refused, before anything is stored.

Sources: ISO/IEC 7812-1, annex B (the check digit); the issuers' published ranges and lengths.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any

from kassa.base.domain.errors import InvalidRequest

REASON = "card_data_refused"


class TextKind(Enum):
    """What a member is: free text; a name that a caller's program gives things, or an address, in
    which sixteen digits in a row are nothing special; a telephone number, of at most 15 digits."""

    FREE = auto()
    ID = auto()
    PHONE = auto()


# first digits, as a range; how many digits such a card has
_RANGES: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({13, 16, 19})),  # Visa
    (51, 55, frozenset({16})),  # Mastercard
    (2221, 2720, frozenset({16})),
    (34, 34, frozenset({15})),  # American Express
    (37, 37, frozenset({15})),
    (6011, 6011, frozenset({16, 19})),  # Discover
    (644, 649, frozenset({16, 19})),
    (65, 65, frozenset({16, 19})),
    (62, 62, frozenset(range(16, 20))),  # UnionPay
    (81, 81, frozenset(range(16, 20))),
    (3528, 3589, frozenset(range(16, 20))),  # JCB
    (300, 305, frozenset({14})),  # Diners Club
    (36, 36, frozenset({14})),
    (38, 39, frozenset({14, 16})),
    (50, 50, frozenset(range(16, 20))),  # Maestro
    (56, 58, frozenset(range(16, 20))),
    (60, 60, frozenset({16})),  # RuPay
    (2200, 2204, frozenset(range(16, 20))),  # Mir
    (9792, 9792, frozenset({16})),  # Troy
)
_FIRST_DIGITS = frozenset(str(first)[0] for first, _, _ in _RANGES)
_BY_LENGTH = {
    length: [(first, last) for first, last, lengths in _RANGES if length in lengths]
    for length in range(13, 20)
}
_SHORTEST_CODE = 3
_MOST_GROUPS = 8  # that a number is written in
_SHORTEST, _LONGEST, _LONGEST_PHONE = 13, 19, 15
_MARK = r"[ \t\n\r\u00a0\u2000-\u200b\u202f\u3000._\u2010-\u2015\u2212\uff0d\ufe63-]"
# Digits of any script, with at most two marks between them, and no letter or digit beside.
_MANY_DIGITS = re.compile(rf"\d(?>(?:{_MARK}{{0,2}}\d){{12}})")
_RUN = re.compile(rf"(?<![^\W_])\d(?>(?:{_MARK}{{0,2}}\d){{12,200}})(?![^\W_])")
_GROUP = re.compile(r"\d{1,200}+")
_AS_PRINTED = ((4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4), (6, 13), (4, 4, 4, 1))
_UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])"
)
_CODE_WORD = re.compile(
    r"(?i)(?<![^\W_])(?:c[vs][vc][ 2]?|cvn2?|security\s?code"
    r"|verification\s?(?:code|value|number)|安全码|校验码)"
)
_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789"))
_CODE_HINTS = ("cv", "csc", "secur", "verif", "码")
_CODE = re.compile(
    rf"{_CODE_WORD.pattern}\W{{0,4}}(?:(?:is|no|code|是|为)\W{{0,3}})?\d{{3,4}}(?!\d)"
)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_ID_NAME = re.compile(r"(?i)(?:id|ref|reference|url|no)\Z")
_MOST_DEPTH = 32


def holds_card_number(text: str, kind: TextKind = TextKind.FREE) -> bool:
    """Whether somebody may have put the number of a payment card there."""
    if not _may_hold_a_number(text):
        return False
    bare = _UUID.sub(" ", text)
    return any(_is_card(groups, kind) for run in _RUN.finditer(bare) for groups in _windows(run[0]))


def _may_hold_a_number(text: str) -> bool:
    """Cheap, for nearly every text holds none: to count digits costs a tenth of looking."""
    if len(text) < _SHORTEST:
        return False
    if text.isascii() and len(text.encode().translate(None, _NO_DIGITS)) < _SHORTEST:
        return False
    return _MANY_DIGITS.search(text) is not None


def holds_security_code(text: str) -> bool:
    """Whether it names a card's security code, and has digits for it."""
    lower = text.lower()
    if not any(map(lower.__contains__, _CODE_HINTS)):
        return False
    return _CODE.search(text) is not None


def _windows(run: str) -> Iterator[list[str]]:
    """Neighbouring groups of digits that may together be one number: an expiry or another number
    may stand beside it."""
    groups = [_ascii(one) for one in _GROUP.findall(run)]
    if len(groups) > _MOST_GROUPS and sum(map(len, groups)) <= _LONGEST:
        yield groups  # digit by digit
    for start, first in enumerate(groups):
        if first[0] not in _FIRST_DIGITS:
            continue
        length = 0
        for end in range(start, min(start + _MOST_GROUPS, len(groups))):
            length += len(groups[end])
            if length > _LONGEST:
                break
            if length >= _SHORTEST:
                yield groups[start : end + 1]


def _ascii(digits: str) -> str:
    if digits.isascii():
        return digits
    return "".join(str(unicodedata.decimal(one)) for one in digits)


def _is_card(groups: list[str], kind: TextKind) -> bool:
    digits = "".join(groups)
    if kind is TextKind.PHONE and len(digits) <= _LONGEST_PHONE:
        return False
    if kind is TextKind.ID and tuple(map(len, groups)) not in _AS_PRINTED:
        return False
    return check_digit_fits(digits) and _is_of_an_issuer(digits)


def _is_of_an_issuer(digits: str) -> bool:
    return any(
        first <= int(digits[: len(str(first))]) <= last for first, last in _BY_LENGTH[len(digits)]
    )


def check_digit_fits(digits: str) -> bool:
    """The Luhn formula."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        total += int(digit) if at % 2 == 0 else _DOUBLED[int(digit)]
    return total % 10 == 0


def refuse_card_data(texts: Mapping[str, Any], kinds: Mapping[str, TextKind]) -> None:
    """`texts`: by the member's name; whatever has members of its own is looked through. `kinds`: of
    those that are no free text.

    Raises: InvalidRequest (reason card_data_refused), which repeats nothing of it.
    """
    for field, value in texts.items():
        if value and _holds(field, value, kinds.get(field, TextKind.FREE), 0):
            raise InvalidRequest(
                f"{field}: it seems to hold a card's number or security code, which are never"
                " stored here; leave it out",
                field=field,
                reason=REASON,
            )


def _holds(name: str, value: Any, kind: TextKind, depth: int) -> bool:
    if isinstance(value, str):
        if not depth and _is_harmless(value, kind):
            return False
        if holds_card_number(value, kind):
            return True
        named = depth and _CODE_WORD.fullmatch(name.strip()) is not None
        is_code = value.strip().isdecimal() and len(value.strip()) in (3, 4)
        return (named and is_code) or (kind is TextKind.FREE and holds_security_code(value))
    if depth >= _MOST_DEPTH:
        return False
    if isinstance(value, Mapping):
        return any(
            _holds(str(key), str(key), TextKind.FREE, 0)
            or _holds(str(key), one, _kind_of(str(key), kind), depth + 1)
            for key, one in value.items()
        )
    if isinstance(value, list | tuple):
        return any(_holds(name, one, kind, depth + 1) for one in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return holds_card_number(str(value), kind)
    return False


def _is_harmless(text: str, kind: TextKind) -> bool:
    """Told by how many digits there are, which is all that most texts cost."""
    if not text.isascii():
        return False
    digits = len(text.encode().translate(None, _NO_DIGITS))
    return digits < (_SHORTEST_CODE if kind is TextKind.FREE else _SHORTEST)


def _kind_of(name: str, kind: TextKind) -> TextKind:
    return TextKind.ID if _ID_NAME.search(name) else kind
