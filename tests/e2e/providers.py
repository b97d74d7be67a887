"""The simulated providers of a running demo: their faults, their payers, and their books beside
ours."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import aiohttp
from tests.e2e.crowd import Crowd
from tests.e2e.server import Server, until
from tests.e2e.wire import JSON, Call, Faces
from tests.simulator.browser import Browser

Key = tuple[str, str]
"""A provider account, and our reference of a charge there: the attempt's id."""

PROVIDER = {
    "stripe": "stripe",
    "razorpay": "razorpay",
    "cashfree": "cashfree",
    "alipay": "alipay",
    "partner-wallet": "wallet",
}
"""Of each account that the demo has."""

_MOVED = """
    SELECT m.merchant, c.key, m.currency, m.kind, count(*), sum(m.amount_minor)
      FROM movements m JOIN charges c ON (c.provider, c.id) = (m.provider, m.charge_id)
     WHERE m.kind IN ('charge', 'refund') GROUP BY 1, 2, 3, 4
"""
_BOOKED = """
    select a.connector, a.id, g.currency,
           case when g.kind in ('capture', 'surplus') then 'charge' else 'refund' end,
           count(*), sum(abs(e.amount_minor))::bigint
      from posting g
      join entry e on e.company_id = g.company_id and e.posting_id = g.id
      left join modification m on m.company_id = g.company_id and m.id = g.cause
      join attempt a on a.company_id = g.company_id and a.id = coalesce(m.attempt_id, g.cause)
     where e.account = 'provider:' || a.connector and a.connector = any($1)
       and g.kind in ('capture', 'surplus', 'refund', 'surplus_return')
     group by 1, 2, 3, 4
"""
OPEN = """
    select count(*) from (
      select 1 from attempt where status in ('dispatched', 'in_doubt')
      union all select 1 from modification where status in ('requested', 'processing')
      union all select 1 from payment where surplus_minor > surplus_returned_minor
      union all select 1 from provider_news where applied_at is null) open
"""


@dataclass(frozen=True)
class Money:
    """What a provider took, or gave back, of one charge: in how many pieces."""

    currency: str
    kind: str
    times: int
    minor: int


Books = dict[Key, set[Money]]


@dataclass
class Providers:
    """What the simulator beside `server` is asked for and told, over its own interface."""

    server: Server
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.simulator_port}"

    async def faults(self, *rules: Mapping[str, Any]) -> None:
        """Play these from now on, and no others."""
        await self._ask("PUT", "faults", list(rules))

    async def advance(self, seconds: int) -> None:
        await self._ask("POST", "clock", {"advance_seconds": seconds})

    async def _ask(self, method: str, path: str, content: Any) -> Any:
        url = f"{self.url}/_simulator/{path}"
        async with self.session.request(method, url, data=json.dumps(content)) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def press(self, page: str, action: str) -> int:
        """The payer opens the page that we sent him to, and presses that button; where nothing is
        left to do there, it says so or sends him back to us."""
        browser = Browser(self.session)
        opened = await browser.open(page)
        while (there := opened.headers.get("location")) is not None:
            opened = await browser.open(there)
        if opened.address.startswith(self.server.base_url) or 'name="action"' not in opened.text:
            return opened.status
        return (await browser.press(opened, action)).status

    def rows(self, query: str, *arguments: Any) -> list[Any]:
        """Ask the simulator's books themselves."""
        return rows(self.server, query, *arguments)


def rows(server: Server, query: str, *arguments: Any) -> list[Any]:
    path = server.data_dir / "simulator" / "simulator.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as books:
        return books.execute(query, arguments).fetchall()


def wait_for_accounts(server: Server) -> None:
    """Until the simulator knows all that the demo has with it."""

    def known() -> bool:
        try:
            found = rows(server, "SELECT name FROM merchants")
        except sqlite3.Error:
            return False
        return {name for (name,) in found} == set(PROVIDER)

    until(known, "the simulator knows the demo's accounts")


def held(server: Server) -> Books:
    """What the providers took and gave back, by their own books."""
    found: Books = {}
    for account, key, *money in rows(server, _MOVED):
        currency, kind, times, minor = money
        found.setdefault((account, key), set()).add(Money(currency, kind, times, minor))
    return found


async def booked(crowd: Crowd) -> Books:
    """The same by our ledger."""
    found: Books = {}
    for account, key, *money in await crowd.rows(_BOOKED, list(PROVIDER)):
        found.setdefault((account, key), set()).add(Money(*money))
    return found


async def compare(crowd: Crowd) -> int:
    """Both sets of books say the same of every charge, and neither has one that the other has
    not; how many there are."""
    theirs, ours = held(crowd.server), await booked(crowd)
    differing = {
        key: (theirs.get(key), ours.get(key))
        for key in theirs.keys() | ours.keys()
        if theirs.get(key) != ours.get(key)
    }
    assert differing == {}, f"{len(differing)} differ: {dict(list(differing.items())[:5])}"
    return len(ours)


async def at_rest(crowd: Crowd, seconds: float = 60) -> None:
    """Until nothing is in doubt and nothing waits to be applied or given back."""
    async with asyncio.timeout(seconds):
        while (await crowd.rows(OPEN))[0][0]:
            await asyncio.sleep(0.2)


def load() -> str:
    return "load average " + " ".join(f"{one:.1f}" for one in os.getloadavg())


def prove(server: Server) -> str:
    """`kassa verify` finds nothing; what it says."""
    proof = server.run("verify")
    assert proof.returncode == 0, proof.stdout
    assert "Traceback" not in server.log, server.log[-4000:]
    return proof.stdout.splitlines()[0]


def by_token(faces: Faces, order_id: str, amount: float = 299.9, token: str = "") -> Call:
    """Pay an order with a card's token, as a merchant with a page of his own asks for it."""
    wanted = {
        "userId": faces.demo.customer_username,
        "orderId": order_id,
        "amount": amount,
        "paymentMethod": "credit card",
        "payeeAccount": {"accountType": "business", "accountNumber": "biz_001"},
        "payerAccount": {"accountType": "token", "accountNumber": token or "pm_card_visa"},
    }
    content = json.dumps(wanted).encode()
    return Call("POST", "/gateway/payment-requests", {**JSON, **faces.key()}, content)


def refund(faces: Faces, payment_id: str, refund_id: str, amount: float | None = None) -> Call:
    """Give back a part of a payment, or all of it."""
    wanted = {"refundId": refund_id} | ({} if amount is None else {"amount": amount})
    path = f"/gateway/payment-requests/{payment_id}/refunds"
    return Call("POST", path, {**JSON, **faces.key()}, json.dumps(wanted).encode())


def refund_result(faces: Faces, payment_id: str, refund_id: str) -> Call:
    path = f"/gateway/payment-requests/{payment_id}/refunds/{refund_id}"
    return Call("GET", path, faces.key())


def versioned(
    faces: Faces, method: str, path: str, members: Mapping[str, Any] | None = None
) -> Call:
    """A call of the orders interface in its newest version."""
    demo = faces.demo
    headers = {
        "x-client-id": demo.orders_client_id,
        "x-client-secret": demo.orders_client_secret,
        "x-api-version": "2025-01-01",
    }
    body = b"" if members is None else json.dumps(members).encode()
    return Call(method, f"/pg/{path}", {**JSON, **headers}, body)


def order_of(currency: str, **more: Any) -> dict[str, Any]:
    """What makes an order there."""
    return {
        "order_amount": 299.9,
        "order_currency": currency,
        "customer_details": {"customer_id": "alice", "customer_phone": "9999999999"},
    } | more
