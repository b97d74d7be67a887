"""A command starts quickly: it imports what it needs, and no doors."""

import subprocess
import sys
from pathlib import Path

import pytest

_OF_DOORS = {"aiohttp", "granian", "grpc", "jinja2", "starlette", "google.protobuf"}
_IN_HELP = {
    "asyncpg",
    "cryptography",
    "msgspec",
    "structlog",
    "kassa.base.usecases.core",
} | _OF_DOORS
_OF_FEW = {"rich", "pydantic", "joserfc", "lxml", "kassa.connectors.sandbox.connector"} | _OF_DOORS
_MOST_MODULES = 550
"""Of a command that looks something up, on Python 3.11, and little more than it has: it is for
those who add to it to say why."""


def imported(statement: str) -> set[str]:
    said = subprocess.run(
        [sys.executable, "-c", f"import sys\n{statement}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(said.stdout.split())


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import kassa.cli.commands", _IN_HELP),
        ("import kassa.cli.operations, kassa.cli.statements", _OF_DOORS),
        ("from kassa.connectors.catalog import kinds; kinds()", _OF_DOORS),
    ],
    ids=["help", "a command of data", "connectors"],
)
def test_what_a_command_does_not_need_is_not_imported(statement: str, never: set[str]) -> None:
    assert imported(statement) & never == set()


def test_a_command_that_looks_something_up_imports_little(owner_url: str, tmp_path: Path) -> None:
    """As the shell calls it, up to an answer from the database."""
    called = ["kassa", "fee", "list", "--company", "cmp_none", "--database-url", owner_url]
    statement = (
        "import atexit\nfrom kassa.cli import start\n"
        f"sys.argv = {[*called, '--data-dir', str(tmp_path)]!r}\n"
        "atexit.register(lambda: print(*[one for one, known in sys.modules.items() if known]))\n"
        "start()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys\n{statement}"],
        capture_output=True,
        text=True,
        check=False,
    )

    found = set(ended.stdout.split())
    assert "no company" in ended.stderr or "cmp_none" in ended.stderr, ended.stderr
    assert found & _OF_FEW == set()
    assert len(found) <= _MOST_MODULES
