"""Names are looked up without threads: a name server that never answers holds up nobody else."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kassa.connectors.egress import Egress
from kassa.connectors.http import NotSent
from kassa.connectors.resolver import AT_ONCE, NameServers

pytestmark = pytest.mark.anyio


class _Silent(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.asked = 0

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1


@asynccontextmanager
async def silent_name_server() -> AsyncIterator[tuple[str, _Silent]]:
    """It hears every question, and answers none."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Silent, local_addr=("127.0.0.1", 0))
    try:
        yield "127.0.0.1:{1}".format(*transport.get_extra_info("sockname")), protocol
    finally:
        transport.close()


async def test_this_machine_is_known_without_a_name_server() -> None:
    async with silent_name_server() as (server, heard):
        servers = NameServers([server])
        found = await servers.look_up("localhost", 80, socket.AF_UNSPEC)
        await servers.close()
    assert {(kind, where[1]) for kind, *_, where in found} <= {
        (socket.AF_INET, 80),
        (socket.AF_INET6, 80),
    }
    assert "127.0.0.1" in {where[0] for *_, where in found}
    assert heard.asked == 0


async def test_a_lookup_ends_in_time_and_says_why() -> None:
    async with silent_name_server() as (server, _):
        egress = Egress(name_servers=[server], connect_seconds=0.5)
        began = time.monotonic()
        said = await egress.post(
            "http://slow.example/", headers={}, body=b"", allow_loopback=True, company="cmp_1"
        )
        took = time.monotonic() - began
        await egress.close()
    assert isinstance(said, NotSent)
    assert took < 2


async def test_names_that_were_given_up_give_their_places_back() -> None:
    looked_up: list[str] = []

    async def lookup(host: str, port: int, _: int) -> list[tuple[Any, ...]]:
        looked_up.append(host)
        if host.startswith("slow"):
            await asyncio.sleep(3600)
        raise socket.gaierror(socket.EAI_NONAME, "no")

    egress = Egress(lookup=lookup, connect_seconds=0.3)

    async def post(host: str) -> object:
        return await egress.post(
            f"http://{host}.example/", headers={}, body=b"", allow_loopback=True, company="cmp_1"
        )

    given_up = await asyncio.gather(*(post(f"slow{n}") for n in range(AT_ONCE)))
    await asyncio.sleep(0.1)
    await post("quick")
    await egress.close()

    assert all(isinstance(one, NotSent) for one in given_up)
    assert looked_up[-1] == "quick.example"


async def test_eighty_names_that_hang_take_no_thread_and_no_place_of_another_company() -> None:
    held = asyncio.Event()
    looked_up: list[str] = []

    async def lookup(host: str, port: int, _: int) -> list[tuple[Any, ...]]:
        looked_up.append(host)
        if host.startswith("slow"):
            await held.wait()
        raise socket.gaierror(socket.EAI_NONAME, "no")

    egress = Egress(lookup=lookup, connect_seconds=20)
    threads = threading.active_count()

    async def post(host: str, company: str) -> object:
        return await egress.post(
            f"http://{host}.example/", headers={}, body=b"", allow_loopback=True, company=company
        )

    slow = [asyncio.create_task(post(f"slow{n}", "cmp_slow")) for n in range(80)]
    await asyncio.sleep(0.1)
    assert len(looked_up) == AT_ONCE  # the others wait for places of their own company
    async with asyncio.timeout(2):
        assert isinstance(await post("quick", "cmp_quick"), NotSent)
    assert "quick.example" in looked_up
    assert threading.active_count() == threads
    held.set()
    await asyncio.gather(*slow)
    await egress.close()
