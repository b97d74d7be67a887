"""Golden examples: read, filled in with what a test knows, and compared."""

import json
from pathlib import Path
from typing import Any

from kassa.faces.business import contract

EXAMPLES = Path(contract.__file__).parent / "examples"


def read(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def filled(value: Any, known: dict[str, str]) -> Any:
    """`value` with each known word in its strings replaced."""
    if isinstance(value, dict):
        return {name: filled(member, known) for name, member in value.items()}
    if isinstance(value, list):
        return [filled(item, known) for item in value]
    if isinstance(value, str):
        for word, meaning in known.items():
            value = value.replace(word, meaning)
    return value


def agreed(golden: Any, actual: Any) -> Any:
    """`golden` with its <placeholders> taken from `actual`, where that has a text."""
    if isinstance(golden, dict) and isinstance(actual, dict):
        return {name: agreed(member, actual.get(name)) for name, member in golden.items()}
    if isinstance(golden, list) and isinstance(actual, list):
        rest = golden[len(actual) :]
        return [agreed(*pair) for pair in zip(golden, actual, strict=False)] + rest
    is_open = isinstance(golden, str) and golden.startswith("<") and golden.endswith(">")
    return actual if is_open and isinstance(actual, str) and actual else golden
