"""What just failed waits aside for a while, so that a worker's next round takes others first."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kassa.base.usecases.core import Core

_SHORTEST_SECONDS = 10
_LONGEST_SECONDS = 3_600
_MOST = 10_000  # remembered; beyond that the oldest come forward again


@dataclass(slots=True)
class Backoff:
    """A chore's failures, by id: each rests longer the more often it has failed in a row."""

    clock: Callable[[], float] = time.monotonic  # seconds, not money
    until: dict[str, tuple[float, int]] = field(default_factory=dict)  # seconds, not money

    def failed(self, key: str) -> None:
        """Nothing came of it: others are taken before it is tried again."""
        _, times = self.until.pop(key, (0, 0))
        pause = min(_SHORTEST_SECONDS * 2 ** min(times, 16), _LONGEST_SECONDS)
        self.until[key] = self.clock() + pause, times + 1
        while len(self.until) > _MOST:
            del self.until[next(iter(self.until))]

    def went_on(self, keys: Iterable[str]) -> None:
        """Something came of these."""
        for key in keys:
            self.until.pop(key, None)

    def keys(self) -> list[str]:
        """What is not to be taken now."""
        now = self.clock()
        return [key for key, (until, _) in self.until.items() if until > now]


def backoff_of(core: Core, chore: str) -> Backoff:
    """The process's one for that chore."""
    resting: Backoff = core.gatherers.setdefault(("resting", chore), Backoff())
    return resting
