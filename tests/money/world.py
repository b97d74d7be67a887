"""Where the machine lives: one gateway in this process, and a provider under a clock of its own.

The clock is moved by moving the provider's, and by making every row of the database that much
older: to the gateway it is the same as if the time had passed.
"""

import asyncio
import json
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import asyncpg
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.asgi import Answer, Client
from tests.faces.wallet.calls import Merchant, public_pem
from tests.shop import Shop, reseal

from kassa import app, assembly
from kassa.base.usecases.core import Core
from kassa.connectors.base import (
    Authorized,
    ChargeEvent,
    ChargeRequest,
    ModificationOutcome,
    Outcome,
)
from kassa.connectors.base import ModificationRequest as Request
from kassa.connectors.sandbox import signing
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector
from kassa.identity.domain.principals import Company
from kassa.identity.usecases.companies import (
    NewCompany,
    add_company,
    put_api_key,
    put_orders_client,
    put_wallet_client,
)
from kassa.settings import Settings

WALLET_LIMIT, DAILY_LIMIT = 15_000, 60_000
_SECRET = b"a secret of these tests only"
_T = TypeVar("_T")

_OLDER = """
update payment set expires_at = expires_at - $2::interval,
  authorization_expires_at = authorization_expires_at - $2::interval where company_id = $1;
update orders set expires_at = expires_at - $2::interval where company_id = $1;
update attempt set created_at = created_at - $2::interval,
  next_query_at = next_query_at - $2::interval, last_query_at = last_query_at - $2::interval
  where company_id = $1;
update modification set next_query_at = next_query_at - $2::interval,
  last_query_at = last_query_at - $2::interval, completed_at = completed_at - $2::interval
  where company_id = $1 and (next_query_at is not null or completed_at is not null)
"""


