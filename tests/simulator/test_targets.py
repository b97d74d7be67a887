"""A request may name its target by a whole address, as some official clients do."""

import asyncio
from urllib.parse import urlsplit

import pytest

from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio


async def asked(simulator: Simulator, target: str) -> bytes:
    """The answer to that very request line."""
    address = urlsplit(simulator.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        lines = [f"GET {target} HTTP/1.1", f"Host: {address.netloc}", "Connection: close"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("origin", ["", "{url}", "http://openapi.alipay.example", "https://a"])
async def test_the_same_is_answered_under_a_whole_address(
    simulator: Simulator, origin: str
) -> None:
    target = f"{origin.format(url=simulator.url)}/alipay/gateway.do?method=alipay.trade.query"

    answer = await asked(simulator, target)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"isv.missing-app-id" in answer
    assert simulator.calls(provider="alipay")[-1]["operation"] == "query"


async def test_an_address_without_a_path_is_nobodys(simulator: Simulator) -> None:
    assert (await asked(simulator, "http://openapi.alipay.example")).startswith(b"HTTP/1.1 404 ")
