"""Where the machine lives: a gateway in this process, and for each example a simulated provider of
its own, with one account for one company.

Letters that the simulator posts are only heard; the machine hands them in, in which order it likes.
"""

import asyncio
import random
import shutil
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import aiohttp
import asyncpg
import structlog
from aiohttp import web
from tests.connectors.contract.plug import Plug, Way
from tests.databases import Databases, Prover, in_database
from yarl import URL

from kassa import assembly
from kassa.base.usecases.core import Core
from kassa.identity.domain.principals import Company
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.modifications.usecases.look_again import look_again
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.usecases.poll_payments import poll_payments
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.proof.store.checks import Violation
from kassa.proof.usecases.verify import known_of
from kassa.providers.usecases.provider_accounts import NewAccount, put_account
from kassa.providers.usecases.recovery import probe_silent
from kassa.reconciliation.usecases.compare import Comparison, compare
from kassa.settings import Settings
from kassa.webhooks_in.usecases.apply import apply_news
from kassa.webhooks_in.usecases.receive import receive_notification
from kassa_simulator.frame import Charge, Merchant
from kassa_simulator.protocols import protocols
from kassa_simulator.running import Simulator, running

SHOP = "oracle"
_T = TypeVar("_T")
_ASKED = ("attempt", "modification")
WORKERS = (apply_news, poll_payments, pursue_modifications, look_again, return_overpayments)


@dataclass(frozen=True)
class Letter:
    """One as it was posted."""

    target: str
    headers: Mapping[str, str]
    body: bytes


