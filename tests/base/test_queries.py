"""Every named statement, against a migrated database and against the code that asks it."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

import asyncpg
import pytest

import kassa
from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.base.store.connection import Row
from kassa.base.store.mapping import reader, table
from kassa.base.store.queries import Command, Queries, Rows, Statement, Value, affected, parsed
from kassa.proof.store.checks import TABLES, Check

pytestmark = pytest.mark.anyio

SOURCE = Path(kassa.__file__).parent
# What a column may be read as.
KINDS: Mapping[str, tuple[Any, ...]] = {
    "text": (str,),
    "int4": (int,),
    "int8": (int,),
    "bool": (bool,),
    "numeric": (Decimal,),  # summed up beyond 64 bits: `sums` of a reader
    "timestamptz": (datetime,),
    "interval": (timedelta,),
    "bytea": (bytes,),
    "jsonb": (dict, list, Mapping),
    "text[]": (list, tuple, Sequence),
    "int8[]": (list, tuple, Sequence),
}


@dataclass(frozen=True)
class Declared:
    """A class of queries, and the module that it is in."""

    path: Path
    queries: type[Queries]


def declared() -> list[Declared]:
    found = []
    for path in sorted(SOURCE.glob("*/store/*.py")):
        named = ".".join(("kassa", *path.relative_to(SOURCE).with_suffix("").parts))
        for one in vars(import_module(named)).values():
            if isinstance(one, type) and issubclass(one, Queries) and one.__module__ == named:
                found.append(Declared(path, one))
    return [one for one in found if one.queries is not Queries]


def statements() -> Iterator[Statement]:
    for one in declared():
        for statement in one.queries.declared.values():
            yield statement
            if isinstance(statement, Check):
                yield statement.of_one


def test_each_file_of_statements_belongs_to_a_module() -> None:
    files = [one.path.with_suffix(".sql") for one in declared()]
    stems = [path.stem for path in files]

    assert len(stems) == len(set(stems)), "one class to a module, one module of a name"
    assert set(files) == {*SOURCE.glob("*/store/*.sql")}


async def test_each_statement_fits_the_schema_and_its_reader(database_url: str) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database_url)
    wrong = []
    try:
        for one in statements():
            try:
                prepared = await connection.prepare(one.text)
            except asyncpg.PostgresError as error:
                wrong.append(f"{one.name}: {error}")
                continue
            wrong += [f"{one.name}: {said}" for said in complaints(one, prepared)]
    finally:
        await connection.close()

    assert wrong == []


def complaints(one: Statement, prepared: Any) -> Iterator[str]:
    taken, given = numbers(one), len(prepared.get_parameters())
    if taken != set(range(1, given + 1)):
        yield f"takes {sorted(taken)}, and the database sees {given} values"
    columns = {column.name: column.type for column in prepared.get_attributes()}
    if len(columns) < len(prepared.get_attributes()):
        yield "two columns have the same name"
    if isinstance(one, Value):
        kinds = [column.name for column in columns.values()]
        if len(kinds) != 1 or not may_be(kinds[0], one.kind):
            yield f"a value is one {one.kind}, not {kinds}"
    if not isinstance(one, Rows) or one.reader.noun is Row:
        return
    wanted = one.reader.columns
    if lacking := sorted(wanted.keys() - columns.keys()):
        yield f"does not select {lacking}"
    if idle := sorted(columns.keys() - wanted.keys()):
        yield f"selects {idle}, which nothing reads"
    for name in sorted(wanted.keys() & columns.keys()):
        if not may_be(columns[name].name, wanted[name]):
            yield f"{name} is {columns[name].name}, and is read as {wanted[name]}"


def numbers(one: Statement) -> set[int]:
    code = re.sub(r"--[^\n]*", "", one.text)
    return {int(number) for number in re.findall(r"\$(\d+)", code)}


def may_be(column: str, hint: Any) -> bool:
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    union = type(None) in get_args(hint)
    kind = kinds[0] if union else hint
    return kind is Any or (get_origin(kind) or kind) in KINDS.get(column, ())


@dataclass(frozen=True)
class Call:
    """`Sql.find.first(connection, a, b)`. `values`: None where a star hides how many."""

    query: str
    verb: str
    values: int | None
    line: int


def calls(tree: ast.Module, name: str) -> Iterator[Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id=found), attr=query), attr=verb
                ),
                args=given,
            ) if found == name:
                hidden = any(isinstance(one, ast.Starred) for one in given)
                fixed = 2 if verb == "pages" else 1
                yield Call(query, verb, None if hidden else len(given) - fixed, node.lineno)


def test_each_statement_is_asked_and_with_as_many_values_as_it_takes() -> None:
    wrong = []
    for one in declared():
        tree = ast.parse(one.path.read_text())
        made = list(calls(tree, one.queries.__name__))
        named = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == one.queries.__name__
        }
        known = one.queries.declared
        if asks_all_checks(tree, one.queries.__name__):
            named |= {name for name, statement in known.items() if isinstance(statement, Check)}
        wrong += [f"{one.stem}.{name}: nothing asks it" for name in known.keys() - named]
        for call in made:
            taken = len(numbers(known[call.query]))
            if call.verb != "run_each" and call.values not in (None, taken):
                where = f"{one.stem}.py:{call.line}"
                wrong.append(f"{where}: {call.query} takes {taken} values, not {call.values}")

    assert wrong == []


def asks_all_checks(tree: ast.Module, name: str) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "checks_of"
        and [ast.unparse(one) for one in node.args] == [name]
        for node in ast.walk(tree)
    )


async def test_a_check_of_one_company_sees_no_rows_of_another(database_url: str) -> None:
    """A table that it names as it is called is narrowed to the company; all others it calls
    `public.…`, and then it has to do so itself."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database_url)
    try:
        homes = {
            row["relname"]
            for row in await connection.fetch("select relname from pg_class where relkind = 'r'")
        }
    finally:
        await connection.close()
    named = r"\b(?:from|join)\s+([a-z_]+)\b(?!\.)"
    wide = {
        check.name: sorted((set(re.findall(named, check.text)) & homes) - set(check.reads))
        for check in statements()
        if isinstance(check, Check)
    }

    found = {name: left for name, left in wide.items() if left}
    assert found.pop("checks_house.nothing_stands_between_the_tables_and_who_reads_them") == [
        "pg_class",
        "pg_depend",
        "pg_namespace",
        "pg_policy",
        "pg_rewrite",
    ]
    assert found == {}, f"put the table into checks.TABLES, which has {len(TABLES)}"


