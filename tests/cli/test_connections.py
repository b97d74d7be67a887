"""Connections that say nothing, and addresses that hold too many of them."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.types import Receive, Scope, Send
from tests.e2e.server import free_ports

from kassa import app
from kassa.assembly import limits_of
from kassa.base.domain.errors import KassaError
from kassa.base.usecases.admission import Admission
from kassa.cli import connections as listening_module
from kassa.cli import places
from kassa.cli.connections import HEAD_BYTES, Connections, listen
from kassa.cli.places import Share
from kassa.faces import grpc_door, grpc_health, peer
from kassa.faces.intake import GIVEN_UP, Intake
from kassa.settings import Settings
from moego.business.payment.v1 import payment_pb2

pytestmark = pytest.mark.anyio

HEAD = b"POST /%s HTTP/1.1\r\nhost: x\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole body; on /hang it never answers."""
    if scope["path"] == "/hang":
        await asyncio.sleep(60)
    status = 200
    try:
        while (await receive()).get("more_body"):
            pass
    except KassaError:
        status = 400
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where `echo` is served, with a second for a head and for a body."""
    [port] = free_ports(1)
    stop = asyncio.Event()
    target = Intake(echo, longest_seconds=1.0)
    serving = asyncio.create_task(listen(target, "127.0.0.1", port, stop, head_seconds=1.0))
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            break
    yield port
    stop.set()
    await asyncio.wait_for(serving, 10)


async def until_closed(port: int, said: bytes, *, drip: bytes = b"") -> tuple[bytes, float]:
    """What came back, and after how long the server closed the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(said)

    async def dripping() -> None:
        while drip:
            await asyncio.sleep(0.1)
            writer.write(drip)

    beside = asyncio.create_task(dripping())
    try:
        answer = await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        answer = b""
    finally:
        beside.cancel()
        writer.close()
    return answer, time.monotonic() - began


async def test_what_says_nothing_is_closed(port: int) -> None:
    found = await asyncio.gather(
        until_closed(port, b""),
        until_closed(port, HEAD % b""),
        until_closed(port, HEAD % b"", drip=b"x: y\r\n"),
        until_closed(port, (HEAD % b"").replace(b"POST", b"GET") + b"\r\n"),
    )

    assert [answer[:12] for answer, _ in found] == [b"", b"", b"", b"HTTP/1.1 200"]
    assert all(0.5 < took < 5 for _, took in found)


async def test_a_body_that_ends_early_costs_its_sender_the_connection(port: int) -> None:
    found = await asyncio.gather(
        until_closed(port, HEAD % b"" + b"content-length: 1000\r\n\r\nab"),
        until_closed(port, HEAD % b"" + b"content-length: 1000\r\n\r\n", drip=b"x"),
        until_closed(port, HEAD % b"" + b"transfer-encoding: chunked\r\n\r\n5\r\nab"),
        until_closed(port, HEAD % b"" + b"transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n"),
    )

    assert all(took < 5 for _, took in found)
    assert {answer[:12] for answer, _ in found} == {b"HTTP/1.1 408"}


async def test_what_was_given_up_and_is_still_open_is_closed_all_the_same() -> None:
    async def gives_up(scope: Scope, receive: Receive, send: Send) -> None:
        scope[GIVEN_UP] = True

    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as stack:
        port = listening.getsockname()[1]
        connections = Connections(gives_up, port)
        one, other = (stack.enter_context(connected("127.0.0.1", port)) for _ in range(2))
        kept = [stack.enter_context(listening.accept()[0]) for _ in range(2)]
        scope = {"type": "http", "client": one.getsockname()}
        await connections(scope, None, None)  # type: ignore[arg-type]

        at_once = connections.close_surplus()
        await asyncio.sleep(2.1)

        assert (at_once, connections.close_surplus(), connections.close_surplus()) == (0, 1, 0)
        assert (open_among([one]), open_among([other]), len(kept)) == (0, 1, 2)


async def test_a_head_has_a_largest_size_and_a_largest_number_of_lines(port: int) -> None:
    long, _ = await until_closed(port, HEAD % b"" + b"x: " + b"y" * 2 * HEAD_BYTES + b"\r\n\r\n")
    many, _ = await until_closed(port, HEAD % b"" + b"x: y\r\n" * 200 + b"\r\n")

    assert long.startswith(b"HTTP/1.1 431")
    assert many.startswith(b"HTTP/1.1 431")