class Provider(SandboxConnector):
    """The sandbox, `ahead` of the real time; what it says of times is translated back."""

    def __init__(self, books: SandboxBooks):
        self.ahead = timedelta()
        super().__init__(
            books, base_url="http://pay.test", secret=_SECRET, clock=self.time, sleep=self._rest
        )

    def time(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def _rest(self, _: float) -> None:
        """A slow answer is slow only for the payer."""

    async def charge(self, request: ChargeRequest) -> Outcome:
        there = replace(request, now=self.time(), expires_at=request.expires_at + self.ahead)
        return self._back(await super().charge(there))

    async def query(self, key: str, known: Any = None) -> Outcome:
        return self._back(await super().query(key))

    async def capture(self, request: Request) -> ModificationOutcome:
        return await super().capture(replace(request, now=self.time()))

    async def void(self, request: Request) -> ModificationOutcome:
        return await super().void(replace(request, now=self.time()))

    async def refund(self, request: Request) -> ModificationOutcome:
        return await super().refund(replace(request, now=self.time()))

    def parse_notification(self, headers: Any, body: bytes, **about: Any) -> Any:
        news = super().parse_notification(headers, body, **about)
        return (
            replace(news, outcome=self._back(news.outcome))
            if isinstance(news, ChargeEvent)
            else news
        )

    def _back(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Authorized) and outcome.expires_at is not None:
            return replace(outcome, expires_at=outcome.expires_at - self.ahead)
        return outcome

    def begin(self, books: SandboxBooks) -> None:
        """Go on with fresh books."""
        self._books.close()
        self._books, self.ahead = books, timedelta()


@dataclass(frozen=True)
class Tenant:
    """A company with a merchant's credentials for every interface."""

    shop: Shop
    orders: dict[str, str]
    key: dict[str, str]
    wallet: Merchant

    @property
    def company(self) -> Company:
        return self.shop.company


class World:
    """Opened once; every example is a company of its own in it."""

    def __init__(self, settings: Settings, database_url: str, owner_url: str, folder: Path):
        self.errors: list[Any] = []
        structlog.configure(processors=[self._hear])
        self._loop = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._folder, self._number = folder, 0
        self._key = rsa.generate_private_key(65537, 2048)
        self._owner_url = owner_url
        self.provider = Provider(SandboxBooks(folder / "books_0.sqlite3"))
        self.run(self._open(settings, database_url))

    async def _open(self, settings: Settings, database_url: str) -> None:
        self.core: Core = await self._stack.enter_async_context(
            assembly.open_core(settings, database_url)
        )
        await self.core.connectors["sandbox"].close()
        cast("dict[str, Any]", self.core.connectors)["sandbox"] = self.provider
        self.core.policy = replace(
            self.core.policy,
            wallet_limit_minor=WALLET_LIMIT,
            wallet_daily_limit_minor=DAILY_LIMIT,
        )
        self.client = Client(app.http_app(self.core, settings))
        self.owner = await asyncpg.connect(self._owner_url)

    def _hear(self, _: Any, level: str, event: Any) -> Any:
        """Workers go on after an error, and only log it: here it is kept. The rest is not told."""
        if level in ("error", "exception", "critical"):
            self.errors.append(event)
        raise structlog.DropEvent

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self._loop.run(work)

    def close(self) -> None:
        self.run(self.owner.close())
        self.run(self._stack.aclose())
        self._loop.close()
        structlog.reset_defaults()

    @property
    def books(self) -> SandboxBooks:
        return self.provider._books

    def tenant(self) -> Tenant:
        """A fresh company, and fresh books at the provider."""
        self._number += 1
        old = self._folder / f"books_{self._number - 1}.sqlite3"
        self.provider.begin(SandboxBooks(self._folder / f"books_{self._number}.sqlite3"))
        for file in self._folder.glob(f"{old.name}*"):
            file.unlink()
        return self.run(self._tenant(self._number))

    async def _tenant(self, number: int) -> Tenant:
        name = f"{self._number}"
        company = await add_company(
            self.core,
            NewCompany(
                id=f"cmp_{name}",
                business_id=f"biz_{name}",
                name="A Shop",
                currency="CNY",
                sandbox=True,
            ),
        )
        key, client, secret = f"sk_{number}_secret", f"client_{number}", "a-secret-of-the-client"
        await put_api_key(self.core, company, key)
        await put_orders_client(self.core, company, client, secret)
        pem = {"1": public_pem(self._key)}
        await put_wallet_client(self.core, company, f"5X{number}", pem)
        return Tenant(
            Shop(self.core, company, self._owner_url, [self.owner]),
            {"x-client-id": client, "x-client-secret": secret, "content-type": "application/json"},
            {"authorization": f"Bearer {key}", "content-type": "application/json"},
            Merchant(self.client, self.core, f"5X{number}", self._key),
        )

    async def post(self, path: str, headers: dict[str, str], members: Any) -> Answer:
        """Call an interface; what it answers is never a fault of ours."""
        body = json.dumps(members).encode()
        answer = await self.client.request("POST", path, headers=headers, content=body)
        assert answer.status < 500, (path, members, answer.status, answer.body)
        return answer

    async def deliver(self, body: bytes) -> None:
        """Post the provider's news to the door, signed as the provider signs."""
        at = int(self.provider.time().timestamp())
        headers = {signing.HEADER: signing.sign(_SECRET, body, at=at)}
        answer = await self.client.request(
            "POST", "/providers/sandbox", headers=headers, content=body
        )
        assert answer.status == 200, (answer.status, body)

    async def later(self, company_id: str, by: timedelta) -> None:
        """Let time pass by."""
        self.provider.ahead += by
        for statement in _OLDER.split(";"):
            await self.owner.execute(statement, company_id, by)
        for home in ("payment", "orders", "attempt", "modification"):
            await reseal(self.core, self.owner, home)

    async def forget(self, company_id: str) -> None:
        """Leave nothing of the company for the workers to see."""
        for table in ("attempt", "modification"):
            await self.owner.execute(
                f"update {table} set next_query_at = now() + interval '7 days'"
                " where company_id = $1 and next_query_at is not null",
                company_id,
            )
        await self.owner.execute(
            "update payment set authorization_expires_at = now() + interval '7 days'"
            " where company_id = $1 and authorization_expires_at is not null",
            company_id,
        )
