"""A shop on the test's own database: orders to pay, ways to pay them, and a look behind."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.databases import Prover

from kassa.base.domain.errors import KassaError
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.base import Captured, ChargeEvent, ChargeRequest, Outcome, Refused
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.cards import SCENARIOS
from kassa.identity.domain.principals import Company
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.orders.usecases.create_order import CreatedOrder, NewOrder, create_order
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.proof.store import records
from kassa.proof.store.cover import COVERS, digest_sql, key_sql
from kassa.proof.store.records import Record
from kassa.proof.store.resealing import seal_unsealed
from kassa.proof.usecases.verify import known_of, verify_books
from kassa.wallet.usecases.pay_from_wallet import WalletPay, pay_from_wallet
from kassa.wallet.usecases.wallet_users import add_wallet_user, balance_of, top_up

CARDS = {scenario.name: scenario.number for scenario in SCENARIOS}
_numbers = itertools.count(1)

Answer = Outcome | Exception | Callable[[ChargeRequest], Any]


class Scripted:
    """A provider that says what it is told to say, and remembers what it was asked."""

    name: ClassVar[str] = "scripted"
    acknowledgement: ClassVar[tuple[str, bytes]] = ("text/plain", b"thanks")
    not_found_final_after: ClassVar[timedelta | None] = None

    def __init__(self, *answers: Answer, queries: tuple[Outcome, ...] = ()) -> None:
        self.answers = list(answers)
        self.answers_to_queries = list(queries)
        self.charged: list[str] = []
        self.queried: list[str] = []

    async def charge(self, request: ChargeRequest) -> Outcome:
        self.charged.append(request.key)
        answer = self.answers.pop(0) if self.answers else paid(request)
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            return cast("Outcome", await answer(request))
        return answer

    async def query(self, key: str, known: Any = None) -> Outcome:
        self.queried.append(key)
        return self.answers_to_queries.pop(0)

    def parse_notification(
        self, headers: Mapping[str, str], body: bytes, **about: Any
    ) -> ChargeEvent | Refused:
        return Refused(reason="it tells nothing")

    async def close(self) -> None:
        """Nothing to give back."""


def paid(request: ChargeRequest) -> Captured:
    return Captured(reference=f"ref of {request.key}", amount=request.amount)


async def reseal(core: Core, owner: Any, home: str) -> None:
    """Seal all rows of a table as they are now; `owner`: a connection as who owns it."""
    parts = COVERS[home].parts
    await owner.execute(f"update {home} set {', '.join(f'{part} = null' for part in parts)}")
    async with core.db.transaction() as connection:
        for part in parts:
            await seal_unsealed(connection, home, part, 10_000)
        if COVERS[home].recorded:
            await _record_again(connection, home)


async def _record_again(connection: "asyncpg.Connection[asyncpg.Record]", home: str) -> None:
    rows = await connection.fetch(
        f"select {COVERS[home].company}, {key_sql(home)},"
        f" {digest_sql(home, records.last_part(home))}, clock_timestamp() from {home} t"
    )
    known = await records.newest(connection, home, [(row[0], row[1]) for row in rows])
    changed = [
        Record(
            home=home,
            company_id=company_id,
            key=key,
            version=known.get((company_id, key), (0,))[0] + 1,
            digest=digest,
            at=at,
        )
        for company_id, key, digest, at in rows
        if known.get((company_id, key), (0, b""))[1] != digest
    ]
    await records.add(connection, changed)


@dataclass
class Shop:
    core: Core
    company: Company
    owner_url: str
    connections: list[Any] = field(default_factory=list)
    prover: Prover | None = None

    def wanted(self, **changes: Any) -> NewOrder:
        members: dict[str, Any] = {
            "company": self.company,
            "business_id": self.company.business_id,
            "actor": "test:shop",
            "face": "orders",
            "amount": Money(10_000, "CNY"),
        }
        return NewOrder(**{**members, **changes})

    async def create(self, **changes: Any) -> CreatedOrder:
        return await create_order(self.core, self.wanted(**changes))

    async def payment(self, **changes: Any) -> Payment:
        """A payment to be paid, of a fresh order."""
        return (await self.create(**changes)).payment

    async def submit(
        self, payment: Payment, card: str = "paid", *, core: Core | None = None, **changes: Any
    ) -> Payment:
        """Pay by the sandbox card of that story, or through another connector."""
        members: dict[str, Any] = {
            "company_id": payment.company_id,
            "payment_id": payment.id,
            "method": Method.CREDIT_CARD,
            "connector": "sandbox",
            "instrument": CARDS[card],
            "instrument_shown": "•••• shown",
            "actor": "payer",
            "return_url": "https://shop.example/thanks",
        }
        return await submit_payment(core or self.core, Submission(**{**members, **changes}))

    async def play(self, payment: Payment, provider: Scripted, **changes: Any) -> Payment:
        """Pay through a provider of the test's own."""
        cast("dict[str, Any]", self.core.connectors)["scripted"] = provider
        return await self.submit(payment, connector="scripted", **changes)

    async def sync(self, payment: Payment) -> Payment:
        return await sync_payment(self.core, payment.company_id, payment.id, actor="test")

    async def user(self, minor: int, *, currency: str = "CNY", status: str = "active") -> str:
        """A wallet user with a balance; their id, which is their code too."""
        user = f"wu_{next(_numbers)}"
        await add_wallet_user(self.core, self.company.id, user, user)
        if minor:
            await top_up(self.core, self.company.id, user, Money(minor, currency))
        if status != "active":
            await self.sql("update wallet_user set status = $2 where id = $1", user, status)
        return user

    async def wallet(
        self, payment: Payment, code: str, *, core: Core | None = None, **changes: Any
    ) -> Payment:
        pay = WalletPay(
            company_id=payment.company_id,
            payment_id=payment.id,
            auth_code=code,
            actor="test:wallet",
            **changes,
        )
        return await pay_from_wallet(core or self.core, pay)

    async def balance(self, user: str, currency: str = "CNY") -> int:
        return await balance_of(self.core, self.company.id, user, currency)

    async def read(self, payment: Payment) -> Payment:
        return (await get_payment(self.core, payment.company_id, payment.id)).payment

    async def order_status(self, payment: Payment) -> str:
        view = await get_payment(self.core, payment.company_id, payment.id)
        return view.order.status.value

    async def forget_records(self) -> None:
        """Chains are empty until there are payments: as in a database from before the records."""
        for statement in (
            "alter table row_record disable trigger user",
            "delete from row_record",
            "delete from unchained where kind = 'record'",
            "alter table row_record enable trigger user",
        ):
            await self.sql(statement)

    async def other_company(self, number: int = 2) -> Company:
        new = NewCompany(
            id=f"cmp_{number}",
            business_id=f"biz_{number}",
            name="Another",
            currency="CNY",
            sandbox=True,
        )
        return await add_company(self.core, new)

    @property
    def books(self) -> SandboxBooks:
        """The sandbox provider's own books."""
        return cast("Any", self.core.connectors["sandbox"])._books  # type: ignore[no-any-return]

    async def attempts(self, payment: Payment) -> list[asyncpg.Record]:
        return await self.sql(
            "select * from attempt where payment_id = $1 order by number", payment.id
        )

    async def taken(self, payment: Payment) -> list[int]:
        """Minor units of each time the sandbox took money for the payment."""
        attempts = await self.attempts(payment)
        return [
            taking.units for attempt in attempts for taking in self.books.charges_of(attempt["id"])
        ]

    async def timeline(self, payment: Payment) -> list[str]:
        """ "event status" of each step."""
        rows = await self.sql(
            "select event, to_status from payment_event where payment_id = $1 order by seq",
            payment.id,
        )
        return [f"{row['event']} {row['to_status']}" for row in rows]

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        """As the owner of the tables, in a transaction of its own."""
        if not self.connections:
            self.connections.append(await asyncpg.connect(self.owner_url))
        found: list[Any] = await self.connections[0].fetch(statement, *values)
        home = statement.split(maxsplit=2)[1:2] if statement.startswith("update ") else []
        if home and home[0] in COVERS and not COVERS[home[0]].appended:
            await self.reseal(home[0])
        return found

    async def reseal(self, home: str) -> None:
        """As if the program had left these rows as they are now: time went by, not a thief."""
        await reseal(self.core, self.connections[0], home)

    async def expire(self, payment: Payment, by: str = "1 second") -> None:
        """Move the order's end into the past; the workers have not seen it yet."""
        for table, key in (("orders", payment.order_id), ("payment", payment.id)):
            await self.sql(
                f"update {table} set expires_at = now() - interval '{by}' where id = $1", key
            )

    async def age(self, payment: Payment, by: str) -> None:
        """Let the payment's attempts have been made, and asked about, longer ago."""
        await self.sql(
            "update attempt set created_at = created_at - $2::text::interval,"
            " next_query_at = next_query_at - $2::text::interval,"
            " last_query_at = last_query_at - $2::text::interval,"
            " undecided_since = undecided_since - $2::text::interval where payment_id = $1",
            payment.id,
            by,
        )

    async def faults(self) -> list[str]:
        """What is wrong in the books; empty when they are sound."""
        if self.prover is None:
            found = (await verify_books(self.core)).violations
        else:
            name = urlsplit(self.owner_url).path.removeprefix("/")
            known = await asyncio.to_thread(known_of, self.core)
            found = await asyncio.to_thread(self.prover.violations, name, known)
        return [f"{one.check}: {one.object_id}: {one.found}" for one in found]


@pytest.fixture
async def shop(core: Core, owner_url: str, prover: Prover) -> AsyncIterator[Shop]:
    """A shop of a company of its own."""
    new = NewCompany(
        id="cmp_shop", business_id="biz_shop", name="A Shop", currency="CNY", sandbox=True
    )
    opened = Shop(core, await add_company(core, new), owner_url, prover=prover)
    yield opened
    for connection in opened.connections:
        await connection.close()


def outcome_of(answer: object) -> str:
    """A result or an error in a word, to count what a crowd of callers got."""
    if isinstance(answer, KassaError):
        return answer.reason
    if isinstance(answer, BaseException):
        return f"{type(answer).__name__}: {answer}"
    if isinstance(answer, Payment):
        return answer.status.value
    return type(answer).__name__
