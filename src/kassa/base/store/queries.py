"""The SQL of a module: named, described statements in a file beside it, each with a typed answer.

`companies.sql` says what `companies.py` asks:

    -- name: find_company
    -- The company of that id.
    select {columns} from company c where c.id = $1

and a class in `companies.py` says of what kind each answer is:

    class Sql(Queries):
        find_company: Rows[Company]

    await Sql.find_company.first(connection, company_id)

Everything is read and put together once, when the module is imported: what is declared and not in
the file, or in the file and not declared, or without a description, is an error there. A statement
goes to the server under its name (`-- companies.find_company`), where its log and its statistics
show it.
"""

import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin, get_type_hints

from kassa.base.store.connection import Connection, Row
from kassa.base.store.mapping import Names, Reader, reader
from kassa.base.store.statuses import PLACES, facts

Noun = TypeVar("Noun")
_HEAD = re.compile(r"-- (name|part): ([a-z][a-z0-9_]{0,60})")
_PLACE = re.compile(r"\{([a-z_]{1,60}(?:\.[a-z_]{1,60})?)\}")


class Statement:
    """One statement. `text`: as it goes to the server. `about`: what it is for."""

    __slots__ = ("about", "name", "text")

    def __init__(self, name: str, text: str, about: str) -> None:
        self.name = name
        self.text = f"-- {name}\n{text}"
        self.about = about


class Command(Statement):
    """A statement whose answer nobody reads."""

    __slots__ = ()

    def run(self, connection: Connection, *values: Any) -> Coroutine[Any, Any, str]:
        """Gives what the server says it did: "UPDATE 3"."""
        return connection.execute(self.text, *values)

    def run_each(
        self, connection: Connection, rows: Iterable[Sequence[Any]]
    ) -> Coroutine[Any, Any, None]:
        """Once for each of these values, in one go."""
        return connection.executemany(self.text, rows)


class Value(Statement, Generic[Noun]):
    """A statement whose rows have one column, of type `kind`."""

    __slots__ = ("kind",)

    def __init__(self, name: str, text: str, about: str, kind: Any) -> None:
        super().__init__(name, text, about)
        self.kind = kind

    async def one(self, connection: Connection, *values: Any) -> Noun:
        """Of the row that there always is. Raises: LookupError."""
        row = await connection.fetchrow(self.text, *values)
        if row is None:
            raise LookupError(f"{self.name} gave no row")
        found: Noun = row[0]
        return found

    async def first(self, connection: Connection, *values: Any) -> Noun | None:
        found: Noun | None = await connection.fetchval(self.text, *values)
        return found

    async def all(self, connection: Connection, *values: Any) -> list[Noun]:
        return [row[0] for row in await connection.fetch(self.text, *values)]


class Rows(Statement, Generic[Noun]):
    """A statement whose rows are each a `Noun`; the columns go by the names of its fields."""

    __slots__ = ("_read", "reader")

    def __init__(self, name: str, text: str, about: str, by: Reader[Noun]) -> None:
        super().__init__(name, text, about)
        self.reader = by
        self._read: Callable[[Row], Noun] | None = None

    def _reading(self, row: Row) -> Callable[[Row], Noun]:
        """What reads the rows of this statement, whose columns stand in one order always."""
        if self._read is None:
            self._read = self.reader.in_order(tuple(row.keys()))
        return self._read

    def _made(self, connection: Connection, rows: Sequence[Row]) -> list[Noun]:
        read, opened = self._reading(rows[0]), self.reader.opened
        made = [read(row) for row in rows]
        return made if opened is None else [opened(connection, one) for one in made]

    async def one(self, connection: Connection, *values: Any) -> Noun:
        """The row that there always is. Raises: LookupError."""
        row = await connection.fetchrow(self.text, *values)
        if row is None:
            raise LookupError(f"{self.name} gave no row")
        [made] = self._made(connection, [row])
        return made

    async def first(self, connection: Connection, *values: Any) -> Noun | None:
        row = await connection.fetchrow(self.text, *values)
        return None if row is None else self._made(connection, [row])[0]

    async def all(self, connection: Connection, *values: Any) -> list[Noun]:
        rows = await connection.fetch(self.text, *values)
        return self._made(connection, rows) if rows else []

    async def pages(
        self, connection: Connection, size: int, *values: Any
    ) -> AsyncIterator[list[Noun]]:
        """`size` at a time, while the transaction lasts."""
        cursor = await connection.cursor(self.text, *values)
        while rows := await cursor.fetch(size):
            yield self._made(connection, rows)


