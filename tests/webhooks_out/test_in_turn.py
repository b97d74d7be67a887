"""Companies take turns: however many letters one has, and however slow its receivers and its name
servers are, another company's single letter sets out at once."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from tests.shop import Shop

from kassa.connectors.egress import Egress
from kassa.identity.domain.principals import Company
from kassa.webhooks_out.store import deliveries
from kassa.webhooks_out.store.deliveries import DeliveryPlaces
from kassa.webhooks_out.usecases.deliver import WebhookSender

pytestmark = pytest.mark.anyio

SOON = 2.0  # seconds, not money
HOUR = timedelta(hours=1)


async def due(shop: Shop, company: Company, urls: list[str], *, ago: str = "1 minute") -> None:
    """A letter of that company to each of these, due for some time."""
    made = await shop.create(company=company, business_id=company.business_id)
    await shop.sql(
        "insert into announcement (company_id, id, payment_id, version, kind, url, event_type,"
        " next_at, created_at) select $1, 'ntf_' || $1 || n, $2, 1, 'standard', url,"
        " 'payment.paid', now() - $4::text::interval, now()"
        " from unnest($3::text[]) with ordinality as u(url, n)",
        company.id,
        made.payment.id,
        urls,
        ago,
    )


async def tried(shop: Shop, company: Company) -> int:
    [row] = await shop.sql(
        "select count(*) from announcement where company_id = $1 and tries > 0", company.id
    )
    return int(row[0])


async def seconds_until(shop: Shop, courier: WebhookSender, true: Callable[[], Any]) -> float:
    """How long it takes with a courier that sets out as often as the worker's."""
    began = time.monotonic()
    async with asyncio.timeout(20):
        while not await true():
            await courier.set_out(shop.core)
            await asyncio.sleep(0.05)
    return time.monotonic() - began


@asynccontextmanager
async def dripping() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A receiver that answers a byte a second; except to /quick, which it answers at once. What it
    was asked stands in the list."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        try:
            if b"/quick" in heard[-1]:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
            else:
                for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(1)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()


def egress_of(shop: Shop, *, total_seconds: float) -> asyncio.Event:
    """Let names that begin with "slow" be asked of a name server that never answers, until the
    event is set."""
    free = asyncio.Event()

    async def lookup(host: str, port: int, _: int) -> list[tuple[Any, ...]]:
        if host.startswith("slow"):
            await free.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    shop.core.egress = Egress(lookup=lookup, connect_seconds=5, total_seconds=total_seconds)
    return free


@pytest.mark.parametrize("many", [8, 80])
async def test_names_whose_servers_hang_hold_up_their_own_company_alone(
    shop: Shop, many: int
) -> None:
    other = await shop.other_company()
    free = egress_of(shop, total_seconds=10)
    async with dripping() as (port, heard):
        await due(shop, shop.company, [f"http://slow{n}.example:{port}/" for n in range(many)])
        courier = WebhookSender(spread=lambda: 0.5)
        await courier.set_out(shop.core)
        await due(shop, other, [f"http://quick.example:{port}/quick"], ago="0")

        async def came() -> bool:
            return any(b"/quick" in one for one in heard)

        assert await seconds_until(shop, courier, came) < SOON
        free.set()
    await courier.finish()
    await shop.core.egress.close()


async def test_ten_thousand_letters_of_one_company_delay_no_letter_of_another(shop: Shop) -> None:
    other = await shop.other_company()
    await due(shop, shop.company, [f"http://shop.example/{n % 700}" for n in range(10_000)])
    await due(shop, other, ["http://other.example/"], ago="0")
    began = time.monotonic()
    async with shop.core.db.connection() as connection:
        places = DeliveryPlaces(free=64, kept=16, per_company=32, per_address=8)
        leased = await deliveries.lease(connection, HOUR, places)
    took = time.monotonic() - began
    owners = [one.announcement.company_id for one in leased]
    assert owners.count(other.id) == 1
    assert owners.count(shop.company.id) == 32
    assert took < SOON


async def test_many_companies_with_slow_receivers_leave_places_for_one_that_has_none(
    shop: Shop,
) -> None:
    egress_of(shop, total_seconds=4)
    async with dripping() as (port, heard):
        for number in range(2, 14):
            slow = await shop.other_company(number)
            await due(shop, slow, [f"http://a{n}.example:{port}/drip" for n in range(20)])
        courier = WebhookSender(at_once=64, spread=lambda: 0.5)
        await courier.set_out(shop.core)
        await asyncio.sleep(0.2)
        assert len(heard) <= 48  # a quarter of the places is kept
        await due(shop, shop.company, [f"http://quick.example:{port}/quick"], ago="0")

        async def came() -> bool:
            return any(b"/quick" in one for one in heard)

        assert await seconds_until(shop, courier, came) < SOON
        await courier.finish()  # a byte a second is not for ever
    await shop.core.egress.close()
    [row] = await shop.sql(
        "select count(*) from announcement where last_error = 'timed out' and last_status is null"
    )
    assert row[0] > 0


async def test_companies_take_turns_and_addresses_keep_to_their_places(shop: Shop) -> None:
    other = await shop.other_company()
    await due(shop, shop.company, ["http://a.example/", "http://b.example/"] * 20)
    await due(shop, other, ["http://c.example/"] * 20, ago="30 seconds")
    async with shop.core.db.connection() as connection:
        places = DeliveryPlaces(
            free=12,
            kept=0,
            per_company=8,
            per_address=4,
            companies={shop.company.id: 5},
            addresses={"http://a.example/": 3},
        )
        leased = await deliveries.lease(connection, HOUR, places)
    found = sorted((one.announcement.company_id, one.announcement.url) for one in leased)
    assert [url for _, url in found].count("http://a.example/") <= 1
    assert [company for company, _ in found].count(shop.company.id) == 3
    assert [company for company, _ in found].count(other.id) == 4
