"""The database is frozen, and then it fails over: its old machine is gone without a word."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.faults.asking import Asking, Ended, at_pace
from bench.faults.paper import Asked, Goal, Section, Table
from bench.faults.stand import Stand, stand

_FREEZE_SECONDS = 40.0
_FAILOVER_GOAL_SECONDS = 15.0
_READY_GOAL_SECONDS = 0.5
_SLACK_SECONDS = 0.1  # of the asking itself
_PACE = 2.0  # of each interface, per second
_ABOUT = f"""\
A proxy stands between Kassa and PostgreSQL. First nothing passes it for {_FREEZE_SECONDS:g}
seconds, on old connections and new ones, and then all goes on. Then it plays a failover by address:
what was connected stays connected and silent for good, and new connections reach the server at
once. Each interface is asked {_PACE:g} times a second all the while, and `/readyz` too. Last, one
COMMIT reaches the server and its answer is lost."""


def measure(asked: Asked) -> Section:
    described = machine.describe()
    with stand() as made:
        freeze, thawed_at, after = asyncio.run(_freeze(made))
        failover, gone_at = asyncio.run(_fail_over(made, asked.seconds))
        lost = asyncio.run(_lose_an_answer(made))
        verified = made.gateway.kassa("verify").returncode == 0
    ready = [one for ended in (freeze, failover) for one in ended["readyz"]]
    slowest = max(one.seconds for one in ready)
    first = {name: _first(ended, gone_at) for name, ended in failover.items() if name != "readyz"}
    back = {name: _first(ended, thawed_at) for name, ended in freeze.items() if name != "readyz"}
    bad = [one for ended in after.values() for one in ended if not one.good]
    longest = max(one.seconds for name, ended in freeze.items() for one in ended)
    goals = [
        Goal(
            wanted=f"after a failover, first success within {_FAILOVER_GOAL_SECONDS:g} s",
            found=f"{max(first.values()):.1f} s",
            held=max(first.values()) <= _FAILOVER_GOAL_SECONDS,
        ),
        Goal(
            wanted="after a freeze everything succeeds that begins 5 s later",
            found=f"{len(bad)} did not",
            held=not bad,
        ),
        Goal(
            wanted=f"/readyz answers within {_READY_GOAL_SECONDS * 1000:g} ms",
            found=f"{slowest * 1000:.0f} ms",
            held=slowest <= _READY_GOAL_SECONDS + _SLACK_SECONDS,
        ),
        Goal(
            wanted="a COMMIT without an answer is told as unknown, and is found by its key",
            found=lost,
            held=lost == "503, then 200",
        ),
        Goal(wanted="the books are sound", found="yes" if verified else "no", held=verified),
    ]
    return Section(
        title="A database that says nothing",
        place=11,
        about=_ABOUT,
        goals=goals,
        tables={
            "By interface": Table(
                head=[
                    "",
                    "first success after the failover, s",
                    "after the thaw, s",
                    "answers while frozen",
                    "longest wait while frozen, s",
                ],
                rows=[
                    [
                        name,
                        f"{first[name]:.1f}",
                        f"{back[name]:.1f}",
                        _answers([one for one in freeze[name] if one.at < thawed_at]),
                        f"{max(one.seconds for one in freeze[name]):.1f}",
                    ]
                    for name in first
                ],
            )
        },
        notes=[f"Nobody waited longer than {longest:.1f} s for an answer."],
        seconds=asked.seconds,
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=described,
        load_after=Path("/proc/loadavg").read_text().split()[0],
    )


async def _all(asking: Asking, seconds: float) -> dict[str, list[Ended]]:
    asks: dict[str, Callable[[], Awaitable[Ended]]] = {
        **asking.interfaces,
        "readyz": asking.ready,
    }
    ended = await asyncio.gather(*(at_pace(ask, _PACE, seconds) for ask in asks.values()))
    return dict(zip(asks, ended, strict=True))


async def _freeze(made: Stand) -> tuple[dict[str, list[Ended]], float, dict[str, list[Ended]]]:
    async with Asking(made.gateway) as asking:
        await _all(asking, 3.0)
        made.proxy.do(lambda proxy: proxy.freeze())
        began = asyncio.create_task(_all(asking, _FREEZE_SECONDS + 10))
        await asyncio.sleep(_FREEZE_SECONDS)
        made.proxy.do(lambda proxy: proxy.thaw())
        thawed_at = time.monotonic()
        ended = await began
        after = {
            name: [one for one in part if one.at > thawed_at + 5] for name, part in ended.items()
        }
    return ended, thawed_at, after


async def _fail_over(made: Stand, seconds: float) -> tuple[dict[str, list[Ended]], float]:
    async with Asking(made.gateway) as asking:
        await _all(asking, 3.0)
        made.proxy.do(lambda proxy: proxy.fail_over())
        gone_at = time.monotonic()
        return await _all(asking, seconds), gone_at


async def _lose_an_answer(made: Stand) -> str:
    async with Asking(made.gateway) as asking:
        first = second = await asking.create()
        for _ in range(10):  # the workers commit, too: it may have been one of theirs
            order = asking.new_order()
            await asking.create(order)
            made.proxy.do(lambda proxy: proxy.silence_at_commit())
            first = await asking.card(order)
            if not first.good:
                break
        for _ in range(20):
            second = await asking.card(order)
            if second.good:
                break
            await asyncio.sleep(1)
        return f"{first.said}, then {second.said}"


def _first(ended: list[Ended], since: float) -> float:
    """When the first success had come that began after that moment."""
    done = [one.at + one.seconds - since for one in ended if one.good and one.at >= since]
    return min(done, default=float("inf"))


def _answers(ended: list[Ended]) -> str:
    said = Counter(one.said for one in ended)
    return ", ".join(f"{many} × {what}" for what, many in said.most_common())
