"""What tests of the sandbox say again and again."""

from tests.connectors.sandbox.clock import Clock

from kassa.connectors.base import Declined
from kassa.connectors.sandbox import signing
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector


def taken(books: SandboxBooks, key: str = "at_1") -> list[str]:
    return [str(amount) for amount in books.charges_of(key)]


def refused(outcome: object, code: str) -> None:
    assert isinstance(outcome, Declined)
    assert (outcome.code, bool(outcome.message)) == (code, True)


def news_in(
    books: SandboxBooks, connector: SandboxConnector, secret: bytes, clock: Clock
) -> list[object]:
    """Everything that is due, as the core reads it."""
    at = int(clock.now.timestamp())
    return [
        connector.parse_notification(
            {signing.HEADER: signing.sign(secret, one.body, at=at)}, one.body
        )
        for one in books.take_due(now=clock.now, limit=100)
    ]
