"""A process is killed over a request under an idempotency key: another takes it over soon."""

import asyncio
import sys
import time
from datetime import timedelta

import msgspec
import pytest
from tests.shop import Shop

from kassa.base.domain.errors import InProgress
from kassa.orders.usecases import answer_once as answer_once_module
from kassa.orders.usecases.answer_once import Answer, Asked, Turn, answer_once
from kassa.settings import Settings

pytestmark = pytest.mark.anyio

_AT_IT = """
import asyncio, sys, msgspec
from kassa import assembly
from kassa.orders.usecases.answer_once import Asked, answer_once
from kassa.settings import Settings

async def work(turn):
    print(turn.request_id, flush=True)
    await asyncio.sleep(600)

async def main():
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    asked = Asked(company_id=sys.argv[3], place="p", key="k", body=b"{}", mismatch="no")
    async with assembly.open_core(settings, sys.argv[2]) as core:
        await answer_once(core, asked, work)

asyncio.run(main())
"""


async def test_it_is_taken_over_under_the_same_id_once_the_lease_is_over(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    said = msgspec.json.encode(settings).decode(), database_url, shop.company.id
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _AT_IT, *said, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    request_id = (await process.stdout.readline()).decode().strip()
    asked = Asked(company_id=shop.company.id, place="p", key="k", body=b"{}", mismatch="no")
    turns: list[str] = []

    async def work(turn: Turn) -> Answer:
        turns.append(turn.request_id)
        return Answer(200, b"done")

    # It lives, and says so, for longer than the lease.
    until = time.monotonic() + answer_once_module._LEASE.total_seconds() + 1
    while time.monotonic() < until:
        with pytest.raises(InProgress):
            await answer_once(shop.core, asked, work)
        await asyncio.sleep(0.25)
    process.kill()
    await process.wait()
    killed = time.monotonic()

    done = None
    while done is None:
        try:
            done = await answer_once(shop.core, asked, work)
        except InProgress:
            await asyncio.sleep(0.1)
    waited = timedelta(seconds=time.monotonic() - killed)

    assert (done.body, turns) == (b"done", [request_id])
    assert waited < answer_once_module._LEASE + timedelta(seconds=3)