class World:
    """Opened once; every example is a company and a simulator of its own in it."""

    def __init__(
        self,
        settings: Settings,
        database: str,
        folder: Path,
        databases: Databases,
        prover: Prover,
    ):
        self.errors: list[Any] = []
        self._database, self._prover = database, prover
        structlog.configure(processors=[self._hear])
        self._loop = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._folder, self._number = folder, 0
        self._owner_url = in_database(databases.server.owner_url, database)
        self.bag: list[Letter] = []
        self._place: AsyncExitStack | None = None
        self.run(self._open(settings, in_database(databases.server.app_url, database)))

    async def _open(self, settings: Settings, database_url: str) -> None:
        self.core: Core = await self._stack.enter_async_context(
            assembly.open_core(settings, database_url)
        )
        self.owner = await asyncpg.connect(self._owner_url)
        application = web.Application()
        application.router.add_post("/{rest:.*}", self._heard)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.hook = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self.core.policy = replace(
            self.core.policy, base_url=self.hook, query_interval=timedelta(0)
        )
        self.browser = await self._stack.enter_async_context(aiohttp.ClientSession())

    def _hear(self, _: Any, level: str, event: Any) -> Any:
        """Workers go on after an error, and only log it: here it is kept. The rest is not told."""
        if level in ("exception", "critical") or "exc_info" in event:
            self.errors.append(event)
        raise structlog.DropEvent

    async def _heard(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.bag.append(Letter(request.raw_path, headers, await request.read()))
        kind, body = self.connector.acknowledgement
        return web.Response(body=body, headers={"content-type": kind})

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self._loop.run(work)

    def prove(self) -> tuple[Violation, ...]:
        """What `kassa verify` finds."""
        return self._prover.violations(self._database, known_of(self.core))

    def close(self) -> None:
        self.run(self.leave())
        self.run(self.owner.close())
        self.run(self._stack.aclose())
        self._loop.close()
        structlog.reset_defaults()

    @property
    def connector(self) -> Any:
        return self.core.connectors[self.account]

    async def begin(self, plug: Plug) -> None:
        """A fresh company, whose account is at a fresh simulator."""
        await self.leave()
        self._number += 1
        number, place = self._number, AsyncExitStack()
        self._place, self.plug, self.account = place, plug, f"{plug.name}-{number}"
        merchant = Merchant(
            provider=plug.name,
            name=SHOP,
            credentials=plug.credentials,
            notify_url=f"{self.hook}/providers/{self.account}",
        )
        self._books = self._folder / f"books-{number}"
        self.simulator: Simulator = await place.enter_async_context(
            running(self._books, seed=number, merchants=[merchant])
        )
        self.company: Company = await add_company(
            self.core,
            NewCompany(
                id=f"cmp_{number}",
                business_id=f"biz_{number}",
                name="A Shop",
                currency=plug.amount.currency,
                sandbox=True,
            ),
        )
        settings = {**plug.settings, "base_url": f"{self.simulator.url}{plug.base_path}"}
        wanted = NewAccount(
            company_id=self.company.id, name=self.account, connector=plug.name, settings=settings
        )
        await put_account(self.core, wanted)

    async def leave(self) -> None:
        """End the example: nothing of it is left for the workers to see."""
        if self._place is None:
            return
        for table in _ASKED:
            await self.owner.execute(
                f"update {table} set next_query_at = now() + interval '7 days'"
                " where company_id = $1 and next_query_at is not null",
                self.company.id,
            )
        connectors = cast("dict[str, Any]", self.core.connectors)
        await connectors.pop(self.account).close()
        await self._place.aclose()
        self._place = None
        self.bag.clear()
        shutil.rmtree(self._books)

    async def pay(self, way: Way) -> Payment:
        """An order that is paid in that way, as far as no payer is asked for."""
        manual = CaptureMethod.MANUAL if way.reserves else CaptureMethod.AUTOMATIC
        created = await create_order(
            self.core,
            NewOrder(
                company=self.company,
                business_id=self.company.business_id,
                actor="oracle",
                face="orders",
                amount=self.plug.amount,
                capture_method=manual,
            ),
        )
        return await self.submit(created.payment, way, way.fields.get("instrument", ""))

    async def submit(self, payment: Payment, way: Way, instrument: str) -> Payment:
        wanted = Submission(
            company_id=payment.company_id,
            payment_id=payment.id,
            method=way.fields.get("method", Method.CREDIT_CARD),
            connector=self.account,
            instrument=instrument,
            instrument_shown="",
            actor="oracle",
            return_url="https://shop.example/back",
        )
        return await submit_payment(self.core, wanted)

    async def open_page(self, url: str) -> None:
        """The payer opens the page, as far as the simulator leads."""
        while url.startswith(self.simulator.url):
            async with self.browser.get(URL(url, encoded=True), allow_redirects=False) as page:
                url = page.headers.get("location", "")

    def charges(self, key: str = "") -> list[Charge]:
        """Those in the simulator's books, oldest first."""
        desk = self.simulator.counter.desk
        return desk.charges({"provider": self.plug.name, "key": key})[::-1]

    def acts(self, charge: Charge) -> Sequence[str]:
        """What a person, or a bank, may do to it now."""
        return protocols()[self.plug.name].acts(charge)

    def act(self, charge: Charge, action: str) -> None:
        self.simulator.act(self.plug.name, charge.id, action)

    async def post(self) -> None:
        """Whatever the simulator has to tell by now is in the bag afterwards."""
        await self.simulator.post_letters()

    async def deliver(self, letter: Letter) -> None:
        """To the door: what is genuine is thanked for, whatever it says."""
        answer = await receive_notification(
            self.core, self.account, letter.headers, letter.body, target=letter.target
        )
        assert answer.status == 200, (answer, letter)

    def told_by(self, letter: Letter) -> Any:
        return self.connector.parse_notification(
            letter.headers, letter.body, target=letter.target, received_at=datetime.now(UTC)
        )

    async def later(self, by: timedelta) -> None:
        """Let time pass by, for what is to be asked about and at the provider."""
        self.simulator.advance(by)
        for table in _ASKED:
            await self.owner.execute(
                f"update {table} set next_query_at = next_query_at - $2::interval,"
                " last_query_at = last_query_at - $2::interval"
                " where company_id = $1 and next_query_at is not null",
                self.company.id,
                by,
            )
        await self.owner.execute(
            "update provider_news set next_at = next_at - $2::interval"
            " where account = $1 and next_at is not null",
            self.account,
            by,
        )

    async def all_due(self) -> None:
        """Everything that will ever be looked at again is looked at now."""
        for table in _ASKED:
            await self.owner.execute(
                f"update {table} set next_query_at = now() - interval '1 second',"
                " last_query_at = null where company_id = $1 and next_query_at is not null",
                self.company.id,
            )
        await self.owner.execute(
            "update provider_news set next_at = now() where account = $1 and next_at is not null",
            self.account,
        )

    async def compared(self) -> Comparison:
        """What our own question to the provider finds."""
        now = datetime.now(UTC)
        years = timedelta(days=400)
        return await compare(
            self.core, self.company.id, self.account, now - years, now + years, quiet=timedelta(0)
        )

    async def work(self, order: random.Random) -> None:
        """Every worker has a round."""
        await probe_silent(self.core)
        for worker in order.sample(WORKERS, len(WORKERS)):
            await worker(self.core)
