"""What a caller must say of a report file, and how a file of another kind is refused."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from kassa.base.domain.errors import InvalidRequest
from kassa.reconciliation.domain.reports import ReportLine, Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """`format`: a key of READERS. All else is asked only where the format does not say it itself.

    `columns`: of csv: what of ours (see `generic.MEMBERS`) stands under which header; "=CNY" is
    that word on every line. `texts`: of csv: headers of further texts that may name what a line is
    about. `kinds`: of csv: a word of the file, and the LineKind it means.
    `currency`: where the file names none. `time_zone`: of times that do not say theirs.
    """

    format: str
    columns: Mapping[str, str] = field(default_factory=dict)
    texts: Sequence[str] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    currency: str = ""
    decimal: str = "."
    delimiter: str = ","
    encoding: str = "utf-8"
    time_zone: str = "UTC"


Lines = Iterator[ReportLine | Unreadable]
Reader = Callable[[BinaryIO, Declaration], Lines]


class NotThatFormat(InvalidRequest):
    """The file, or what was said of it, does not fit: nothing was read."""

    def __init__(self, message: str):
        super().__init__(message, field="format", reason="not_that_format")
