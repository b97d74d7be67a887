"""Golden examples of the wallet face: read, and compared leaving their <placeholders> open."""

import json
from pathlib import Path
from typing import Any

from kassa.faces.wallet import contract

EXAMPLES = Path(contract.__file__).parent / "examples"


def read(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def filled(name: str, **members: Any) -> Any:
    """A golden request, with the members that only the run knows."""
    return read(name) | members


def agreed(golden: Any, actual: Any) -> Any:
    """`golden` with each <placeholder> taken from `actual`, where that has a text."""
    if isinstance(golden, dict) and isinstance(actual, dict):
        return {name: agreed(member, actual.get(name)) for name, member in golden.items()}
    if isinstance(golden, list) and isinstance(actual, list) and len(golden) == len(actual):
        return [agreed(*pair) for pair in zip(golden, actual, strict=True)]
    is_open = isinstance(golden, str) and golden.startswith("<") and golden.endswith(">")
    return actual if is_open and isinstance(actual, str) and actual else golden
