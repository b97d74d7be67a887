"""Bodies that do not come: given up in each interface's own words, and few at once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from kassa import app
from kassa.base.usecases.core import Core
from kassa.faces import intake
from kassa.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def served(core: Core, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> ASGIApp:
    monkeypatch.setattr(intake, "_FIRST_SECONDS", 0.2)
    monkeypatch.setattr(intake, "_SLOW_SECONDS", 0.05)
    monkeypatch.setattr(intake, "_GLANCE_SECONDS", 0.01)
    return app.http_app(core, settings)


async def post(
    target: ASGIApp,
    path: str,
    pieces: list[tuple[float, bytes]],
    *,
    headers: dict[str, str] | None = None,
    address: str = "192.0.2.1",
) -> list[Message]:
    """Send a body piece by piece, each after a pause, and then nothing more."""
    sent: list[Message] = []
    waiting = list(pieces)

    async def receive() -> Message:
        if not waiting:
            await asyncio.sleep(60)
        pause, piece = waiting.pop(0)
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    named = {"content-length": "1000", "content-type": "application/json"} | (headers or {})
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": (address, 50000),
        "server": ("127.0.0.1", 8080),
    }
    await asyncio.wait_for(target(scope, receive, send), 5)
    return sent


def headers_of(sent: list[Message]) -> dict[bytes, bytes]:
    return dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/pg/orders/sessions", {"x-api-version": "2023-08-01"}),
        ("/pg/orders/pay/authenticate/1", {"x-api-version": "2023-08-01"}),
        ("/providers/sandbox", {}),
        ("/pay/sess_1z00000000000000000000000000", {}),
        ("/providers/sandbox/paid/at1_0", {}),
    ],
)
async def test_a_body_that_never_ends_is_given_up_and_its_connection_closed(
    served: ASGIApp, path: str, headers: dict[str, str]
) -> None:
    sent = await post(served, path, [(0, b'{"a')], headers=headers)

    if sent[0]["status"] != 404:  # who asks for nothing is told so without its body
        assert sent[0]["status"] == 408
        assert headers_of(sent)[b"connection"] == b"close"
        assert sent[1]["body"]


async def test_the_words_are_those_of_the_interface(served: ASGIApp) -> None:
    path, headers = "/pg/orders/sessions", {"x-api-version": "2023-08-01"}

    sent = await post(served, path, [], headers=headers)

    assert b'"code":"request_invalid"' in sent[1]["body"]
    assert b"did not arrive in time" in sent[1]["body"]


def reading(target: Callable[[bytes], None]) -> ASGIApp:
    """An application that reads the whole body."""

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        target(body + message["body"])

    return inside


async def take(pieces: list[tuple[float, bytes]], *, longest: float = 10.0) -> bytes:
    found: list[bytes] = []
    whole = [*pieces[:-1], pieces[-1]]

    async def receive() -> Message:
        pause, piece = whole.pop(0)
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": piece, "more_body": bool(whole)}

    scope = {"type": "http", "headers": [(b"transfer-encoding", b"chunked")], "client": None}
    target = intake.Intake(reading(found.append), longest_seconds=longest)
    await target(scope, receive, None)  # type: ignore[arg-type]
    return found[0]


async def test_a_body_that_keeps_the_pace_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_FIRST_SECONDS", 0.2)

    assert len(await take([(0.1, b"x" * 600)] * 6)) == 3600
    assert await take([(0, b"whole")]) == b"whole"


async def test_a_body_that_drips_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_FIRST_SECONDS", 0.2)

    with pytest.raises(Exception, match="did not arrive in time"):
        await take([(0.05, b"x")] * 100)
    with pytest.raises(Exception, match="did not arrive in time"):
        await take([(0.05, b"x" * 1000)] * 100, longest=0.3)


async def test_one_address_has_few_slow_bodies_and_others_are_still_read(
    served: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SLOW_OF_ONE", 2)
    monkeypatch.setattr(intake, "SLOW_AT_ONCE", 3)
    path, headers = "/pg/orders/sessions", {"x-api-version": "2023-08-01"}

    async def status(address: str) -> int:
        sent = await post(served, path, [], headers=headers, address=address)
        assert headers_of(sent)[b"connection"] == b"close"
        return int(sent[0]["status"])

    many = [status("192.0.2.1") for _ in range(4)] + [status("192.0.2.2") for _ in range(2)]
    found = await asyncio.gather(*many)

    assert sorted(found[:4]) == [408, 408, 429, 429]
    assert sorted(found[4:]) == [408, 429]
    assert await status("192.0.2.1") == 408  # the places are free again


async def test_who_goes_away_while_a_body_is_waited_for_is_not_refused() -> None:
    async def never() -> Message:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")

    scope = {"type": "http", "headers": [(b"content-length", b"9")], "client": None}
    target = intake.Intake(reading(lambda _: None))
    waiting = asyncio.create_task(target(scope, never, None))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
