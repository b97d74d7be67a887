"""A simulator, a connector that uses it, a payer, and the address that hears the letters."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from tests.connectors.contract.plug import Plug, Way
from yarl import URL

from kassa.base.domain.money import Money
from kassa.connectors.base import ActionNeeded, ChargeRequest, ModificationRequest, Outcome
from kassa.connectors.catalog import kind_of
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Tools
from kassa_simulator.frame import Answer, Call, Charge, Merchant
from kassa_simulator.protocols import protocols
from kassa_simulator.running import Simulator, running

SHOP = "contract"
PATIENT, HASTY = 20.0, 0.1
"""How long a connector waits for an answer, and where it is made to wait in vain."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Heard:
    """One letter as it was posted, and how the books stood when it came."""

    target: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime


@dataclass
class Stage:
    """`patient` and `hasty` are the same account; they differ in how long they wait.
    `distorted`: the paths of answers that were falsified, `everywhere` when each one is, so that
    no other can have told the truth."""

    plug: Plug
    simulator: Simulator
    patient: Any
    hasty: Any
    hook: str
    heard: list[Heard] = field(default_factory=list)
    on_heard: Callable[[Heard], None] = lambda letter: None
    distorted: list[str] = field(default_factory=list)
    everywhere: bool = False

    def play(self, fault: str, operation: str = "*", **more: Any) -> None:
        self.everywhere = operation == "*"
        rule = {"provider": self.plug.name, "operation": operation, "fault": fault, **more}
        self.simulator.set_faults([rule])

    def stop(self) -> None:
        self.simulator.set_faults([])

    def operations_since(self, mark: int) -> list[str]:
        """The distinct operations of the calls from the `mark`th on, in order."""
        calls = self.simulator.calls(provider=self.plug.name)[mark:]
        return list(dict.fromkeys(str(call["operation"]) for call in calls))

    @property
    def mark(self) -> int:
        return len(self.simulator.calls(provider=self.plug.name))

    def charge_request(self, way: Way, **changes: Any) -> ChargeRequest:
        now = datetime.now(UTC)
        given: dict[str, Any] = {
            "key": f"at1_{next(_numbers):026d}",
            "amount": self.plug.amount,
            "order_id": "order_1",
            "subject": "Grüner Tee 茶",
            "description": "Two tins of tea, 绿茶",
            "instrument": "",
            "return_url": "https://shop.example/back",
            "notify_url": self.hook,
            "expires_at": now + timedelta(hours=2),
            "now": now,
        }
        return ChargeRequest(**{**given, **way.fields, **changes})

    def change_request(
        self, verb: str, charge: ChargeRequest, reference: str, amount: Money | None = None
    ) -> ModificationRequest:
        return ModificationRequest(
            key=f"{verb[:2]}1_{next(_numbers):026d}",
            charge_key=charge.key,
            charge_reference=reference,
            amount=amount or charge.amount,
            charge_amount=charge.amount,
            reason="",
            notify_url=self.hook,
            now=datetime.now(UTC),
        )

    def charges(self, key: str) -> list[Charge]:
        """Every charge of that key in the books, oldest first."""
        desk = self.simulator.counter.desk
        return desk.charges({"provider": self.plug.name, "key": key})[::-1]

    def charges_of_all(self) -> list[Charge]:
        return self.simulator.counter.desk.charges({"provider": self.plug.name})

    def moved(self, key: str, kind: str) -> list[int]:
        """Every movement of money of that charge, in minor units."""
        desk = self.simulator.counter.desk
        beginning, end = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
        ids = {charge.id for charge in self.charges(key)}
        return [
            one.amount_minor
            for one in desk.movements(self.plug.name, SHOP, beginning, end)
            if one.charge_id in ids and one.kind == kind
        ]

    async def go(self, outcome: Outcome) -> None:
        """The payer opens the page of an ActionNeeded, as far as the simulator leads; what is a
        page of ours needs no visit."""
        url = outcome.url if isinstance(outcome, ActionNeeded) else ""
        async with aiohttp.ClientSession() as browser:
            while url.startswith(self.simulator.url):
                async with browser.get(URL(url, encoded=True), allow_redirects=False) as page:
                    assert page.status < 400, f"the payer's page answered {page.status}"
                    url = page.headers.get("location", "")

    def act(self, key: str, action: str) -> bool:
        """What the payer does on the newest charge that allows it; False where none does."""
        protocol = protocols()[self.plug.name]
        for charge in reversed(self.charges(key)):
            if action in protocol.acts(charge):
                self.simulator.act(self.plug.name, charge.id, action)
                return True
        return False

    async def parsed(self, letter: Heard, connector: Any = None, **changes: Any) -> Any:
        given = {"target": letter.target, "received_at": letter.at, **changes}
        body = given.pop("body", letter.body)
        headers = given.pop("headers", letter.headers)
        return (connector or self.patient).parse_notification(headers, body, **given)


def connect(plug: Plug, url: str, seconds: float, settings: Mapping[str, str] = {}) -> Any:
    """A connector of this account, as the gateway makes one."""
    tools = Tools(
        http=ProviderHttp(connect_seconds=5, total_seconds=seconds),
        clock=lambda: datetime.now(UTC),
        base_url="https://pay.example",
    )
    address = {"base_url": f"{url}{plug.base_path}"}
    return kind_of(plug.name).make({**plug.settings, **address, **settings}, tools)


@asynccontextmanager
async def staged(
    plug: Plug, directory: Path, *, seed: int = 1, rules: Sequence[Mapping[str, Any]] = ()
) -> AsyncIterator[Stage]:
    """Everything that a test of the suite needs, for as long as it lasts."""
    stages: list[Stage] = []

    async def hear(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        letter = Heard(request.raw_path, headers, await request.read(), datetime.now(UTC))
        for stage in stages:
            stage.heard.append(letter)
            stage.on_heard(letter)
        kind, body = stages[0].patient.acknowledgement
        return web.Response(body=body, headers={"content-type": kind})

    application = web.Application()
    application.router.add_post("/{rest:.*}", hear)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        hook = f"http://127.0.0.1:{runner.addresses[0][1]}/providers/{plug.name}"
        merchant = Merchant(
            provider=plug.name, name=SHOP, credentials=plug.credentials, notify_url=hook
        )
        async with running(directory, seed=seed, merchants=[merchant]) as simulator:
            patient = connect(plug, simulator.url, PATIENT)
            hasty = connect(plug, simulator.url, HASTY)
            stages.append(Stage(plug, simulator, patient, hasty, hook))
            simulator.set_faults(list(rules))
            try:
                with watching(plug.name, stages[0].distorted):
                    yield stages[0]
            finally:
                await patient.close()
                await hasty.close()
    finally:
        await runner.cleanup()


@contextmanager
def watching(name: str, distorted: list[str]) -> Iterator[None]:
    """Note the path of every answer that the simulator really falsified: where a provider's answer
    names no amount, it stays true under `wrong_amount`."""
    protocol = type(protocols()[name])
    real = protocol.distort

    def distort(self: Any, call: Call, answer: Answer, *, amount: bool) -> Answer:
        told = real(self, call, answer, amount=amount)
        if told.body != answer.body:
            distorted.append(call.path)
        return told

    protocol.distort = distort  # type: ignore[method-assign]
    try:
        yield
    finally:
        protocol.distort = real  # type: ignore[method-assign]
