"""The newest block of each company's chain, in a file that stands beside the keys.

Who has only the database can cut off the end of a chain; it is missed because the file knows it.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from kassa import private_files
from kassa.base.domain.errors import InvalidRequest

Place = tuple[int, str]
"""A block: its number, and its hash in hex."""


class Noted(msgspec.Struct, frozen=True):
    """What the file knows of a company: its newest block, and the one that was to follow.

    Whether the second was committed is not known when its process died of it.
    """

    sealed: Place | None = None
    coming: Place | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """The newest first."""
        return tuple(one for one in (self.coming, self.sealed) if one is not None)


class HeadFile:
    """Read and written by every process of this machine that makes links. Its methods block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Noted] | None:
        """By company; None when there is no such file.

        Raises: InvalidRequest when it holds something else.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=dict[str, Noted])
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise InvalidRequest(f"{self.path} cannot be read: {error}") from error

    @property
    def rows_sealed(self) -> bool:
        """Whether the rows of this database from before the seals have got theirs."""
        return self._mark.exists()

    def note_rows_sealed(self) -> None:
        private_files.write(self._mark, b"")

    @property
    def rows_recorded(self) -> bool:
        """Whether the rows of this database from before the records have got theirs."""
        return self._recorded.exists()

    def note_rows_recorded(self) -> None:
        private_files.write(self._recorded, b"")

    def forget_rows_recorded(self) -> None:
        """The database may be another one than before."""
        self._recorded.unlink(missing_ok=True)

    @property
    def _mark(self) -> Path:
        return self.path.with_name("rows_sealed")

    @property
    def _recorded(self) -> Path:
        return self.path.with_name("rows_recorded")

    def announce(self, coming: Mapping[str, Place]) -> None:
        """These blocks are about to be committed; until then the older heads stand, too."""
        with self._held() as heads:
            for company_id, place in coming.items():
                known = heads.get(company_id, Noted())
                heads[company_id] = Noted(known.sealed, place)

    def settle(self, sealed: Mapping[str, Place]) -> None:
        """These blocks are committed, or were found sealed under our key behind what we knew."""
        with self._held() as heads:
            for company_id, place in sealed.items():
                known = heads.get(company_id, Noted())
                # Somebody may have announced the next one since; that is not forgotten.
                later = known.coming if known.coming and known.coming[0] > place[0] else None
                if known.sealed is None or known.sealed[0] < place[0]:
                    heads[company_id] = Noted(place, later)

    def replace(self, heads: Mapping[str, Place]) -> None:
        """Forget what was known: these are the heads."""
        with self._held() as known:
            known.clear()
            known.update({company_id: Noted(place) for company_id, place in heads.items()})

    @contextmanager
    def _held(self) -> Iterator[dict[str, Noted]]:
        """The content, to be changed while no other process does."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            heads = self.read() or {}
            yield heads
            private_files.write(self.path, msgspec.json.encode(heads))
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        finally:
            os.close(handle)
