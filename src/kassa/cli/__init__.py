"""The command line: `kassa --help` tells it all, with examples.

Light on purpose: the processes that `kassa serve` starts come through here and need no command.
"""

import gc
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

if "kassa.cli.process" in sys.orig_argv:
    gc.disable()  # nothing that is imported is garbage; `process` turns it on again


def start() -> None:
    """What the shell calls: `main`, with logs kept out of the output, which is the answer."""
    import structlog  # noqa: PLC0415

    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
    )
    main()


def main() -> None:
    """Run the command line; refusals are one sentence on standard error and status 2."""
    import_module("kassa.cli.commands").main()


def __getattr__(name: str) -> Any:
    if name.startswith("_") or find_spec(f"kassa.cli.{name}") is not None:
        raise AttributeError(name)  # the import system looks for a module of that name
    return getattr(import_module("kassa.cli.commands"), name)
