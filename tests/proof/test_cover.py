"""Every column of every table is covered by a seal or a check, or stands on a list that says why
not."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest
from tests.proof.test_seals import value

from kassa.base.store.queries import Queries
from kassa.proof.store import cover
from kassa.proof.store.cover import COVERS, UNCOVERED, digest, digest_sql

pytestmark = pytest.mark.anyio

_COLUMNS = (
    "select table_name, column_name, data_type from information_schema.columns"
    " where table_schema = 'public' order by 1, 2"
)


async def columns(owner_url: str) -> list[tuple[str, str, str]]:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(owner_url)
    try:
        return [tuple(row) for row in await connection.fetch(_COLUMNS)]
    finally:
        await connection.close()


async def test_every_column_is_covered_or_says_why_not(owner_url: str) -> None:
    there = {(table, column) for table, column, _ in await columns(owner_url)}
    said = set()
    for home, its in COVERS.items():
        named = [*its.key, *its.own("birth"), *its.own("seal"), *its.open, *its.parts]
        assert len(named) == len(set(named)), f"{home} names a column twice"
        said |= {(home, name) for name in named}
    for home, reasons in UNCOVERED.items():
        assert home not in COVERS
        assert all(reasons.values())
        if "*" in reasons:
            said |= {one for one in there if one[0] == home}

    assert sorted(there - said) == [], (
        "enter them in proof/store/cover.py: new columns of a table that is a `Joined` there;"
        " docs/decisions/0050 has the steps"
    )
    assert sorted(said - there) == [], "there are no such columns"


SOURCE = Path(__file__).parents[2] / "src" / "kassa"
SEALED = Path(__file__).with_name("sealed_columns.txt")


def versions() -> dict[str, str]:
    """The columns of every version of every seal, in their order."""
    return {
        f"{home} {part} {version}": " ".join(its.columns(part, version))
        for home, its in COVERS.items()
        for part in its.parts
        for version in range(1, its.newest(part) + 1)
    }


def test_no_list_of_columns_that_sealed_rows_ever_changes() -> None:
    """Were it to change, every row that was sealed by it would look falsified."""
    lines = SEALED.read_text().splitlines()
    written: dict[str, str] = dict(line.split(": ") for line in lines)  # type: ignore[misc]
    now = versions()

    changed = {name for name in written if now.get(name) != written[name]}
    assert changed == set(), (
        f"rows are sealed by these lists: leave them, and let new columns join as a version of"
        f" their own (`Joined` in proof/store/cover.py): {sorted(changed)}"
    )
    new = [f"{name}: {now[name]}" for name in now if name not in written]
    assert new == [], f"write these lines into {SEALED.name}, which keeps them as they are: {new}"


_UPDATE = re.compile(r"update (\w+)(?: as)?(?: \w+)? set (.*?)(?: from | where |$)", re.DOTALL)
_ASSIGNED = re.compile(r"(\w+) =(?!=)")


def statements() -> Iterator[str]:
    """Every text in the store, and what its modules made of them."""
    for path in SOURCE.glob("*/store/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (one.value for one in node.values if isinstance(one, ast.Constant))
                yield "".join(str(one) for one in parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
        module = import_module(f"kassa.{path.parts[-3]}.store.{path.stem}")
        for one in vars(module).values():
            if isinstance(one, str):
                yield one
            elif isinstance(one, type) and issubclass(one, Queries) and one is not Queries:
                yield from (" ".join(query.text.split()) for query in one.declared.values())


CONCEALED = {
    "orders": {"customer_name", "customer_email", "customer_phone", "note", "personal"},
}
"""What rows from before say of people is sealed once; tests/orders/test_people.py shows that a row
that was falsified gets no genuine seal by it."""


def test_no_statement_changes_what_is_sealed_for_good() -> None:
    written: dict[str, set[str]] = {}
    for text in statements():
        for table, assignments in _UPDATE.findall(text):
            written.setdefault(table, set()).update(_ASSIGNED.findall(assignments))

    assert {"status", "number", "seal"} <= written["payment"]  # it finds what it looks for
    assert {"status", "updated_at"} <= written["orders"]
    broken = {
        home: sorted(
            written.get(home, set())
            & {*its.key, *its.own("birth"), "birth"} - CONCEALED.get(home, set())
        )
        for home, its in COVERS.items()
        if its.birth
    }
    assert {home: names for home, names in broken.items() if names} == {}


async def test_the_kinds_of_columns_are_as_the_digests_take_them(owner_url: str) -> None:
    taken = {"timestamp with time zone": "time", "bytea": "bytes"}
    for table, column, kind in await columns(owner_url):
        if table not in COVERS or column in (*COVERS[table].open, "birth", "seal"):
            continue
        found = "time" if cover._is_time(column) else "bytes" if column in cover._BYTES else ""
        assert found == taken.get(kind, ""), (table, column, kind)
        assert kind in {*taken, "text", "bigint", "integer", "boolean", "jsonb"}, (table, column)


async def test_a_row_is_digested_here_as_the_database_digests_it(owner_url: str) -> None:
    """Every covered table, with values that are hard to write the same way twice."""
    random = Random(7)
    kinds = {(table, column): kind for table, column, kind in await columns(owner_url)}
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(owner_url)
    await connection.set_type_codec(
        "jsonb", encoder=_as_json, decoder=str, schema="pg_catalog", format="text"
    )
    for home, its in COVERS.items():
        for part in its.parts:
            names = its.columns(part)
            for _ in range(5):
                row = {name: _some(random, kinds[home, name]) for name in names}
                places = ", ".join(
                    f"${nth}::{kinds[home, name]} as {name}" for nth, name in enumerate(names, 1)
                )
                there = await connection.fetchval(
                    f"select {digest_sql(home, part)} from (select {places}) t", *row.values()
                )
                assert there == digest(home, part, row), (home, part)
    await connection.close()


def _as_json(said: Any) -> str:
    import msgspec  # noqa: PLC0415 - of this helper alone

    return msgspec.json.encode(said).decode()


def _some(random: Random, kind: str) -> Any:
    if kind == "jsonb":
        return {"a": value(random), "bb": value(random)}
    if kind == "timestamp with time zone":
        return datetime.fromtimestamp(random.randrange(2**33), UTC).replace(
            microsecond=random.randrange(10**6)
        )
    if kind == "boolean":
        return random.choice([True, False])
    if kind == "bytea":
        return random.randbytes(9)
    if kind in ("bigint", "integer"):
        return random.randrange(-(2**31), 2**31)
    return random.choice(["", "null", 'x"\\\x01\n ü😀', "\u2028\x7f", None])
