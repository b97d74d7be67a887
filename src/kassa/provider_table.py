"""The README's table of providers, from what each says of itself: `python -m kassa.provider_table`.

A test says when it is not up to date.
"""

import sys
from pathlib import Path

from kassa.connectors.catalog import kinds
from kassa.connectors.kind import Kind, operations
from kassa.payments.domain.payments import Method

_BEGIN, _END = "<!-- table: providers -->\n", "<!-- end of table -->"
_OPERATIONS = ("capture", "void", "refund", "close", "report", "test")
_FEW = 4  # currencies; more are counted


def table() -> str:
    """A row for every connector that comes with Kassa."""
    head = f"| connector | methods | currencies | by | {' | '.join(_OPERATIONS)} |"
    line = f"{'|---' * (4 + len(_OPERATIONS))}|"
    rows = [_row(kind) for kind in kinds().values() if _is_own(kind)]
    return "\n".join([head, line, *rows, ""])


def _is_own(kind: Kind) -> bool:
    return kind.connector.startswith(f"kassa.connectors.{kind.name}.")


def _row(kind: Kind) -> str:
    folder = f"[{kind.title}](src/kassa/connectors/{kind.name})"
    methods = ", ".join(
        f"{method}{f' ({_named(kind.only_in[method])})' if method in kind.only_in else ''}"
        for method in Method
        if method in kind.methods
    )
    can = operations(kind.load())
    cells = [folder, methods, _named(kind.currencies), ", ".join(sorted(kind.takes))]
    return f"| {' | '.join([*cells, *('✓' if name in can else '' for name in _OPERATIONS)])} |"


def _named(currencies: frozenset[str] | None) -> str:
    if currencies is None:
        return "any"
    return ", ".join(sorted(currencies)) if len(currencies) < _FEW else f"{len(currencies)} of them"


def written(paper: str) -> str:
    """The text of a paper with the table as it is now."""
    before, _, rest = paper.partition(_BEGIN)
    return f"{before}{_BEGIN}{table()}{_END}{rest.partition(_END)[2]}"


def main(path: Path) -> None:
    old = path.read_text()
    new = written(old)
    if new != old:
        path.write_text(new)
    sys.stdout.write(f"{path}: {'written' if new != old else 'as it was'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "README.md"))
