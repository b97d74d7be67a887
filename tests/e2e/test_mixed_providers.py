"""Payments, captures, voids and refunds at four providers that do everything wrong that the
simulator can: in the end our books are sound, and say the same as each provider's.

KASSA_TEST_LONG=1 makes some hundreds of orders (KASSA_TEST_ORDERS), at random (KASSA_TEST_SEED).
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.crowd import Crowd, a_crowd, session_in
from tests.e2e.providers import (
    OPEN,
    Providers,
    by_token,
    compare,
    load,
    order_of,
    prove,
    versioned,
    wait_for_accounts,
)
from tests.e2e.server import Server, a_server
from tests.e2e.wire import Call, Reply, fresh

pytestmark = pytest.mark.anyio

LONG = os.environ.get("KASSA_TEST_LONG") == "1"
SEED = int(os.environ.get("KASSA_TEST_SEED", "0")) or random.randrange(1, 10**9)
ORDERS = int(os.environ.get("KASSA_TEST_ORDERS", "400" if LONG else "60"))
CUSTOMERS = 12
PATIENCE_SECONDS = 300.0 if LONG else 60.0
PRICE = 29_990  # minor units
RULES = """
[[rules]]
name = "banks"
when = { method = ["net_banking"] }
use = { cashfree = 1 }
by = "order"
then = ["*"]
"""
OPERATIONS = ("prepare", "charge", "capture", "void", "refund", "close", "query")
FAULTS: Mapping[str, Mapping[str, float]] = {  # seconds, not money
    "refuse": {},
    "decline": {},
    "reset_before": {},
    "reset_after": {},
    "timeout_before": {"seconds": 16 if LONG else 1},
    "timeout_after": {"seconds": 16 if LONG else 1},
    "garbage": {},
    "error_500": {},
    "error_500_after": {},
    "rate_limited": {},
    "busy": {},
    "slow": {"seconds": 0.001},
    "duplicate_answer": {},
    "not_found": {},
    "wrong_amount": {},
    "wrong_currency": {},
}
LETTERS: Mapping[str, Mapping[str, float]] = {  # seconds, not money
    "duplicated": {},
    "reordered": {"seconds": 5},
    "early": {},
    "late": {"seconds": 900},
    "never": {},
    "forged": {},
}
# Under the orders' locks, as everybody who writes attempts: else one that is being decided is
# sealed with the time that it had when it was read.
LATER = """
    with held as (
      select o.company_id, o.id from orders o
       where (o.company_id, o.id) in (select p.company_id, p.order_id from payment p join attempt a
               on (a.company_id, a.payment_id) = (p.company_id, p.id)
             where a.status in ('dispatched', 'in_doubt'))
         for update),
    late as (
      update attempt a set created_at = a.created_at - interval '30 minutes',
             undecided_since = a.undecided_since - interval '30 minutes'
        from payment p, held h
       where (p.company_id, p.id) = (a.company_id, a.payment_id)
         and (h.company_id, h.id) = (p.company_id, p.order_id)
         and a.status in ('dispatched', 'in_doubt') returning 1)
    select count(*) from late
"""
LEFT = """
    select p.id, p.order_id, p.status, p.redirect_url from payment p
     where p.status in ('requires_action', 'processing')
"""
OF_ORDER = "select id from payment where order_id = $1"
CHANGES_LEFT = """
    select p.order_id, m.request_id, m.kind from modification m
      join payment p on (p.company_id, p.id) = (m.company_id, m.payment_id)
     where m.status in ('requested', 'processing')
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    print(f"KASSA_TEST_SEED={SEED}")
    rules: Path = tmp_path_factory.mktemp("rules") / "rules.toml"
    rules.write_text(RULES)
    with a_server() as started:
        wait_for_accounts(started)
        put = started.run("route", "--set", str(rules))
        assert put.returncode == 0, put.stderr
        yield started


@pytest.fixture
async def crowd(server: Server) -> AsyncIterator[Crowd]:
    async with a_crowd(server) as gathered:
        yield gathered


def menu(luck: random.Random) -> list[dict[str, Any]]:
    """Every fault on every operation of every provider, each now and then."""
    rules = [
        {"operation": operation, "fault": fault, "share": luck.uniform(0, 0.06), **more}
        for operation in OPERATIONS
        for fault, more in FAULTS.items()
        if fault != "decline" or operation == "charge"
    ]
    luck.shuffle(rules)
    letters = [
        {"operation": "letter", "fault": fault, "share": luck.uniform(0, 0.4), **more}
        for fault, more in LETTERS.items()
    ]
    return rules + letters