class Queries:
    """Declares what the file of its module holds. `declared`: all of them, by their names."""

    declared: ClassVar[Mapping[str, Statement]]

    def __init_subclass__(
        cls, *, readers: Iterable[Reader[Any]] = (), words: Mapping[str, str] | None = None
    ) -> None:
        """`readers`: of nouns that are not simply made of the columns of their fields' names.
        `words`: what else may stand between braces, made at the start and never from outside."""
        module = sys.modules[cls.__module__]
        stem = cls.__module__.rpartition(".")[2]
        text = Path(str(module.__file__)).with_suffix(".sql").read_text(encoding="utf-8")
        of_facts = facts() if "{fact." in text else {}
        texts = parsed(text, {**PLACES, **of_facts, **(words or {})})
        hints = get_type_hints(cls, vars(module))
        kinds = {name: hint for name, hint in hints.items() if name in cls.__annotations__}
        if lacking := sorted(kinds.keys() ^ texts.keys()):
            raise LookupError(f"only in one of {stem}.py and {stem}.sql: {', '.join(lacking)}")
        known = {one.noun: one for one in readers}
        cls.declared = {
            name: _made(f"{stem}.{name}", *texts[name], kind, known) for name, kind in kinds.items()
        }
        for name, statement in cls.declared.items():
            setattr(cls, name, statement)


def _made(
    name: str, text: str, about: str, kind: Any, readers: dict[Any, Reader[Any]]
) -> Statement:
    sort = get_origin(kind) or kind
    if sort is Rows:
        [noun] = get_args(kind)
        if noun is Row:
            return Rows(name, text, about, RAW)
        if noun not in readers:
            if not (is_dataclass(noun) or hasattr(noun, "_fields")):
                raise TypeError(f"{name}: a row is a dataclass or a NamedTuple, not {noun}")
            readers[noun] = reader(noun)
        return Rows(name, text, about, readers[noun])
    if sort is Value:
        return Value(name, text, about, *get_args(kind))
    if isinstance(sort, type) and issubclass(sort, Statement):
        return sort(name, text, about)
    raise TypeError(f"{name}: {kind} says nothing of an answer")


def affected(told: str) -> int:
    """How many rows the server says that it changed: "UPDATE 3"."""
    return int(told.rpartition(" ")[2])


class _Raw(Reader[Any]):
    def in_order(self, names: Sequence[str]) -> Callable[[Row], Any]:
        return lambda row: row


RAW = _Raw(Row, Names())
"""Leaves a row as it is."""


def parsed(text: str, words: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The statements of a file by name, each with what it is for.

    `-- part: columns` begins what `{columns}` stands for in what follows.
    Raises: LookupError, ValueError.
    """
    known = dict(words)
    found: dict[str, tuple[str, str]] = {}
    kind = name = ""
    lines: list[str] = []

    def end() -> None:
        about, body = _divided(lines)
        if not name:
            return
        if name in found or name in known:
            raise ValueError(f"{name} is there twice")
        if not body or (kind == "name" and not about):
            raise ValueError(f"{name} has no text, or nothing says what it is for")
        body = _PLACE.sub(lambda place: _put(place[1], known, name), body)
        if kind == "part":
            known[name] = body
        else:
            found[name] = body, about

    for line in text.splitlines():
        if head := _HEAD.fullmatch(line):
            end()
            kind, name, lines = head[1], head[2], []
        else:
            lines.append(line)
    end()
    return found


def _divided(lines: Sequence[str]) -> tuple[str, str]:
    """The comment that comes first, and the SQL."""
    start = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    about = " ".join(line.removeprefix("--").strip() for line in lines[:start])
    return about, "\n".join(lines[start:]).strip().removesuffix(";")


def _put(place: str, known: Mapping[str, str], name: str) -> str:
    if place not in known:
        raise LookupError(f"{name}: nothing is called {place}")
    return known[place]
