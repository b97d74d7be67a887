"""Runs a simulator: its books, its server and its post office."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from kassa_simulator import odd_rows
from kassa_simulator.books import SqliteBooks
from kassa_simulator.clock import Clock
from kassa_simulator.control import Control
from kassa_simulator.desk import Desk
from kassa_simulator.faults import read_rules
from kassa_simulator.files import settlement_file
from kassa_simulator.frame import Merchant
from kassa_simulator.letters import Letterbox
from kassa_simulator.page import Page
from kassa_simulator.payouts import Payout
from kassa_simulator.post import PostOffice
from kassa_simulator.server import Counter

HOST = "127.0.0.1"
_LARGEST_BODY = 4 * 1024 * 1024
_SHUTDOWN_SECONDS = 0.2
_CATCH_UP_SECONDS = 60

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Simulator:
    """A simulator that runs. `url`: where, without a slash at its end."""

    url: str
    books: SqliteBooks
    counter: Counter

    def add_merchant(self, merchant: Merchant) -> None:
        with self.books.deed():
            self.counter.desk.add_merchant(merchant)

    def set_faults(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Replace all fault rules, written as the control interface takes them. Raises: BadRule."""
        read = read_rules([dict(rule) for rule in rules])
        with self.books.deed():
            self.counter.desk.set_rules(read)

    def advance(self, by: timedelta) -> None:
        self.counter.advance(by)

    def set_reports(self, provider: str, merchant: str, odd: Sequence[str]) -> None:
        """What stands in the merchant's reports from now on, beside what should."""
        with self.books.deed():
            odd_rows.keep(self.books, provider, merchant, odd)

    def payouts(self, provider: str, merchant: str) -> Sequence[Payout]:
        """Every try of what was paid out, the oldest first."""
        return self.counter.payouts(provider, merchant)

    def return_payout(self, provider: str, merchant: str, reference: str) -> bool:
        """The bank sends it back; False where it cannot."""
        return self.counter.return_payout(provider, merchant, reference)

    def settlement_file(
        self, provider: str, merchant: str, day: datetime, *faults: str
    ) -> tuple[str, bytes]:
        """The day's file, as `GET /_simulator/settlement-file` gives it: its name, and what is in
        it. Raises: BadWish."""
        desk = self.counter.desk
        answer = settlement_file(
            self.books, desk, provider=provider, merchant=merchant, day=day, faults=faults
        )
        return f"{provider}_{day:%Y-%m-%d}.csv", answer.body

    def act(self, provider: str, charge_id: str, action: str) -> None:
        """Do what the payer, or the payer's bank, does. Raises: ValueError."""
        if not self.counter.act(provider, charge_id, action):
            raise ValueError(f"{action} is nothing that can be done now with {charge_id}")

    def letters(self) -> list[dict[str, Any]]:
        """Every letter with what became of its copies, oldest first."""
        return self.counter.letterbox.listed()[::-1]

    async def post_letters(self) -> None:
        """Post everything that is due, and wait until each copy had its try."""
        await self.counter.office.send_all()

    def money(self, provider: str, merchant: str = "") -> dict[str, dict[str, int]]:
        return self.counter.desk.money(provider, merchant)

    def calls(self, **only: str) -> list[dict[str, Any]]:
        """By `provider`, `operation`, `reference`, `fault`; oldest first."""
        return self.counter.desk.calls(only)[::-1]


@asynccontextmanager
async def running(
    directory: Path,
    *,
    seed: int = 1,
    port: int = 0,
    merchants: Iterable[Merchant] = (),
    start: datetime | None = None,
) -> AsyncIterator[Simulator]:
    """Run a simulator that keeps its books in `directory`, on loopback alone.

    `port` 0: any that is free. `start`: its clock stands there until it is moved ahead; without
    one it goes on from the machine's time.
    Raises: ValueError when the books there are of another seed; OSError when the port is taken.
    """
    books = SqliteBooks(directory / "simulator.sqlite", seed=seed, clock=Clock(start))
    try:
        desk = Desk(books)
        letterbox = Letterbox(books, desk)
        office = PostOffice(books, letterbox)
        counter = Counter(books, desk, letterbox, office)
        with books.deed():
            for merchant in merchants:
                desk.add_merchant(merchant)
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.add_routes(Control(counter).routes())
        application.add_routes(Page(counter).routes())
        application.router.add_route("*", "/{rest:.*}", counter.provider)
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, handle_signals=False
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, port)
            await site.start()
            _, actual, *_ = runner.addresses[0]
            office.open()
            async with _keeping_time(counter):
                yield Simulator(f"http://{HOST}:{actual}", books, counter)
        finally:
            await office.close()
            await runner.cleanup()
    finally:
        books.close()


@asynccontextmanager
async def _keeping_time(counter: Counter) -> AsyncIterator[None]:
    async def keep() -> None:
        while True:
            await asyncio.sleep(_CATCH_UP_SECONDS)
            try:
                counter.catch_up()
            except Exception:
                log.exception("catching up with the time")

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
