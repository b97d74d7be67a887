"""The command line: `kassa --help` tells it all, with examples."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from kassa.cli import quick


def start() -> None:
    """What the shell calls."""
    quick.without_collections()
    quick.without_colours()
    quick.without_judges_of_texts()
    import_module("kassa.cli.commands").main(quick.logs_apart)


def main() -> None:
    """Run the command line; refusals are one sentence on standard error and status 2."""
    import_module("kassa.cli.commands").main()


def __getattr__(name: str) -> Any:
    if name.startswith("_") or find_spec(f"kassa.cli.{name}") is not None:
        raise AttributeError(name)  # the import system looks for a module of that name
    return getattr(import_module("kassa.cli.commands"), name)
