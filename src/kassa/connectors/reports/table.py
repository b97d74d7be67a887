"""Lines of delimited text, whatever is wrong with some of them: one bad line spoils no other.

Bytes are cut at line ends and decoded line by line, so that a byte that does not belong costs one
line. A quoted cell may hold line ends; where a quote is never closed, the line that opened it
is given up and the lines after it are read again, each for itself.
"""

import codecs
import csv
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple

from kassa.base.domain.errors import InvalidRequest
from kassa.connectors.reports.declaration import Lines, NotThatFormat
from kassa.connectors.reports.words import MAX_CELL, shown
from kassa.reconciliation.domain.reports import ReportLine, Unreadable

_MAX_RECORD = 65_536  # bytes of a line, and characters of a record; below csv's own limit
_MAX_RECORD_LINES = 50  # a quoted cell of more is a quote that nobody closed
_MAX_COLUMNS = 500
# Encodings in which a byte 0x0A is always a line end, and ASCII is itself.
_ENCODINGS = re.compile(
    r"utf-8|ascii|gb18030|gbk|gb2312|big5|big5hkscs|shift_jis|cp932|euc_jp|euc_kr|cp949"
    r"|iso8859-[0-9]{1,2}|cp125[0-9]|koi8-[ru]"
)
_PACKED = {b"PK\x03\x04": "a zip archive or a spreadsheet", b"\x1f\x8b": "a gzip archive"}
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class ReportRow(NamedTuple):
    """`number`: of its first line in the file, from 1. `trouble`: why it cannot be read, if so.

    `text`: its first line, for a person. `cut`: the file ends inside of it, or seems to.
    """

    number: int
    cells: list[str]
    trouble: str
    text: str
    cut: bool


class _Line(NamedTuple):
    """One line as the file has it, decoded. `cut`: it has no line end."""

    number: int
    text: str
    trouble: str
    cut: bool


class ReportRows:
    """The rows of a file; blank lines are left out.

    `remark`: given every line that begins with "#" outside of quotes, if there is such a taker.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        encoding: str,
        delimiter: str = ",",
        remark: Callable[[str], None] | None = None,
    ):
        """Raises: NotThatFormat."""
        self._file = file
        self._encoding = encoding_of(encoding) if encoding else ""
        self._delimiter = delimiter
        self._remark = remark
        self._number = 0
        self._again: deque[_Line] = deque()
        self._record: list[_Line] = []
        self._size = 0
        self._trouble = ""
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
            raise NotThatFormat(f"a delimiter is one character such as a comma, got {delimiter!r}")

    def __iter__(self) -> Iterator[ReportRow]:
        reader = csv.reader(self._feed(), delimiter=self._delimiter, strict=True)
        while True:
            self._record, self._size, self._trouble = [], 0, ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                first = self._record[0]
                self._again.extendleft(reversed(self._record[1:]))
                # The feed has ended or was interrupted, and a generator does not go on.
                reader = csv.reader(self._feed(), delimiter=self._delimiter, strict=True)
                trouble = first.trouble or _quoting(error)
                yield ReportRow(first.number, [], trouble, first.text, False)
                continue
            if not cells and not self._trouble:
                continue
            if self._size > MAX_CELL and not self._trouble:
                self._trouble = _oversize(cells)
            first = self._record[0]
            yield ReportRow(first.number, cells, self._trouble, first.text, self._record[-1].cut)

    def _feed(self) -> Iterator[str]:
        """What csv reads, and what it has taken of the record so far."""
        while True:
            line = self._again.popleft() if self._again else self._next_line()
            if line is None:
                return
            if self._remark is not None and not self._record and line.text.startswith("#"):
                self._remark(line.text.strip())
                continue
            self._record.append(line)
            self._size += len(line.text)
            self._trouble = self._trouble or line.trouble
            if len(self._record) > _MAX_RECORD_LINES or self._size > _MAX_RECORD:
                raise csv.Error("unexpected end of data")
            yield line.text

    def _next_line(self) -> _Line | None:
        data = self._file.readline(_MAX_RECORD)
        if not data:
            return None
        self._number += 1
        if self._number == 1:
            data = self._opening(data)
        is_cut = not data.endswith(b"\n")
        if is_cut and len(data) >= _MAX_RECORD:
            is_cut = self._skip_line()
            start = data[:2_000].decode(self._encoding, "replace").replace("\0", "␀")
            # Without quotes and line ends, so that csv takes it as one short line.
            text = re.sub(r'["\r\n]', " ", start)
            return _Line(self._number, text, f"a line of more than {_MAX_RECORD} bytes", is_cut)
        trouble = ""
        try:
            text = data.decode(self._encoding)
        except UnicodeDecodeError as error:
            text = data.decode(self._encoding, "backslashreplace")
            byte = data[error.start]
            trouble = f"not {self._encoding}: byte 0x{byte:02x} at {error.start + 1} of the line"
        if "\0" in text:
            text, trouble = text.replace("\0", "␀"), trouble or "a NUL byte"
        return _Line(self._number, text, trouble, is_cut)

    def _opening(self, data: bytes) -> bytes:
        """The first line without its byte order mark. Raises: NotThatFormat."""
        for magic, name in _PACKED.items():
            if data.startswith(magic):
                raise NotThatFormat(f"text was expected, and this is {name}: unpack it first")
        if data.startswith(_WIDE) or b"\0" in data:
            raise NotThatFormat("text of single bytes was expected, this looks like UTF-16 or none")
        if not self._encoding:
            self._encoding = _guess(data)
        return data.removeprefix("\ufeff".encode(self._encoding, "ignore"))

    def _skip_line(self) -> bool:
        """Read on to the line's end; whether the file ends first."""
        while data := self._file.readline(_MAX_RECORD):
            if data.endswith(b"\n"):
                return False
        return True


