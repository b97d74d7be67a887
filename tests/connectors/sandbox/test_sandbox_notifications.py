"""The bell, and what the connector believes of what arrives."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from tests.connectors.sandbox.clock import Clock, Request

from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, ChargeEvent, Declined, InDoubt, Refused, UnreadEvent
from kassa.connectors.sandbox.bell import ring
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector

pytestmark = pytest.mark.anyio


@dataclass
class Door:
    """Receives posts and answers with `status`; an exception stands for a broken line."""

    status: int | Exception = 200
    posts: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.posts.append((url, headers, body))
        if isinstance(self.status, Exception):
            raise self.status
        return self.status


@pytest.fixture
async def letter(
    connector: SandboxConnector,
    books: SandboxBooks,
    clock: Clock,
    secret: bytes,
    request_for: Request,
) -> tuple[dict[str, str], bytes]:
    """A genuine notification of a capture, as it arrives."""
    door = Door()
    await connector.charge(request_for("pm_sandbox_paid_later"))
    assert await ring(books, secret=secret, post=door, now=clock.pass_by(2)) == 1
    ((url, headers, body),) = door.posts
    assert url == "http://pay.test/providers/sandbox"
    return dict(headers), body


def signed(secret: bytes, body: bytes, clock: Clock) -> dict[str, str]:
    """The header made by the documented recipe, not by the provider's own code."""
    at = str(int(clock.now.timestamp()))
    mac = hmac.new(secret, at.encode() + b"." + body, "sha256").hexdigest()
    return {"sandbox-signature": f"t={at},v1={mac}"}


async def test_a_genuine_notification_is_believed(
    connector: SandboxConnector, letter: tuple[dict[str, str], bytes]
) -> None:
    news = connector.parse_notification(*letter)

    assert isinstance(news, ChargeEvent)
    assert news.key == "at_1"
    assert isinstance(news.outcome, Captured)
    assert news.outcome == await connector.query("at_1")
    assert b'"amount":"299.99"' in letter[1]


async def test_the_signature_is_the_documented_one(
    letter: tuple[dict[str, str], bytes], secret: bytes, clock: Clock
) -> None:
    headers, body = letter

    assert signed(secret, body, clock).items() <= headers.items()


async def test_a_decline_is_told_with_its_reason(
    connector: SandboxConnector,
    books: SandboxBooks,
    clock: Clock,
    secret: bytes,
    request_for: Request,
) -> None:
    door = Door()
    await connector.charge(request_for("pm_sandbox_declined_later"))
    await ring(books, secret=secret, post=door, now=clock.pass_by(2))

    news = connector.parse_notification(door.posts[0][1], door.posts[0][2])

    assert isinstance(news, ChargeEvent)
    assert isinstance(news.outcome, Declined)
    assert news.outcome.code == "card_declined"


@pytest.mark.parametrize("answer", [500, 302, 404, 0, TimeoutError(), ConnectionResetError()])
async def test_news_is_sent_again_until_it_arrives_and_keeps_its_name(
    connector: SandboxConnector,
    books: SandboxBooks,
    clock: Clock,
    secret: bytes,
    request_for: Request,
    answer: int | Exception,
) -> None:
    door = Door(answer)
    await connector.charge(request_for("pm_sandbox_paid_later"))

    assert await ring(books, secret=secret, post=door, now=clock.pass_by(2)) == 0
    assert await ring(books, secret=secret, post=door, now=clock.now) == 0
    door.status = 204
    assert await ring(books, secret=secret, post=door, now=clock.pass_by(1)) == 1
    assert await ring(books, secret=secret, post=door, now=clock.pass_by(3600)) == 0

    first, second = (connector.parse_notification(*post[1:]) for post in door.posts)
    assert isinstance(second, Refused)  # its time has passed since
    clock.now -= clock.now - clock.now.replace(hour=0, second=3)
    first, second = (connector.parse_notification(*post[1:]) for post in door.posts)
    assert isinstance(first, ChargeEvent)
    assert first == second


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_a_stale_or_future_signature_is_refused(
    connector: SandboxConnector,
    letter: tuple[dict[str, str], bytes],
    clock: Clock,
    seconds: int,
) -> None:
    clock.pass_by(seconds)

    assert isinstance(connector.parse_notification(*letter), Refused)


@pytest.mark.parametrize("seconds", [-300, 300])
async def test_clocks_may_differ_by_five_minutes(
    connector: SandboxConnector,
    letter: tuple[dict[str, str], bytes],
    clock: Clock,
    seconds: int,
) -> None:
    clock.pass_by(seconds)

    assert isinstance(connector.parse_notification(*letter), ChargeEvent)


