"""The door for providers' notifications, over HTTP, and what it counts."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.asgi import Client

from kassa import app, installation
from kassa.base.usecases.core import Core
from kassa.connectors.sandbox import signing
from kassa.settings import Settings

pytestmark = pytest.mark.anyio
NAME = "kassa_provider_notifications_total"


async def counted(core: Core) -> dict[str, float]:
    """By labels, as /metrics shows them."""
    text = (await Client(app.ops_app(core)).request("GET", "/metrics")).text
    found = [line.rpartition(" ") for line in text.splitlines() if line.startswith(NAME)]
    return {labels.removeprefix(NAME): float(value) for labels, _, value in found}


async def post(client: Any, account: str, body: bytes, headers: Any = None) -> Any:
    return await client.request("POST", f"/providers/{account}", headers=headers, content=body)


async def test_whatever_is_wrong_the_answer_is_the_same(client: Any, settings: Settings) -> None:
    secret = installation.sandbox_secret(settings.directory)
    body = b'{"nothing": "ours"}'
    stamp = int(datetime.now(UTC).timestamp())
    stale = {signing.HEADER: signing.sign(secret, body, at=stamp - 1_000)}
    forged = {signing.HEADER: signing.sign(b"another secret of 24 b.", body, at=stamp)}

    right = signing.sign(secret, body, at=stamp)
    twice = {signing.HEADER: [forged[signing.HEADER], right]}

    answers = [
        await post(client, "sandbox", body),
        await post(client, "sandbox", body, twice),
        await post(client, "sandbox", body, stale),
        await post(client, "sandbox", body, forged),
        await post(client, "nobody", body),
        await post(client, "alipay", body),
    ]

    assert {(one.status, one.body) for one in answers} == {(401, b"refused")}
    assert len({tuple(sorted(set(one.headers) - {"x-request-id"})) for one in answers}) == 1


async def test_accounts_that_there_are_not_make_no_labels(client: Any, core: Core) -> None:
    before = await counted(core)

    for number in range(20):
        await post(client, f"nobody-{number}", b"{}")
    await post(client, "sandbox", b"{}")

    after = await counted(core)
    assert not any("nobody" in labels for labels in after)
    unknown = '{account="unknown",outcome="refused"}'
    known = '{account="sandbox",outcome="refused"}'
    assert after[unknown] == before.get(unknown, 0) + 20
    assert after[known] == before.get(known, 0) + 1
