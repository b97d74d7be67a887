"""What went wrong with the database, in house words: not now, somebody was first, or our bug."""

import time
from collections.abc import Callable

import asyncpg
import structlog

from kassa.base.domain.errors import (
    DATABASE_UNAVAILABLE,
    InProgress,
    KassaError,
    ProviderUnavailable,
)

_log = structlog.get_logger("kassa.database")
_QUIET_SECONDS = 1.0  # seconds, not money

_CONTENTION = frozenset({"40001", "40P01", "55P03"})
# Connection lost; resources (disk, memory, connections); operator (timeout, shutdown); system
# (input and output). Nothing that the same request could not do an hour later.
_PASSING_CLASSES = frozenset({"08", "53", "57", "58"})
# Read-only, and a transaction that was left alone or took too long.
_PASSING = frozenset({"25006", "25P03", "25P04"})
_WHATEVER_HAPPENED = frozenset({"08007", "40003"})
_LOST = (
    asyncpg.InterfaceError,
    # What asyncpg raises when the server's farewell came before our next query.
    asyncpg.InternalClientError,
    OSError,
)


class Complaints:
    """One line in a second for each kind of trouble, with how often it came meanwhile: a database
    in trouble must not fill the disk with what is said about it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):  # seconds, not money
        self._clock = clock
        self._said: dict[str, float] = {}  # seconds, not money
        self._unsaid: dict[str, int] = {}

    def note(self, kind: str, error: BaseException) -> None:
        now, count = self._clock(), self._unsaid.get(kind, 0) + 1
        if now - self._said.get(kind, -_QUIET_SECONDS) < _QUIET_SECONDS:
            self._unsaid[kind] = count
            return
        self._said[kind], self._unsaid[kind] = now, 0
        # The kind alone: a server's own words may quote rows.
        _log.warning("database trouble", kind=kind, error=type(error).__name__, count=count)


complaints = Complaints()


def sqlstate_of(error: BaseException) -> str:
    """PostgreSQL's code for it; "" when the server said nothing."""
    return str(getattr(error, "sqlstate", None) or "")


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, or too silent to be used again."""
    fatal = getattr(error, "severity_en", None) in ("FATAL", "PANIC")
    return fatal or sqlstate_of(error)[:2] == "08" or isinstance(error, (*_LOST, TimeoutError))


def rolled_back(error: BaseException) -> bool:
    """Whether an error that answered a COMMIT says for sure that nothing of it stands."""
    state = sqlstate_of(error)
    return bool(state) and state not in _WHATEVER_HAPPENED and not is_lost(error)


def translated(error: BaseException) -> KassaError | None:
    """What a caller is told, and a line in the log; None when it is not the database's trouble:
    an item's content, or our own mistake.

    Nothing of the transaction stands after any of these.
    """
    state = sqlstate_of(error)
    if state in _CONTENTION:
        complaints.note(f"contention {state}", error)
        return InProgress("somebody else is changing the same; send it again")
    passing = state[:2] in _PASSING_CLASSES or state in _PASSING
    if not passing and not is_lost(error):
        return None
    complaints.note(state or ("silence" if isinstance(error, TimeoutError) else "lost"), error)
    return unavailable()


def unavailable(said: str = "the database cannot be reached; try again shortly") -> KassaError:
    return ProviderUnavailable(said, reason=DATABASE_UNAVAILABLE)
