"""Bank transfers in a bank's statement: which payment, order or refund of ours a line names.

Payers and banks write what they like around our ids, in any case; many banks let no underscore
through, and write a space, a dash or nothing for it. They break texts into lines inside of a word,
and cut them where a field is full. So every field is looked at, and each gives names that may be
ours: what is called exactly that is found, and nothing is nearly equal.
"""

import re
from collections.abc import Iterable, Iterator

from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind, ReportLine

MAY_BE_TRANSFERS = frozenset({LineKind.PAYOUT, LineKind.PAYMENT, LineKind.REFUND})
"""A bank's own reports call every movement a payout; a table of somebody's may know better."""

CONNECTOR = BANK
"""With whom an attempt by bank transfer is, as if the bank had been asked."""

_WORDS = 40  # of a free text, that may be an order's id
_LONGEST = 64  # characters of a name that is put together from several words
_CORE = "[0-9a-hjkmnp-tv-z]"  # of our ids: 10 characters of time, 16 by chance
_WHOLE_CORE, _SAFE_CORE = 26, 16
_MODULUS, _NO_CHECK = 97, "RF00"
_PART_OF_ID = 16  # random characters at the end of every id of ours
# In a squeezed text; the check digits keep out what only looks like one.
_REFERENCE = re.compile(rf"(?=(rf[0-9]{{2}}[0-9a-z]{{{_PART_OF_ID}}}))", re.ASCII)
_OURS = re.compile(
    rf"(?<![0-9a-z])(order|py|at[0-9]{{1,8}}|re[0-9]{{1,8}})[ _/.:-]?({_CORE}{{26}})(?![0-9a-z])",
    re.IGNORECASE | re.ASCII,
)
# In a text without anything but letters and digits, where it cannot be seen what begins an id, nor
# how many of the digits behind "at" are the company's number: each way to read it is a name.
_SQUEEZED = re.compile(rf"(?=(order|py|at|re)([0-9]{{0,8}}{_CORE}{{26}}))", re.ASCII)
_CUT = re.compile(rf"(?=(order|py|at|re)([0-9]{{0,8}}{_CORE}{{16,33}})$)", re.ASCII)
_NUMBERED = ("at", "re")
_NOT_ALNUM = re.compile(r"[\W_]++")
_EDGES = ".,;:!?()[]{}<>'\"#*"
_PIECES = re.compile(r"[:=+,;()\[\]|]|//")
_CUT_AT = frozenset({16, 27, 35, 65, 140})
"""Where fields end: MT940's references and lines, ISO 20022's Max35Text and Max140Text."""
_SAFE_WORD = 10  # characters of the beginning of an order's id
_RF = re.compile(r"RF[0-9]{2}([0-9A-Z]{1,21})", re.IGNORECASE | re.ASCII)  # ISO 11649


def reference_for(attempt_id: str) -> str:
    """What the payer of an expected transfer writes on it: a creditor reference (ISO 11649) of
    20 characters, which banks carry as such and people may group by fours.
    """
    part = attempt_id[-_PART_OF_ID:].upper()
    return f"RF{98 - _remainder(part, _NO_CHECK):02}{part}"


def is_reference(text: str) -> bool:
    """Whether its check digits are right: one that was mistyped names nothing."""
    return text.isascii() and text.isalnum() and _remainder(text[4:], text[:4]) == 1


def nearly_named(line: ReportLine, reference: str) -> bool:
    """Whether the line has that reference with one mistake in it: a sign that is wrong, too many or
    missing, or two that changed places. One of its halves is right then."""
    wanted, half = reference.lower(), len(reference) // 2
    for text in map(_squeezed, texts_of(line)):
        for part, offset in ((wanted[:half], 0), (wanted[half:], half)):
            place = text.find(part)
            while place >= 0:
                for start in range(max(0, place - offset - 1), place - offset + 2):
                    for length in range(len(wanted) - 1, len(wanted) + 2):
                        if start >= 0 and _one_edit(text[start : start + length], wanted):
                            return True
                place = text.find(part, place + 1)
    return False


