"""The glossary has every table and command, and a name means one thing."""

import ast
import re
from collections import defaultdict
from pathlib import Path

from kassa.cli import app

ROOT = Path(__file__).parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
GATEWAY = ROOT / "src" / "kassa"

OF_EACH_STORE = {"Sql"}
"""Every module of the store calls its statements so, for itself."""


def section(name: str) -> str:
    return GLOSSARY.partition(f"## {name}\n")[2].partition("\n## ")[0]


def test_every_table_stands_in_the_glossary() -> None:
    migrations = sorted((GATEWAY / "base" / "store" / "migrations").glob("*.sql"))
    texts = [path.read_text() for path in migrations]
    tables = {name for text in texts for name in re.findall(r"create table (\w+)", text)}
    named = set(re.findall(r"`(\w+)`", section("Tables")))

    assert named == tables


def test_every_command_stands_in_the_glossary() -> None:
    commands = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback is not None
    } | {str(group.name) for group in app.registered_groups}
    named = set(re.findall(r"`([\w-]+)`", section("Commands")))

    assert named == commands


def test_no_two_classes_of_the_gateway_have_one_name() -> None:
    """A class whose name begins with _ is its module's own."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(GATEWAY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(GATEWAY)))
    twice = {name: where for name, where in homes.items() if len(where) > 1}

    new = {name: where for name, where in twice.items() if name not in OF_EACH_STORE}
    assert not new, f"another class has that name already: {new}"
