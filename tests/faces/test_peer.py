"""Whose request it is: who connects, or whom a trusted proxy names."""

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from kassa.faces import peer

TRUSTED = peer.networks_of(["10.0.0.0/8", "2001:db8:1::/48"])

pytestmark = pytest.mark.anyio


async def seen(client: str, *forwarded: str, trusted: Any = TRUSTED) -> str:
    found: list[str] = []

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(peer.address_of(scope))

    scope: Scope = {
        "type": "http",
        "client": (client, 50000),
        "headers": [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded],
    }
    await peer.Forwarded(inside, trusted)(scope, None, None)  # type: ignore[arg-type]
    return found[0]


async def test_a_stranger_is_who_connects_whatever_he_says() -> None:
    assert await seen("192.0.2.1", "203.0.113.9") == "192.0.2.1"
    assert await seen("10.0.0.1", "203.0.113.9", trusted=()) == "10.0.0.1"


async def test_behind_trusted_proxies_it_is_the_last_hop_that_is_none_of_them() -> None:
    assert await seen("10.0.0.1", "203.0.113.9") == "203.0.113.9"
    assert await seen("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2") == "203.0.113.9"
    assert await seen("10.0.0.1", "198.51.100.1", "203.0.113.9", "10.0.0.2") == "203.0.113.9"
    assert await seen("2001:db8:1::5", "203.0.113.9:4711") == "203.0.113.9"
    assert await seen("::ffff:10.0.0.1", "[2001:db8:2::7]:443") == "2001:db8:2::/64"


async def test_what_a_client_forges_further_left_is_not_believed() -> None:
    assert await seen("10.0.0.1", "127.0.0.1, 203.0.113.9") == "203.0.113.9"
    assert await seen("10.0.0.1", "203.0.113.9, unknown") == "10.0.0.1"
    assert await seen("10.0.0.1", "") == "10.0.0.1"
    assert await seen("10.0.0.1", "10.0.0.3, 10.0.0.2") == "10.0.0.3"
    assert await seen("10.0.0.1", "203.0.113.9" + ", 10.0.0.2" * 5000) == "10.0.0.2"


def test_addresses_of_one_household_are_one() -> None:
    def of(host: str) -> str:
        return peer.address_of({"client": (host, 1)})

    assert of("2001:db8:2:3:4:5:6:7") == of("2001:db8:2:3::1") == "2001:db8:2:3::/64"
    assert of("2001:db8:2:4::1") != of("2001:db8:2:3::1")
    assert of("::ffff:192.0.2.1") == of("192.0.2.1") == "192.0.2.1"
    assert of("fe80::1%eth0") == "fe80::/64"
    assert of("testclient") == "testclient"
    assert peer.address_of({"client": None}) == peer.address_of({}) == ""


def test_grpc_names_its_peers_in_words_of_its_own() -> None:
    assert peer.address_of_call("ipv4:192.0.2.1:50000") == "192.0.2.1"
    assert peer.address_of_call("ipv6:[2001:db8:2::7]:50000") == "2001:db8:2::/64"
    assert peer.address_of_call("ipv6:%5B2001:db8:2::7%5D:50000") == "2001:db8:2::/64"
    assert peer.address_of_call("unix:/run/kassa") == peer.address_of_call("") == ""
    behind = peer.address_of_call("ipv4:10.0.0.1:1", ["198.51.100.1, 203.0.113.9"], TRUSTED)
    assert behind == "203.0.113.9"


async def refused(client: tuple[str, int] | None, networks: Any, *, kind: str = "http") -> str:
    """What is answered instead of the application; "" where that was asked."""
    asked, sent = [], []

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Scope = {"type": kind, "client": client, "headers": [(b"x-forwarded-for", b"::1")]}
    await peer.Clear(inside, networks)(scope, None, send)  # type: ignore[arg-type]
    assert bool(asked) is not bool(sent)
    return f"{sent[0]['status']} {sent[1]['body'].decode()}" if sent else ""


async def test_where_money_is_real_nobody_is_served_in_the_clear_from_elsewhere() -> None:
    networks = peer.let_in_clear(True, TRUSTED)

    for host in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "10.1.2.3", "2001:db8:1::9"):
        assert await refused((host, 50_000), networks) == ""
    for host in ("192.0.2.1", "11.0.0.1", "2001:db8:2::1", "no address"):
        said = await refused((host, 50_000), networks)
        assert said == f"403 {peer.IN_THE_CLEAR}\n"
    assert await refused(None, networks) == ""  # a Unix socket
    assert await refused(("192.0.2.1", 1), networks, kind="lifespan") == ""


def test_elsewhere_anybody_is_served() -> None:
    assert peer.let_in_clear(False, TRUSTED) == ()
