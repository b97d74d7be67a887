"""Rows to nouns and back by the names of the columns: made once, of a dataclass's fields.

A field is the column of its name. What is made of more than one column:

- `amount: Money` is `amount_minor` with `currency` (or another, where the reader says so);
- an enumeration is the member of that value; where it may be None, nothing is None;
- a dataclass in a dataclass is its own fields, each called `field_its_field`; where it may be None,
  it is where its first column is.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cached_property
from operator import attrgetter
from types import NoneType
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_type_hints

from kassa.base.domain.copying import maker
from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection, Row

Noun = TypeVar("Noun")
_MINOR = "_minor"
_COLUMN = re.compile(r"row\['[^']{1,100}+'\]")
_MANY = 3  # amounts of one currency: from so many on, those of nothing are one object


def whole(number: Decimal | int) -> int:
    """A sum of whole numbers as the database gives it: numeric, since it may be beyond 64 bits.

    Raises: ValueError when it is not whole.
    """
    exact = int(number)
    if exact != number:
        raise ValueError(f"{number} is not whole")
    return exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Where columns have other names than fields. A field is named by all that leads to it.

    `called`: fields whose column has another name. `prefixes`: what the columns of a dataclass in
    it begin with. `currencies`: amounts whose currency is not in the column `currency`. `sums`:
    columns that the database sums up beyond 64 bits. `unstored`: fields with a default, of which
    no row knows.
    """

    called: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    currencies: Mapping[str, str] = field(default_factory=dict)
    sums: Collection[str] = ()
    unstored: Collection[str] = ()

    def currency(self, name: str) -> str:
        return self.currencies.get(name, "currency")

    def minor(self, name: str) -> str:
        return name if name.endswith(_MINOR) else name + _MINOR

    def members(self, noun: Any, prefix: str) -> Iterator[tuple[str, Any, str]]:
        """Each field that has columns, its type, and the name that those begin with."""
        hints = get_type_hints(noun)
        for name in _fields_of(noun):
            path = prefix + name
            if path not in self.unstored:
                yield name, hints[name], self.called.get(path, path)


Opened = Callable[[Connection, Noun], Noun]


class Reader(Generic[Noun]):
    """Makes a `noun` of a row. Written when the first row comes or somebody looks: of all readers
    there are, a command meets few."""

    def __init__(self, noun: type[Noun], names: Names, opened: Opened[Noun] | None = None) -> None:
        """`opened`: what is still to be done with what was read over that connection."""
        self.noun = noun
        self._names = names
        self.opened = opened

    @cached_property
    def _written(self) -> "tuple[_Reading, str]":
        making = _Reading(self._names)
        return making, making.source(self.noun)

    @property
    def columns(self) -> Mapping[str, Any]:
        """What it takes out of a row, and of what type each is."""
        return self._written[0].columns

    @property
    def source(self) -> str:
        """How, for those who doubt it."""
        return self._written[1]

    @cached_property
    def read(self) -> Callable[[Row], Noun]:
        making, source = self._written
        found: Callable[[Row], Noun] = _function(source, "read", making.known)
        return found

    def in_order(self, names: Sequence[str]) -> Callable[[Row], Noun]:
        """The same for rows whose columns stand in this order; it asks none by its name, which is
        a third of the price of a wide row."""
        making, source = self._written
        held = {f"row[{name!r}]": f"at_{place}" for place, name in enumerate(names)}
        head, _, body = source.partition("\n")
        unpack = f"    {' '.join(f'at_{place},' for place in range(len(names)))} = row"
        placed = _COLUMN.sub(lambda column: held[column[0]], body)
        found: Callable[[Row], Noun] = _function(
            "\n".join([head, unpack, placed]), "read", dict(making.known)
        )
        return found


class _Members(dict[Any, Enum]):
    """An enumeration's members by value: a call of the enumeration costs five times as much."""

    def __init__(self, kind: type[Enum]) -> None:
        super().__init__((member.value, member) for member in kind)
        self._kind = kind

    def __missing__(self, value: Any) -> Enum:
        return self._kind(value)  # says what is wrong with it


