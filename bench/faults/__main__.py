"""`python -m bench.faults`: run the scenarios that are named, or all, and write FAULTS.md."""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable
from typing import cast

from bench import faults
from bench.faults import paper
from bench.faults.paper import Asked, Section

Measure = Callable[[Asked], Section]
_SECONDS = 60.0


def scenarios() -> dict[str, Measure]:
    """Every module of the package that can be measured, by its name."""
    found: dict[str, Measure] = {}
    for module in pkgutil.iter_modules(faults.__path__):
        if module.name == "__main__":
            continue
        loaded = importlib.import_module(f"{faults.__name__}.{module.name}")
        if hasattr(loaded, "measure"):
            found[module.name] = cast(Measure, loaded.measure)
    return found


def main() -> int:
    known = scenarios()
    parser = argparse.ArgumentParser(prog="bench.faults", description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(known)}; none: all of them")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="length of the main part")
    parser.add_argument("--dry", action="store_true", help="print the section, keep nothing")
    parser.add_argument("--paper", action="store_true", help="write FAULTS.md anew, run nothing")
    asked = parser.parse_args()
    if unknown := set(asked.scenario) - set(known):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    if asked.paper:
        paper.PAPER.write_text(paper.paper())
        return 0
    held = True
    for name in asked.scenario or known:
        print(f"{name}, {asked.seconds:g} s", file=sys.stderr, flush=True)
        section = known[name](Asked(seconds=asked.seconds))
        held &= section.held
        print(paper.prose(name, section), flush=True)
        if not asked.dry:
            paper.keep(name, section)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
