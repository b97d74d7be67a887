"""What keeps a command's start short: nothing is imported that its answer does not need.

The libraries of the command line reach for two large ones, to show in colours what we print plainly
and to ask whether a text is a text. Together they cost more than a small command's own work.
"""

import gc
import sys
from importlib import import_module
from typing import Any


def without_collections() -> None:
    """Little that is imported is garbage: it is looked for seldom."""
    gc.set_threshold(50_000, 20, 20)


def without_colours() -> None:
    """`rich` is not to be found, by structlog (60 ms) nor by typer; nothing of ours is shown by
    it."""
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # as the import system reads it


def without_judges_of_texts() -> None:
    """typer has pydantic (70 ms) convert every option. What is of its type already stays as it is;
    whatever else was typed is converted as before."""
    core: Any = import_module("typer.core")
    build = core.build_runtime_param

    class AsItIs:
        """Stands for what converts one option until it has something to convert."""

        def __init__(self, descriptor: Any) -> None:
            self._descriptor = descriptor

        def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
            wanted = self._descriptor
            is_plain = wanted.parameter_info.parser is None and not wanted.is_ranged
            if type(value) is wanted.annotation and is_plain:
                return value
            if value is None and not (param.multiple or param.nargs == -1):
                return None
            return build(wanted).coerce(value, param=param, ctx=ctx)

    core.build_runtime_param = AsItIs


def logs_apart() -> None:
    """Logs are kept out of the output, which is the answer."""
    import structlog  # noqa: PLC0415 - `kassa --help` needs none

    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
    )
