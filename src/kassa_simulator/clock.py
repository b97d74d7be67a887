"""The simulator's clock: the machine's, moved ahead at will, or one that stands still."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """`start`: stand still there until moved; None: go on from the machine's time."""

    def __init__(
        self, start: datetime | None = None, *, machine: Callable[[], datetime] | None = None
    ) -> None:
        self._start = start
        self._machine = machine or (lambda: datetime.now(UTC))
        self.ahead = timedelta()

    def now(self) -> datetime:
        return (self._start or self._machine()) + self.ahead

    def for_signing(self) -> datetime:
        """The time that those who check a signature have: they were not moved ahead."""
        return self._start + self.ahead if self._start else self._machine()
