"""The provider on a fresh file, under a clock that tests move."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.connectors.sandbox.clock import Changing, Clock, Request, Reserve

from kassa.base.domain.money import Money
from kassa.connectors.base import ChargeRequest, ModificationRequest, Outcome
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secret() -> bytes:
    return b"a secret for tests only"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "provider" / "books.sqlite3"


@pytest.fixture
def books(path: Path) -> Iterator[SandboxBooks]:
    books = SandboxBooks(path)
    yield books
    books.close()


@pytest.fixture
def connector(books: SandboxBooks, clock: Clock, secret: bytes) -> SandboxConnector:
    return SandboxConnector(
        books, base_url="http://pay.test/", secret=secret, clock=clock, sleep=clock.sleep
    )


@pytest.fixture
def request_for(clock: Clock) -> Request:
    """A charge of 299.99 CNY on an instrument; `changes` are fields of ChargeRequest."""

    def build(instrument: str, **changes: object) -> ChargeRequest:
        fields: dict[str, object] = {
            "key": "at_1",
            "amount": Money(29999, "CNY"),
            "order_id": "or_1",
            "subject": "Tea",
            "description": "",
            "instrument": instrument,
            "return_url": "http://shop.test/back?order=or_1",
            "notify_url": "http://pay.test/providers/sandbox",
            "expires_at": clock.now + timedelta(minutes=15),
            "now": clock.now,
        }
        return ChargeRequest(**(fields | changes))  # type: ignore[arg-type]

    return build


@pytest.fixture
def changing(clock: Clock, request_for: Request) -> Changing:
    """A request about the charge at_1; `changes` are fields of ModificationRequest."""

    def build(key: str, minor: int = 29999, **changes: object) -> ModificationRequest:
        fields: dict[str, object] = {
            "key": key,
            "charge_key": "at_1",
            "charge_reference": "",
            "amount": Money(minor, "CNY"),
            "charge_amount": Money(29999, "CNY"),
            "reason": "",
            "notify_url": "http://pay.test/providers/sandbox",
            "now": clock.now,
        }
        return ModificationRequest(**(fields | changes))  # type: ignore[arg-type]

    return build


@pytest.fixture
def reserve(connector: SandboxConnector, request_for: Request) -> Reserve:
    """Charges at_1 so that its money is only reserved."""

    async def call(card: str = "pm_sandbox_paid", **changes: object) -> Outcome:
        return await connector.charge(request_for(card, capture=False, **changes))

    return call