async def test_an_address_keeps_its_share_of_idle_connections_and_all_that_are_served() -> None:
    [port] = free_ports(1)
    stop, most = asyncio.Event(), 5
    connections = Connections(echo, port, most=most)
    serving = asyncio.create_task(listen(connections, "127.0.0.1", port, stop))
    await asyncio.sleep(0.3)
    with ExitStack() as stack:
        idle = [stack.enter_context(connected("127.0.0.1", port)) for _ in range(12)]
        served = [stack.enter_context(connected("127.0.0.1", port)) for _ in range(3)]
        other = [stack.enter_context(connected("127.0.0.2", port)) for _ in range(most)]
        for one in served:
            one.sendall(HEAD % b"hang" + b"\r\n")
        await asyncio.sleep(0.3)

        closed = await asyncio.to_thread(connections.close_surplus)
        await asyncio.sleep(0.3)

        assert closed == 10
        assert (open_among(idle), open_among(served), open_among(other)) == (2, 3, most)
        assert connections.close_surplus() == 0
    stop.set()
    await asyncio.wait_for(serving, 10)


def kept_by(
    stack: ExitStack, listening: socket.socket, count: int, source: str = "127.0.0.1"
) -> list[socket.socket]:
    """Clients' ends of connections that the process under test has accepted."""
    port = listening.getsockname()[1]
    found = []
    for _ in range(count):
        found.append(stack.enter_context(connected(source, port)))
        stack.enter_context(listening.accept()[0])
    return found


def serve(share: places.Share, one: socket.socket) -> None:
    share.busy[one.getsockname()] += 1
    peer.leave(share.busy, one.getsockname())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the time is for the share; a test sets it."""
    told = [1000.0]
    monkeypatch.setattr(places.time, "monotonic", lambda: told[0])
    return told


def minding(stack: ExitStack, room: int) -> tuple[places.Share, socket.socket]:
    listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    return places.Share(listening.getsockname()[1], places=room), listening


async def test_while_places_are_plenty_who_is_silent_has_all_the_time_there_is(
    clock: list[float],
) -> None:
    with ExitStack() as stack:
        share, listening = minding(stack, 40)
        silent = kept_by(stack, listening, 30)
        share.close_surplus()
        clock[0] += 3600

        assert share.close_surplus() == 0  # the server's own deadline closes them
        assert open_among(silent) == 30


async def test_when_places_are_few_who_has_sent_no_whole_request_for_longest_goes_first(
    clock: list[float],
) -> None:
    with ExitStack() as stack:
        share, listening = minding(stack, 40)
        old, called, busy = (kept_by(stack, listening, 10) for _ in range(3))
        for one in called:
            serve(share, one)
        for one in busy:
            share.busy[one.getsockname()] += 1
        share.close_surplus()
        clock[0] += 15
        new = kept_by(stack, listening, 8)

        closed = share.close_surplus()

        assert closed == 10  # 38 of 40 are taken: a fifth of the usual time is left
        assert [open_among(each) for each in (old, called, busy, new)] == [0, 10, 10, 8]


async def test_the_fewer_places_are_left_the_sooner_a_head_has_to_be_there(
    clock: list[float],
) -> None:
    lasted = {}
    for taken in (31, 34, 37, 40):
        with ExitStack() as stack:
            share, listening = minding(stack, 40)
            silent = kept_by(stack, listening, taken)
            share.close_surplus()
            began = clock[0]
            while open_among(silent) == taken and clock[0] < began + 60:
                clock[0] += 0.25
                share.close_surplus()
            lasted[taken] = clock[0] - began

    assert lasted == {31: 18.0, 34: 12.0, 37: 6.0, 40: 0.5}


async def test_between_two_requests_there_is_time_until_nearly_all_is_taken(
    clock: list[float],
) -> None:
    with ExitStack() as stack:
        share, listening = minding(stack, 40)
        called = kept_by(stack, listening, 40)
        for one in called:
            serve(share, one)
        clock[0] += 0.25

        assert share.close_surplus() == 0
        clock[0] += 0.5
        assert share.close_surplus() == 40


async def test_a_full_house_of_half_sent_heads_keeps_nobody_out_who_sends_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forty addresses of sixteen connections each: none is beyond its share."""
    [port] = free_ports(1)
    stop, room = asyncio.Event(), 64
    monkeypatch.setattr(listening_module, "allowed_files", lambda: room)
    connections = Connections(echo, port)
    serving = asyncio.create_task(listen(connections, "127.0.0.1", port, stop))
    await asyncio.sleep(0.3)
    connections.start()
    with ExitStack() as stack:
        for number in range(room):
            held = stack.enter_context(connected(f"127.0.1.{number % 40 + 1}", port))
            held.sendall(HEAD % b"")
        await asyncio.sleep(0.2)

        began = time.monotonic()
        answer, _ = await until_closed(port, HEAD % b"" + b"connection: close\r\n\r\n")
        took = time.monotonic() - began

        assert answer.startswith(b"HTTP/1.1 200")
        assert took < 5  # and not the twenty seconds that a head has otherwise
    await connections.stop()
    stop.set()
    await asyncio.wait_for(serving, 10)