class _Reading:
    """The text of one reader, and the names that it uses."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._nothing: dict[str, str] = {}  # by currency's column
        self.known: dict[str, Any] = {"Money": Money, "whole": whole}
        self.columns: dict[str, Any] = {}

    def source(self, noun: type) -> str:
        made = self._call(noun, "", optional=False)
        lines = ["def read(row):"]
        for column, name in self._nothing.items():
            lines.append(f"    {name} = Money(0, row[{column!r}])")
        return "\n".join([*lines, f"    return {made}"])

    def _call(self, noun: Any, prefix: str, *, optional: bool) -> str:
        members = list(self._names.members(noun, prefix))
        amounts = Counter(self._names.currency(name) for _, hint, name in members if hint is Money)
        for column, many in amounts.items():
            if many >= _MANY and not optional:
                self._nothing.setdefault(column, f"nothing_{len(self._nothing)}")
        values = {name: self._value(hint, column) for name, hint, column in members}
        make = maker(noun, list(values))
        if make is None and tuple(values) == getattr(noun, "_fields", ())[: len(values)]:
            make = noun  # a NamedTuple takes them in their order; what is left has a default
        if make is not None:
            return f"{self._known(noun.__name__, make)}({', '.join(values.values())})"
        named = [f"{name}={value}" for name, value in values.items()]
        return f"{self._known(noun.__name__, noun)}({', '.join(named)})"

    def _known(self, hint: str, value: Any) -> str:
        name = f"{hint}_{len(self.known)}"
        self.known[name] = value
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
            made = f"{self._known(kind.__name__, _Members(kind))}[{column}]"
            return f"{made} if {column} else None" if optional else made
        if is_dataclass(kind):
            prefix = self._names.prefixes.get(name, f"{name}_")
            made = self._call(kind, prefix, optional=optional)
            if not optional:
                return made
            _, _, first = next(self._names.members(kind, prefix))
            return f"None if row[{first!r}] is None else {made}"
        return self._number(name) if name in self._names.sums else self._column(name, hint)

    def _number(self, name: str) -> str:
        if name in self._names.sums:
            return f"whole({self._column(name, Decimal)})"
        return self._column(name, int)

    def _money(self, name: str, *, optional: bool) -> str:
        minor = self._number(self._names.minor(name))
        of = self._names.currency(name)
        made = f"Money({minor}, {self._column(of, str)})"
        if optional:
            return f"None if {minor} is None else {made}"
        if of in self._nothing:
            # A null is no amount: Money says so.
            return f"{self._nothing[of]} if {minor} == 0 else {made}"
        return made


def _without_none(hint: Any) -> tuple[Any, bool]:
    """The type, and whether None may stand in its place."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if NoneType in get_args(hint) and len(kinds) == 1:
        return kinds[0], True
    return hint, False


def _fields_of(noun: Any) -> Iterator[str]:
    if is_dataclass(noun):
        yield from (one.name for one in fields(noun) if one.init)
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
    opened: Opened[Noun] | None = None,
) -> Reader[Noun]:
    """What makes a `noun`, a dataclass or a NamedTuple, of a row. The rest: see Names."""
    return Reader(
        noun,
        Names(
            called=called or {},
            prefixes=prefixes or {},
            currencies=currencies or {},
            sums=sums,
            unstored=unstored,
        ),
        opened,
    )


def _function(source: str, name: str, known: dict[str, Any]) -> Any:
    """As the standard library makes a dataclass's __init__: once, and of names that are ours."""
    exec(source, known)  # noqa: S102
    return known[name]


@dataclass(frozen=True, slots=True)
class Table(Generic[Noun]):
    """A table whose rows are each a noun, the whole of it: read, and written by all columns.

    `columns`: their names. `row`: a noun's values by those. `changed`: of a noun that was another
    before, those that differ, and all that may be null. `paths`: where in a noun each one is.
    """

    reader: Reader[Noun]
    columns: tuple[str, ...]
    row: Callable[[Noun], dict[str, Any]]
    changed: Callable[[Noun, Noun], dict[str, Any]]
    nullable: Collection[str]
    paths: Mapping[str, str]

    def values(self, columns: Sequence[str]) -> Callable[[Noun], tuple[Any, ...]]:
        """What gives a noun's values of these columns, in their order."""
        get: Callable[[Noun], tuple[Any, ...]] = attrgetter(*[self.paths[one] for one in columns])
        return get

    def listed(self, alias: str = "") -> str:
        """The columns for a select list."""
        lead = f"{alias}." if alias else ""
        return ", ".join(lead + name for name in self.columns)


def table(noun: type[Noun], names: Names | None = None) -> Table[Noun]:
    """`names`: where they differ from the fields'."""
    said = names or Names()
    places = list(_places(noun, said, "", "noun"))
    values = {place.column: place.value for place in places}
    pairs = ", ".join(f"{column!r}: {value}" for column, value in values.items())
    row = _function(f"def row(noun):\n    return {{{pairs}}}", "row", {})
    changed = _function(_changed(places), "changed", {})
    nullable = frozenset(place.column for place in places if place.optional)
    paths = {column: value.removeprefix("noun.") for column, value in values.items()}
    return Table(Reader(noun, said), tuple(values), row, changed, nullable, paths)


class _Place(NamedTuple):
    """A column, and the expression that is its value. `owner`: that of the field it is of."""

    column: str
    value: str
    owner: str
    optional: bool


def _places(noun: Any, names: Names, prefix: str, of: str) -> Iterator[_Place]:
    for name, hint, column in names.members(noun, prefix):
        kind, optional = _without_none(hint)
        value = f"{of}.{name}"
        if kind is Money:
            if optional:
                raise TypeError(f"{name}: an amount that may be None is not written by itself")
            yield _Place(names.minor(column), f"{value}.minor", value, optional)
            yield _Place(names.currency(column), f"{value}.currency", value, optional)
        elif isinstance(kind, type) and is_dataclass(kind):
            inner = names.prefixes.get(column, f"{column}_")
            yield from _places(kind, names, inner, value)
        else:
            yield _Place(column, value, value, optional)


def _changed(places: Sequence[_Place]) -> str:
    always = ", ".join(f"{one.column!r}: {one.value}" for one in places if one.optional)
    lines = ["def changed(was, noun):", f"    row = {{{always}}}"]
    for owner in dict.fromkeys(one.owner for one in places if not one.optional):
        own = [one for one in places if one.owner == owner]
        lines.append(f"    if was{owner.removeprefix('noun')} is not {owner}:")
        lines += [f"        row[{one.column!r}] = {one.value}" for one in own]
    return "\n".join([*lines, "    return row"])
