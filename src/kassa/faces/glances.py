"""Deadlines that are kept by looking at all of them a few times a second.

A timer for each request costs more than most of its steps, and almost none ever rings. What is
looked at so ends up to a tenth of a second late.
"""

import asyncio
from typing import Any

_GLANCE_SECONDS = 0.1  # seconds, not money


class Glances:
    """The limits of one process that have begun and not ended."""

    def __init__(self) -> None:
        self._open: set[Limit] = set()
        self._is_watching = False

    def add(self, limit: "Limit") -> None:
        self._open.add(limit)
        if not self._is_watching:
            self._is_watching = True
            asyncio.get_running_loop().call_later(_GLANCE_SECONDS, self._look)

    def drop(self, limit: "Limit") -> None:
        self._open.discard(limit)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for limit in tuple(self._open):
            limit.look(now)
        self._is_watching = bool(self._open)
        if self._is_watching:
            loop.call_later(_GLANCE_SECONDS, self._look)


class Limit:
    """What `asyncio.timeout` is, by glances: its block ends with TimeoutError once `seconds` have
    passed, or when it is cut."""

    __slots__ = ("_canceling", "_glances", "_is_cut", "_is_over", "_seconds", "_task", "began")

    def __init__(self, glances: Glances, seconds: float):  # seconds, not money
        self._glances = glances
        self._seconds = seconds
        self._is_cut = self._is_over = False
        self._task: asyncio.Task[Any]
        self._canceling = 0
        self.began = 0.0  # seconds, not money

    def __enter__(self) -> "Limit":
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a limit is of a task")
        self._task, self._canceling = task, task.cancelling()
        self.began = asyncio.get_running_loop().time()
        self._glances.add(self)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._is_over = True
        self._glances.drop(self)
        if not self._is_cut:
            return
        if self._task.uncancel() <= self._canceling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def look(self, now: float) -> None:  # seconds, not money
        if now - self.began >= self._seconds:
            self.cut()

    def cut(self) -> None:
        if not self._is_cut and not self._is_over:
            self._is_cut = True
            self._task.cancel()
