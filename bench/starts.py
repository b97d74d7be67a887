"""How long it takes until something answers: a second `kassa serve`, and commands."""

import sys
import time
from collections.abc import Callable
from statistics import median

import msgspec

from bench.gateway import Gateway


class Starts(msgspec.Struct, kw_only=True):
    """In seconds; of the commands, every round. `first`: on an empty data directory. `rest_kib`:
    what all processes have, PostgreSQL's included, once nothing has been asked for a while."""

    first: float
    again: list[float]
    helped: list[float]
    listed: list[float]
    rest_kib: dict[str, int]
    stopped_after: float

    @property
    def answers_again(self) -> float:
        return median(self.again)

    @property
    def helps(self) -> float:
        return median(self.helped)

    @property
    def lists(self) -> float:
        return median(self.listed)


def measure(rounds: int, at_rest_seconds: float) -> Starts:
    """With a gateway of its own, which ends before anything else begins."""
    with Gateway() as gateway:
        first = gateway.started_after
        stopped = gateway.stop()
        again = []
        for _ in range(rounds):
            with gateway:
                again.append(gateway.started_after)
                gateway.stop()
            print(f"  answers after {again[-1]:.2f} s", file=sys.stderr, flush=True)
        with gateway:
            time.sleep(at_rest_seconds)
            rest = gateway.memory_kib()
            helped = [_timed(lambda: gateway.bare("--help")) for _ in range(rounds)]
            listed = [_timed(lambda: gateway.kassa("fee", "list")) for _ in range(rounds)]
    return Starts(
        first=first, again=again, helped=helped, listed=listed, rest_kib=rest, stopped_after=stopped
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