async def test_any_changed_byte_or_cut_is_refused(
    connector: SandboxConnector, letter: tuple[dict[str, str], bytes]
) -> None:
    headers, body = letter

    for at in range(len(body)):
        altered = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert isinstance(connector.parse_notification(headers, altered), Refused)
        assert isinstance(connector.parse_notification(headers, body[:at]), Refused)
    assert isinstance(connector.parse_notification(headers, body + b" "), Refused)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "v1=",
        "t=1767225602",
        "t=1767225602,v1=" + "0" * 64,
        "t=1767225602,v1=" + "é" * 64,
        "t=0,v1=" + "0" * 64,
        "t=-1,v1=" + "0" * 64,
        "t=99999999999999999999,v1=" + "0" * 64,
        "t=١٧٦٧٢٢٥٦٠٢,v1=" + "0" * 64,
        "t=1767225602, v1=" + "0" * 64,
        "v1=" + "0" * 64 + ",t=1767225602",
        "t=1767225602,v1=" + "0" * 64 + ",v1=" + "0" * 64,
        "t=1767225602,v1=" + "0" * 64 + "\n",
        "t=1767225602,v1=\ud800",
    ],
)
async def test_a_header_of_another_shape_is_refused(
    connector: SandboxConnector, letter: tuple[dict[str, str], bytes], header: str | None
) -> None:
    headers = {} if header is None else {"sandbox-signature": header}

    assert isinstance(connector.parse_notification(headers, letter[1]), Refused)


async def test_an_upper_case_signature_is_another_shape(
    connector: SandboxConnector, letter: tuple[dict[str, str], bytes]
) -> None:
    stamp, mac = letter[0]["sandbox-signature"].split(",v1=")

    headers = {"sandbox-signature": f"{stamp},v1={mac.upper()}"}
    assert isinstance(connector.parse_notification(headers, letter[1]), Refused)


async def test_another_secret_is_refused(
    connector: SandboxConnector, letter: tuple[dict[str, str], bytes], clock: Clock
) -> None:
    headers = signed(b"somebody else's secret", letter[1], clock)

    assert isinstance(connector.parse_notification(headers, letter[1]), Refused)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"id":"\xff"}',
        b'{"id":"\xed\xa0\x80"}',
        b"[" * 60_000,
        b'{"id":1}',
    ],
)
def test_signed_nonsense_is_not_believed(
    connector: SandboxConnector, secret: bytes, clock: Clock, body: bytes
) -> None:
    headers = signed(secret, body, clock)

    assert isinstance(connector.parse_notification(headers, body), UnreadEvent)


def test_what_is_too_large_is_not_even_verified(
    connector: SandboxConnector, secret: bytes, clock: Clock
) -> None:
    body = b" " * 70_000

    assert isinstance(connector.parse_notification(signed(secret, body, clock), body), Refused)


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "299.999"},
        {"amount": "NaN"},
        {"amount": "1e999999999"},
        {"amount": 299.99},
        {"currency": "ZZZ"},
        {"fee": "x"},
        {"surprise": "1"},
        {"state": None},
    ],
)
async def test_signed_news_that_breaks_the_contract_is_not_believed(
    connector: SandboxConnector,
    letter: tuple[dict[str, str], bytes],
    secret: bytes,
    clock: Clock,
    change: dict[str, object],
) -> None:
    body = json.dumps(json.loads(letter[1]) | change).encode()

    outcome = connector.parse_notification(signed(secret, body, clock), body)

    assert isinstance(outcome, UnreadEvent)


@pytest.mark.parametrize(
    "change", [{"state": "melted", "type": "charge.melted"}, {"type": "charge.declined"}]
)
async def test_a_word_we_do_not_know_leaves_us_in_doubt(
    connector: SandboxConnector,
    letter: tuple[dict[str, str], bytes],
    secret: bytes,
    clock: Clock,
    change: dict[str, str],
) -> None:
    body = json.dumps(json.loads(letter[1]) | change).encode()

    news = connector.parse_notification(signed(secret, body, clock), body)

    assert isinstance(news, ChargeEvent)
    assert isinstance(news.outcome, InDoubt)


async def test_money_in_the_news_is_what_the_news_says(
    connector: SandboxConnector,
    letter: tuple[dict[str, str], bytes],
    secret: bytes,
    clock: Clock,
) -> None:
    body = json.dumps(json.loads(letter[1]) | {"amount": "0.01", "fee": ""}).encode()

    news = connector.parse_notification(signed(secret, body, clock), body)

    assert isinstance(news, ChargeEvent)
    assert isinstance(news.outcome, Captured)
    assert (news.outcome.amount, news.outcome.fee) == (Money(1, "CNY"), None)
