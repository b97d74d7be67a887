"""Every pattern of the source reads the worst 64 KB in time that grows with their length only."""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from functools import cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from tests import patterns
from tests.test_tidy import modules

import kassa

SIZE = 64 * 1024
MOST_SECONDS = 0.25  # of the processor, for one text; a sound pattern takes a hundredth of it
_ALPHABET = "a0A_-. :/@[{\"'=,;+\n\x00é五"


@cache
def sources() -> dict[str, "re.Pattern[Any]"]:
    """Each pattern once: as it is written, and as it is made when its module is imported."""
    found: dict[str, re.Pattern[Any]] = {}
    for module in modules():
        for _, pattern, flags in patterns.in_source(module.tree):
            found.setdefault(repr(pattern), re.compile(pattern, flags))
    for info in pkgutil.walk_packages(kassa.__path__, "kassa."):
        if not info.name.endswith("__main__"):
            for one in patterns.compiled(vars(importlib.import_module(info.name)).values()):
                found.setdefault(repr(one.pattern), one)
    return found


def test_patterns_that_are_put_together_at_run_time_are_sound_too() -> None:
    wrong = {
        name: said
        for name, one in sources().items()
        if (said := patterns.complaint(one.pattern, one.flags & ~re.UNICODE))
    }

    assert not wrong


@pytest.mark.parametrize("name", sorted(sources()))
def test_the_worst_texts_are_read_in_one_pass(name: str) -> None:
    pattern = sources()[name]
    for family in worst(pattern):
        took = seconds(pattern, family, SIZE)

        assert took < MOST_SECONDS, (family[:40], took)
        if took > MOST_SECONDS / 10:  # below that there is more noise than work
            assert took < 10 * seconds(pattern, family, SIZE // 4), (family[:40], took)


def seconds(pattern: "re.Pattern[Any]", family: str, size: int) -> float:
    """Of this thread's own work, so that a busy machine changes nothing."""
    text = (family * (size // len(family) + 1))[: size - 1] + "\x01"
    data: Any = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
    began = time.thread_time()
    pattern.sub(data[:0], data)
    pattern.fullmatch(data)
    return time.thread_time() - began


def worst(pattern: "re.Pattern[Any]") -> list[str]:
    """Texts to repeat: what it begins to believe in, again and again, and never the end of it."""
    text = pattern.pattern
    tree = parser.parse(text, pattern.flags & ~re.UNICODE if isinstance(text, str) else 0)
    whole = sample(tree)
    members = sorted(set(_members(tree)))[:6]
    families = {whole, whole[:-1], whole[: len(whole) // 2], *members}
    families |= {a + b for a in members for b in members if a < b}
    families |= {whole[:at] + member * 3000 for member in members[:4] for at in (3, -1)}
    for literal in sorted(set(_literals(tree)), key=len)[-3:]:
        families |= {literal, literal[:-1], literal + " ", literal + literal[0] * 100}
        families |= {literal + member * 40 for member in members[:4]}
    return sorted(family for family in families if family)


def sample(items: Any) -> str:
    """A text that matches, or nearly: each repeat a few times."""
    said = ""
    for code, value in items:
        if code is codes.LITERAL:
            said += chr(value)
        elif code in (codes.IN, codes.NOT_LITERAL, codes.ANY):
            said += next(_members([(code, value)]), "")
        elif code in patterns._REPEATS:
            least, most, body = value
            said += sample(body) * max(least, min(most, 3))
        elif code is codes.BRANCH:
            said += sample(value[1][0])
        elif code is codes.SUBPATTERN:
            said += sample(value[3])
        elif code is codes.ATOMIC_GROUP:
            said += sample(value)
    return said


def _members(items: Any) -> Iterator[str]:
    """Characters that its classes take."""
    for code, value in items:
        if code in (codes.IN, codes.NOT_LITERAL, codes.ANY):
            one = re.compile(_class(code, value), re.DOTALL)
            yield from [letter for letter in _ALPHABET if one.fullmatch(letter)][:3]
        elif code in patterns._REPEATS:
            yield from _members(value[2])
        else:
            for inner in patterns._inside(code, value):
                yield from _members(inner)


def _class(code: Any, value: Any) -> str:
    if code is codes.ANY:
        return "."
    if code is codes.NOT_LITERAL:
        return f"[^{re.escape(chr(value))}]"
    said = ""
    for kind, what in value:
        if kind is codes.NEGATE:
            said = "^" + said
        elif kind is codes.LITERAL:
            said += re.escape(chr(what))
        elif kind is codes.RANGE:
            said += f"{re.escape(chr(what[0]))}-{re.escape(chr(what[1]))}"
        else:
            said += _CATEGORIES[what]
    return f"[{said}]"


_CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}


def _literals(items: Any) -> Iterator[str]:
    """What it writes out, run by run."""
    run = ""
    for code, value in items:
        if code is codes.LITERAL:
            run += chr(value)
            continue
        if run:
            yield run
        run = ""
        inner = [value[2]] if code in patterns._REPEATS else patterns._inside(code, value)
        for each in inner:
            yield from _literals(each)
    if run:
        yield run