def _one_edit(one: str, other: str) -> bool:
    """Whether one mistake makes the one of the other."""
    if len(one) > len(other):
        one, other = other, one
    same = 0
    while same < len(one) and one[same] == other[same]:
        same += 1
    left, right = one[same:], other[same:]
    if len(one) < len(other):
        return left == right[1:]
    swapped = right[1:2] + right[:1]
    return left[1:] == right[1:] or (left[:2] == swapped and left[2:] == right[2:])


def _remainder(text: str, head: str) -> int:
    """Letters count from A = 10, and the head comes last (ISO 7064, MOD 97-10)."""
    return int("".join(str(int(sign, 36)) for sign in text + head)) % _MODULUS


def names_in(line: ReportLine) -> Iterator[tuple[str, bool]]:
    """What the line may call something of ours; whether it must mean that.

    Ids that we make, and references that stand alone, leave no doubt. A word of a free text may
    be an order's id that a merchant has chosen, and may as well be a word.
    """
    texts = texts_of(line)
    seen: set[str] = set()
    for name in _ids_in(texts):
        if name not in seen:
            seen.add(name)
            yield name, True
    for is_sure, names in (
        (True, texts[:1] if line.our_reference else ()),
        (False, texts),
        (False, (word for text in texts for word in text.split()[:_WORDS])),
    ):
        for name in names:
            if name not in seen and name.isprintable():
                seen.add(name)
                yield name, is_sure


def more_names_in(line: ReportLine) -> list[str]:
    """What the line may call an order, where none of `names_in` is anything of ours: words without
    the marks around them, put together where a blank or a line's end may have cut them, in upper
    and lower case."""
    found: dict[str, None] = {}
    for text in texts_of(line):
        for rf in _RF.finditer(_NOT_ALNUM.sub("", text)):
            found[rf[1]] = None
        words = [
            bare
            for piece in _PIECES.sub(" ", text).split()[:_WORDS]
            if (bare := piece.strip(_EDGES))
        ]
        for name in (*words, *_joined(words)):
            if len(name) <= _LONGEST and name.isprintable():
                found |= dict.fromkeys((name, name.lower(), name.upper()))
    return list(found)


def beginnings_in(line: ReportLine) -> list[tuple[str, bool]]:
    """Beginnings of ids that a field's end has cut off, long enough to be of one thing alone;
    whether it must mean that."""
    found: dict[tuple[str, bool], None] = {}
    for text in texts_of(line):
        for match in _CUT.finditer(_squeezed(text)):
            for head, core in _readings(match[1], match[2]):
                if _SAFE_CORE <= len(core) < _WHOLE_CORE:
                    found[f"{head}_{core}", True] = None
        last = text.split()[-1] if len(text) in _CUT_AT else ""
        if len(last) >= _SAFE_WORD and any(character.isdigit() for character in last):
            found[last, False] = None
    return list(found)


def texts_of(line: ReportLine) -> list[str]:
    """Every field that may name something, once each."""
    fields = (line.our_reference, line.payout_reference, line.provider_reference, *line.texts)
    return [text for text in dict.fromkeys(fields) if text]


def _ids_in(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for found in _OURS.finditer(text):
            yield f"{found[1]}_{found[2]}".lower()
        for match in _REFERENCE.finditer(_squeezed(text)):
            if is_reference(match[1].upper()):
                yield match[1].upper()
        for match in _SQUEEZED.finditer(_squeezed(text)):
            for head, core in _readings(match[1], match[2]):
                if len(core) >= _WHOLE_CORE:
                    yield f"{head}_{core[:_WHOLE_CORE]}"


def _squeezed(text: str) -> str:
    return _NOT_ALNUM.sub("", text).lower()


def _readings(head: str, rest: str) -> Iterator[tuple[str, str]]:
    """Each way to part what stands behind the first letters of an id of ours."""
    if head not in _NUMBERED:
        yield head, rest
        return
    for digits in range(1, 9):
        if not rest[:digits].isdigit():
            return
        yield head + rest[:digits], rest[digits:]


def _joined(words: list[str]) -> Iterator[str]:
    for many in (2, 3):
        for place in range(len(words) - many + 1):
            part = words[place : place + many]
            if any(character.isdigit() for word in part for character in word):
                yield "".join(part)
                yield "_".join(part)
                yield "-".join(part)
