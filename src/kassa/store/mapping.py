"""Rows to nouns by the names of their columns: a reader is made once from a dataclass's fields.

A field is the column of its name. What is made of more than one column:

- `amount: Money` is `amount_minor` with `currency` (or `amount_currency`, where it says so);
- an enumeration is the member of that value; where it may be None, nothing is None;
- a dataclass in a dataclass is its own fields, each called `field_its_field`; where it may be None,
  it is where its first column is.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from kassa.domain.money import Money
from kassa.store.connection import Row

Noun = TypeVar("Noun")
_MINOR = "_minor"


def whole(number: Decimal | int) -> int:
    """A sum of whole numbers as the database gives it: numeric, since it may be beyond 64 bits.

    Raises: ValueError when it is not whole.
    """
    exact = int(number)
    if exact != number:
        raise ValueError(f"{number} is not whole")
    return exact


@dataclass(frozen=True, slots=True)
class Reader(Generic[Noun]):
    """Makes a `noun` of a row. `columns`: what it takes out of it, and of what type each is.
    `source`: how, for those who doubt it."""

    noun: type[Noun]
    columns: Mapping[str, Any]
    source: str
    read: Callable[[Row], Noun]


class _Members(dict[Any, Enum]):
    """An enumeration's members by value: a call of the enumeration costs five times as much."""

    def __init__(self, kind: type[Enum]) -> None:
        super().__init__((member.value, member) for member in kind)
        self._kind = kind

    def __missing__(self, value: Any) -> Enum:
        return self._kind(value)  # says what is wrong with it


class _Making:
    """The text of one reader, and the names that it uses."""

    def __init__(
        self,
        called: Mapping[str, str],
        prefixes: Mapping[str, str],
        currencies: Mapping[str, str],
        sums: Collection[str],
        unstored: Collection[str],
    ) -> None:
        self._called = called
        self._prefixes = prefixes
        self._currencies = currencies
        self._sums = sums
        self._unstored = unstored
        self.names: dict[str, Any] = {"Money": Money, "whole": whole}
        self.columns: dict[str, Any] = {}

    def call(self, noun: type, prefix: str) -> str:
        """The expression that makes a `noun` of the columns that begin with `prefix`."""
        hints = get_type_hints(noun)
        members = []
        for name in _fields_of(noun):
            path = prefix + name
            if path in self._unstored:
                continue
            members.append(f"{name}={self._value(hints[name], self._called.get(path, path))}")
        return f"{self._named(noun.__name__, noun)}({', '.join(members)})"

    def _named(self, hint: str, value: Any) -> str:
        name = f"{hint}_{len(self.names)}"
        self.names[name] = value
        return name

    def _column(self, name: str, kind: Any) -> str:
        self.columns[name] = kind
        return f"row[{name!r}]"

    def _value(self, hint: Any, name: str) -> str:
        kind, optional = _without_none(hint)
        if kind is Money:
            return self._money(name, optional=optional)
        if not isinstance(kind, type):
            return self._column(name, hint)
        if issubclass(kind, Enum):
            column = self._column(name, str)
            made = f"{self._named(kind.__name__, _Members(kind))}[{column}]"
            return f"{made} if {column} else None" if optional else made
        if is_dataclass(kind):
            prefix = self._prefixes.get(name, f"{name}_")
            made = self.call(kind, prefix)
            if not optional:
                return made
            first = prefix + next(_fields_of(kind))
            return f"None if row[{self._called.get(first, first)!r}] is None else {made}"
        return self._number(name) if name in self._sums else self._column(name, hint)

    def _number(self, name: str) -> str:
        if name in self._sums:
            return f"whole({self._column(name, Decimal)})"
        return self._column(name, int)

    def _money(self, name: str, *, optional: bool) -> str:
        minor = self._number(name if name.endswith(_MINOR) else name + _MINOR)
        currency = self._column(self._currencies.get(name, "currency"), str)
        made = f"Money({minor}, {currency})"
        return f"None if {minor} is None else {made}" if optional else made


def _without_none(hint: Any) -> tuple[Any, bool]:
    """The type, and whether None may stand in its place."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if NoneType in get_args(hint) and len(kinds) == 1:
        return kinds[0], True
    return hint, False


def _fields_of(noun: Any) -> Iterator[str]:
    if is_dataclass(noun):
        yield from (field.name for field in fields(noun) if field.init)
    else:
        yield from noun._fields  # a NamedTuple


def reader(
    noun: type[Noun],
    *,
    called: Mapping[str, str] | None = None,
    prefixes: Mapping[str, str] | None = None,
    currencies: Mapping[str, str] | None = None,
    sums: Collection[str] = (),
    unstored: Collection[str] = (),
) -> Reader[Noun]:
    """What makes a `noun`, a dataclass or a NamedTuple, of a row.

    `called`: fields whose column has another name. `prefixes`: what the columns of a dataclass in
    it begin with. `currencies`: amounts whose currency is not in the column `currency`. `sums`:
    columns that the database sums up beyond 64 bits. `unstored`: fields with a default, of which
    no row knows.
    """
    making = _Making(called or {}, prefixes or {}, currencies or {}, sums, unstored)
    source = f"lambda row: {making.call(noun, '')}"
    # As the standard library makes a dataclass's __init__: once, and of names that are ours.
    read: Callable[[Row], Noun] = eval(source, making.names)  # noqa: S307
    return Reader(noun, making.columns, source, read)