def encoding_of(name: str) -> str:
    """Raises: NotThatFormat."""
    try:
        found = codecs.lookup(name).name.replace("utf-8-sig", "utf-8")
    except (LookupError, ValueError):
        found = ""
    if not _ENCODINGS.fullmatch(found):
        raise NotThatFormat(
            f"cannot read the encoding {shown(name, 40)!r}: one such as utf-8 or gb18030 is needed"
        )
    return found


def _guess(first: bytes) -> str:
    """UTF-8 or GB18030, by a first line in Chinese; what is only ASCII is both."""
    try:
        first.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "gb18030" if first.isascii() else "utf-8"


def _quoting(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quoted cell that does not end"
    return f"quotes that cannot be read: {error}"


def _oversize(cells: Sequence[str]) -> str:
    longest = max(map(len, cells), default=0)
    return f"a cell of {longest} characters: {MAX_CELL} are allowed" if longest > MAX_CELL else ""


class ReportTable:
    """A file whose first row names its columns.

    `expected`: what the file should have been, for the refusal.
    """

    def __init__(self, rows: ReportRows, *, expected: str):
        """Raises: NotThatFormat."""
        self._rows = iter(rows)
        self._expected = expected
        header = next(self._rows, None)
        if header is None:
            raise NotThatFormat(f"{expected} was expected, the file is empty")
        names = [cell.strip() for cell in header.cells]
        if header.trouble or len(names) > _MAX_COLUMNS:
            trouble = header.trouble or f"{len(names)} columns"
            raise NotThatFormat(f"{expected} was expected, found {trouble} in the header")
        self.header = names
        self._keys = _unrepeated(names)

    def refuse(self, missing: Sequence[str]) -> NotThatFormat:
        """The refusal of a header that lacks `missing`."""
        found = shown(", ".join(self.header), 300)
        return NotThatFormat(
            f"{self._expected} was expected, with {', '.join(missing)} in its header; "
            f"found {found or 'nothing'}"
        )

    def places(self, names: Sequence[str]) -> list[int]:
        """Where each of `names` stands. Raises: NotThatFormat: missing, or there twice."""
        missing = [name for name in names if name not in self.header]
        if missing:
            raise self.refuse(missing)
        twice = [name for name in names if self.header.count(name) > 1]
        if twice:
            raise NotThatFormat(f"the header names {', '.join(twice)} more than once")
        return [self.header.index(name) for name in names]

    def place(self, name: str) -> int | None:
        """Where `name` stands, if it does. Raises: NotThatFormat: it is there twice."""
        return self.places([name])[0] if name in self.header else None

    def raw(self, cells: Sequence[str]) -> dict[str, str]:
        return dict(zip(self._keys, cells, strict=False))

    def lines(
        self,
        read: Callable[[int, list[str], Mapping[str, str]], ReportLine],
        *,
        last_may_be_cut: bool = True,
    ) -> Lines:
        """Each row as `read` makes of it; its InvalidRequest, and a broken row, is an Unreadable.

        `last_may_be_cut`: writers differ on whether the last line has an end.
        """
        width = len(self.header)
        for row in self._rows:
            trouble = row.trouble
            if not trouble and (row.cut or len(row.cells) != width):
                trouble = self._shape(row, last_may_be_cut)
            line: ReportLine | None = None
            if not trouble:
                try:
                    line = read(row.number, row.cells, self.raw(row.cells))
                except InvalidRequest as error:
                    trouble = error.message
            yield line or Unreadable(number=row.number, reason=trouble, raw=self._for_a_person(row))

    def _shape(self, row: ReportRow, last_may_be_cut: bool) -> str:
        width, found = len(self.header), len(row.cells)
        if row.cut and (found != width or not last_may_be_cut):
            return "the file ends inside this line: it was cut off"
        return f"{found} cells where the header has {width}" if found != width else ""

    def _for_a_person(self, row: ReportRow) -> dict[str, str]:
        if not row.cells:
            return {"line": shown(row.text.strip())}
        extra = (f"column {number}" for number in range(len(self._keys) + 1, _MAX_COLUMNS))
        names = (*self._keys, *extra)
        return {name: shown(cell) for name, cell in zip(names, row.cells, strict=False)}


def _unrepeated(names: Sequence[str]) -> list[str]:
    keys: list[str] = []
    for number, name in enumerate(names, 1):
        keys.append(f"{name or 'column'} ({number})" if not name or name in keys else name)
    return keys
