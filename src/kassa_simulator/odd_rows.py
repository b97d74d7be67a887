"""Rows of a report as nobody expects them; the rows beside them stay as they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kassa_simulator.frame import Books

ODD = ("cut", "unknown_type", "bad_number", "unknown_currency", "foreign_charset")
NEW_TYPE, NO_NUMBER, NO_CURRENCY = "a_word_of_next_year", "12,3x", "XQZ"
FOREIGN = "Z\udcfcrich"
"""Written with `surrogateescape`: a byte that is none of a UTF-8 text's."""
_KIND = "odd rows of reports"


@dataclass(frozen=True, slots=True)
class Names:
    """Of a row's members: what it is about, its amount, its currency, and a text; None: none."""

    type: Any
    amount: Any
    currency: Any = None
    text: Any = None


class CutRow(dict[Any, Any]):
    """One that ends in its middle."""


def keep(books: Books, provider: str, merchant: str, odd: Sequence[str]) -> None:
    """From now on each report of that merchant's has a row of each kind; of none, for []."""
    books.put(provider, _KIND, merchant, {"odd": list(odd)})


def kept(books: Books, provider: str, merchant: str) -> list[str]:
    found = books.get(provider, _KIND, merchant)
    return [] if found is None else [str(one) for one in found["odd"]]


def spoiled(
    books: Books, rows: Iterable[Mapping[Any, Any]], names: Names, odd: Iterable[str]
) -> list[dict[Any, Any]]:
    """The rows, with one spoiled in each of these ways, as long as there are any: always the same
    ones of the same rows."""
    found: list[dict[Any, Any]] = [dict(row) for row in rows]
    left = list(range(len(found)))
    for kind in odd:
        ways = {
            "unknown_type": (names.type, NEW_TYPE),
            "bad_number": (names.amount, NO_NUMBER),
            "unknown_currency": (names.currency, NO_CURRENCY),
            "foreign_charset": (names.text, FOREIGN),
        }
        name, instead = ways.get(kind, ("", ""))
        if not left or name is None:
            continue
        place = min(left, key=lambda at: books.chance("odd", kind, repr(found[at])))
        left.remove(place)
        row = found[place]
        half = list(row.items())[: len(row) // 2]
        found[place] = CutRow(half) if kind == "cut" else {**row, name: instead}
    return found
