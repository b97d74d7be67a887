"""One row that somebody else holds: how do all other payments fare?"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import asyncpg

from bench import machine
from bench.faults.asking import Asking, Ended, at_pace
from bench.faults.paper import Asked, Goal, Section, Table
from bench.gateway import Gateway

_PACE = 4.0  # of each kind, per second
_RATIO = 1.5
_SEVEN = 7
_ABOUT = f"""\
A stray transaction, as of a forgotten `psql`, holds the row of one order, or of one wallet
balance, or has inserted an order id and does not commit. Beside it {_PACE * 2:g} requests a second
go on that have nothing to do with it, and {_SEVEN} are sent again and again for what is locked.
What is measured is how long the others take, against the same pace with nothing locked, before
and after."""

Ask = Callable[[], Awaitable[Ended]]


def measure(asked: Asked) -> Section:
    described = machine.describe()
    with Gateway() as gateway:
        phases, victims = asyncio.run(_phases(gateway, asked.seconds))
        verified = gateway.kassa("verify").returncode == 0
    usual = [one for name in ("before", "after") for one in phases.pop(name)]
    base = _p99(usual)
    goals = [
        Goal(
            wanted=f"p99 of the others at most {_RATIO} times the usual while {name}",
            found=f"{_p99(ended) / base:.2f} times",
            held=_p99(ended) <= _RATIO * base,
        )
        for name, ended in phases.items()
    ]
    refused = [one for ended in phases.values() for one in ended if not one.good]
    goals.append(
        Goal(wanted="none of the others refused", found=f"{len(refused)}", held=not refused)
    )
    goals.append(
        Goal(wanted="the books are sound", found="yes" if verified else "no", held=verified)
    )
    rows = [_row("nothing is locked", usual)]
    rows += [_row(name, ended) for name, ended in phases.items()]
    return Section(
        title="A row that somebody else holds",
        place=10,
        about=_ABOUT,
        goals=goals,
        tables={
            "The others, milliseconds": Table(
                head=["while", "requests", "p50", "p99", "slowest"], rows=rows
            ),
            "Who wants what is locked": Table(
                head=["while", "answers", "slowest, s"],
                rows=[_victims(name, ended) for name, ended in victims.items()],
            ),
        },
        notes=[],
        seconds=asked.seconds,
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=described,
        load_after=Path("/proc/loadavg").read_text().split()[0],
    )


async def _phases(
    gateway: Gateway, seconds: float
) -> tuple[dict[str, list[Ended]], dict[str, list[Ended]]]:
    url = gateway.database_urls["owner_url"]
    found: dict[str, list[Ended]] = {}
    victims: dict[str, list[Ended]] = {}
    async with Asking(gateway) as asking:
        both: list[Ask] = [asking.create, asking.card]
        stuck = asking.new_order()
        await asking.wallet()
        await _others(both, 3.0)
        found["before"] = await _others(both, seconds)
        first, second = asking.new_order(), asking.new_order()
        for order in (first, second):
            await asking.create(order)
        for name, statement, order, many, ask in (
            ("one wants a locked order", _ORDER, first, 1, lambda: asking.card(first)),
            ("seven want a locked order", _ORDER, second, _SEVEN, lambda: asking.card(second)),
            ("seven want a locked balance", _BALANCE, first, _SEVEN, asking.wallet),
            (
                "seven want an order id in the making",
                _MADE,
                first,
                _SEVEN,
                lambda: asking.create(stuck),
            ),
        ):
            async with _held(url, statement, order, stuck):
                stop = asyncio.Event()
                wanting = [asyncio.create_task(_again(ask, stop)) for _ in range(many)]
                found[name] = await _others(both, seconds)
                stop.set()
            victims[name] = [one for ended in await asyncio.gather(*wanting) for one in ended]
        found["after"] = await _others(both, seconds)
    return found, victims


_ORDER = "select from orders where id = $1 and $2 <> '' for update"
_BALANCE = "select from wallet_balance where $1 <> $2 for update"
_MADE = (
    "insert into orders select (json_populate_record(null::orders, (row_to_json(o)::jsonb"
    " || jsonb_build_object('id', $2::text, 'session_token', $2::text, 'request_id', null)"
    ")::json)).* from orders o where id = $1"
)


@asynccontextmanager
async def _held(url: str, statement: str, *values: str) -> AsyncIterator[None]:
    stray: Any = await asyncpg.connect(url)
    # The private server ends who idles in a transaction for a minute.
    await stray.execute("set idle_in_transaction_session_timeout = 0; begin")
    await stray.execute(statement, *values)
    try:
        yield
    finally:
        await stray.close()


async def _others(asks: list[Ask], seconds: float) -> list[Ended]:
    ended = await asyncio.gather(*(at_pace(ask, _PACE, seconds) for ask in asks))
    return [one for part in ended for one in part]


async def _again(ask: Ask, stop: asyncio.Event) -> list[Ended]:
    ended = []
    while not stop.is_set():
        ended.append(await ask())
        await asyncio.sleep(1)
    return ended


def _p99(ended: list[Ended]) -> float:
    return quantiles([one.seconds for one in ended], n=100, method="inclusive")[98]


def _row(name: str, ended: list[Ended]) -> list[str]:
    took = sorted(one.seconds * 1000 for one in ended)
    middle, late = took[len(took) // 2], _p99(ended) * 1000
    return [name, str(len(took)), f"{middle:.1f}", f"{late:.1f}", f"{took[-1]:.1f}"]


def _victims(name: str, ended: list[Ended]) -> list[str]:
    said = Counter(one.said for one in ended)
    words = ", ".join(f"{many} × {what}" for what, many in said.most_common())
    return [name, words, f"{max(one.seconds for one in ended):.1f}"]