# Modules whose statements are put together as they are asked, and of what.
MAKE_TEXT = {
    "checks": "the snapshot that another connection sees, which cannot be a value",
    "migrate": "the files of migrations, and the table that says which are done",
    "queries": "it asks what stands in the files",
    "records": "columns of whichever table a record is of",
    "resealing": "columns of whichever table a seal is of",
    "wire": "BEGIN, COMMIT and ROLLBACK, in the words of whoever begins",
}
ASKING = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor"}


def asks_by_text(called: ast.expr) -> bool:
    # `connection.fetch`, and not `Sql.name.all`
    return (
        isinstance(called, ast.Attribute)
        and called.attr in ASKING
        and not isinstance(called.value, ast.Attribute)
    )


def test_all_other_modules_ask_by_name() -> None:
    found = {
        path.stem
        for path in SOURCE.glob("*/store/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and asks_by_text(node.func)
    }

    assert found - MAKE_TEXT.keys() == set(), (
        "put the statement into the .sql file beside the module"
    )
    assert MAKE_TEXT.keys() - found == set(), "asks by name now: strike it out"


# What is wrong with a file is said when its module is imported.


def test_a_statement_is_put_together_once_of_its_parts_and_of_the_domains_words() -> None:
    text = (
        "-- part: columns\na.id,\n  a.status\n\n"
        "-- name: paid\n-- What was paid.\n-- Of all sides.\n"
        "select {columns}\n-- those only\nfrom a where status in {words.some};\n"
    )

    assert parsed(text, {"words.some": "('x')"}) == {
        "paid": (
            "select a.id,\n  a.status\n-- those only\nfrom a where status in ('x')",
            "What was paid. Of all sides.",
        )
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- name: a\n-- Something.\nselect {nowhere}", "nothing is called nowhere"),
        ("-- name: a\n-- Something.\nselect {payment.unheard_of}", "payment.unheard_of"),
        ("-- name: a\nselect 1", "nothing says what it is for"),
        ("-- name: a\n-- Something.\n", "has no text"),
        ("-- name: a\n-- One.\nselect 1\n-- name: a\n-- Two.\nselect 2", "a is there twice"),
        ("-- part: a\n1\n-- name: a\n-- Two.\nselect 2", "a is there twice"),
    ],
)
def test_a_file_that_does_not_hold_together_is_refused(text: str, said: str) -> None:
    with pytest.raises((LookupError, ValueError), match=re.escape(said)):
        parsed(text, {})


def test_what_only_one_of_code_and_file_has_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "queried").mkdir()
    (tmp_path / "queried" / "__init__.py").write_text("")
    (tmp_path / "queried" / "some.sql").write_text("-- name: a\n-- Something.\nselect 1 as n\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    begin = "from kassa.base.store.queries import *\n\n"

    def imported(text: str) -> Any:
        (tmp_path / "queried" / "some.py").write_text(begin + text)
        sys.modules.pop("queried.some", None)
        return import_module("queried.some")

    monkeypatch.setattr("sys.dont_write_bytecode", True)
    with pytest.raises(LookupError, match=r"only in one of some.py and some.sql: a, b"):
        imported("class Sql(Queries):\n    b: Value[int]\n")
    with pytest.raises(TypeError, match="a dataclass or a NamedTuple"):
        imported("class Sql(Queries):\n    a: Rows[int]\n")
    with pytest.raises(TypeError, match="says nothing of an answer"):
        imported("class Sql(Queries):\n    a: int\n")
    good = imported("class Sql(Queries):\n    a: Value[int]\n")
    assert good.Sql.a.text == "-- some.a\nselect 1 as n"
    assert good.Sql.a.about == "Something."


# Readers


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True)
class Inner:
    id: str
    colour: Colour | None


