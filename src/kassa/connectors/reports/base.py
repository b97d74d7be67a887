"""Settlement reports of banks and providers, as a stream of lines: what the callers use.

Whatever the format: memory does not grow with the file, amounts are exact, a line that cannot be
read is an `Unreadable` and the reading goes on, and no number occurs twice. Number 0 is the file's
own totals when they do not fit its lines; it comes last.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, cast

from kassa.connectors.catalog import kinds
from kassa.connectors.reports.camt import MESSAGES, read_camt
from kassa.connectors.reports.declaration import Declaration, Lines, NotThatFormat, Reader
from kassa.connectors.reports.fetched import FETCHED, read_fetched
from kassa.connectors.reports.generic import read_csv
from kassa.reconciliation.domain.matching import BANK

__all__ = [
    "Declaration",
    "FileFormat",
    "Lines",
    "NotThatFormat",
    "Reader",
    "formats",
    "read_report",
]


@dataclass(frozen=True, slots=True)
class FileFormat:
    """`account`: whose report it is when nobody says it, "" where that cannot be known.
    `tells_fees`: a line's fee is all that was kept of it.
    `reader`: itself, or "module:function" of one that is loaded when it is first needed.
    """

    reader: Reader | str
    account: str = ""
    tells_fees: bool = False

    def load(self) -> Reader:
        if not isinstance(self.reader, str):
            return self.reader
        module, _, name = self.reader.partition(":")
        return cast("Reader", getattr(importlib.import_module(module), name))


@cache
def formats() -> Mapping[str, FileFormat]:
    """Those that are nobody's own, and those that connectors declare."""
    of_providers = {
        name: FileFormat(declared.reader, account=kind.name, tells_fees=declared.tells_fees)
        for kind in kinds().values()
        for name, declared in kind.reports.items()
    }
    return {
        **of_providers,
        **{name: FileFormat(read_camt, account=BANK) for name in MESSAGES},
        "csv": FileFormat(read_csv),
        FETCHED: FileFormat(read_fetched, tells_fees=True),
    }


def read_report(file: BinaryIO, declaration: Declaration) -> Lines:
    """The lines of `file`, which is read once from where it stands, and never closed.

    Raises: NotThatFormat, at once and before any line.
    """
    found = formats().get(declaration.format)
    if found is None:
        raise NotThatFormat(
            f"no format is called {declaration.format!r}: there are {', '.join(formats())}"
        )
    return found.load()(file, declaration)
