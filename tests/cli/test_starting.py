"""A command starts quickly: it imports what it needs, and no doors."""

import subprocess
import sys

import pytest

_OF_DOORS = {"aiohttp", "granian", "grpc", "jinja2", "starlette", "google.protobuf"}
_IN_HELP = {"asyncpg", "cryptography", "msgspec", "kassa.base.usecases.core"} | _OF_DOORS


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