@dataclass(frozen=True)
class Outer:
    id: str
    amount: Money
    limit: Money | None
    total: int
    inner: Inner

    @property
    def double(self) -> int:
        return 2 * self.total


ROW = {
    "id": "a",
    "amount_minor": 5,
    "currency": "EUR",
    "limit_minor": 7,
    "limit_currency": "JPY",
    "total": Decimal(9),
    "inner_id": "b",
    "inner_colour": "green",
}
OUTER = reader(Outer, currencies={"limit": "limit_currency"}, sums=["total"])


def test_a_noun_is_read_by_the_names_of_its_columns() -> None:
    read = OUTER.read(ROW)

    assert read == Outer(
        id="a",
        amount=Money(5, "EUR"),
        limit=Money(7, "JPY"),
        total=9,
        inner=Inner(id="b", colour=Colour.GREEN),
    )
    assert type(read.total) is int
    assert OUTER.columns.keys() == ROW.keys()


@pytest.mark.parametrize("names", [list(ROW), list(reversed(ROW)), ["idle", *sorted(ROW)]])
def test_rows_in_one_order_are_read_as_those_that_are_asked_by_name(names: list[str]) -> None:
    read = OUTER.in_order(names)

    assert read([{**ROW, "idle": None}[name] for name in names]) == OUTER.read(ROW)


def test_what_is_not_there_is_none() -> None:
    read = OUTER.read({**ROW, "limit_minor": None, "inner_colour": ""})

    assert read.limit is None
    assert read.inner.colour is None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"inner_colour": "blue"}, ValueError),
        ({"total": Decimal("9.5")}, ValueError),
        ({"currency": "XQX"}, InvalidRequest),
        ({"amount_minor": None}, TypeError),
    ],
)
def test_what_cannot_be_right_is_refused(change: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        OUTER.read({**ROW, **change})


def test_a_column_that_is_missing_is_not_made_up() -> None:
    with pytest.raises(KeyError, match="inner_id"):
        OUTER.read({name: ROW[name] for name in ROW if name != "inner_id"})


class Pair(NamedTuple):
    name: str
    inner: Inner


def test_fields_may_have_columns_of_other_names() -> None:
    pair = reader(Pair, called={"name": "title"}, prefixes={"inner": ""})

    read = pair.read({"title": "t", "id": "b", "colour": "red"})
    assert read == ("t", Inner("b", Colour.RED))


# Answers


async def test_an_answer_comes_as_its_type_says(database_url: str) -> None:
    connection: Any = await asyncpg.connect(database_url)
    number: Value[int] = Value("t.number", "select x from generate_series($1::int, 3) x", "", int)
    pairs: Rows[Pair] = Rows(
        "t.pairs",
        "select 'a' || x as name, 'b' as inner_id, 'red' as inner_colour"
        " from generate_series(1, $1::int) x",
        "",
        reader(Pair),
    )
    try:
        assert await number.one(connection, 3) == 3
        assert await number.first(connection, 4) is None
        assert await number.all(connection, 1) == [1, 2, 3]
        with pytest.raises(LookupError, match=r"t\.number gave no row"):
            await number.one(connection, 4)
        with pytest.raises(LookupError, match=r"t\.pairs gave no row"):
            await pairs.one(connection, 0)
        assert await pairs.first(connection, 0) is None
        assert [one.name for one in await pairs.all(connection, 2)] == ["a1", "a2"]
        async with connection.transaction():
            pages = [page async for page in pairs.pages(connection, 2, 3)]
        assert [[one.name for one in page] for page in pages] == [["a1", "a2"], ["a3"]]
        command = Command("t.none", "select $1::int where false", "")
        assert affected(await command.run(connection, 1)) == 0
        await command.run_each(connection, [(1,), (2,)])
    finally:
        await connection.close()


# Whole nouns


@dataclass(frozen=True)
class Sold:
    id: str
    amount: Money
    fee: Money
    tip: Money
    inner: Inner


def test_a_noun_is_written_by_all_columns_that_it_is_read_from() -> None:
    sold = Sold("a", Money(5, "EUR"), Money(0, "EUR"), Money(1, "EUR"), Inner("b", Colour.RED))
    made = table(Sold)

    row = made.row(sold)

    assert set(row) == set(made.columns) == set(made.reader.columns)
    assert made.reader.read(row) == sold
    assert made.listed("s").startswith("s.id, s.amount_minor, s.currency, s.fee_minor")
    with pytest.raises(TypeError, match="minor must be int"):
        made.reader.read({**row, "fee_minor": None})


def test_an_amount_that_may_be_none_is_not_written_by_guesswork() -> None:
    with pytest.raises(TypeError, match="limit"):
        table(Outer)
