"""Exported tables as files: CSV that a spreadsheet may open, and Parquet, both page by page."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, BinaryIO, Protocol

from kassa.base.domain.money import Money
from kassa.ledger.usecases.export import Cell, Column, Content, Row

_GROUP = 50_000  # rows in a Parquet row group: what is in memory at a time
_TEXTS = frozenset({Content.TEXT, Content.WORD})
_FORMULAS = frozenset("=+-@\t\r\n＝＋－＠")
"""What makes a spreadsheet take a cell for a formula when it comes first."""
_DECIMAL_DIGITS, _DECIMAL_PLACES = 38, 4  # wide enough for every currency


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"


class Writer(Protocol):
    """Writes a table; `close` writes what is still to come and leaves the file open."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


def open_writer(
    kind: Format,
    file: BinaryIO,
    columns: Sequence[Column],
    *,
    title: str,
    mode: str,
    bom: bool = False,
) -> Writer:
    """`mode`: test or live, which a Parquet file says even where it has no rows.
    `bom`: begin a CSV with the mark by which some spreadsheets know UTF-8.
    """
    if kind is Format.PARQUET:
        return _Parquet(file, columns, {"kassa.export": title, "kassa.mode": mode})
    return _Csv(file, columns, bom=bom)


class _Csv:
    """RFC 4180. Amounts are plain numbers, and no text can be a formula."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], *, bom: bool) -> None:
        self._file = file
        self._write_cells = [_in_csv[column.content] for column in columns]
        if bom:
            file.write(b"\xef\xbb\xbf")
        self._put([[column.name for column in columns]])

    def write(self, rows: Sequence[Row]) -> None:
        self._put(
            [
                [write(cell) for write, cell in zip(self._write_cells, row, strict=True)]
                for row in rows
            ]
        )

    def _put(self, lines: Sequence[Sequence[str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        # Half a character cannot come out of the database; a file is no place to find out.
        self._file.write(text.getvalue().encode("utf-8", "replace"))

    def close(self) -> None:
        """Every page is written already."""


def _csv_text(cell: Cell) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text[:1] in _FORMULAS and text else text


def _csv_number(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def _csv_major(cell: Cell) -> str:
    return f"{cell.major:f}" if isinstance(cell, Money) else ""


def _csv_time(cell: Cell) -> str:
    if not isinstance(cell, datetime):
        return ""
    return f"{cell.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


_in_csv = {
    Content.TEXT: _csv_text,
    Content.WORD: _csv_text,
    Content.NUMBER: _csv_number,
    Content.MINOR: _csv_number,
    Content.SUM: _csv_number,
    Content.MAJOR: _csv_major,
    Content.TIME: _csv_time,
}


class _Parquet:
    """A row group at a time; text is as it is, since nothing reads a formula in here."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], says: dict[str, str]) -> None:
        import pyarrow  # noqa: PLC0415 - half the time a command takes to start
        import pyarrow.parquet  # noqa: PLC0415

        self._arrow: Any = pyarrow
        self._columns = columns
        types = {
            Content.TEXT: pyarrow.string(),
            Content.WORD: pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
            Content.NUMBER: pyarrow.int64(),
            Content.MINOR: pyarrow.int64(),
            Content.SUM: pyarrow.decimal128(_DECIMAL_DIGITS, 0),
            Content.MAJOR: pyarrow.decimal128(_DECIMAL_DIGITS, _DECIMAL_PLACES),
            Content.TIME: pyarrow.timestamp("us", tz="UTC"),
        }
        self._schema = pyarrow.schema(
            [pyarrow.field(column.name, types[column.content]) for column in columns],
            metadata=says,
        )
        self._writer: Any = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Row] = []

    def write(self, rows: Sequence[Row]) -> None:
        self._waiting += rows
        if len(self._waiting) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        arrays = [
            self._array(column, kind, cells)
            for column, kind, cells in zip(
                self._columns, self._schema.types, zip(*self._waiting, strict=True), strict=True
            )
        ]
        self._waiting = []
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def _array(self, column: Column, kind: Any, cells: Sequence[Cell]) -> Any:
        values: Sequence[Any] = cells
        if column.content is Content.MAJOR:
            values = [cell.major if isinstance(cell, Money) else None for cell in cells]
        elif column.content is Content.SUM:
            values = [None if cell is None else Decimal(str(cell)) for cell in cells]
        elif column.content in _TEXTS:
            values = ["" if cell is None else str(cell) for cell in cells]
        if column.content is Content.WORD:
            return self._arrow.array(values, self._arrow.string()).dictionary_encode()
        return self._arrow.array(values, kind)

    def close(self) -> None:
        self._flush()
        self._writer.close()
