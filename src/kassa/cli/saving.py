"""Write an export to a file, whole or not at all, or to standard output; and say how it went."""

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import typer

from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.cli.running import heading, with_side
from kassa.identity.domain.principals import Company
from kassa.ledger.store.ledgers import Span
from kassa.ledger.usecases.export import Export, read_moment
from kassa.ledger.usecases.export_formats import Format, open_writer
from kassa.settings import Settings


@dataclass(frozen=True, slots=True)
class Target:
    """Where an export goes. `output` empty or "-": standard output."""

    kind: str
    output: str
    force: bool = False
    bom: bool = False

    def __post_init__(self) -> None:
        if self.kind not in tuple(Format):
            raise InvalidRequest(f"an export is csv or parquet, not {self.kind!r}")
        if self.kind == Format.PARQUET and self.path is None:
            raise InvalidRequest("Parquet is no text: name a file for it with --output")
        if self.kind == Format.PARQUET and self.bom:
            raise InvalidRequest("--bom is for CSV")
        if self.path is not None:
            _refuse(self.path, force=self.force)

    @property
    def path(self) -> Path | None:
        return None if self.output in ("", "-") else Path(self.output)

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file to write to; it stands under its name only when all of it was written.

        Raises: InvalidRequest when there is such a file already.
        """
        path = self.path
        if path is None:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if self.force:
                draft.replace(path)
            else:
                os.link(draft, path)  # unlike a rename it never takes the place of a file
        except FileExistsError:
            _refuse(path, force=False)
        finally:
            draft.unlink(missing_ok=True)


def _refuse(path: Path, *, force: bool) -> None:
    if not path.parent.is_dir():
        raise InvalidRequest(f"there is no directory {path.parent}")
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise InvalidRequest(f"{path} is no ordinary file")
    if path.exists() and not force:
        raise InvalidRequest(f"{path} exists already: --force overwrites it")


def span_of(start: str | None, until: str | None) -> Span:
    """Raises: InvalidRequest."""
    return Span(
        None if start is None else read_moment(start), None if until is None else read_moment(until)
    )


class _CannotWriteError(Exception):
    """The disk is full, nobody reads any more, or the like."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


Opener = Callable[[Core, Company], AbstractAsyncContextManager[Export]]


def save(settings: Settings, company: str, opened: Opener, target: Target) -> int:
    """Write it; 0, or 1 when the figures do not agree among themselves."""

    async def work(core: Core, side: Company) -> int:
        async with opened(core, side) as export:
            try:
                with target.opened() as file:
                    rows = await _write(export, file, target)
            except OSError as error:  # further out it would be taken for the database's
                raise _CannotWriteError(error) from error
        where = target.path or "standard output"
        _say(heading(side))
        _say(f"{export.title}: {rows} rows to {where}")
        for finding in export.findings:
            _say(f"  {finding}")
        return 0 if export.sound else 1

    try:
        return with_side(settings, company, work)
    except _CannotWriteError as failed:
        if isinstance(failed.error, BrokenPipeError):
            # Whoever reads has seen enough; what Python would say when it ends goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        where = target.path or "standard output"
        raise InvalidRequest(f"cannot write {where}: {failed.error.strerror}") from failed


async def _write(export: Export, file: BinaryIO, target: Target) -> int:
    writer = open_writer(
        Format(target.kind),
        file,
        export.columns,
        title=export.title,
        mode=export.mode,
        bom=target.bom,
    )
    rows = 0
    with _progress(export, shown=target.path is not None) as advance:
        async for page in export.pages:
            writer.write(page.rows)
            rows += len(page.rows)
            advance(page.steps)
    writer.close()
    return rows


@contextmanager
def _progress(export: Export, *, shown: bool) -> Iterator[Callable[[int], Any]]:
    """A bar on a terminal, where there is something to count."""
    if not (shown and export.count and sys.stderr.isatty()):
        yield lambda steps: None
        return
    label = f"{export.count} {export.unit}"
    with typer.progressbar(length=export.count, label=label, file=sys.stderr) as bar:
        yield bar.update


def _say(line: str) -> None:
    print(line, file=sys.stderr)