@dataclass
class Market:
    """Customers who pay in one way or another, and merchants who change their minds."""

    crowd: Crowd
    providers: Providers
    luck: random.Random
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def ask(self, what: str, call: Call) -> Reply:
        reply = await self.crowd.ask(call)
        assert reply.status != 500, (what, reply.body)
        self.answers[what, reply.status] += 1
        return reply

    def pg(self, method: str, path: str, members: dict[str, Any] | None = None) -> Call:
        return versioned(self.crowd.faces, method, path, members)

    async def order(self, currency: str, **more: Any) -> tuple[str, str]:
        """An order, and the session in which it is paid."""
        wanted = order_of(currency, order_id=fresh("order"), **more)
        made = (await self.ask("order", self.pg("POST", "orders", wanted))).json()
        return made["order_id"], made["payment_session_id"]

    async def pay(self, session: str, method: dict[str, Any]) -> None:
        """Nothing was sent while it is answered with 503: so the payer tries again."""
        wanted = {"payment_session_id": session, "payment_method": method}
        for _ in range(3):
            if (await self.ask("pay", self.pg("POST", "orders/sessions", wanted))).status != 503:
                return

    async def by_gateway_token(self) -> str:
        name = fresh("order")
        call = by_token(self.crowd.faces, name)
        while (await self.ask("token", call)).status == 503:
            await asyncio.sleep(0.2)
        return name

    async def by_reserved_card(self) -> str:
        order_id, session = await self.order("CNY", order_tags={"capture_method": "manual"})
        await self.pay(session, {"card": {"channel": "link", "token": "pm_card_visa"}})
        claim: dict[str, Any] = {"action": "VOID"}
        if self.luck.random() < 0.7:
            claim = {"action": "CAPTURE", "amount": self.luck.choice((PRICE, PRICE // 3)) / 100}
        await self.ask("claim", self.pg("POST", f"orders/{order_id}/authorization", claim))
        return order_id

    async def by_page_of_stripe(self) -> str:
        return await self.by_link("CNY", "card")

    async def by_page_of_razorpay(self) -> str:
        return await self.by_link("INR", "upi")

    async def by_page_of_cashfree(self) -> str:
        return await self.by_link("INR", "netbanking")

    async def by_link(self, currency: str, method: str) -> str:
        order_id, session = await self.order(currency)
        await self.pay(session, {method: {"channel": "link"}})
        await self.at_the_page(order_id)
        return order_id

    async def by_alipay(self) -> str:
        order_id, session = await self.order("CNY")
        session = session_in(f"/pay/{session}")
        form = await self.crowd.open_page(session)
        reply = await self.crowd.confirm(session, form | {"method": "alipay"})
        assert reply.status in (200, 303, 503), reply.status
        await self.at_the_page(order_id)
        return order_id

    async def at_the_page(self, order_id: str) -> None:
        """The payer pays, says no, or goes away, where there is a page of the provider's."""
        for payment_id, of, status, page in await self.crowd.rows(LEFT):
            if of == order_id and status == "requires_action":
                await self.act(payment_id, of, page)

    async def act(self, payment_id: str, order_id: str, page: str) -> None:
        chance = self.luck.random()
        if chance < 0.75:
            await self.providers.press(page, "pay")
        elif chance < 0.85:
            await self.providers.press(page, "decline")
        elif chance < 0.95:
            end = {"order_status": "TERMINATED"}
            await self.ask("end", self.pg("PATCH", f"orders/{order_id}", end))

    async def give_back(self, order_id: str) -> None:
        """Of what is paid; of what is not, it is refused."""
        ((payment_id,),) = await self.crowd.rows(OF_ORDER, order_id)
        await self.ask("result", self.crowd.faces.result(payment_id))
        for _ in range(self.luck.choice((0, 0, 1, 2))):
            part = self.luck.choice((PRICE, PRICE // 2, 1)) / 100
            wanted = {"refund_id": fresh("refund"), "refund_amount": part}
            await self.ask("refund", self.pg("POST", f"orders/{order_id}/refunds", wanted))

    async def one(self) -> None:
        ways: list[Callable[[], Awaitable[str]]] = [
            self.by_gateway_token,
            self.by_reserved_card,
            self.by_page_of_stripe,
            self.by_page_of_razorpay,
            self.by_page_of_cashfree,
            self.by_alipay,
        ]
        order_id = await self.luck.choice(ways)()
        await self.give_back(order_id)

    async def trade(self, orders: int) -> None:
        gate = asyncio.Semaphore(CUSTOMERS)

        async def one() -> None:
            async with gate:
                await self.one()

        await asyncio.gather(*(one() for _ in range(orders)))

    async def settle(self) -> None:
        """Nothing is wrong any more: payers finish, merchants ask, time goes by."""
        await self.providers.faults()
        await self.providers.advance(3600)
        await self.crowd.rows(LATER)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (await self.crowd.rows(OPEN))[0][0]:
            assert time.monotonic() < deadline, await self.what_is_left()
            for payment_id, order_id, status, page in await self.crowd.rows(LEFT):
                if status == "requires_action" and page:
                    await self.act(payment_id, order_id, page)
                else:
                    await self.ask("result", self.crowd.faces.result(payment_id))
            for order_id, name, kind in await self.crowd.rows(CHANGES_LEFT):
                if kind == "refund":
                    path = f"orders/{order_id}/refunds/{name}"
                    await self.ask("refund result", self.pg("GET", path))
            await asyncio.sleep(0.5)

    async def what_is_left(self) -> list[Any]:
        return [
            await self.crowd.rows(query)
            for query in (
                "select * from attempt where status in ('dispatched', 'in_doubt')",
                "select * from modification where status in ('requested', 'processing')",
                "select * from provider_news where applied_at is null",
            )
        ]


async def test_whatever_providers_do_both_sets_of_books_agree(crowd: Crowd) -> None:
    luck = random.Random(SEED)
    providers = Providers(crowd.server, crowd.session)
    market = Market(crowd, providers, luck)
    began = time.monotonic()
    await providers.faults(*menu(luck))
    await market.trade(ORDERS)
    traded = time.monotonic() - began
    await market.settle()
    settled = time.monotonic() - began - traded

    charges = await compare(crowd)
    by_account = await crowd.rows(
        "select connector, status, count(*) from attempt group by 1, 2 order by 1, 2"
    )
    faults = dict(providers.rows("SELECT fault, count(*) FROM calls WHERE fault <> '' GROUP BY 1"))
    assert {connector for connector, status, _ in by_account if status == "succeeded"} >= {
        "stripe",
        "razorpay",
        "cashfree",
        "alipay",
    }
    print(
        f"\n{ORDERS} orders in {traded:.1f} s and {settled:.1f} s until nothing was in doubt;"
        f" {charges} charges agree; {load()}\nattempts {by_account}\nfaults {faults}\n"
        f"answers {sorted(market.answers.items())}\n{prove(crowd.server)}"
    )
