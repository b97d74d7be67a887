"""Regular expressions of the source: where they stand, and whether their work is bounded.

A pattern may be tried in so many ways at one place of a text, and each way costs a step or more.
So the ways are counted, and what has no bound is refused, except a possessive repeat after which
nothing can fail any more: it never gives back what it took.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from math import inf
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MOST_WAYS = 5000
LONGEST_RUN = 20_000

_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_LOOKS = (codes.ASSERT, codes.ASSERT_NOT)
_USES = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}


def complaint(pattern: str | bytes, flags: int = 0) -> str:
    """Why a pattern is refused; "" when its work is bounded."""
    tree = parser.parse(pattern, flags)
    if endless := next(_endless(tree, can_fail=False), ""):
        return endless
    ways = _ways(tree)
    return f"{ways:.0f} ways to try it at one place" if ways > MOST_WAYS else ""


def _endless(items: Sequence[Any], *, can_fail: bool) -> Iterator[str]:
    """Repeats without a bound that may be undone. `can_fail`: something after `items` may."""
    items = _told(items)
    for at, (code, said) in enumerate(items):
        later = can_fail or any(map(_may_fail, items[at + 1 :]))
        if code is codes.POSSESSIVE_REPEAT and _is_group(said[2]) and not isinstance(said, _Atomic):
            yield "a possessive repeat of a group: Python before 3.11.5 errs; write (?>(?:…)*)"
        if code in _REPEATS:
            _, most, body = said
            if most == codes.MAXREPEAT or most > LONGEST_RUN:
                if code is not codes.POSSESSIVE_REPEAT:
                    yield "a repeat without a bound that is not possessive"
                elif later:
                    yield "a repeat without a bound, and what follows may fail"
            yield from _endless(body, can_fail=most == 1 and later)
        else:
            for inner in _inside(code, said):
                yield from _endless(inner, can_fail=later or code in _LOOKS)


class _Atomic(tuple[Any, ...]):
    """A repeat that is alone in an atomic group, which is as good as a possessive one."""


def _told(items: Sequence[Any]) -> list[Any]:
    """`items`, with `(?>(?:…)*)` as what it is."""
    return [
        (codes.POSSESSIVE_REPEAT, _Atomic(said[0][1]))
        if code is codes.ATOMIC_GROUP and len(said) == 1 and said[0][0] is codes.MAX_REPEAT
        else (code, said)
        for code, said in items
    ]


def _is_group(body: Sequence[Any]) -> bool:
    return len(body) != 1 or body[0][0] not in (
        codes.IN,
        codes.LITERAL,
        codes.NOT_LITERAL,
        codes.ANY,
    )


def _may_fail(item: Any) -> bool:
    code, said = item
    return not (code in _REPEATS and said[0] == 0)


def _inside(code: Any, said: Any) -> list[Any]:
    match code:
        case codes.SUBPATTERN:
            return [said[3]]
        case codes.BRANCH:
            return list(said[1])
        case codes.ASSERT | codes.ASSERT_NOT:
            return [said[1]]
        case codes.ATOMIC_GROUP:
            return [said]
        case codes.GROUPREF_EXISTS:
            return [part for part in said[1:] if part]
    return []


def _ways(items: Sequence[Any]) -> float:
    ways: float = 1
    for code, said in _told(items):
        if code in _REPEATS:
            least, most, body = said
            inside = _ways(body)
            if code is codes.POSSESSIVE_REPEAT:
                ways *= inside  # of each turn, one after the other
            elif most == codes.MAXREPEAT:
                return inf
            elif inside > 1:
                ways *= sum(inside**turns for turns in range(least, min(most, 1000) + 1))
            else:
                ways *= most - least + 1
        elif inner := _inside(code, said):
            found = sum(map(_ways, inner))
            ways *= found if code is codes.BRANCH else max(1, found)
        if ways > 1e12:
            return inf
    return ways


def in_source(tree: ast.Module) -> Iterator[tuple[int, str | bytes, int]]:
    """Line, pattern and flags of each expression that the source writes out.

    What an f-string fills in counts as one digit here: patterns that are made at run time are
    looked at when their module has been imported.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=use)) if use in _USES:
                pattern = _text(node.args[0]) if node.args else None
                flags = _flags(node)
            case ast.keyword(arg="pattern", value=value):
                pattern, flags = _text(value), 0
            case _:
                continue
        if pattern is not None:
            yield node.lineno, pattern, flags
        else:
            raise AssertionError(f"line {node.lineno}: write the pattern out, or as a constant")


def _text(node: ast.expr) -> str | bytes | None:
    match node:
        case ast.Constant(value=str() | bytes() as said):
            return said
        case ast.JoinedStr(values=parts):
            return "".join("1" if (said := _text(part)) is None else str(said) for part in parts)
    return None


def _flags(call: ast.Call) -> int:
    named = {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)}
    names = named & set(re.RegexFlag.__members__)
    return int(sum((re.RegexFlag[name] for name in names), re.RegexFlag(0)))


def compiled(values: Any) -> Iterator["re.Pattern[Any]"]:
    """The patterns among a module's values, also one level down."""
    for value in values:
        if isinstance(value, re.Pattern):
            yield value
        elif isinstance(value, dict):
            yield from (one for one in value.values() if isinstance(one, re.Pattern))
        elif isinstance(value, list | tuple | set | frozenset):
            yield from (one for one in value if isinstance(one, re.Pattern))
