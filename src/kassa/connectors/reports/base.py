"""Settlement reports of banks and providers, as a stream of lines: what the callers use.

Whatever the format: memory does not grow with the file, amounts are exact, a line that cannot be
read is an `Unreadable` and the reading goes on, and no number occurs twice. Number 0 is the file's
own totals when they do not fit its lines; it comes last.
"""

from collections.abc import Mapping
from typing import BinaryIO

from kassa.connectors.reports.alipay import read_alipay
from kassa.connectors.reports.camt import read_camt
from kassa.connectors.reports.declaration import Declaration, Lines, NotThatFormat, Reader
from kassa.connectors.reports.fetched import FETCHED, read_fetched
from kassa.connectors.reports.generic import read_csv, read_sandbox
from kassa.connectors.reports.stripe import read_stripe

__all__ = ["READERS", "Declaration", "Lines", "NotThatFormat", "Reader", "read_report"]

READERS: Mapping[str, Reader] = {
    "camt.053": read_camt,
    "stripe": read_stripe,
    "alipay": read_alipay,
    "csv": read_csv,
    "sandbox": read_sandbox,
    FETCHED: read_fetched,
}


def read_report(file: BinaryIO, declaration: Declaration) -> Lines:
    """The lines of `file`, which is read once from where it stands, and never closed.

    Raises: NotThatFormat, at once and before any line.
    """
    reader = READERS.get(declaration.format)
    if reader is None:
        raise NotThatFormat(
            f"no format is called {declaration.format!r}: there are {', '.join(READERS)}"
        )
    return reader(file, declaration)
