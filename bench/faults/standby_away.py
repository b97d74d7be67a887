"""Commits wait for a standby that is away, and somebody cancels their wait."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from bench import machine
from bench.faults.asking import Asking, Ended
from bench.faults.paper import Asked, Goal, Section, Table
from bench.faults.stand import Stand, stand

_ROUNDS = 5
_ABOUT = """\
`synchronous_standby_names` names a standby that is not there, so every commit waits for it. Orders
are created and paid from a wallet; then the waits are ended with `pg_cancel_backend` and
`pg_terminate_backend`, as an administrator or a failover manager would. What was committed then
stands on this server alone, and is lost with it."""


def measure(asked: Asked) -> Section:
    described = machine.describe()
    with stand() as made:
        cut = {how: asyncio.run(_cut(made, how)) for how in _HOW}
        again = asyncio.run(_again(made))
        verified = made.gateway.kassa("verify").returncode == 0
    acknowledged = sum(one.good for ended in cut.values() for one in ended)
    goals = [
        Goal(
            wanted="no commit is acknowledged that no standby has",
            found=f"{acknowledged} of {sum(map(len, cut.values()))}",
            held=acknowledged == 0,
        ),
        Goal(
            wanted="with the standby back, everything succeeds",
            found=f"{sum(one.good for one in again)} of {len(again)}",
            held=all(one.good for one in again),
        ),
        Goal(wanted="the books are sound", found="yes" if verified else "no", held=verified),
    ]
    return Section(
        title="A standby that is away",
        place=12,
        about=_ABOUT,
        goals=goals,
        tables={
            "What was answered": Table(
                head=["the wait was ended by", "answers", "slowest, s"],
                rows=[
                    [
                        f"`{how}`" if how else "nobody",
                        ", ".join(
                            f"{n} × {what}" for what, n in Counter(e.said for e in ended).items()
                        ),
                        f"{max(one.seconds for one in ended):.1f}",
                    ]
                    for how, ended in cut.items()
                ],
            )
        },
        notes=[
            "Where nobody ends the wait, callers are told after ten seconds that it is unknown."
        ],
        seconds=asked.seconds,
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=described,
        load_after=Path("/proc/loadavg").read_text().split()[0],
    )


_HOW = ("pg_cancel_backend", "pg_terminate_backend", "")


async def _cut(made: Stand, how: str) -> list[Ended]:
    watcher: Any = await asyncpg.connect(made.owner_url)
    await watcher.execute("set synchronous_commit = local")
    async with Asking(made.gateway) as asking:
        await asking.create()
        made.change(synchronous_standby_names="ghost")
        try:
            rounds = _ROUNDS if how else 1
            ended: list[Ended] = []
            for _ in range(rounds):
                wanted = (asking.create, asking.wallet)
                waiting = [asyncio.ensure_future(ask()) for ask in wanted]
                while not all(one.done() for one in waiting):
                    await asyncio.sleep(0.3)
                    if how:
                        await watcher.execute(
                            f"select {how}(pid) from pg_stat_activity where wait_event = 'SyncRep'"
                        )
                ended += [await one for one in waiting]
        finally:
            made.change()
            await watcher.close()
    return ended


async def _again(made: Stand) -> list[Ended]:
    await asyncio.sleep(2)
    async with Asking(made.gateway) as asking:
        return [await ask() for _ in range(5) for ask in asking.interfaces.values()]