async def test_a_full_house_of_silent_http2_connections_keeps_no_grpc_call_out(
    core: Any, settings: Any, demo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 24
    options = [one for one in grpc_door.OPTIONS if "incoming_connections" not in one[0]]
    options.append(("grpc.max_allowed_incoming_connections", room))
    monkeypatch.setattr(grpc_door, "OPTIONS", options)
    [port] = free_ports(1)
    share = Share(port, places=room)
    settings_frame = b"\0\0\0\x04\0\0\0\0\0"
    with ExitStack() as stack:
        async with app.grpc_server(core, settings, share.busy) as server:
            server.add_insecure_port(f"127.0.0.1:{port}")
            await server.start()
            for _ in range(room):
                silent = stack.enter_context(connected("127.0.0.1", port))
                silent.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings_frame)
            await asyncio.sleep(0.3)
            share.start()

            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                method = "/moego.business.payment.v1.PaymentService/GetPayment"
                with pytest.raises(grpc.aio.AioRpcError) as told:
                    await channel.unary_unary(method)(
                        payment_pb2.GetPaymentRequest(id="py_none").SerializeToString(),
                        metadata=(("authorization", f"Bearer {demo.api_key}"),),
                        wait_for_ready=True,
                        timeout=15,
                    )
            await share.stop()

    assert told.value.code() is grpc.StatusCode.NOT_FOUND  # it came in, and was answered


async def test_a_trusted_proxy_may_hold_as_many_as_it_likes() -> None:
    [port] = free_ports(1)
    trusted = peer.networks_of(["127.0.0.0/8"])
    connections = Connections(echo, port, most=1, spared=trusted)
    with socket.create_server(("127.0.0.1", port)) as listening, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(connected("127.0.0.1", port))
            stack.enter_context(listening.accept()[0])

        assert connections.close_surplus() == 0
        assert Connections(echo, port, most=1).close_surplus() == 2


async def test_over_grpc_an_address_keeps_its_share_and_all_that_are_served(admission: Any) -> None:
    share = Share(0, most=5)
    server = grpc_door.make_server({}, admission, busy=share.busy)

    async def ready() -> bool:
        return True

    async with grpc_health.healthy(server, [], ready):
        share._port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{share._port}") as channel:
            watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            await watching.read()
            with ExitStack() as stack:
                idle = [stack.enter_context(connected("127.0.0.1", share._port)) for _ in range(12)]
                other = [stack.enter_context(connected("127.0.0.2", share._port)) for _ in range(5)]
                await asyncio.sleep(0.3)

                assert await asyncio.to_thread(share.close_surplus) == 8
                await asyncio.sleep(0.3)

                assert (open_among(idle), open_among(other)) == (4, 5)
            assert not watching.done()
            watching.cancel()
        await server.stop(None)


@pytest.fixture
def admission() -> Admission:
    return Admission(limits_of(Settings()))


def connected(source: str, port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), source_address=(source, 0))


def open_among(sockets: list[socket.socket]) -> int:
    def is_open(one: Any) -> bool:
        one.setblocking(False)
        try:
            while one.recv(1000):
                pass
            return False
        except BlockingIOError:
            return True
        except OSError:
            return False

    return sum(map(is_open, sockets))
